from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from shufflenet_deploy.runtime.machine.governor import Governor
from waiting import HANG_SECONDS

NOBODY = 65534
# Stands for root: who asks as sudo must may write what this user may not.
SUDO = """\
#!/bin/sh
[ "$#" = 3 ] && [ "$1 $2" = "-n tee" ] || exit 1
chmod u+w "$3" && cat > "$3" && chmod u-w "$3"
"""
PREPARE = f"""
import os, sys
from pathlib import Path
from shufflenet_deploy.runtime.machine.governor import Governor
os.setgid({NOBODY})
os.setuid({NOBODY})  # only now: the interpreter may lie where nobody may look
governor = Governor(Path(sys.argv[1]), Path(sys.argv[2]))
print(governor.prepare())
print(*(file.read_text().strip() for file in map(Path, sys.argv[3:])))
governor.restore()
"""


def machine(folder: Path, *governors: str) -> list[Path]:
    """A machine with a policy of its own for each core; the governors' files."""
    cpu = folder / "sys/devices/system/cpu"
    files = []
    for core, governor in enumerate(governors):
        (cpu / f"cpu{core}/cpufreq").mkdir(parents=True)
        files.append(cpu / f"cpu{core}/cpufreq/scaling_governor")
        files[-1].write_text(f"{governor}\n")
    return files


def read(files: list[Path]) -> list[str]:
    return [file.read_text().strip() for file in files]


def test_each_core_gets_back_what_it_had(tmp_path: Path) -> None:
    files = machine(tmp_path, "ondemand", "performance", "powersave")
    governor = Governor(tmp_path / "saved", tmp_path)
    assert governor.prepare() == (
        "the governor is performance for this measurement, and then ondemand, powersave again"
    )
    assert read(files) == ["performance"] * 3
    governor.restore()
    assert read(files) == ["ondemand", "performance", "powersave"]
    assert not (tmp_path / "saved").exists()


def test_another_process_can_put_it_back(tmp_path: Path) -> None:
    files = machine(tmp_path, "ondemand")
    Governor(tmp_path / "saved", tmp_path).prepare()
    Governor(tmp_path / "saved", tmp_path).restore()
    assert read(files) == ["ondemand"]


def test_a_governor_that_is_right_is_left_alone(tmp_path: Path) -> None:
    machine(tmp_path, "performance")
    governor = Governor(tmp_path / "saved", tmp_path)
    assert governor.prepare() == "the governor was performance already"
    assert not (tmp_path / "saved").exists()


def test_a_machine_without_one_says_so(tmp_path: Path) -> None:
    note = Governor(tmp_path / "saved", tmp_path).prepare()
    assert note == "the governor is not prepared: this device has none that can be seen"


def test_nothing_is_changed_that_could_not_be_put_back(tmp_path: Path) -> None:
    files = machine(tmp_path, "ondemand")
    note = Governor(tmp_path / "no folder/saved", tmp_path).prepare()
    assert note.startswith("the governor is not prepared, it stays ondemand: ")
    assert str(tmp_path / "no folder/saved") in note
    assert read(files) == ["ondemand"]


def test_a_core_that_refuses_leaves_all_as_they_were(tmp_path: Path) -> None:
    files = machine(tmp_path, "ondemand", "ondemand")
    files[1].unlink()
    files[1].symlink_to("/sys/kernel/notes")  # can be read, and by nobody written
    note = Governor(tmp_path / "saved", tmp_path).prepare()
    assert note.startswith("the governor is not prepared, it stays ")
    assert files[0].read_text().strip() == "ondemand"


def test_what_cannot_be_put_back_stays_on_record(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    gone = tmp_path / "sys/devices/system/cpu/cpufreq/policy9/scaling_governor"
    saved.write_text(json.dumps({str(gone): "ondemand"}))
    (reason,) = Governor(saved, tmp_path).restore()
    assert str(gone) in reason
    assert saved.exists()


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', "\x00"])
def test_a_record_that_is_broken_is_no_record(tmp_path: Path, content: str) -> None:
    (tmp_path / "saved").write_text(content)
    Governor(tmp_path / "saved", tmp_path).restore()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody who is not")
@pytest.mark.parametrize(
    ("sudo", "note", "meanwhile"),
    [
        (
            SUDO,
            "the governor is performance for this measurement, and then ondemand",
            "performance",
        ),
        (
            "#!/bin/sh\necho 'sudo: a password is required' >&2; exit 1",
            "the governor is not prepared, it stays ondemand: sudo: a password is required; set it "
            "by hand, or let this user run sudo without a password",
            "ondemand",
        ),
        (None, "it takes root, and there is no sudo; set it by hand", "ondemand"),
    ],
)
def test_a_user_asks_sudo_which_asks_nobody(sudo: str | None, note: str, meanwhile: str) -> None:
    # `tmp_path` lies in folders that are for their owner only.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = machine(folder, "ondemand")
        if sudo:
            (folder / "sudo").write_text(sudo)
            (folder / "sudo").chmod(0o755)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        files[0].chmod(0o444)
        variables = {"PATH": f"{folder}:{os.environ['PATH'] if sudo == SUDO else ''}"}
        done = subprocess.run(
            [sys.executable, "-c", PREPARE, folder / "saved", folder, *files],
            capture_output=True,
            text=True,
            env=variables,
            timeout=HANG_SECONDS,
        )
        said, then = done.stdout.splitlines() or [done.stderr, ""]
        assert note in said
        assert then == meanwhile
        assert read(files) == ["ondemand"]


@pytest.mark.parametrize(
    ("place", "governor"),
    [
        ("sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq", "100"),
        ("home/scaling_governor", "ondemand"),
        ("sys/devices/system/cpu/cpufreq/policy0/../../../../../../x/scaling_governor", "ondemand"),
        ("sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "ssh-rsa ATTACKER"),
        ("sys/devices/system/cpu/cpufreq/policy0/scaling_governor", ""),
    ],
)
def test_what_is_no_governor_of_this_machine_is_left_alone(
    place: str, governor: str, tmp_path: Path
) -> None:
    file = tmp_path / place
    (tmp_path / "sys/devices/system/cpu/cpufreq/policy0").mkdir(parents=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("before\n")
    saved = tmp_path / "saved"
    saved.write_text(json.dumps({str(file): governor}))
    (reason,) = Governor(saved, tmp_path).restore()
    assert "left alone" in reason
    assert file.read_text() == "before\n"
    assert not saved.exists()
