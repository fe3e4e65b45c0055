"""Batches for training and for counting accuracy, the same ones whatever reads them.

An image's augmentation is drawn from (seed, epoch, its number) and an epoch's order from (seed,
epoch): neither depends on how many workers or processes there are, or on where a run was resumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from shufflenet_deploy.models.training.augment import augmented
from shufflenet_deploy.models.training.recipe import Recipe, TrainingError, preprocessing
from shufflenet_deploy.runtime.errors import InferenceError
from shufflenet_deploy.runtime.images.datasets import DIGITS, Example, open_dataset
from shufflenet_deploy.runtime.images.folders import below_a_folder_too_many, splits
from shufflenet_deploy.runtime.manifest import Preprocessing
from shufflenet_deploy.runtime.preprocess import Pixels, fit, normalise
from shufflenet_deploy.runtime.seeded import to_layout

HELD_BYTES = 256 * 2**20
"""Data sets of at most so many bytes of pixels are decoded once; ImageNet's images each time."""

UNREADABLE_IN_A_ROW = 32
"""How many unreadable images in a row end the training: they are not a few broken files."""

CALIBRATION_IMAGES = 256
"""How many images the ranges of 8 bits are measured on: export's usual number."""

_HELD_OUT_BATCH = 256
_CALIBRATION_BATCH = 16

Key = tuple[int, int]
"""The epoch and the number of an example."""


class Batch(NamedTuple):
    """Images ready for the network; a named tuple, as DataLoader pins those in memory."""

    images: Tensor
    """The images, (N, 3, H, W), float32, normalised."""
    labels: Tensor
    unreadable: tuple[str, ...]
    """Names of the examples that were skipped on the way."""


@dataclass(frozen=True)
class Share:
    """Which images a process has of all, and how it reads them."""

    rank: int = 0
    processes: int = 1
    workers: int = 0
    pin: bool = False
    """Whether batches lie where a GPU fetches them without the processor."""


@dataclass(frozen=True)
class Data:
    """Both splits of one data set."""

    labels: tuple[str, ...]
    training: tuple[Example, ...]
    held_out: tuple[Example, ...]
    same: bool
    """Whether the folder has no splits, so that accuracy is that of training images."""
    in_memory: bool
    remarks: tuple[str, ...]
    """Lines on what was left out of either split, and on how the folder was understood."""


def open_data(source: str) -> Data:
    """Both splits of `source`, decoded where they are small.

    Raises `InferenceError` where there is nothing to read, `TrainingError` (usage) where the
    splits have different classes.
    """
    same = source != DIGITS and _has_no_splits(Path(source))
    training, held_out = open_dataset(source, "train"), open_dataset(source, "test")
    if training.labels != held_out.labels:
        odd = sorted({*training.labels} ^ {*held_out.labels})[0]
        has, lacks = ("train", "val") if odd in training.labels else ("val", "train")
        raise TrainingError(
            f"{source}: {has} has a class {odd!r} and {lacks} has not; both need the same folders",
            usage=True,
        )
    first = _decoded(training.examples, HELD_BYTES)
    second = first if same else first and _decoded(held_out.examples, HELD_BYTES)
    return Data(
        training.labels,
        first if second and first else training.examples,
        second or held_out.examples,
        same,
        bool(second),
        tuple(dict.fromkeys((*training.remarks, *held_out.remarks))),
    )


def training_batches(
    data: Data, recipe: Recipe, share: Share
) -> tuple[DataLoader[Sample], EpochOrder]:
    """This process's share of each batch of an epoch, and what sets the epoch."""
    order = EpochOrder(len(data.training), recipe.batch_size, recipe.seed, share)
    loader = DataLoader(
        _Training(data.training, recipe),
        batch_sampler=order,
        collate_fn=partial(_collate, preprocessing=preprocessing(recipe)),
        num_workers=share.workers,
        pin_memory=share.pin,
        persistent_workers=share.workers > 0,
    )
    return loader, order


def held_out_batches(data: Data, recipe: Recipe, share: Share) -> DataLoader[Sample]:
    """This process's share of the held-out images: each image is in exactly one share."""
    return DataLoader(
        _HeldOut(data.held_out, preprocessing(recipe)),
        batch_size=_HELD_OUT_BATCH,
        sampler=range(share.rank, len(data.held_out), share.processes),
        collate_fn=partial(_collate, preprocessing=preprocessing(recipe)),
        num_workers=share.workers,
        pin_memory=share.pin,
    )


