"""What a training begins with: random weights, a checkpoint's, or those of an interrupted run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from shufflenet_deploy.models.networks import SHUFFLENET, SHUFFLENET_SE, variant
from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.training.recipe import IMAGENET, Recipe, Start, recipe
from shufflenet_deploy.models.weights import checkpoint, download
from shufflenet_deploy.models.weights.checkpoint import Checkpoint


def random_network(recipe: Recipe, classes: int) -> ShuffleNetV1:
    """The recipe's network with PyTorch's own initial weights, seeded."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return ShuffleNetV1(
            recipe.groups,
            recipe.scale,
            num_classes=classes,
            squeeze_excitation=recipe.network == SHUFFLENET_SE,
        )


def open_weights(weights: str, options: dict[str, Any], key: str | None = None) -> Checkpoint:
    """The checkpoint that ``--weights`` names, downloaded where that is `IMAGENET`.

    `options` are fields of `Recipe`, None where there was no such option; `key` is the place in the
    file where the weights are. Raises `ModelsError`
    where the file cannot be used, and where an option asks for another network than it holds.
    """
    name, groups, scale = (options.get(option) for option in ("network", "groups", "scale"))
    if weights == IMAGENET:
        chosen = variant(SHUFFLENET, groups, scale)
        assert chosen.groups is not None
        assert chosen.scale is not None
        path = download.fetch(chosen.groups, chosen.scale)
    else:
        path = Path(weights)
    loaded = checkpoint.load(path, key)
    checkpoint.require(loaded, name=name, groups=groups, scale=scale)
    return loaded


def tuning_recipe(loaded: Checkpoint, options: dict[str, Any]) -> Recipe:
    """The recipe of `options`, for the network of `loaded` and images as that takes them."""
    given = loaded.preprocessing
    start = Start(
        file=loaded.path.name,
        sha256=loaded.sha256,
        channel_order=given.channel_order,
        mean=given.mean,
        std=given.std,
        crop_fraction=given.crop_fraction,
    )
    return recipe(
        **{
            **options,
            "network": loaded.name,
            "groups": loaded.groups,
            "scale": loaded.scale,
            "input_size": options.get("input_size") or loaded.input_size,
            "start": start,
        }
    )


def set_classifier(loaded: Checkpoint, labels: tuple[str, ...], seed: int) -> tuple[bool, str]:
    """Give the network of `loaded` a classifier for the classes `labels`.

    Returns whether it is the file's own, and a line that says so.

    It keeps its own where it tells the same classes apart, in the order of `labels`. A file
    without labels that has as many classes is taken to have them in the order of their names, as
    training numbers them and shufflenet-eval takes them. For any other classes it is a new one,
    with PyTorch's own initial weights, seeded.
    """
    network, name = loaded.network, loaded.path.name
    if loaded.labels is not None and sorted(loaded.labels) == sorted(labels):
        order = [loaded.labels.index(label) for label in labels]
        _set_output(network, network.output.weight[order], network.output.bias[order])
        return True, f"{name} has the same {len(labels)} classes: its classifier is kept"
    if loaded.labels is None and loaded.classes == len(labels):
        return True, (
            f"{name} does not name its {loaded.classes} classes: its classifier is kept, and they "
            "are taken to be the data's in the order of their names"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = nn.Linear(network.output.in_features, len(labels))
    _set_output(network, fresh.weight, fresh.bias)
    others = "other " if loaded.classes == len(labels) else ""
    return False, (
        f"{name} has {loaded.classes} classes and the data {len(labels)} {others}ones: the "
        "classifier is a new one"
    )


def _set_output(network: ShuffleNetV1, weight: Tensor, bias: Tensor) -> None:
    network.output = nn.Linear(weight.shape[1], weight.shape[0])
    network.output.load_state_dict({"weight": weight.detach(), "bias": bias.detach()})
