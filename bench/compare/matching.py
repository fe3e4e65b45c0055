"""One of the two measurements of a comparison: which of its models are found in the other."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from statistics import median
from typing import NamedTuple

from msgspec.structs import replace

from shufflenet_deploy.bench.analysis.selection import select_bursts
from shufflenet_deploy.bench.compare.effects import Process
from shufflenet_deploy.bench.results import Model, Results


class Key(NamedTuple):
    """By what a model is found in the other file."""

    name: str
    """The file name that the model's options give, so that it is equal where they are; without a
    manifest, its file's own name. The weights, whose values do not enter the time, are left out of
    it."""
    engine: str
    number: int
    """The place among the models of the same name, engine and threads, from 0: such as an old and a
    new build of one network."""
    threads: int


class Side:
    """What results have of models with times."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._runs = select_bursts(results)
        self._threads = {block.id: block.threads for block in results.blocks}
        self._keys = dict(self._find_keys())
        self.models: dict[Key, Model] = {
            key: results.models[member] for (member, _), key in self._keys.items()
        }

    def _find_keys(self) -> Iterator[tuple[tuple[int, int], Key]]:
        """Member and threads of every model that was timed, with its key."""
        timed = {
            (self._threads[run.block], timed_model.member)
            for run in self._runs
            for timed_model in run.models
            if timed_model.bursts
        }
        seen: Counter[tuple[str, str, int]] = Counter()
        for threads, member in sorted(timed):
            model = self._results.models[member]
            options = model.options and replace(model.options, weights="")
            name = options.file_name if options else model.name
            alike = name, model.engine, threads
            yield (member, threads), Key(name, model.engine, seen[alike], threads)
            seen[alike] += 1

    def processes(self, keys: Iterable[Key]) -> list[Process]:
        """The processes that count and timed models of `keys`, numbered in that order."""
        numbers = {key: number for number, key in enumerate(keys)}
        processes = []
        for run in self._runs:
            logs = {}
            for model in run.models:
                key = self._keys.get((model.member, self._threads[run.block]))
                if model.bursts and key in numbers:
                    times = [ns for burst in model.bursts for ns in burst.samples_ns]
                    logs[numbers[key]] = math.log(median(times))
            if logs:
                processes.append(Process(run.block, logs))
        return processes

    def canary_ns(self) -> float | None:
        """Time of the fixed computation at the start of the processes that count, their median."""
        starts = [
            median(run.canary.start_ns) for run in self._runs if run.canary and run.canary.start_ns
        ]
        return median(starts) if starts else None