def calibration_batches(data: Data, recipe: Recipe) -> Iterator[Tensor]:
    """Some training images as the held-out ones are prepared, the same in every process.

    Batches of (N, 3, H, W), in which what cannot be read is left out. Raises `TrainingError` where
    that is all of them.
    """
    order = np.random.default_rng(recipe.seed).permutation(len(data.training))
    examples = [data.training[index] for index in order[:CALIBRATION_IMAGES]]
    given = preprocessing(recipe)
    images = _HeldOut(examples, given)
    count = 0
    for first in range(0, len(examples), _CALIBRATION_BATCH):
        several = range(first, min(first + _CALIBRATION_BATCH, len(examples)))
        batch = _collate([images[index] for index in several], given)
        count += len(batch.images)
        if len(batch.images):
            yield batch.images
    if not count:
        raise TrainingError(f"no image can be read, such as {examples[0].name}")


def _has_no_splits(folder: Path) -> bool:
    there = splits(below_a_folder_too_many(folder))
    if len(there) == 1:
        (has,) = (path.name for path in there.values())
        lacks = "val" if "train" in there else "train"
        raise TrainingError(
            f"{folder} has {has} in it and no {lacks}: it needs both, or a folder for each class",
            usage=True,
        )
    return not there


class EpochOrder(Sampler[list[Key]]):
    """A shuffled epoch in whole batches, of which each process gets every so many-th image.

    The batches are the same for any number of processes. What does not fill one is left out,
    other images each epoch.
    """

    def __init__(self, count: int, batch_size: int, seed: int, share: Share) -> None:
        self._count = count
        self._batch_size = batch_size
        self._seed = seed
        self._share = share
        self.epoch = 0

    def __len__(self) -> int:
        return self._count // self._batch_size

    def __iter__(self) -> Iterator[list[Key]]:
        order = np.random.default_rng((self._seed, self.epoch)).permutation(self._count)
        for number in range(len(self)):
            batch = order[number * self._batch_size : (number + 1) * self._batch_size]
            yield [
                (self.epoch, int(index))
                for index in batch[self._share.rank :: self._share.processes]
            ]


class Sample(NamedTuple):
    """One example's pixels (H, W, 3), or None where nothing could be read."""

    pixels: Pixels | None
    label: int
    unreadable: tuple[str, ...]


class _Training(Dataset[Sample]):
    """Augmented images; the next readable one stands in for one that cannot be read."""

    def __init__(self, examples: Sequence[Example], recipe: Recipe) -> None:
        self._examples = examples
        self._recipe = recipe

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, key: Key) -> Sample:
        epoch, index = key
        unreadable = []
        for step in range(UNREADABLE_IN_A_ROW):
            example = self._examples[(index + step) % len(self._examples)]
            try:
                image = example.read()
            except InferenceError:
                unreadable.append(example.name)
                continue
            pixels = augmented(
                image,
                self._recipe.input_size,
                smallest=self._recipe.smallest_crop,
                flip=self._recipe.flip,
                random=np.random.default_rng((self._recipe.seed, epoch, index)),
            )
            return Sample(pixels, example.label, tuple(unreadable))
        return Sample(None, 0, tuple(unreadable))


class _HeldOut(Dataset[Sample]):
    def __init__(self, examples: Sequence[Example], preprocessing: Preprocessing) -> None:
        self._examples = examples
        self._preprocessing = preprocessing

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> Sample:
        example = self._examples[index]
        try:
            return Sample(fit(example.read(), self._preprocessing), example.label, ())
        except InferenceError:
            return Sample(None, example.label, (example.name,))


def _collate(samples: list[Sample], preprocessing: Preprocessing) -> Batch:
    unreadable = tuple(chain.from_iterable(sample.unreadable for sample in samples))
    read = [(sample.pixels, sample.label) for sample in samples if sample.pixels is not None]
    if not read:
        nothing = torch.empty(0, 3, *preprocessing.crop)
        return Batch(nothing, torch.empty(0, dtype=torch.long), unreadable)
    images = normalise(np.stack([pixels for pixels, _ in read]), preprocessing)
    labels = torch.tensor([label for _, label in read])
    return Batch(torch.from_numpy(to_layout(images, "NCHW")), labels, unreadable)


def _decoded(examples: Sequence[Example], limit: int) -> tuple[Example, ...] | None:
    """The examples with their pixels in memory, or None where those are more than `limit` bytes.

    One that cannot be read stays as it is: it is counted where it is met.
    """
    held = []
    for example in examples:
        try:
            pixels = np.asarray(example.read())
        except InferenceError:
            held.append(example)
            continue
        limit -= pixels.nbytes
        if limit < 0:
            return None
        held.append(replace(example, read=partial(Image.fromarray, pixels)))
    return tuple(held)
