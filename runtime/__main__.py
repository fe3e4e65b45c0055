"""The worker: ``python -m shufflenet_deploy.runtime [SPEC.json]``.

It reads a `Spec` from the file or from stdin, and answers as `worker.protocol` says.
Plain argparse, because a device may have nothing but numpy, msgspec and an engine.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

import msgspec

from shufflenet_deploy.runtime.endings import fail
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.files.reading import read_bytes
from shufflenet_deploy.runtime.machine.environment import read_environment
from shufflenet_deploy.runtime.machine.processor import change_core, limit_pools, pin
from shufflenet_deploy.runtime.machine.state import StateReader
from shufflenet_deploy.runtime.worker.protocol import encode_answer, progress_line
from shufflenet_deploy.runtime.worker.spec import Answer, Progress, Spec


def main() -> None:
    """Exit codes: 0 done, also where it was interrupted; 1 failed; 2 a spec that is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m shufflenet_deploy.runtime",
        description="Time artifacts on this machine. Reads a JSON spec, answers samples in JSON.",
    )
    parser.add_argument("spec", nargs="?", default="-", help="the spec's file; - is stdin")
    source = parser.parse_args().spec
    # A shell that starts a command in the background has SIGINT ignored, and a child inherits it;
    # but this signal is how the host ends a block early and gets what was measured.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _write(_carry_out(_read_spec(source)))
    except InferenceError as error:
        fail(str(error), usage=error.usage)
    except KeyboardInterrupt:
        fail("interrupted before anything was measured")
    except OSError as error:
        fail(f"{error.filename or 'input or output'}: {error.strerror}")


def _carry_out(spec: Spec) -> Answer:
    state = StateReader(time.perf_counter_ns).read
    limit_pools(spec.threads)
    cores = pin(spec.cores)
    # Only now, since these import numpy, which starts its threads, as many as it was told.
    from shufflenet_deploy.runtime.machine.canary import canary, pulse
    from shufflenet_deploy.runtime.machine.peak import peak_multiply_adds_per_second
    from shufflenet_deploy.runtime.worker.instruments import Instruments
    from shufflenet_deploy.runtime.worker.run import carry_out

    instruments = Instruments(
        clock=time.perf_counter_ns,
        sleep=time.sleep,
        environment=read_environment,
        state=state,
        canary=lambda: canary(time.perf_counter_ns),
        pulse=pulse(time.perf_counter_ns),
        change_core=change_core,
        peak=lambda: peak_multiply_adds_per_second(time.perf_counter_ns),
        report=_report,
    )
    return carry_out(spec, cores, instruments)


def _read_spec(source: str) -> Spec:
    if source == "-":
        data = sys.stdin.buffer.read()
    else:
        try:
            data = read_bytes(Path(source))
        except OSError as error:
            raise InferenceError(
                f"cannot read the spec {source}: {error.strerror}", usage=True
            ) from None
    try:
        return msgspec.json.decode(data, type=Spec)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InferenceError(f"the spec is wrong: {error}", usage=True) from None


def _write(answer: Answer) -> None:
    # A file of its own, closed here: were stdout full, the interpreter's end would try again.
    with os.fdopen(sys.stdout.fileno(), "wb", closefd=False) as stdout:
        stdout.write(encode_answer(answer))


def _report(progress: Progress) -> None:
    sys.stderr.write(progress_line(progress))
    sys.stderr.flush()


if __name__ == "__main__":
    main()
