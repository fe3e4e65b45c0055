"""Loading and saving files of weights: the kinds, the variants, and every refusal."""

from __future__ import annotations

import argparse
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorchcv.models import shufflenet as pytorchcv
from safetensors.torch import save_file
from torch import Tensor, nn

from shufflenet_deploy.models.networks import NETWORKS
from shufflenet_deploy.models.networks.shufflenet import STAGE2_WIDTHS, ShuffleNetV1
from shufflenet_deploy.models.weights.checkpoint import (
    Checkpoint,
    load,
    require,
    save,
)
from shufflenet_deploy.models.weights.conventions import IMAGENET
from shufflenet_deploy.models.weights.random import randomise
from shufflenet_deploy.runtime.errors import ModelsError
from shufflenet_deploy.runtime.manifest import Preprocessing

STEM = "features.init_block.conv.weight"
IMAGES = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
State = dict[str, Tensor]


def _network(groups: int = 3, scale: float = 0.25, **options: Any) -> ShuffleNetV1:
    network = ShuffleNetV1(groups, scale, **({"num_classes": 5} | options))
    randomise(network, IMAGES)
    return network


@pytest.fixture(scope="module")
def network() -> ShuffleNetV1:
    return _network()


@pytest.fixture
def state(network: ShuffleNetV1) -> State:
    return {key: tensor.clone() for key, tensor in network.state_dict().items()}


def _same_logits(checkpoint: Checkpoint, network: ShuffleNetV1) -> bool:
    with torch.no_grad():
        return bool(checkpoint.network(IMAGES).equal(network(IMAGES)))


