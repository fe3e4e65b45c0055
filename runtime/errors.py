"""What goes wrong and is no bug: each message names the value that was wrong and what to do.

    ShufflenetDeployError
    ├── InferenceError              runtime: an artifact, a spec or an engine
    ├── ProcessError                runtime: a process that was started and failed
    ├── ModelsError                 models: a network or its weights
    │   └── TrainingError           a training that cannot begin or go on
    ├── ExportError                 export: a network that does not become an artifact
    ├── BenchError                  bench: a measurement or its results
    │   ├── WorkerFailedError       a worker on a device failed or died
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


class ProcessError(ShufflenetDeployError):
    """A process of ours that another one started, and that failed.

    `ending` is its exit code or signal in words, where it has ended.
    """

    def __init__(self, message: str, ending: str = "", *, usage: bool = False) -> None:
        super().__init__(message, usage=usage)
        self.ending = ending


class ModelsError(ShufflenetDeployError):
    """A network that does not exist, or weights that cannot be used."""


class ExportError(ShufflenetDeployError):
    """An export that cannot be done."""


class BenchError(ShufflenetDeployError):
    """A measurement that cannot be made, or a results file that cannot be used."""
