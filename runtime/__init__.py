"""All that a device needs to run an artifact and to time it: numpy and one inference engine."""

MAX_THREADS = 256
"""Beyond any device, and before engines hang or raise errors of their own."""


class InferenceError(Exception):
    """An artifact, a spec or an engine that cannot be used. The message says what to do.

    `usage` marks a mistake in what was asked for, as against one in what was found.
    """

    def __init__(self, message: str, *, usage: bool = False) -> None:
        super().__init__(message)
        self.usage = usage