def _refusal(path: Path) -> str:
    """What `load` says of a file, which has to be one line that names it."""
    with pytest.raises(ModelsError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert ";" in message  # what to do comes after it
    return message


# What is taken.


@pytest.mark.parametrize("name", ["weights.pth", "weights.pt", "weights.pth.tar", "weights.tar"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_dict_of_pytorch_loads_under_any_name(
    name: str, zipped: bool, network: ShuffleNetV1, tmp_path: Path
) -> None:
    path = tmp_path / name
    torch.save(network.state_dict(), path, _use_new_zipfile_serialization=zipped)
    checkpoint = load(path)
    assert checkpoint.convention == "pytorchcv"
    assert checkpoint.preprocessing == IMAGENET
    assert (checkpoint.labels, checkpoint.input_size, checkpoint.extra) == (None, None, {})
    assert not checkpoint.network.training
    assert _same_logits(checkpoint, network)


@pytest.mark.parametrize("name", ["weights.safetensors", "weights"])
def test_safetensors_loads_with_and_without_its_suffix(
    name: str, network: ShuffleNetV1, tmp_path: Path
) -> None:
    path = tmp_path / name
    save_file(network.state_dict(), path, {"format": "pt"})
    assert _same_logits(load(path), network)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": state, "optimizer": {}},
        lambda state: {"model": {"state_dict": state}},
        lambda state: {f"module.{key}": tensor for key, tensor in state.items()},
        lambda state: {f"_orig_mod.module.{key}": tensor for key, tensor in state.items()},
        lambda state: {key: torch.nn.Parameter(t, False) for key, t in state.items()},
        lambda state: {k: t for k, t in state.items() if "num_batches" not in k},
        lambda state: dict(reversed(state.items())),
        lambda state: {k: t.double() if t.is_floating_point() else t for k, t in state.items()},
    ],
)
def test_what_others_wrap_around_the_weights_is_taken_off(
    wrap: Callable[[State], object], state: State, network: ShuffleNetV1, tmp_path: Path
) -> None:
    torch.save(wrap(state), tmp_path / "weights.pth")
    assert _same_logits(load(tmp_path / "weights.pth"), network)


def test_the_hash_is_that_of_the_file(state: State, tmp_path: Path) -> None:
    import hashlib

    torch.save(state, tmp_path / "weights.pth")
    expected = hashlib.sha256((tmp_path / "weights.pth").read_bytes()).hexdigest()
    assert load(tmp_path / "weights.pth").sha256 == expected


@pytest.mark.parametrize("groups", NETWORKS["shufflenet-v1"].groups)
@pytest.mark.parametrize("scale", [0.25, 0.5, 0.75, 1.0, 1.5])
def test_the_variant_is_found_from_the_tensors(groups: int, scale: float, tmp_path: Path) -> None:
    # Rounded widths (g=2, 4 and 8) among them.
    path = tmp_path / "weights.pth"
    torch.save(ShuffleNetV1(groups, scale, num_classes=3).state_dict(), path)
    checkpoint = load(path)
    assert (checkpoint.groups, checkpoint.scale, checkpoint.classes) == (groups, scale, 3)


@pytest.mark.parametrize("groups", [1, 3, 8])
def test_squeeze_and_excitation_is_found_from_the_tensors(groups: int, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    network = ShuffleNetV1(groups, 0.25, num_classes=3, squeeze_excitation=True).eval()
    torch.save(network.state_dict(), path)
    checkpoint = load(path)
    assert (checkpoint.name, checkpoint.groups) == ("shufflenet-v1-se", groups)
    assert _same_logits(checkpoint, network)


@pytest.mark.parametrize("name", ["shufflenet_g1_wd4", "shufflenet_g3_w3d4"])
def test_a_file_of_pytorchcv_loads(name: str, tmp_path: Path) -> None:
    theirs = getattr(pytorchcv, name)()
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    randomise(theirs, images)
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    checkpoint = load(tmp_path / "weights.pth")
    # Its stem is 24 times the scale, not the paper's.
    assert checkpoint.stem_channels == {"wd4": 6, "w3d4": 18}[name.split("_")[-1]]
    with torch.no_grad():
        torch.testing.assert_close(checkpoint.network(images), theirs(images), rtol=1e-5, atol=1e-5)


# This project's own files.


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stem_relu": False},
        {"inverse_shuffle": True},
        {"stem_channels": 6},
        {"squeeze_excitation": True},
    ],
)
def test_what_is_saved_comes_back(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    network = _network(3, 0.25, **options)
    used = Preprocessing(
        channel_order="BGR",
        mean=(1.0, 2.0, 3.5),
        std=(4.0, 5.0, 6.0),
        crop_fraction=1.0,
        crop=(32, 48),
    )
    labels = ("zero", "eins", "zwei", "drei", "ελ")
    path = tmp_path / name
    save(path, network, labels=labels, preprocessing=used, input_size=(32, 48))
    checkpoint = load(path)
    assert checkpoint.labels == labels
    assert checkpoint.preprocessing == used
    assert checkpoint.input_size == (32, 48)
    assert checkpoint.convention == "pytorchcv"
    se = options.get("squeeze_excitation", False)
    assert checkpoint.name == ("shufflenet-v1-se" if se else "shufflenet-v1")
    assert _same_logits(checkpoint, network)
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_what_resuming_takes_is_saved_too(network: ShuffleNetV1, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    extra = {"epoch": 3, "optimizer": {"momentum": torch.ones(2)}, "history": [(1, "a")]}
    save(path, network, labels=None, preprocessing=IMAGENET, input_size=None, extra=extra)
    found = load(path).extra
    assert found.keys() == extra.keys()
    assert found["epoch"] == 3
    assert found["optimizer"]["momentum"].tolist() == [1.0, 1.0]


def _save(path: Path, network: ShuffleNetV1, **changes: Any) -> None:
    arguments: dict[str, Any] = {
        "labels": None,
        "preprocessing": IMAGENET,
        "input_size": (32, 32),
    }
    save(path, network, **arguments | changes)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"labels": ["a", "b"]}, ModelsError, "2 labels for 5 classes"),
        ({"extra": {"args": argparse.Namespace()}}, ModelsError, "argparse.Namespace"),
        ({"extra": {"labels": 1}}, ValueError, "labels"),
    ],
)
def test_what_could_not_be_read_back_is_not_saved(
    changes: dict[str, Any],
    error: type[Exception],
    message: str,
    network: ShuffleNetV1,
    tmp_path: Path,
) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"as it was")
    with pytest.raises(error, match=message):
        _save(path, network, **changes)
    assert path.read_bytes() == b"as it was"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_a_folder_that_is_not_there_is_named(
    name: str, network: ShuffleNetV1, tmp_path: Path
) -> None:
    path = tmp_path / "missing" / name
    with pytest.raises(ModelsError, match=f"cannot write {path}: No such file"):
        _save(path, network)


