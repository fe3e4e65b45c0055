"""Messages between host and agent: a line each, whatever they hold."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.runtime.agent.protocol import (
    ALIVE_SECONDS,
    SILENCE_SECONDS,
    Alive,
    Begin,
    Busy,
    Ended,
    FromAgent,
    Interrupt,
    Ready,
    Said,
    ToAgent,
    Work,
)

_TEXT = st.text()
_TO = st.one_of(
    st.builds(
        Begin,
        host=_TEXT,
        clock=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        machine=st.booleans(),
        prepare=st.booleans(),
        worker=st.lists(_TEXT).map(tuple),
    ),
    st.builds(Work, spec=st.builds(lambda text: msgspec.Raw(msgspec.json.encode(text)), _TEXT)),
    st.sampled_from([Interrupt(), Alive()]),
)
_FROM = st.one_of(
    st.builds(Ready, notes=st.lists(_TEXT).map(tuple)),
    st.builds(Busy, holder=_TEXT),
    st.builds(Said, line=_TEXT),
    st.builds(Ended, code=st.integers(-64, 255), answer=_TEXT),
    st.just(Alive()),
)


@given(_TO)
def test_what_a_host_says_arrives_in_a_line(message: ToAgent) -> None:
    line = msgspec.json.encode(message)
    assert b"\n" not in line
    assert line.startswith(b'{"type":"')
    read = msgspec.json.decode(line, type=ToAgent)
    assert msgspec.json.encode(read) == line
    assert type(read) is type(message)


@given(_FROM)
def test_what_an_agent_says_arrives_in_a_line(message: FromAgent) -> None:
    line = msgspec.json.encode(message)
    assert b"\n" not in line
    assert line.startswith(b'{"type":"')  # by this it is found behind what a shell has printed
    assert msgspec.json.decode(line, type=FromAgent) == message


def test_no_message_holds_what_the_other_does_not_know() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `more`"):
        msgspec.json.decode(b'{"type":"Alive","more":1}', type=ToAgent)


def test_a_host_speaks_often_enough() -> None:
    assert 3 * ALIVE_SECONDS <= SILENCE_SECONDS
