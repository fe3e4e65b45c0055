"""Which bursts were timed while the processor was as fast as it can be.

On a virtual machine, such as those of CI, a neighbour on the other thread of the same core halves
its speed for seconds at a time, and no sensor tells. A small network and one that fills the memory
do not slow down alike, so even their ratio within a round then depends on the neighbour: here
AlexNet to ShuffleNet 0.5x read 21.6 and 18.1 in the two states. The pieces of the canary beside
the timed runs do tell, and know nothing of the models' times: what they set aside is not chosen by
what it would show.

But a model may slow the core down itself, and does so wherever it runs. For some milliseconds after
AlexNet's wide multiplications an Intel processor ran at a lower clock: in every burst of it, pulses
took 1.14 to 1.17 times as long as beside ShuffleNet. So a pulse is compared with the fast ones
beside the same model.

Only where the machine does not tell its frequency. A board that does and is slowed down, because
it is hot or short of power, is measured as it is: that is what its user will see.

And only where there are enough others: not of a machine that hardly ever is at full speed, where
what little there is comes and goes from one measurement to the next. In six repeats of suite
`quick` with 31 to 55% of slow bursts, AlexNet to ShuffleNet 0.5x had a standard deviation of 0.8%
(LiteRT) and 2.4% (ONNX Runtime) without them, and of 3.1 and 4.1% with them. Workers wait for full
speed before each burst (`runtime.worker.full_speed`), so that it does not come to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set

from msgspec.structs import replace

from shufflenet_deploy.bench.analysis import statistics
from shufflenet_deploy.bench.results import Results, Timed, TimedModel
from shufflenet_deploy.runtime.worker.full_speed import FASTEST
from shufflenet_deploy.runtime.worker.spec import Burst, FullSpeed

TOLERANCE = 1.15
"""A burst is slow where a pulse beside it takes more than this times the fastest tenth of the
pulses beside the same model. A neighbour costs a half or more; what remains when the machine is at
rest scatters by some percent."""
_OWN_DOING = 1.25
"""The fastest tenth of one model's pulses counts as fast up to this times the fastest tenth of all
pulses. A model that a neighbour slowed down in nearly all of its bursts has no fast ones, and must
not seem to do it itself."""
MAX_SLOW_SHARE = 0.8
"""The largest share of slow bursts that is set aside; with more of them, all bursts count."""
_PATIENCE_SECONDS = 120.0
"""Seconds to wait for full speed in all, shared by the fewest processes that are measured of all
blocks."""
_MIN_PATIENCE, _MAX_PATIENCE = 1.0, 4.0
"""The least and the most seconds that one process may wait for full speed."""

MIN_PROCESSES, MIN_ROUNDS = 3, 2
"""How many processes of a block, each with how many rounds at full speed, make the block's other
bursts unnecessary."""

_Judge = Callable[[TimedModel], tuple[Burst, ...]]
"""Takes what one process timed of a model; returns those of its bursts that had the processor's
full speed."""


def select_bursts(results: Results) -> tuple[Timed, ...]:
    """The processes of `results` that count, block by block, each with those bursts that count.

    The one rule for every figure of a model's time: latencies, ratios, verdicts, what a block still
    wants, comparisons. Only percentiles and what else tells of the scatter is of all bursts.

    A block is decided on as a whole, so that its models' latencies and their ratios are of the same
    processes. Those count in which all of its models had full speed in at least `MIN_ROUNDS` rounds
    that they share, with their bursts at full speed; a process that was interrupted earlier does
    not. In a block with fewer than `MIN_PROCESSES` of these, all bursts of all processes count.

    Every burst is taken for one at full speed where there is no telling, where the machine tells
    its frequency, and where more than `MAX_SLOW_SHARE` of all bursts are slow.
    """
    judge = _at_full_speed(results) if 0 < slow_share(results) <= MAX_SLOW_SHARE else _every_burst
    blocks: dict[str, list[Timed]] = {}
    for run in _timed(results):
        blocks.setdefault(run.block, []).append(run)
    return tuple(run for runs in blocks.values() for run in _of_block(runs, judge))


def _of_block(runs: Sequence[Timed], judge: _Judge) -> Sequence[Timed]:
    """Those of `runs`, all processes of one block, that count."""
    members = {model.member for run in runs for model in run.models if model.bursts}
    at_full_speed = [
        replace(run, models=tuple(replace(model, bursts=judge(model)) for model in run.models))
        for run in runs
    ]
    enough = [run for run in at_full_speed if _shared_rounds(run, members) >= MIN_ROUNDS]
    return enough if len(enough) >= MIN_PROCESSES else runs


def _shared_rounds(run: Timed, members: Set[int]) -> int:
    """How many rounds of `run` have a burst of each of `members`."""
    rounds = {model.member: {burst.round for burst in model.bursts} for model in run.models}
    shared = [rounds.get(member, set()) for member in members]
    return len(set.intersection(*shared)) if shared else 0


def _every_burst(model: TimedModel) -> tuple[Burst, ...]:
    """The judge that sets nothing aside."""
    return model.bursts


def slow_share(results: Results) -> float:
    """Of all bursts, those that were timed on a slower processor; 0 where there is no telling."""
    judge = _at_full_speed(results)
    bursts = sum(len(model.bursts) for model in _models(results))
    kept = sum(len(judge(model)) for model in _models(results))
    return 1 - kept / bursts if bursts else 0.0


def full_speed(results: Results) -> FullSpeed:
    """What the next process waits for, and how long: longer where there are few blocks."""
    pulses = _pulses(results)
    processes = max(len(results.blocks), 1) * results.parameters.processes
    share = min(max(_PATIENCE_SECONDS / processes, _MIN_PATIENCE), _MAX_PATIENCE)
    return FullSpeed(
        pulse_ns=round(_fast_pulse(pulses)) if pulses else None,
        tolerance=TOLERANCE,
        seconds=share,
    )


def _at_full_speed(results: Results) -> _Judge:
    pulses = _pulses(results)
    if not pulses or _tells_frequency(results):
        return _every_burst
    slowest = _OWN_DOING * _fast_pulse(pulses)
    limits = {
        member: TOLERANCE * min(statistics.quantile(member_pulses, FASTEST), slowest)
        for member, member_pulses in pulses.items()
    }
    return lambda model: tuple(
        burst
        for burst in model.bursts
        if max(burst.pulses_ns, default=0) <= limits.get(model.member, 0.0)
    )


def _fast_pulse(pulses: Mapping[int, Sequence[int]]) -> float:
    """Nanoseconds of a pulse at full speed, from those of all models."""
    return statistics.quantile(
        [ns for member_pulses in pulses.values() for ns in member_pulses], FASTEST
    )


def _pulses(results: Results) -> dict[int, list[int]]:
    """Model -> the pulses beside its bursts, in nanoseconds; no model without any."""
    pulses: dict[int, list[int]] = {}
    for model in _models(results):
        for burst in model.bursts:
            if burst.pulses_ns:
                pulses.setdefault(model.member, []).extend(burst.pulses_ns)
    return pulses


def _models(results: Results) -> Iterator[TimedModel]:
    return (model for run in _timed(results) for model in run.models)


def _timed(results: Results) -> Iterator[Timed]:
    return (run for run in results.runs if isinstance(run, Timed))


def _tells_frequency(results: Results) -> bool:
    return any(state.frequencies_mhz for run in _timed(results) for state in run.states)
