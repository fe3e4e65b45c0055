"""A device that says what an agent says, damaged: heard, or refused by an error of ours."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given

from mutations import Changed, Damaged, changed, damaged, fuzzed
from shufflenet_deploy.bench.devices import agent_client
from shufflenet_deploy.bench.devices.agent_client import AgentClient
from shufflenet_deploy.runtime.agent.protocol import Begin
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.worker.spec import Spec

MESSAGES = [
    {"type": "Ready", "version": 1, "notes": ["a note"]},
    {"type": "Said", "line": '{"stage":"round","done":1,"total":2}'},
    {"type": "Alive"},
    {"type": "Ended", "code": 0, "answer": "{}"},
]


def _lines(messages: object) -> bytes:
    listed = messages if isinstance(messages, list) else [messages]
    return b"".join(
        json.dumps(one, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
        + b"\n"
        for one in listed
    )


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """A session with an agent that says so much and no more, and falls silent."""
    monkeypatch.setattr(agent_client, "_FIRST_SECONDS", 0.3)
    monkeypatch.setattr(agent_client, "ALIVE_SECONDS", 0.1)
    monkeypatch.setattr(agent_client, "AGENT_SILENCE_SECONDS", 0.3)
    monkeypatch.setattr(agent_client, "_LEAVE_SECONDS", 2.0)

    def hold(said: bytes) -> None:
        (tmp_path / "said").write_bytes(said)
        command = ["sh", "-c", 'cat "$1"; exec cat > /dev/null', "sh", str(tmp_path / "said")]
        with contextlib.suppress(BenchError):
            client = AgentClient(command, "box", lambda code, text: None, Begin(host="me"))
            try:
                client.run(Spec(), lambda progress: None)
            finally:
                client.close()

    return hold


@fuzzed(15)
@given(changed(lambda: MESSAGES))
def test_messages(session: Callable[[bytes], None], messages: Changed) -> None:
    session(_lines(messages.document))


@fuzzed(6)
@given(damaged(lambda: _lines(MESSAGES)))
def test_bytes(session: Callable[[bytes], None], said: Damaged) -> None:
    session(said.data)
