"""A device behind a `Link`: provisioned on first use, and then measured through its agent."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from shufflenet_deploy.bench.devices.agent_client import AgentClient, AgentUnstartedError, this_host
from shufflenet_deploy.bench.devices.link import Link, ask, script
from shufflenet_deploy.bench.devices.options import DeviceOptions
from shufflenet_deploy.bench.devices.store import Store
from shufflenet_deploy.bench.devices.survey import Seen, look
from shufflenet_deploy.bench.provision import Installation, Survey, Way
from shufflenet_deploy.runtime.agent.protocol import Begin
from shufflenet_deploy.runtime.errors import BenchError
from shufflenet_deploy.runtime.worker.protocol import Report
from shufflenet_deploy.runtime.worker.spec import Answer, Spec

Choose = Callable[
    [Survey, Way | None, tuple[str, ...], Callable[[str], None]], Iterator[Installation]
]
"""Chooses how a worker gets to a surveyed device, as `provision.choose.install_for` does."""
_NATIVE_SECONDS = 300.0
"""Seconds that one process of `benchmark_model` may take; it ends by itself after 150 s."""
_32_BIT = ("armv5", "armv6", "armv7", "i386", "i486", "i586", "i686")


class RemoteDevice:
    """A `Device` behind `link`. Raises `BenchError` where none of its parts gets there."""

    def __init__(self, link: Link, options: DeviceOptions, choose: Choose) -> None:
        self._link = link
        self._options = options
        try:
            seen = look(link)
            check_kernel(seen.survey, link.name)
            self._store = Store(link, seen, options.tell)
            self._client = self._start(seen, choose)
        except BaseException:
            link.close()
            raise
        try:
            for note in self._client.notes:
                options.tell(note)
            self._own_name = link.own_name()
        except BaseException:
            self.close()
            raise

    def put(self, path: Path) -> str:
        """See `Device.put`."""
        return self._store.put(path)

    def run(self, spec: Spec, report: Report) -> Answer:
        """See `Device.run`."""
        answer = self._client.run(spec, report)
        if self._own_name is None:
            return answer
        return replace(answer, environment=replace(answer.environment, board=self._own_name))

    def run_native(
        self, runner: str, graph: str, threads: int, runs: int, cores: Sequence[int]
    ) -> str:
        """See `native.NativeHost`."""
        mask = f"{sum(1 << core for core in cores):x}" if cores else ""
        lines = [runner, graph, str(threads), str(runs), mask]
        data = "".join(f"{line}\n" for line in lines).encode()
        return ask(self._link, script("native.sh"), data, seconds=_NATIVE_SECONDS)

    def close(self) -> None:
        """See `Device.close`."""
        self._client.close()
        with suppress(BenchError):
            self._link.close()

    def _start(self, seen: Seen, choose: Choose) -> AgentClient:
        """An agent, by the first way that starts."""
        options, failed = self._options, None
        for installation in choose(seen.survey, options.provision, options.engines, options.tell):
            if failed:
                options.tell(f"{failed}; trying another way")
            try:
                for part in installation.parts:
                    self._store.place(part)
                client = self._agent(installation)
            except AgentUnstartedError as error:
                failed = BenchError(
                    f"{self._link.name} does not run the {installation.way} that was made for it: "
                    f"{error}"
                )
                continue
            options.tell(f"{self._link.name}: {installation.way}, {installation.reason}")
            return client
        raise failed or BenchError(f"{self._link.name}: nothing runs there")

    def _agent(self, installation: Installation) -> AgentClient:
        keys = " ".join(part.key for part in installation.parts)
        python = installation.python or ""
        lines = [installation.way, python, keys]
        if installation.way == "venv":
            version = f"{python}\0{installation.python_version}\0{keys}"
            lines.append(hashlib.sha256(version.encode()).hexdigest())
        start = script("start.sh")
        return AgentClient(
            self._link.command(start),
            self._link.name,
            self._link.failure,
            Begin(host=this_host(), clock=time.time(), prepare=self._options.prepare),
            preface=self._link.opening(start) + "".join(f"{line}\n" for line in lines).encode(),
        )


def check_kernel(survey: Survey, name: str) -> None:
    """Refuse a device on whose kernel nothing of ours can run."""
    if survey.machine.startswith(_32_BIT):
        raise BenchError(
            f"{name} runs a 32-bit kernel ({survey.machine}), for which there are no engines: "
            "install a 64-bit system on it",
            usage=True,
        )
