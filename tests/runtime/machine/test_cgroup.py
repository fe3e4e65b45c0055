"""How many cores may be used, and what a quota costs, as files of /proc and /sys/fs/cgroup tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.runtime.machine.cgroup import (
    quota_statistics,
    quotas,
    throttled_periods,
    usable_cores,
)


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def periods_of(root: Path) -> int | None:
    statistics = quota_statistics(root)
    assert statistics is not None
    return throttled_periods(statistics)


V2 = {
    "proc/self/cgroup": "0::/system.slice/docker-1.scope\n",
    "sys/fs/cgroup/cpu.stat": "usage_usec 9\n",
    "sys/fs/cgroup/system.slice/cpu.max": "max 100000\n",
    "sys/fs/cgroup/system.slice/docker-1.scope/cpu.max": "150000 100000\n",
    "sys/fs/cgroup/system.slice/docker-1.scope/cpu.stat": (
        "usage_usec 123\nnr_periods 40\nnr_throttled 7\nthrottled_usec 5\n"
    ),
}
V1 = {
    "proc/self/cgroup": "11:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n1:name=systemd:/docker/1\n",
    "sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_quota_us": "50000\n",
    "sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/cpu,cpuacct/docker/1/cpu.stat": "nr_periods 9\nnr_throttled 3\n",
}


@pytest.mark.parametrize(("files", "cores", "periods"), [(V2, 1.5, 7), (V1, 0.5, 3)])
def test_a_groups_quota(files: dict[str, str], cores: float, periods: int, tmp_path: Path) -> None:
    write(tmp_path, files)
    assert quotas(tmp_path) == [cores]
    assert usable_cores(tmp_path, affinity=4) == cores
    assert periods_of(tmp_path) == periods


def test_inside_a_container_its_group_is_the_topmost(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "proc/self/cgroup": "0::/../../docker-1.scope\n",
            "sys/fs/cgroup/cpu.max": "200000 100000\n",
            "sys/fs/cgroup/cpu.stat": "nr_throttled 0\n",
        },
    )
    assert quotas(tmp_path) == [2.0]
    assert periods_of(tmp_path) == 0


def test_the_least_of_a_group_and_its_ancestors_counts(tmp_path: Path) -> None:
    write(tmp_path, {**V2, "sys/fs/cgroup/system.slice/cpu.max": "100000 100000"})
    assert quotas(tmp_path) == [1.5, 1.0]
    assert usable_cores(tmp_path, affinity=4) == 1.0


def test_affinity_counts_where_it_is_less_than_a_quota(tmp_path: Path) -> None:
    write(tmp_path, {**V2, "sys/fs/cgroup/system.slice/docker-1.scope/cpu.max": "300000 100000"})
    assert usable_cores(tmp_path, affinity=2) == 2


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "0::/\n"},
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000"},
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "100000"},
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "-1 0"},
        {"proc/self/cgroup": "4:cpu:/\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1"},
        {"proc/self/cgroup": "nonsense\n::\n"},
    ],
)
def test_without_a_quota_nothing_is_said_of_one(files: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path, files)
    assert quotas(tmp_path) == []
    assert usable_cores(tmp_path) is None
    assert quota_statistics(tmp_path) is None


@given(text=st.text(max_size=60))
def test_any_text_is_borne(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("root")
    write(
        root,
        {"proc/self/cgroup": text, "sys/fs/cgroup/cpu.max": "x", "sys/fs/cgroup/cpu.stat": text},
    )
    assert all(quota > 0 for quota in quotas(root))
    assert quota_statistics(root) is None


def test_this_machine_tells() -> None:
    cores = usable_cores()
    assert cores is None or cores > 0
