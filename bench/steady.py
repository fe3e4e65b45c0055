"""Which bursts were timed while the processor was as fast as it can be.

On a virtual machine, such as those of CI, a neighbour on the other thread of the same core halves
its speed for seconds at a time, and no sensor tells. A small network and one that fills the memory
do not slow down alike, so even their ratio within a round then depends on the neighbour: here
AlexNet to ShuffleNet 0.5x read 21.6 and 18.1 in the two states. The pieces of the canary beside
the timed runs do tell, and know nothing of the models' times: what they set aside is not chosen by
what it would show.

Only where the machine does not tell its frequency. A board that does and is slowed down, because
it is hot or short of power, is measured as it is: that is what its user will see.

And only where there are enough others: not of a machine that hardly ever is at full speed, where
what little there is comes and goes from one measurement to the next. In six repeats of suite
`quick` with 31 to 55% of slow bursts, AlexNet to ShuffleNet 0.5x had a standard deviation of 0.8%
(LiteRT) and 2.4% (ONNX Runtime) without them, and of 3.1 and 4.1% with them. Workers wait for full
speed before each burst (`runtime.full_speed`), so that it does not come to that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shufflenet_deploy.bench import statistics
from shufflenet_deploy.bench.results import Results, Timed
from shufflenet_deploy.runtime.full_speed import FASTEST
from shufflenet_deploy.runtime.spec import Burst, FullSpeed

TOLERANCE = 1.15
"""Over the fastest tenth of all pulses. A neighbour costs a half or more; what remains when the
machine is at rest scatters by some percent."""
MOST = 0.8
"""Of the bursts, to be set aside."""
_PATIENCE_SECONDS = 120.0
"""To wait for full speed, shared by the processes that there are at least."""
_LEAST_PATIENCE, _MOST_PATIENCE = 1.0, 4.0
"""Seconds of one process."""

Judge = Callable[[Burst], bool]


def judge(results: Results) -> Judge:
    """Whether a burst of `results` was timed on a processor at its full speed.

    True of all where there is no telling, where frequencies are told, and where nearly all are
    slow.
    """
    if not 0 < slow_share(results) <= MOST:
        return lambda burst: True
    return _at_full_speed(results)


def slow_share(results: Results) -> float:
    """Of all bursts, those that were timed on a slower processor; 0 where there is no telling."""
    steady = _at_full_speed(results)
    judged = [steady(burst) for burst in _bursts(results)]
    return 1 - sum(judged) / len(judged) if judged else 0.0


def full_speed(results: Results) -> FullSpeed:
    """What the next process waits for, and how long: longer where there are few blocks."""
    fast = _fast_pulse(results)
    processes = max(len(results.blocks), 1) * results.parameters.processes
    share = min(max(_PATIENCE_SECONDS / processes, _LEAST_PATIENCE), _MOST_PATIENCE)
    return FullSpeed(
        pulse_ns=None if fast is None else round(fast), tolerance=TOLERANCE, seconds=share
    )


def _at_full_speed(results: Results) -> Judge:
    fast = _fast_pulse(results)
    if fast is None or _tells_frequency(results):
        return lambda burst: True
    limit = TOLERANCE * fast
    return lambda burst: max(burst.pulses_ns, default=0) <= limit


def _fast_pulse(results: Results) -> float | None:
    """Nanoseconds of a pulse at full speed; None where there was none."""
    pulses = [ns for burst in _bursts(results) for ns in burst.pulses_ns]
    return statistics.quantile(pulses, FASTEST) if pulses else None


def _bursts(results: Results) -> Iterator[Burst]:
    return (
        burst
        for run in results.runs
        if isinstance(run, Timed)
        for model in run.models
        for burst in model.bursts
    )


def _tells_frequency(results: Results) -> bool:
    return any(
        state.frequencies_mhz
        for run in results.runs
        if isinstance(run, Timed)
        for state in run.states
    )
