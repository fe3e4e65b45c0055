"""From a network to an artifact: capture, rewrite, emit, verify. `pipeline` is the way through."""


class ExportError(Exception):
    """An export that cannot be done. The message names what was in the way and what to do.

    `usage` marks a mistake in what was asked for, as against one in what was found.
    """

    def __init__(self, message: str, *, usage: bool = False) -> None:
        super().__init__(message)
        self.usage = usage
