"""Threads and cores of a process, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import msgspec
import pytest

from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.machine.processor import POOLS, allowed_cores, limit_pools, pin
from shufflenet_deploy.runtime.worker.spec import Answer, Spec

Work = Callable[..., subprocess.CompletedProcess[str]]

pinnable = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system pins no process"
)


def _run(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_every_pool_is_told_whatever_the_user_had_set() -> None:
    variables = {"OMP_NUM_THREADS": "7", "HOME": "/"}
    limit_pools(3, variables)
    assert variables == {"HOME": "/"} | dict.fromkeys(POOLS, "3")


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads in /proc")  # noqa: PTH112
def test_numpy_starts_as_many_threads_as_it_was_told() -> None:
    program = (
        "import os\n"
        "from shufflenet_deploy.runtime.machine.processor import limit_pools\n"
        "limit_pools({threads})\n"
        "import numpy\n"
        "square = numpy.ones((512, 512), numpy.float32)\n"
        "square @ square\n"
        "print(len(os.listdir('/proc/self/task')))\n"
    )
    assert _run(program.format(threads=1)) == "1"


def test_what_reads_a_spec_does_not_import_numpy() -> None:
    """Its libraries would start their threads before the spec could tell how many."""
    program = (
        "import sys\nimport shufflenet_deploy.runtime.__main__\nprint('numpy' in sys.modules)\n"
    )
    assert _run(program) == "False"


@pinnable
def test_a_process_is_pinned_and_so_are_its_threads() -> None:
    core = max(os.sched_getaffinity(0))
    program = (
        "import os, threading\n"
        "from shufflenet_deploy.runtime.machine.processor import pin\n"
        f"print(pin([{core}]))\n"
        "thread = threading.Thread(target=lambda: print(sorted(os.sched_getaffinity(0))))\n"
        "thread.start()\n"
        "thread.join()\n"
    )
    assert _run(program).splitlines() == [f"({core},)", f"[{core}]"]


@pinnable
def test_without_cores_nothing_is_pinned() -> None:
    before = os.sched_getaffinity(0)
    assert pin([]) == tuple(sorted(before)) == allowed_cores()
    assert os.sched_getaffinity(0) == before


@pinnable
@pytest.mark.parametrize("missing", [[4096], [10**30, 4096]])
def test_a_core_that_is_not_there_is_refused_with_those_that_are(missing: list[int]) -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(InferenceError) as refused:
        pin([min(before), *missing])
    there = ", ".join(map(str, sorted(before)))
    named = ", ".join(map(str, sorted(missing)))
    assert str(refused.value) == f"no core {named} for the worker: there are {there}"
    assert refused.value.usage
    assert os.sched_getaffinity(0) == before


@pinnable
def test_a_system_that_refuses_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(process: int, cores: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    with pytest.raises(InferenceError, match=r"cannot pin .* Operation not permitted; there are"):
        pin([min(os.sched_getaffinity(0))])


def test_a_system_that_pins_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert pin([]) is None
    with pytest.raises(InferenceError, match="pins no process") as refused:
        pin([0])
    assert refused.value.usage


@pinnable
def test_a_real_worker_says_on_which_cores_it_was(work: Work) -> None:
    core = max(os.sched_getaffinity(0))
    worker = work(stdin=msgspec.json.encode(Spec(cores=(core,))))
    assert worker.returncode == 0, worker.stderr
    assert msgspec.json.decode(worker.stdout, type=Answer).cores == (core,)


@pinnable
def test_a_real_worker_refuses_a_core_that_is_not_there_in_one_line(work: Work) -> None:
    worker = work(stdin=msgspec.json.encode(Spec(cores=(4096,))))
    assert worker.returncode == 2
    assert worker.stdout == ""
    (line,) = worker.stderr.splitlines()
    assert line.startswith("error: no core 4096 for the worker: there are ")


@pinnable
def test_a_thread_that_changes_its_core_may_still_use_all() -> None:
    program = (
        "from shufflenet_deploy.runtime.machine.processor import allowed_cores, change_core\n"
        "before = allowed_cores()\n"
        "change_core()\n"
        "print(allowed_cores() == before)\n"
    )
    assert _run(program) == "True"


@pinnable
@pytest.mark.skipif(len(allowed_cores() or ()) < 2, reason="there is one core")
def test_a_core_is_changed() -> None:
    program = (
        "from shufflenet_deploy.runtime.machine import processor\n"
        "cores = set()\n"
        "for _ in range(200):\n"
        "    cores.add(processor._current_core())\n"
        "    processor.change_core()\n"
        "print(len(cores) > 1)\n"
    )
    assert _run(program) == "True"


@pinnable
def test_a_pinned_thread_stays() -> None:
    (core, *_) = allowed_cores() or ()
    program = (
        "from shufflenet_deploy.runtime.machine.processor import change_core, pin\n"
        f"pin(({core},))\n"
        "change_core()\n"
        f"print(pin(()) == ({core},))\n"
    )
    assert _run(program) == "True"
