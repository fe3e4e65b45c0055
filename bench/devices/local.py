"""This machine as a device: its agent is a subprocess of the same Python."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from shufflenet_deploy.bench.devices.agent_client import AgentClient, this_host
from shufflenet_deploy.bench.folders import cache_folder
from shufflenet_deploy.runtime.agent.protocol import Begin
from shufflenet_deploy.runtime.artifact import copied_files
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.files import shown
from shufflenet_deploy.runtime.worker.client import AGENT
from shufflenet_deploy.runtime.worker.isolation import module_command
from shufflenet_deploy.runtime.worker.protocol import Report
from shufflenet_deploy.runtime.worker.spec import Answer, Spec

NAME = "this machine"


class LocalDevice:
    """A `Device` whose workers are `worker`, by default those of this very installation.

    `folder` is where the agent's lock is: the one that a session over SSH takes too, so that
    somebody at the board and somebody far away cannot measure at once. With `machine` other users
    of this machine are kept off too.
    """

    def __init__(
        self,
        worker: Sequence[str] = (),
        prepare: bool = False,
        tell: Callable[[str], None] = lambda line: None,
        folder: Path | None = None,
        machine: bool = True,
    ) -> None:
        self._worker = tuple(worker)
        self._prepare = prepare
        self._tell = tell
        self._folder = folder
        self._machine = machine
        self._client: AgentClient | None = None
        self._links: TemporaryDirectory[str] | None = None
        """Holds links to files whose own names are no UTF-8."""

    def put(self, path: Path) -> str:
        """See `Device.put`: it is here already, under a name that messages can have."""
        real = path.resolve()
        if shown(str(real)) == str(real):
            return str(real)
        if self._links is None:
            self._links = TemporaryDirectory(prefix="shufflenet-")
        folder = Path(tempfile.mkdtemp(dir=self._links.name))
        for file in copied_files(real):
            link = folder / shown(str(file.relative_to(real.parent))).replace("\\", "_")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)
        return str(folder / shown(real.name).replace("\\", "_"))

    def run(self, spec: Spec, report: Report) -> Answer:
        """See `Device.run`."""
        return self._session().run(spec, report)

    def close(self) -> None:
        """See `Device.close`."""
        if self._client:
            self._client.close()
            self._client = None
        if self._links:
            self._links.cleanup()
            self._links = None

    def _session(self) -> AgentClient:
        if self._client is None:
            folder = self._folder or cache_folder()
            self._client = AgentClient(
                [*module_command(AGENT), str(folder)],
                NAME,
                _no_failure,
                # The end of this process is the end of the link; while it is stopped by Ctrl-Z
                # it is silent, and no less there.
                Begin(
                    host=f"another measurement of {this_host()}",
                    machine=self._machine,
                    prepare=self._prepare,
                    silence_seconds=None,
                    worker=self._worker,
                ),
            )
            for note in self._client.notes:
                self._tell(note)
        return self._client


def _no_failure(code: int, said: str) -> BenchError | None:
    return None
