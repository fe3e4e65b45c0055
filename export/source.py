"""The network to export, with its weights: random, from a file, or downloaded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from torch import nn

from shufflenet_deploy.export.request import IMAGENET, RANDOM, Request
from shufflenet_deploy.models.networks import Variant, build
from shufflenet_deploy.models.quantisation import Ranges
from shufflenet_deploy.models.weights.random import randomise
from shufflenet_deploy.runtime.manifest import Preprocessing, Weights
from shufflenet_deploy.runtime.preprocess import normalise
from shufflenet_deploy.runtime.seeded import seeded_pixels, to_layout

WEIGHTS_SEED = 0
STATISTICS_SEED = 1000
"""The seed of the images that give random networks their BN statistics; not those of verify."""


@dataclass(frozen=True, eq=False)
class Source:
    """A network in evaluation mode, and all that is known of it."""

    variant: Variant
    network: nn.Module
    weights: Weights
    preprocessing: Preprocessing
    labels: tuple[str, ...] | None
    ranges: Ranges | None = None
    """Of each activation, where the network was trained with 8 bits; see `networks.activations`."""
    remarks: tuple[str, ...] = ()
    """Lines on what was taken of the weights' file."""

    @property
    def tag(self) -> str:
        """The weights in an artifact's name."""
        return RANDOM if self.weights.origin == RANDOM else self.weights.sha256[:8]


def open_source(request: Request) -> Source:
    """Build the network that `request` wants, with its weights.

    Raises `ExportError` or `ModelsError` where a file is not what the request says.
    """
    if request.weights == RANDOM:
        chosen = request.variant()
        network = random_network(chosen)
        weights = Weights(origin=RANDOM, seed=WEIGHTS_SEED, sha256=_sha256(network))
        return Source(chosen, network, weights, Preprocessing(crop=chosen.input_size), None)
    return _from_file(request)


def random_network(variant: Variant) -> nn.Module:
    """The network with seeded weights, which do not depend on the input's size."""
    network = build(variant)
    size = (224, 224)
    images = normalise(seeded_pixels(8, size, STATISTICS_SEED), Preprocessing(crop=size))
    randomise(network, torch.from_numpy(to_layout(images, "NCHW")), WEIGHTS_SEED)
    return network


def _from_file(request: Request) -> Source:
    from shufflenet_deploy.models.weights import checkpoint, download

    if request.weights == IMAGENET:
        defaults = request.variant()
        assert defaults.groups is not None
        assert defaults.scale is not None
        path = download.fetch(defaults.groups, defaults.scale)
    else:
        path = Path(request.weights)
    loaded = checkpoint.load(path, request.weights_key)
    if loaded.ranges is None:
        request.require_calibration()
    checkpoint.require(loaded, name=request.network, groups=request.groups, scale=request.scale)
    chosen = request.variant(loaded.name, loaded.groups, loaded.scale, loaded.input_size)
    return Source(
        variant=chosen,
        network=loaded.network,
        weights=Weights(
            origin=f"{loaded.convention}: {path.name}", seed=None, sha256=loaded.sha256
        ),
        preprocessing=msgspec.structs.replace(loaded.preprocessing, crop=chosen.input_size),
        labels=loaded.labels,
        ranges=loaded.ranges,
        remarks=tuple(f"{path.name}: {line}" for line in loaded.remarks),
    )


def _sha256(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().numpy().tobytes())
    return digest.hexdigest()
