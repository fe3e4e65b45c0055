"""The processes of one training, as torchrun starts them, and the device of each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from shufflenet_deploy.models.training.recipe import TrainingError


@dataclass(frozen=True)
class World:
    """This process among all. `size` 1 is an ordinary run, without torchrun."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @staticmethod
    def of(environment: Mapping[str, str]) -> World:
        """Read what torchrun sets: RANK, WORLD_SIZE, LOCAL_RANK and LOCAL_WORLD_SIZE."""
        if "WORLD_SIZE" not in environment:
            return World()
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        try:
            return World(*(int(environment[name]) for name in names))
        except (KeyError, ValueError) as error:
            raise TrainingError(
                f"WORLD_SIZE is set and {' '.join(names)} are not all numbers ({error}): start "
                "several processes with torchrun, or unset WORLD_SIZE",
                usage=True,
            ) from None

    @contextmanager
    def joined(self, device: torch.device) -> Iterator[None]:
        """Connect the processes for as long as the context lasts."""
        if self.size == 1:
            yield
            return
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        try:
            yield
        finally:
            distributed.destroy_process_group()

    def parallel(self, network: nn.Module, device: torch.device) -> nn.Module:
        """`network`, with gradients averaged over the processes."""
        if self.size == 1:
            return network
        ids = [self.local_rank] if device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=ids)

    def share_buffers(self, network: nn.Module) -> None:
        """Give all processes the first one's running statistics, which are the ones written.

        Each process has seen other images; counted with its own, accuracy would be that of
        networks that nobody gets.
        """
        if self.size > 1:
            for buffer in network.buffers():
                distributed.broadcast(buffer, 0)

    def total(self, values: Tensor) -> list[float]:
        """The sums of `values` over the processes."""
        if self.size > 1:
            distributed.all_reduce(values)
        sums: list[float] = values.tolist()
        return sums

    def union(self, names: Iterable[str]) -> set[str]:
        """The names that any process has."""
        mine = set(names)
        if self.size == 1:
            return mine
        gathered: list[Any] = [None] * self.size
        distributed.all_gather_object(gathered, mine)
        return set().union(*gathered)


def choose_device(name: str, world: World) -> torch.device:
    """One of `DEVICES` -> this process's device. `TrainingError` (usage) for one not there."""
    available = torch.cuda.is_available()
    if name == "cpu" or (name == "auto" and not available):
        return torch.device("cpu")
    if not available:
        raise TrainingError(
            "--device cuda: this PyTorch sees no CUDA device; install a CUDA build, or use "
            "--device cpu",
            usage=True,
        )
    if world.local_rank >= torch.cuda.device_count():
        raise TrainingError(
            f"{world.local_size} processes and {torch.cuda.device_count()} CUDA devices: give "
            "torchrun --nproc-per-node one process a device",
            usage=True,
        )
    device = torch.device("cuda", world.local_rank)
    torch.cuda.set_device(device)
    return device


def default_workers(world: World) -> int:
    """Processes that read images for this one: the cores shared out, up to 8."""
    return max(1, min(8, (os.cpu_count() or 1) // world.local_size))
