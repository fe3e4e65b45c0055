"""Whether a command holds on a machine that has other work to do: ``make test-loaded``.

The command is run several times in a row, beside two processes that take a core each and one that
takes the memory. What fails there and not alone depends on how fast the machine happens to be.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import subprocess
import sys
from types import FrameType

from neighbours import NEIGHBOURS, running

BESIDE = ("spin", "spin", "memory")


def main() -> int:
    """Run it. Exit code 0 where every run had it, 1 at the first that had not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="in a row [5]")
    parser.add_argument(
        "--beside",
        action="append",
        choices=list(NEIGHBOURS),
        help=f"what runs beside, once for each [{' '.join(BESIDE)}]",
    )
    parser.add_argument("command", nargs="+", help="after --")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error(f"--runs {options.runs}: give 1 or more")
    signal.signal(signal.SIGTERM, _leave)
    with running(options.beside or BESIDE):
        for run in range(1, options.runs + 1):
            print(f"run {run} of {options.runs}", file=sys.stderr, flush=True)
            code = subprocess.run(options.command, check=False).returncode
            if code:
                words = shlex.join(options.command)
                print(
                    f"error: run {run} of {options.runs} failed with exit code {code}: {words}",
                    file=sys.stderr,
                )
                return 1
    return 0


def _leave(number: int, frame: FrameType | None) -> None:
    """As Ctrl-C does, lest neighbours are left behind."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
