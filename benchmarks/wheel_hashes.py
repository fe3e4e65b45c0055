"""The hashes of what devices get by pip: ``python benchmarks/wheel_hashes.py --write``.

For the versions that are installed here, which have to be those of constraints.txt, and all Pythons
and C libraries that devices may have. What pip fetches, it holds to what its index says. Without
--write, exit 1 where bench/provision/wheels.sha256 differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from shufflenet_deploy.bench.provision import PYTHON_VERSIONS
from shufflenet_deploy.bench.provision.bundle import LIBRARIES, MACHINE, ON_DEMAND
from shufflenet_deploy.bench.provision.hashes import FILE
from shufflenet_deploy.bench.provision.wheels import Platform, download
from shufflenet_deploy.runtime.engines import ENGINES
from shufflenet_deploy.runtime.files import sha256

TABLE = Path(__file__).parents[1] / "bench/provision" / FILE
GLIBCS = ((2, 31), (2, 36), (2, 41))
"""Of Debian 11 to 13: an older one may get another wheel of the same version."""


def main() -> int:
    """Fetch each wheel once, and write or compare the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.name}")
    options = parser.parse_args()
    engines = (name for engine in ENGINES.values() for name in engine.distributions[:1])
    names = sorted({*LIBRARIES, *ON_DEMAND, *engines})
    lines = set()
    with tempfile.TemporaryDirectory() as folder:
        for version in PYTHON_VERSIONS:
            major, minor = map(int, version.split("."))
            for glibc in GLIBCS:
                platform = Platform((major, minor), MACHINE, glibc)
                for wheel in download(names, platform, Path(folder), lambda line: None):
                    print(f"{platform}: {wheel.name}", file=sys.stderr, flush=True)
                    lines.add(f"{sha256(wheel)}  {wheel.name}\n")
    text = "".join(sorted(lines, key=lambda line: line.split()[1]))
    if options.write:
        TABLE.write_text(text, encoding="utf-8")
        return 0
    return 0 if TABLE.read_text(encoding="utf-8") == text else 1


if __name__ == "__main__":
    sys.exit(main())
