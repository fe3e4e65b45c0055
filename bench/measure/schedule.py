"""How long a measurement will still take, from what it has taken so far."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from shufflenet_deploy.bench.results import Block, Results, Timed
from shufflenet_deploy.runtime.worker.spec import ModelAnswer, WarmUp


class Forecast:
    """Expected seconds of what is left; without a guess nothing is foreseen."""

    def __init__(self, results: Results) -> None:
        self._parameters = results.parameters
        self._alone: dict[int, tuple[float, float]] = {}
        """Model -> seconds of everything but its runs, and seconds of one run."""
        self._processes: dict[str, list[float]] = {}
        """Block -> seconds of each process."""
        for run in results.runs:
            if isinstance(run, Timed):
                self._processes.setdefault(run.block, []).append(_lasted(run))
        self.before = max(
            (run.start_seconds + _lasted(run) for run in results.runs if isinstance(run, Timed)),
            default=0.0,
        )
        """Seconds that a measurement which is gone on with had taken before; 0 for a new one."""

    def saw_alone(self, index: int, answer: ModelAnswer, seconds: float) -> None:
        """A model was loaded and run alone, which took `seconds` in all."""
        runs = [answer.first_run_ns, *answer.warm_up_ns]
        self._alone[index] = (max(seconds - sum(runs) / 1e9, 0.0), min(runs) / 1e9)

    def saw_process(self, block: Block, seconds: float) -> None:
        """One process of `block` took `seconds`."""
        self._processes.setdefault(block.id, []).append(seconds)

    def expected(self, block: Block) -> float | None:
        """Seconds of one process of `block`; None where nothing is known of its models."""
        seen = self._processes.get(block.id)
        if seen:
            return mean(seen)
        known = [self._alone[member] for member in block.members if member in self._alone]
        if not known:
            return None
        warm_up = WarmUp()
        warming = sum(min(warm_up.maximum / 2 * run, warm_up.seconds) for _, run in known)
        burst = self._parameters.untimed + self._parameters.timed
        one_round = sum(burst * run for _, run in known)
        rounds = min(
            self._parameters.rounds_per_process * one_round,
            max(self._parameters.seconds_per_process, 2 * one_round),
        )
        # A process starts once, however many models it loads; the largest start stands for it.
        return max(other for other, _ in known) + warming + rounds

    def seconds_left(
        self, results: Results, still_open: Sequence[Block], elapsed: float
    ) -> float | None:
        """Of the processes that blocks have at least, and of one more of each that is open.

        No more than until patience is over, `elapsed` seconds after the begin, if blocks then have
        the fewer processes that are enough. None before all models were probed, and while nothing
        is known of a block. How many more it takes until a ratio is known cannot be foreseen.
        """
        if any(not model.probe and not model.skipped for model in results.models):
            return None
        parameters = self._parameters
        minimum = parameters.processes if results.target.latency else 1
        in_patience = in_haste = 0.0
        for block in still_open:
            expected = self.expected(block)
            if expected is None:
                return None
            done = sum(run.block == block.id for run in results.runs)
            in_patience += max(minimum - done, 1) * expected
            in_haste += max(min(minimum, parameters.hasty_processes) - done, 0) * expected
        patience = 60 * parameters.patience_minutes - elapsed
        return min(in_patience, max(patience, in_haste))

    def is_over(self, elapsed: float, block: Block) -> bool:
        """Whether another process of `block` would end after what `--max-minutes` allows."""
        minutes = self._parameters.minutes
        return minutes is not None and elapsed + (self.expected(block) or 0.0) > minutes * 60


def _lasted(run: Timed) -> float:
    return run.states[-1].seconds if run.states else 0.0
