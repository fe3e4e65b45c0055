"""The host's side of a measurement: what to measure, in what order, and what came of it."""


class BenchError(Exception):
    """A measurement that cannot be made, or a results file that cannot be used.

    `usage` marks a mistake in what was asked for, as against one in what was found.
    """

    def __init__(self, message: str, *, usage: bool = False) -> None:
        super().__init__(message)
        self.usage = usage
