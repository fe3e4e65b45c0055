"""Which models are measured in the same processes: only their times are pairs.

A block is kept as small as what it is for, so that it fits small boards: the models of one claim
at one size, engine and precision. AlexNet alone takes half a gigabyte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from shufflenet_deploy.bench.analysis.wording import count
from shufflenet_deploy.bench.paper.claims import Paper
from shufflenet_deploy.bench.paper.networks import Network, setting_words
from shufflenet_deploy.bench.results import Block, Model
from shufflenet_deploy.runtime.formats import FORMATS
from shufflenet_deploy.runtime.options import Options

LARGEST = 6
"""The most models of a block that is for no claim."""


def plan(models: Sequence[Model], paper: Paper, threads: Sequence[int], named: int) -> list[Block]:
    """The blocks in which `models` are measured, for each number of threads.

    Every claim whose networks are all there gets one in each setting. The first `named` models
    were named by the user, who wants them compared with each other, whatever they are: up to
    `LARGEST` of them are a block too. What is in none of these is measured in blocks of its own.
    """
    return [
        Block(
            id=f"{title}, {count(number, 'thread')}",
            claim=claim,
            members=members,
            threads=number,
        )
        for number in threads
        for title, claim, members in _groups(models, paper, named)
    ]


_Group = tuple[str, str | None, tuple[int, ...]]
"""A block to be: its title, the id of its claim (None without one), and the indices of its
models."""


def _groups(models: Sequence[Model], paper: Paper, named: int) -> list[_Group]:
    groups = list(_claims(models, paper))
    together = tuple(range(named))
    if 1 < named <= LARGEST and all(set(together) != set(group[2]) for group in groups):
        groups.insert(0, ("named", None, together))
    placed = {member for _, _, members in groups for member in members}
    rest: dict[str, list[int]] = {}
    for index, model in enumerate(models):
        if index not in placed:
            rest.setdefault(_others_title(model), []).append(index)
    for title, indices in rest.items():
        for start in range(0, len(indices), LARGEST):
            number = f" ({start // LARGEST + 1})" if len(indices) > LARGEST else ""
            groups.append((title + number, None, tuple(indices[start : start + LARGEST])))
    return groups


def _claims(models: Sequence[Model], paper: Paper) -> Iterator[_Group]:
    settings: dict[tuple[Options, str], dict[Network, int]] = {}
    for index, model in enumerate(models):
        if model.options is not None:
            key = _setting(model.options), _runs_on(model)
            members = settings.setdefault(key, {})
            # Of two builds of one network the first stands for it.
            members.setdefault(Network.of(model.options), index)
    for (setting, runs_on), members in settings.items():
        for claim in paper.claims:
            if setting.input_size in claim.input_sizes and set(claim.networks) <= set(members):
                yield (
                    f"{claim.id}: {runs_on}, {' '.join(setting_words(setting))}",
                    claim.id,
                    tuple(members[network] for network in claim.networks),
                )


def _setting(options: Options) -> Options:
    """`options` without the network: models whose times may be compared have them equal.

    Nor the weights, whose values do not enter the time.
    """
    return Options(
        network="",
        groups=None,
        scale=None,
        input_size=options.input_size,
        format=options.format,
        precision=options.precision,
        lowering=options.lowering,
        target=options.target,
        io=options.io,
    )


def _runs_on(model: Model) -> str:
    """The format, and the engine where it is not the format's first."""
    usual = FORMATS[model.format].engines[0]
    return model.format if model.engine == usual else f"{model.format} on {model.engine}"


def _others_title(model: Model) -> str:
    if model.options is None:
        return f"others: {_runs_on(model)}"
    return f"in turns: {_runs_on(model)}, {' '.join(setting_words(_setting(model.options)))}"
