from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.runtime.agent.lock import DeviceTakenError, Lock, _described

HOLD = """
import sys, time
from pathlib import Path
from shufflenet_deploy.runtime.agent.lock import Lock
lock = Lock(Path(sys.argv[1]), "it's me; \\"$HOME\\"")
print(flush=True)
time.sleep(3600)
"""


def test_a_lock_names_its_holder_and_dies_with_it(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    command = [sys.executable, "-c", HOLD, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(DeviceTakenError, match=r'^it\'s me; "\$HOME", for \d+ min$'):
            Lock(file, "another")
        holder.kill()
    Lock(file, "another")
    with pytest.raises(DeviceTakenError, match=r"^another, for \d+ min$"):
        Lock(file, "a third")  # of one process, too


def test_a_shorter_name_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    file.write_text('{"holder":"' + "x" * 500 + '","since":1}')
    Lock(file, "me")
    with pytest.raises(DeviceTakenError, match=r"^me, for \d+ min$"):
        Lock(file, "another")


@pytest.mark.parametrize(("since", "minutes"), [(1000, 0), (970, 0), (940, 1), (400, 10), (2e9, 0)])
def test_for_how_long_it_is_taken_is_told_in_minutes(
    since: float, minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.clock_gettime", lambda clock: 1000.0)
    assert _described(b'{"holder":"me","since":%d}' % since) == f"me, for {minutes} min"


def test_where_it_cannot_be_written_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Lock(tmp_path / "no folder/lock", "me")


def test_a_disk_that_is_full_does_not_take_the_lock_away() -> None:
    with pytest.raises(DeviceTakenError, match=r"^somebody else$"):
        raise DeviceTakenError(_described(b""))


_VALUES = st.none() | st.text() | st.floats()


@given(
    st.binary()
    | st.fixed_dictionaries({"holder": _VALUES, "since": _VALUES}).map(msgspec.json.encode)
)
def test_whatever_the_file_holds_somebody_is_named(content: bytes) -> None:
    assert _described(content)
