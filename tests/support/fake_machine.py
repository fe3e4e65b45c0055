"""A machine for tests of the worker: time passes only where a test says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from shufflenet_deploy.runtime.machine.environment import Environment
from shufflenet_deploy.runtime.machine.state import State
from shufflenet_deploy.runtime.worker.instruments import Instruments, Run
from shufflenet_deploy.runtime.worker.spec import Progress

ENVIRONMENT = Environment(
    board=None,
    processor="Cortex-A72",
    architecture="aarch64",
    cores=4,
    kernel="6.6",
    total_memory_bytes=4 * 10**9,
    maximum_mhz={0: 1500.0},
    python_version="3.11",
    package_versions={"numpy": "2"},
)


class FakeMachine:
    """A fake clock with fake instruments, and models: the n-th run of all takes n nanoseconds."""

    def __init__(self) -> None:
        self.now = 1000
        self.ran: list[int] = []
        """Which model each run was of."""
        self.done: list[str] = []
        """What else was done, in its order, with ``run`` where models ran meanwhile."""
        self.reports: list[Progress] = []
        self.temperatures: Iterator[float] = iter(())
        """In degrees Celsius, one for each state; without any there is no sensor."""
        self.canaries: Iterator[tuple[int, ...]] = iter(())
        """Where these end, each repetition takes 100 ns."""
        self.pulses: Iterator[int] = iter(())
        """Where these end, each takes 10 ns."""
        self.pulse_ns = 0
        """How far the clock goes on at each, whatever it says that it took."""
        self.available_bytes: int | None = 10**12
        self.before_report: Callable[[Progress], None] = lambda progress: None

    def clock(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self._note(f"sleep {seconds:g}")
        self.now += round(seconds * 1e9)

    def state(self) -> State:
        self._note("state")
        temperature = next(self.temperatures, None)
        return State(
            seconds=self.now / 1e9,
            governors={},
            frequencies_mhz={},
            temperatures_c={} if temperature is None else {"cpu": temperature, "wifi": 20.0},
            throttled=None,
            load_average=None,
            available_memory_bytes=self.available_bytes,
            busy_seconds=None,
            own_seconds=0.0,
        )

    def canary(self) -> tuple[int, ...]:
        self._note("canary")
        return next(self.canaries, (100, 100, 100))

    def pulse(self) -> int:
        self.now += self.pulse_ns
        return next(self.pulses, 10)

    def change_core(self) -> None:
        self._note("change core")

    def peak(self) -> float:
        self._note("peak")
        return 1e9

    def report(self, progress: Progress) -> None:
        self.before_report(progress)
        self.reports.append(progress)

    def models(self, count: int) -> list[Run]:
        return [self._model(index) for index in range(count)]

    def instruments(self, clock: Callable[[], int] | None = None) -> Instruments:
        """These, on `clock` if there is one."""
        return Instruments(
            clock=clock or self.clock,
            sleep=self.sleep,
            environment=lambda: ENVIRONMENT,
            state=self.state,
            canary=self.canary,
            pulse=self.pulse,
            change_core=self.change_core,
            peak=self.peak,
            report=self.report,
        )

    def _model(self, index: int) -> Run:
        def run() -> None:
            self.ran.append(index)
            self.now += len(self.ran)

        return run

    def _note(self, what: str) -> None:
        self.done.append(what)
