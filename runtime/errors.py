"""What goes wrong and is no bug: each message names the value that was wrong and what to do.

    ShufflenetDeployError
    ├── InferenceError              runtime: an artifact, a spec or an engine
    ├── ModelsError                 models: a network or its weights
    │   └── TrainingError           a training that cannot begin or go on
    ├── ExportError                 export: a network that does not become an artifact
    ├── BenchError                  bench: a measurement or its results
    │   ├── DeviceLostError         the device went away in the middle
    │   └── AgentUnstartedError     no agent answers on a device that was reached
    └── DeviceTakenError            runtime.agent: somebody else measures on this device

The commands print the message in one line, and exit with 2 for a mistake in what was asked for
(`usage`), with 1 for everything else.
"""


class ShufflenetDeployError(Exception):
    """What a user can cause or has to know.

    `usage` marks a mistake in what was asked for, as against one in what was found.
    """

    def __init__(self, message: str, *, usage: bool = False) -> None:
        super().__init__(message)
        self.usage = usage


class InferenceError(ShufflenetDeployError):
    """An artifact, a spec or an engine that cannot be used."""


class ModelsError(ShufflenetDeployError):
    """A network that does not exist, or weights that cannot be used."""


class ExportError(ShufflenetDeployError):
    """An export that cannot be done."""


class BenchError(ShufflenetDeployError):
    """A measurement that cannot be made, or a results file that cannot be used."""