def test_safetensors_has_no_place_for_more(network: ShuffleNetV1, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="epoch"):
        _save(tmp_path / "weights.safetensors", network, extra={"epoch": 1})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "version 2"),
        ({"version": None}, "version None"),
        ({"labels": ["a"]}, "1 labels for 5 classes"),
        ({"labels": "abcde"}, r"\$.labels"),
        ({"labels": [1, 2, 3, 4, 5]}, r"\$.labels\[0\]"),
        ({"input_size": [32]}, r"\$.input_size"),
        ({"preprocessing": None}, r"\$.preprocessing"),
        ({"architecture": {"stem_relu": 1}}, r"\$.architecture.stem_relu"),
    ],
)
def test_a_file_of_ours_with_something_wrong_in_it_is_refused(
    changes: dict[str, Any], message: str, network: ShuffleNetV1, tmp_path: Path
) -> None:
    import re

    path = tmp_path / "weights.pth"
    _save(path, network)
    torch.save(torch.load(path, weights_only=True) | changes, path)
    assert re.search(message, _refusal(path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"std": (1.0, 0.0, 1.0)}, "std"),
        ({"channel_order": "GRB"}, "GRB"),
        ({"mean": (1.0, 2.0)}, "mean"),
        ({"crop_fraction": float("nan")}, "crop fraction nan"),
    ],
)
def test_preprocessing_that_cannot_be_is_refused(
    changes: dict[str, Any], message: str, network: ShuffleNetV1, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pth"
    _save(path, network)
    content = torch.load(path, weights_only=True)
    content["preprocessing"] |= changes
    torch.save(content, path)
    assert message in _refusal(path)


def test_keys_of_others_in_our_format_are_refused(
    state: State, network: ShuffleNetV1, tmp_path: Path
) -> None:
    from shufflenet_deploy.models.weights.conventions import CONVENTIONS, keys

    path = tmp_path / "weights.pth"
    _save(path, network)
    mmpretrain = {theirs: state[ours] for theirs, ours in keys(CONVENTIONS[2]).items()}
    torch.save(torch.load(path, weights_only=True) | {"state_dict": mmpretrain}, path)
    assert "keys of mmpretrain" in _refusal(path)


# What is refused.


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    assert "No such file" in _refusal(tmp_path / "missing.pth")
    assert "Is a directory" in _refusal(tmp_path)


class _Code:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrap", [lambda code: code, lambda code: {"state_dict": {}, "x": code}])
def test_code_in_a_pickle_is_named_and_not_run(
    wrap: Callable[[object], object], zipped: bool, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    path = tmp_path / "weights.pth"
    torch.save(wrap(_Code(marker)), path, _use_new_zipfile_serialization=zipped)
    assert "posix.mkdir" in _refusal(path)
    assert not marker.exists()


def test_a_plain_pickle_is_not_run_either(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    (tmp_path / "weights.pth").write_bytes(pickle.dumps(_Code(marker)))
    assert "not a checkpoint" in _refusal(tmp_path / "weights.pth")
    assert not marker.exists()


class _Tampered(ShuffleNetV1):
    """Makes a folder where it is unpickled as what it is."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        Path(state["marker"]).mkdir()


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("zipped", [True, False])
def test_of_a_whole_network_the_tensors_alone_are_taken(
    network: ShuffleNetV1, wrapped: bool, zipped: bool, tmp_path: Path
) -> None:
    marker, path = tmp_path / "ran", tmp_path / "weights.pth"
    whole = _Tampered(3, 0.25, num_classes=5)
    whole.load_state_dict(network.state_dict())
    whole.marker = str(marker)  # type: ignore[assignment]
    torch.save({"net": whole} if wrapped else whole, path, _use_new_zipfile_serialization=zipped)
    loaded = load(path)
    assert _same_logits(loaded, network)
    assert "a network that was saved whole: its tensors alone are taken" in loaded.remarks
    assert not marker.exists()


def test_a_whole_object_without_tensors_is_refused_by_its_class(tmp_path: Path) -> None:
    torch.save(argparse.Namespace(rate=0.1), tmp_path / "weights.pth")
    assert "holds an object of argparse.Namespace" in _refusal(tmp_path / "weights.pth")


def test_a_network_that_holds_itself_is_read_once(tmp_path: Path) -> None:
    whole = nn.Sequential(nn.Linear(1, 1))
    whole._modules["0"]._modules["again"] = whole
    torch.save(whole, tmp_path / "weights.pth")
    assert "begin with '0.weight', '0.bias'" in _refusal(tmp_path / "weights.pth")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.ones(1)], "holds a list"),
        (torch.ones(1), "holds a Tensor"),
        ({}, "holds no weights"),
        ({"state_dict": {}}, "holds no weights"),
        ({3: torch.ones(1)}, "begin with '3'"),
        ({"conv1.weight": torch.ones(1), "bn1.weight": torch.ones(1)}, "'conv1.weight', 'bn1"),
    ],
)
def test_other_contents_are_refused(content: object, message: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "weights.pth")
    assert message in _refusal(tmp_path / "weights.pth")


def test_an_unknown_convention_is_told_which_are_known(tmp_path: Path) -> None:
    torch.save({f"layer{i}": torch.ones(1) for i in range(9)}, tmp_path / "weights.pth")
    message = _refusal(tmp_path / "weights.pth")
    assert "(pytorchcv, megvii, mmpretrain, jaxony)" in message
    assert "'layer0', 'layer1', 'layer2'" in message
    assert "layer3" not in message


def _nan(state: State) -> None:
    state["features.stage2.unit3.dw_bn2.bias"][1] = float("nan")


def _infinite(state: State) -> None:
    state["features.stage2.unit3.dw_bn2.bias"][1] = float("-inf")


def _too_large(state: State) -> None:
    # Finite where it was made, not in float32.
    state["output.bias"] = torch.full((5,), 1e300, dtype=torch.float64)


def _negative_variance(state: State) -> None:
    state["features.stage1.unit1.dw_bn2.running_var"][0] = -1.0


def _missing(state: State) -> None:
    del state["features.stage3.unit4.expand_conv3.weight"], state["output.bias"]


def _unexpected(state: State) -> None:
    state["features.stage3.unit5.dw_conv2.weight"] = torch.ones(1)


def _counter_of_nothing(state: State) -> None:
    state["output.num_batches_tracked"] = torch.ones(1)


def _misshapen(state: State) -> None:
    state["features.stage2.unit2.compress_conv1.weight"] = torch.ones(30, 41, 1, 1)


def _transposed(state: State) -> None:
    state["output.weight"] = state["output.weight"].T.contiguous()


def _scalar(state: State) -> None:
    state[STEM] = torch.tensor(1.0)


def _no_tensor(state: Any) -> None:
    state[STEM] = [1.0]


def _whole_numbers(state: State) -> None:
    state[STEM] = state[STEM].to(torch.int8)


def _sparse(state: State) -> None:
    state["output.weight"] = state["output.weight"].to_sparse()


def _expanded(state: State) -> None:
    # A small file that would ask for terabytes.
    state["output.weight"] = torch.ones(1, 240).expand(10**10, 240)


def _wide_stem(state: State) -> None:
    state[STEM] = torch.ones(60, 3, 3, 3)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_nan, "features.stage2.unit3.dw_bn2.bias has 1 numbers of 30 that are NaN or infinite"),
        (_infinite, "features.stage2.unit3.dw_bn2.bias has 1 numbers"),
        (_too_large, "output.bias has 5 numbers"),
        (_negative_variance, "features.stage1.unit1.dw_bn2.running_var has a negative variance"),
        (_missing, "features.stage3.unit4.expand_conv3.weight is missing"),
        (_unexpected, "'features.stage3.unit5.dw_conv2.weight' is unexpected"),
        (_counter_of_nothing, "'output.num_batches_tracked' is unexpected"),
        (
            _misshapen,
            "features.stage2.unit2.compress_conv1.weight has shape (30, 41, 1, 1) where the other "
            "tensors ask for (30, 40, 1, 1)",
        ),
        (_transposed, "output.weight has shape (240, 5)"),
        (_scalar, "0 channels in the stem"),
        (_wide_stem, "60 channels in the stem"),
        (_no_tensor, f"{STEM} is a list, not a tensor"),
        (_whole_numbers, f"{STEM} is a tensor of torch.int8"),
        (_expanded, "output.weight has more numbers than the file"),
        (_sparse, "output.weight is a tensor of torch.float32, torch.sparse_coo"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_the_first_offender_is_named(
    spoil: Callable[[State], None], message: str, state: State, tmp_path: Path
) -> None:
    spoil(state)
    torch.save(state, tmp_path / "weights.pth")
    assert message in _refusal(tmp_path / "weights.pth")


def test_squeeze_and_excitation_in_one_unit_only_is_refused(state: State, tmp_path: Path) -> None:
    state["features.stage2.unit3.se.conv1.weight"] = torch.zeros(7, 120, 1, 1)
    torch.save(state, tmp_path / "weights.pth")
    message = "features.stage1.unit1.se.conv1.weight is missing"
    assert message in _refusal(tmp_path / "weights.pth")


def test_squeeze_and_excitation_of_other_names_is_refused(state: State, tmp_path: Path) -> None:
    state["features.stage1.unit1.se.fc1.weight"] = torch.zeros(3, 48, 1, 1)
    torch.save(state, tmp_path / "weights.pth")
    message = "'features.stage1.unit1.se.fc1.weight' is unexpected"
    assert message in _refusal(tmp_path / "weights.pth")


def test_stages_of_no_variant_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A multiple of 4 that is none of ours.
    monkeypatch.setitem(STAGE2_WIDTHS, 1, 160)
    torch.save(ShuffleNetV1(1, 0.25, num_classes=3).state_dict(), tmp_path / "weights.pth")
    monkeypatch.undo()
    message = _refusal(tmp_path / "weights.pth")
    assert "stages have 40, 80, 160 channels" in message
    assert "with 1 groups has 36, 72, 144 at 0.25x" in message


def test_groups_of_no_variant_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STAGE2_WIDTHS, 6, 240)
    torch.save(ShuffleNetV1(6, 0.5).state_dict(), tmp_path / "weights.pth")
    monkeypatch.undo()
    assert "its convolutions have 6 groups" in _refusal(tmp_path / "weights.pth")


def test_jaxonys_stage_of_567_channels_is_refused(tmp_path: Path) -> None:
    from shufflenet_deploy.models.weights.conventions import CONVENTIONS, keys

    network = ShuffleNetV1(1).state_dict()
    state = {}
    for theirs, ours in keys(CONVENTIONS[3]).items():
        bias = ours.removesuffix("bias") + "weight"
        tensor = network[ours] if ours in network else torch.zeros(len(network[bias]))
        if "stage4" in theirs:
            sizes = {576: 567, 288: 279 if "expand" in theirs else 288, 144: 141}
            tensor = torch.zeros([sizes.get(size, size) for size in tensor.shape])
        state[theirs] = tensor
    torch.save({"epoch": 90, "state_dict": state}, tmp_path / "weights.pth.tar")
    message = _refusal(tmp_path / "weights.pth.tar")
    assert "144, 288, 567 channels" in message
    assert "144, 288, 576 at 1.0x" in message


# Files that were cut off or altered on the way.


@pytest.fixture(scope="module")
def files(network: ShuffleNetV1, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A valid file of each kind."""
    folder = tmp_path_factory.mktemp("whole")
    state = network.state_dict()
    torch.save(state, folder / "zip.pth")
    torch.save(state, folder / "legacy.pth", _use_new_zipfile_serialization=False)
    save_file(state, folder / "weights.safetensors")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["zip.pth", "legacy.pth", "weights.safetensors"])
def test_a_file_cut_off_anywhere_is_refused(
    name: str, files: dict[str, bytes], tmp_path: Path
) -> None:
    whole = files[name]
    path = tmp_path / name
    path.write_bytes(whole)
    load(path)

    @given(length=st.integers(0, len(whole) - 1))
    def cut(length: int) -> None:
        path.write_bytes(whole[:length])
        _refusal(path)

    cut()
    for length in (0, 1, 8, 9, len(whole) - 1):
        path.write_bytes(whole[:length])
        _refusal(path)


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_any_bytes_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name

    @given(data=st.binary(max_size=64) | st.binary(max_size=64).map(lambda data: b"PK\3\4" + data))
    def check(data: bytes) -> None:
        path.write_bytes(data)
        _refusal(path)

    check()


@pytest.mark.parametrize("name", ["zip.pth", "legacy.pth", "weights.safetensors"])
def test_an_altered_byte_never_gives_a_traceback(
    name: str, files: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / name

    @settings(max_examples=40)
    @given(at=st.integers(0, 4000), byte=st.integers(0, 255), end=st.booleans())
    def check(at: int, byte: int, end: bool) -> None:
        altered = bytearray(files[name])
        altered[-1 - at if end else at] = byte
        path.write_bytes(altered)
        try:
            load(path)  # where only a weight changed, that is all right
        except ModelsError as error:
            assert str(error).startswith(f"{path}: ")  # noqa: PT017 - either will do

    check()


# What was asked for.


def test_options_that_contradict_the_file_are_refused(state: State, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(state, path)
    checkpoint = load(path)
    require(checkpoint)
    require(checkpoint, name="shufflenet-v1", groups=3, scale=0.25)
    wanted = "has network shufflenet-v1 where network shufflenet-v1-se was asked for"
    with pytest.raises(ModelsError, match=wanted):
        require(checkpoint, name="shufflenet-v1-se")
    with pytest.raises(ModelsError, match=rf"{path} has groups 3 where groups 8 was asked for"):
        require(checkpoint, groups=8)
    with pytest.raises(ModelsError, match=r"has scale 0.25 where scale 1.0 was asked for"):
        require(checkpoint, groups=3, scale=1.0)
