"""Which weights are taken of all that a file holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import prune

from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.weights.checkpoint import load
from shufflenet_deploy.models.weights.conventions import CONVENTIONS, keys
from shufflenet_deploy.models.weights.finding import find
from shufflenet_deploy.runtime.errors import ModelsError

NETWORK = ShuffleNetV1(3, 0.25, num_classes=5).eval()
STATE = NETWORK.state_dict()
OURS = CONVENTIONS[0]

_WORDS = st.sampled_from(
    ["model", "net", "params", "state_dict", "module", "generator", "0", "weights", "my network"]
)
_PREFIX = st.sampled_from(
    ["model", "net", "backbone", "encoder", "module", "_orig_mod", "x1", "features"]
)
_MIDDLE = st.sampled_from(["_orig_mod", "module", "_fsdp_wrapped_module", "inner", "wrapped_net"])
_BESIDE = {"epoch": 3, "loss": 0.5, "args": {"lr": 0.1}, "queue": torch.zeros(3), "history": [1, 2]}


def _renamed(prefix: list[str], middle: str | None, place: int) -> dict[str, Tensor]:
    renamed = {}
    for key, tensor in STATE.items():
        parts = key.split(".")
        if middle is not None and len(parts) > place + 1 and parts[0] == "features":
            parts.insert(place, middle)
        renamed[".".join([*prefix, *parts])] = tensor
    return renamed


@given(
    wrappers=st.lists(_WORDS, max_size=3),
    prefix=st.lists(_PREFIX, max_size=3),
    middle=st.none() | _MIDDLE,
    place=st.integers(1, 2),
    beside=st.booleans(),
    in_list=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_any_nesting_leads_to_the_same_tensors(
    wrappers: list[str],
    prefix: list[str],
    middle: str | None,
    place: int,
    beside: bool,
    in_list: bool,
) -> None:
    content: Any = _renamed(prefix, middle, place)
    for name in wrappers:
        content = {name: [content] if in_list else content}
        if beside:
            content = {**_BESIDE, **content}
    found = find(content)
    assert found is not None
    assert found.convention is OURS
    for key, tensor in STATE.items():
        if not key.endswith("num_batches_tracked"):
            assert found.weights[key] is tensor, key
    if wrappers or prefix:
        assert any("are taken" in remark for remark in found.remarks)


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda convention: convention.name)
@pytest.mark.parametrize("prefix", ["", "module.", "model.net."])
def test_every_convention_is_found_behind_a_prefix(convention: Any, prefix: str) -> None:
    content = {f"{prefix}{key}": torch.ones(1) for key in keys(convention)}
    found = find({"ema_model": content})
    assert found is not None
    assert found.convention is convention
    assert set(found.weights) == set(keys(convention))


def _other() -> dict[str, Tensor]:
    return {key: tensor + 1 for key, tensor in STATE.items()}


@pytest.mark.parametrize(
    ("content", "taken", "other"),
    [
        ({"model": _other(), "ema": STATE}, "ema", "model"),
        ({"state_dict_ema": STATE, "state_dict": _other()}, "state_dict_ema", "state_dict"),
        ({"swa_model": STATE, "model": _other()}, "swa_model", "model"),
        ({"teacher": _other(), "student": STATE}, "student", "teacher"),
        ({"momentum_encoder": _other(), "encoder": STATE}, "encoder", "momentum_encoder"),
        (
            {"teacher_net": _other(), "model": {"state_dict": STATE}},
            "model.state_dict",
            "teacher_net",
        ),
    ],
)
def test_of_two_candidates_the_one_to_use_is_taken_and_the_other_named(
    content: Mapping[str, object], taken: str, other: str
) -> None:
    for order in (content, dict(reversed(list(content.items())))):
        found = find(order)
        assert found is not None
        assert found.weights["output.weight"] is STATE["output.weight"]
        said = "; ".join(found.remarks)
        assert f"the weights at {taken!r} are taken" in said
        assert f"others are at {other!r}: --weights-key takes them" in said
    chosen = find(content, other)
    assert chosen is not None
    assert chosen.weights["output.weight"].equal(STATE["output.weight"] + 1)  # type: ignore[attr-defined]


def test_prefixes_of_one_dict_are_candidates_too() -> None:
    content = {f"student.{key}": tensor for key, tensor in STATE.items()}
    content |= {f"teacher.{key}": tensor for key, tensor in _other().items()}
    found = find(content)
    assert found is not None
    assert found.weights["output.weight"] is STATE["output.weight"]
    teacher = find(content, "teacher")
    assert teacher is not None
    assert not teacher.weights["output.weight"].equal(STATE["output.weight"])  # type: ignore[attr-defined]


def test_a_place_that_is_not_there_is_told_which_are() -> None:
    with pytest.raises(ModelsError, match="no weights at 'nowhere'; they are at ema, model: name"):
        find({"model": STATE, "ema": _other()}, "nowhere")


def test_a_dict_that_holds_itself_ends() -> None:
    content: dict[str, object] = {"epoch": 1}
    content["again"] = [content]
    assert find(content) is None


def test_what_was_left_aside_is_said(tmp_path: Path) -> None:
    content = {"state_dict": {**STATE, "criterion.weight": torch.ones(2)}, "optimizer": {"lr": 1}}
    torch.save(content, tmp_path / "run.pth")
    remarks = load(tmp_path / "run.pth").remarks
    assert "the weights at 'state_dict' are taken" in remarks
    assert "left aside: optimizer" in remarks
    assert "left aside, as no layer has them: 1 keys, criterion.weight" in remarks


def _with_norm(name: str) -> nn.Module:
    """A network with a norm, or a mask, on two layers, after a step of training."""
    network = ShuffleNetV1(3, 0.25, num_classes=5)
    network.load_state_dict(STATE)
    apply: Any = {
        "old weight norm": nn.utils.weight_norm,
        "weight norm": nn.utils.parametrizations.weight_norm,
        "old spectral norm": nn.utils.spectral_norm,
        "spectral norm": nn.utils.parametrizations.spectral_norm,
        "mask": lambda layer: prune.l1_unstructured(layer, "weight", amount=0.5),  # type: ignore[no-untyped-call]
    }[name]
    for path in ("output", "features.stage1.unit2.compress_conv1"):
        apply(network.get_submodule(path))
    network.train()
    network(torch.randn(4, 3, 32, 32))  # the norms' vectors move
    return network.eval()


IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "name", ["old weight norm", "weight norm", "old spectral norm", "spectral norm", "mask"]
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_weights_in_parts_are_computed(name: str, tmp_path: Path) -> None:
    network = _with_norm(name)
    torch.save(network.state_dict(), tmp_path / "parts.pth")
    checkpoint = load(tmp_path / "parts.pth")
    with torch.no_grad():
        torch.testing.assert_close(
            checkpoint.network(IMAGES), network(IMAGES), rtol=1e-4, atol=1e-5
        )
    assert f"{name.removeprefix('old ')} applied to 2 tensors" in checkpoint.remarks


def test_parts_that_are_not_known_are_named(tmp_path: Path) -> None:
    content = dict(STATE)
    content["output.parametrizations.weight.original"] = content.pop("output.weight")
    torch.save(content, tmp_path / "parts.pth")
    with pytest.raises(ModelsError, match=r"output\.weight is there in parts that are not known"):
        load(tmp_path / "parts.pth")


@pytest.mark.parametrize("name", ["fc", "head.linear", "classifier.1", "output.1"])
@pytest.mark.parametrize("bias", [True, False])
def test_a_classifier_of_another_name_is_taken(name: str, bias: bool, tmp_path: Path) -> None:
    content = dict(STATE)
    content[f"{name}.weight"] = content.pop("output.weight")
    own = content.pop("output.bias")
    if bias:
        content[f"{name}.bias"] = own
    torch.save(content, tmp_path / "head.pth")
    checkpoint = load(tmp_path / "head.pth")
    assert checkpoint.network.output.weight.equal(STATE["output.weight"])
    assert checkpoint.network.output.bias.equal(own if bias else torch.zeros(5))
    if not name.startswith("output."):  # that is a name in the middle of its own
        assert f"{name}.weight is taken for the classifier" in checkpoint.remarks


def test_of_two_linear_layers_none_is_guessed(tmp_path: Path) -> None:
    content = dict(STATE)
    content["first.weight"] = content["second.weight"] = content.pop("output.weight")
    torch.save(content, tmp_path / "heads.pth")
    with pytest.raises(ModelsError, match=r"output\.weight is missing"):
        load(tmp_path / "heads.pth")
