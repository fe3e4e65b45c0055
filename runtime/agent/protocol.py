"""What a host and the agent on a device say to each other: a message in JSON a line."""

from __future__ import annotations

import msgspec

PROTOCOL_VERSION = 1
ALIVE_SECONDS = 5.0
"""How often, in seconds, the host says `Alive`, and the agent once it is ready."""
SILENCE_SECONDS = 30.0
"""How long the host may say nothing before the agent takes the link for dead."""
AGENT_SILENCE_SECONDS = 60.0
"""How long the agent may say nothing before the host gives the device up: its board may be slow."""


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    """Base of all messages; `type` in the JSON says which."""


class Begin(_Message, frozen=True, kw_only=True):
    """Host: take the device, and keep it until the link ends."""

    host: str
    """The name of the host, for others who find the device taken."""
    version: int = PROTOCOL_VERSION
    clock: float | None = None
    """Seconds since 1970 by the host's clock; None takes the device's clock for right."""
    machine: bool = True
    """Whether to keep the machine's other users off too: not where nothing is timed."""
    prepare: bool = False
    """Whether to set the governor to performance, and back at the end."""
    silence_seconds: float | None = SILENCE_SECONDS
    """How long the host may say nothing before the agent takes the link for dead; None has it wait
    for the end of the link, however long that takes."""
    worker: tuple[str, ...] = ()
    """The command that starts a worker; an empty one takes the agent's own Python and
    `shufflenet_deploy.runtime`."""


class Work(_Message, frozen=True, kw_only=True):
    """Host: run a worker."""

    spec: msgspec.Raw


class Interrupt(_Message, frozen=True, kw_only=True):
    """Host: end the worker early, with what it has; said again, without."""


class Alive(_Message, frozen=True, kw_only=True):
    """Host and agent: the link is there."""


ToAgent = Begin | Work | Interrupt | Alive


class Ready(_Message, frozen=True, kw_only=True):
    """Agent: the device is taken."""

    version: int = PROTOCOL_VERSION
    notes: tuple[str, ...] = ()
    """Lines that the user should see: what became of `prepare`, or that there is no lock."""


class Busy(_Message, frozen=True, kw_only=True):
    """Agent: somebody else has the device. It ends after this."""

    holder: str
    """Who has the device and for how long, in words for the user."""


class Said(_Message, frozen=True, kw_only=True):
    """Agent: a line of the worker's stderr."""

    line: str


class Ended(_Message, frozen=True, kw_only=True):
    """Agent: the worker ended."""

    code: int
    """The worker's exit code as `subprocess` has it: negative where a signal ended it."""
    answer: str
    """All that the worker wrote to its stdout."""


FromAgent = Ready | Busy | Said | Ended | Alive
