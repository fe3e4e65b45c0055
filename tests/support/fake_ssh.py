"""An `ssh` that runs the command on this machine as sshd does: by the user's login shell."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

BOARD = '[box]\ntitle = "a box"\nkind = "ssh"\nhost = "box"\n'
"""For a devices.toml: the board that is reached by it."""

_SSH = """\
#!/bin/sh
while [ "$1" != -- ]; do
    case $1 in -O) exit 0 ;; esac
    shift
done
shift 2
HOME={home}
PATH={path}
export HOME PATH
unset XDG_CACHE_HOME XDG_CONFIG_HOME
cd "$HOME" || exit 1
printf %s {noise}
printf %s {whine} >&2
exec {shell} -c "$1"
"""


@dataclass(frozen=True)
class FakeSsh:
    """Stands in for `ssh` wherever `folder` is first on PATH."""

    folder: Path
    home: Path
    """Of the user on the device."""
    programs: Path
    """What is first on the PATH there."""

    @staticmethod
    def install(folder: Path, shell: str = "/bin/sh", noise: str = "", whine: str = "") -> FakeSsh:
        """Make it in `folder`. A login prints `noise` on stdout and `whine` on stderr."""
        fake = FakeSsh(folder / "ssh-bin", folder / "device", folder / "device-bin")
        for new in (fake.folder, fake.home, fake.programs):
            new.mkdir()
        ssh = fake.folder / "ssh"
        ssh.write_text(
            _SSH.format(
                home=shlex.quote(str(fake.home)),
                path=shlex.quote(f"{fake.programs}:/usr/bin:/bin"),
                noise=shlex.quote(noise),
                whine=shlex.quote(whine),
                shell=shlex.quote(shell),
            )
        )
        ssh.chmod(0o755)
        return fake
