"""How many cores a process may use, and what it loses to a quota.

Its affinity says which; a container's quota, how much of their time: of control groups in version 2
(docs.kernel.org/admin-guide/cgroup-v2.html, cpu.max) and in version 1
(docs.kernel.org/scheduler/sched-bwc.html). The least of a group's and its ancestors' counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from shufflenet_deploy.runtime.machine.processor import allowed_cores
from shufflenet_deploy.runtime.machine.reading import ROOT, integer, read_text


def usable_cores(root: Path = ROOT, affinity: int | None = None) -> float | None:
    """The cores that this process may use, 1.5 being one and half of another's time.

    `affinity` is how many it may run on, by default those that the system tells. None where neither
    that nor a quota is known.
    """
    if affinity is None and root == ROOT and (allowed := allowed_cores()):
        affinity = len(allowed)
    limits = [limit for limit in (affinity, *quotas(root)) if limit is not None]
    return min(limits, default=None)


def quotas(root: Path = ROOT) -> list[float]:
    """The quota of each group that has one, in cores, from this process's own to the topmost."""
    return [quota for folder in _groups(root) if (quota := _quota(folder)) is not None]


def quota_statistics(root: Path = ROOT) -> Path | None:
    """The file that counts what the nearest quota takes away; None where nothing counts that.

    Groups are looked through once for this: they are a dozen of files.
    """
    files = (folder / "cpu.stat" for folder in _groups(root) if _quota(folder) is not None)
    return next((file for file in files if throttled_periods(file) is not None), None)


def throttled_periods(statistics: Path | None) -> int | None:
    """In how many periods a quota was used up since its group exists; None without `statistics`."""
    if statistics is None:
        return None
    for line in (read_text(statistics) or "").splitlines():
        name, _, value = line.partition(" ")
        if name == "nr_throttled":
            return integer(value)
    return None


def _quota(folder: Path) -> float | None:
    """Of one group; None where it has none."""
    words = (read_text(folder / "cpu.max") or "").split()
    if not words:
        words = [read_text(folder / f"cpu.cfs_{name}_us") or "" for name in ("quota", "period")]
    if len(words) != 2:
        return None
    allowed, period = integer(words[0]), integer(words[1])
    return allowed / period if allowed and period and allowed > 0 and period > 0 else None


def _groups(root: Path) -> Iterator[Path]:
    """The folders of this process's groups that limit processor time, its own first.

    Within a container these are named as outside, where they are not to be seen; the topmost is the
    container's own then.
    """
    for line in (read_text(root / "proc/self/cgroup") or "").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / controllers
        inside = [part for part in path.split("/") if part not in ("", ".", "..")]
        for depth in range(len(inside), -1, -1):
            folder = top.joinpath(*inside[:depth])
            if folder.is_dir():
                yield folder
