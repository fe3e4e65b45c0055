"""Packages of Debian (or Ubuntu) for another architecture, fetched and unpacked without root.

apt does all of it, with the host's own mirrors, proxies and keys, but in a state folder of our own:
what is installed on this host neither matters nor changes.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from shufflenet_deploy.bench.provision.cache import locked
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.files import sha256

_FRESH_SECONDS = 24 * 3600
"""Seconds for which the list of packages is not asked for again."""
_SECONDS = 600.0
"""Seconds that one call of apt may take."""
_PORTS = "http://ports.ubuntu.com/ubuntu-ports"
"""The archive in which Ubuntu has the packages of what is neither amd64 nor i386."""
_REMEDY = (
    "the bundle is made of Debian's packages, on Debian or Ubuntu (a container will do); elsewhere "
    "copy the folder {folder} from such a host"
)
# `#clear` takes away what hooks an image has put there: they would clean the host's own folders.
_CONFIGURATION = """\
#clear APT::Architectures;
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Debug::NoLocking "true";
Dir::State "{state}";
Dir::State::status "{state}/status";
Dir::Cache "{state}/cache";
Dir::Etc::sourcelist "{state}/sources.list";
Dir::Etc::sourceparts "-";
"""


def fetch(
    packages: Sequence[str],
    folder: Path,
    *,
    architecture: str = "arm64",
    backports: bool = False,
    release: str | None = None,
) -> list[Path]:
    """The .deb files of `packages` and of all that they depend on, kept in `folder`.

    They are of the host's own release, or of another `release` of its distribution. With
    `backports` they are those of the release's backports, as far as these have them. Raises
    `BenchError` where this host has no apt, no network, or a package is unknown.
    """
    for program in ("apt-get", "dpkg-deb", "tar"):
        if shutil.which(program) is None:
            raise BenchError(
                f"there is no {program} here: {_REMEDY.format(folder=folder.parent)}", usage=True
            )
    with locked(folder):
        configuration = _configure(folder.resolve(), architecture, backports, release)
        return _download(configuration, packages, folder.resolve(), backports)


def unpack(debs: Iterable[Path], root: Path) -> None:
    """Unpack `debs` into the folder `root`, with no script of theirs run.

    It gets the merged /usr of today's releases, and absolute symbolic links become relative, so
    that `root` serves as a prefix too. Owners are kept where this process is root.
    """
    for name in ("bin", "lib", "sbin"):
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        if not (root / name).is_symlink():
            (root / name).symlink_to(f"usr/{name}")
    for deb in debs:
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as tar:
            done = subprocess.run(
                ["tar", "-x", "--keep-directory-symlink", "-C", root],
                stdin=tar.stdout,
                capture_output=True,
                check=False,
            )
        if done.returncode or tar.returncode:
            raise BenchError(f"cannot unpack {deb}: {done.stderr.decode(errors='replace').strip()}")
    _make_links_relative(root)


def _make_links_relative(root: Path) -> None:
    for link in root.rglob("*"):
        if link.is_symlink() and link.readlink().is_absolute():
            target = str(link.readlink()).lstrip("/")
            up = "../" * (len(link.relative_to(root).parts) - 1)
            link.unlink()
            link.symlink_to(up + target)


def _configure(folder: Path, architecture: str, backports: bool, release: str | None) -> Path:
    """apt's settings for `architecture`, with lists of its packages that are a day old at most."""
    of_release = f"-{release}" if release else ""
    state = folder / f".apt-{architecture}{of_release}{'-backports' if backports else ''}"
    for name in ("lists/partial", "cache/archives/partial", "empty/partial"):
        (state / name).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()  # nothing is installed, so all that is needed is fetched
    configuration = state / "apt.conf"
    configuration.write_text(_CONFIGURATION.format(architecture=architecture, state=state))
    stamp = state / "updated"
    if not stamp.exists() or time.time() - stamp.stat().st_mtime > _FRESH_SECONDS:
        lines = _sources(architecture, backports, release)
        (state / "sources.list").write_text("".join(f"{line}\n" for line in lines))
        try:
            # Without this an archive that cannot be reached would be a mere warning.
            _apt(configuration, "update", "-o", "APT::Update::Error-Mode=any")
            stamp.touch()
        except BenchError:
            if not stamp.exists():
                raise  # else the lists of days ago serve as well
    return configuration


