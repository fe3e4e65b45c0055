"""What a report is made of, and what every part of it has to say in the same words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from shufflenet_deploy.bench.analysis.summary import ModelSummary, Setting, Summary
from shufflenet_deploy.bench.analysis.wording import pixels
from shufflenet_deploy.bench.paper.claims import Paper
from shufflenet_deploy.bench.paper.networks import Network
from shufflenet_deploy.bench.results import Results


@dataclass(frozen=True)
class ReportData:
    """A measurement with all that is said about it."""

    results: Results
    summary: Summary
    paper: Paper
    notes: Sequence[str] = ()
    """What a reader has to know of these models or this machine, a sentence each."""

    @property
    def device(self) -> str:
        """What was measured on, by the most telling of its names."""
        environment = self.results.environment
        return environment.board or environment.processor or self.results.target.board

    @property
    def title(self) -> str:
        """The report's title."""
        options = [model.options for model in self.results.models]
        ours = self.results.suite or any(
            made_of and made_of.network.startswith("shufflenet") for made_of in options
        )
        return self.marked(f"{'ShuffleNet' if ours else 'Models'} on {self.device}")

    @property
    def date(self) -> str:
        """When the measurement began; as it stands in the results where it is no ISO date."""
        try:
            moment = datetime.fromisoformat(self.results.created)
        except ValueError:
            return self.results.created
        if moment.tzinfo:
            moment = moment.astimezone(UTC)
        return f"{moment.day} {moment:%B %Y, %H:%M} UTC"

    @property
    def unfinished(self) -> str | None:
        """Why not all was measured that should have been, in one sentence."""
        return {
            "done": None,
            "no": "The measurement was cut off, or is still going on: these are its figures so "
            "far. Go on with --resume.",
            "minutes": "The time of --max-minutes was over before every interval was as narrow as "
            "wanted. Go on with --resume.",
            "interrupted": "The measurement was interrupted: these are its figures until then. "
            "Go on with --resume.",
        }[self.results.ended]

    def marked(self, heading: str) -> str:
        """`heading`, which says so where the device's time is no latency."""
        return heading if self.results.target.latency else f"{heading} (emulated: no latency)"

    def groups(self) -> Iterator[tuple[Setting, list[int]]]:
        """Settings and the indices of their models in the summary, in the order of `order`."""
        groups: dict[Setting, list[int]] = {}
        for index, model in enumerate(self.summary.models):
            groups.setdefault(model.setting, []).append(index)
        yield from sorted(groups.items(), key=lambda group: self.order(group[0]))

    def order(self, setting: Setting) -> tuple[int, str, str, int, int]:
        """To sort by: engines apart as they were measured, small inputs first.

        What is alike but for threads or size stands together.
        """
        engines = list(dict.fromkeys(model.setting.engine for model in self.summary.models))
        engine = engines.index(setting.engine) if setting.engine in engines else len(engines)
        lowering, precision = setting.lowering or "", setting.precision or ""
        return engine, precision, lowering, setting.threads, pixels(setting)

    def networks(self, models: Sequence[int]) -> list[str]:
        """Names of `models` of one setting: their network's, where that tells them apart."""
        labels = [self.network_label(self.summary.models[index]) for index in models]
        return [
            self.summary.models[index].label if labels.count(label) > 1 else label
            for index, label in zip(models, labels, strict=True)
        ]

    def network(self, model: ModelSummary) -> Network | None:
        """The network of `model`; None of a file of another tool."""
        options = self.results.models[model.model].options
        return Network.of(options) if options else None

    def network_label(self, model: ModelSummary) -> str:
        """The network's own name, or what the summary calls a file of another tool."""
        network = self.network(model)
        return network.label if network else model.label