def _sources(architecture: str, backports: bool, other: str | None) -> list[str]:
    """Lines for apt: the host's own mirrors of its distribution, for `architecture`.

    Of the release `other`, where that is given, they have what is neither an update nor a fix.
    """
    system = platform.freedesktop_os_release()
    release = system.get("VERSION_CODENAME", "")
    format_ = "$(CREATED_BY) $(REPO_URI) $(RELEASE) $(COMPONENT)"
    listed = _run(["apt-get", "indextargets", "--format", format_])
    targets = set[tuple[str, str, str]]()
    for words in map(str.split, listed.splitlines()):
        # Other archives of the host have no part in this, and may not have the architecture.
        if len(words) == 4 and words[0] == "Packages" and words[3] in ("main", "universe"):
            targets.add((words[1], words[2], words[3]))
    suites = {release, f"{release}-updates", f"{release}-security"} - {""}
    mirrors = [mirror for mirror in sorted(targets) if mirror[1] in suites]
    if not mirrors:
        raise BenchError(
            f"apt here has no packages of {release or 'a known release'} of Debian or Ubuntu: see "
            "/etc/apt/sources.list.d"
        )
    if system.get("ID") == "ubuntu" and architecture not in ("amd64", "i386"):
        mirrors = [(_PORTS, suite, component) for _, suite, component in mirrors]
    if other:
        mirrors = [(uri, other, part) for uri, suite, part in mirrors if suite == release]
    if backports:
        main = next((mirror for mirror in mirrors if mirror[1] == release), mirrors[0])
        mirrors.append((main[0], f"{release}-backports", main[2]))
    return [f"deb {_keys(system)} {uri} {suite} {part}" for uri, suite, part in mirrors]


def _keys(system: dict[str, str]) -> str:
    """The options of a source: by which keys it is signed, where apt does not know them itself."""
    name = system.get("ID", "debian")
    keyring = Path(f"/usr/share/keyrings/{name}-archive-keyring.gpg")
    return f"[signed-by={keyring}]" if keyring.exists() else ""


def _download(
    configuration: Path, packages: Sequence[str], folder: Path, backports: bool
) -> list[Path]:
    state = configuration.parent
    words = ["install", "--yes", *packages]
    if backports:
        release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
        words += ["--target-release", f"{release}-backports"]
    # With an empty archive apt lists all that is needed, and not only what is missing.
    listed = _apt(
        configuration, "--print-uris", "-o", f"Dir::Cache::archives={state}/empty",
        "-o", "Acquire::ForceHash=SHA256", *words,
    )  # fmt: skip
    # A line is 'URI' FILE SIZE HASH.
    rows = [line.split() for line in listed.splitlines() if line.startswith("'")]
    debs = [folder / row[1] for row in rows]
    for deb, row in zip(debs, rows, strict=True):
        if deb.exists() and not _is_listed(deb, int(row[2]), row[3]):
            deb.unlink()  # cut off, or altered: apt would take it as it is
    if not all(deb.exists() for deb in debs):
        (folder / "partial").mkdir(exist_ok=True)
        _apt(configuration, "--download-only", "-o", f"Dir::Cache::archives={folder}", *words)
    return debs


def _is_listed(deb: Path, size: int, digest: str) -> bool:
    """Whether `deb` is what apt's signed lists tell of it; `digest` is such as ``SHA256:1f...``."""
    return deb.stat().st_size == size and f"SHA256:{sha256(deb)}" == digest


def _apt(configuration: Path, *arguments: str) -> str:
    return _run(["apt-get", "--quiet=2", "-c", str(configuration), *arguments])


def _run(command: list[str]) -> str:
    """The output of an apt command. Raises `BenchError` with its first complaint."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"apt-get did not end within {_SECONDS:.0f} s") from None
    if done.returncode:
        errors = [line[2:].strip() for line in done.stderr.splitlines() if line.startswith("E:")]
        raise BenchError(
            f"apt cannot fetch packages for the device: {(errors or [done.stderr.strip()])[0]}"
        )
    return done.stdout
