"""Checkpoints as people have them: each gives the right tensors, or one line that says why not."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

import case_checkpoints as made
from case_checkpoints import State, Wrapping
from cases import Bench, NotReached, reached, wrong_today
from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.weights.checkpoint import load
from shufflenet_deploy.runtime.errors import ModelsError

IMAGES = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="session")
def state() -> State:
    return made.a_state()


@pytest.fixture(scope="session")
def plain(state: State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights as they should be saved, which load as they are."""
    path = tmp_path_factory.mktemp("plain") / "plain.pth"
    torch.save(state, path)
    network = ShuffleNetV1(3, 0.25, num_classes=made.CLASSES)
    network.load_state_dict(dict(state))
    reached(logits_of(path).equal(logits(network)), "not even plain.pth loads")
    return path


def logits(network: ShuffleNetV1) -> Tensor:
    with torch.no_grad():
        answer: Tensor = network.eval()(IMAGES)
    return answer


def logits_of(path: Path) -> Tensor:
    """Of the network in `path`. A refusal is wrong, and has to be of this very file."""
    try:
        checkpoint = load(path)
    except ModelsError as error:
        reached(str(error).startswith(f"{path}: "), f"refused for another reason: {error}")
        raise AssertionError(f"refused: {error}") from None
    return logits(checkpoint.network)


def refusal(path: Path) -> str:
    """What is said of `path`: one line about it."""
    try:
        load(path)
    except ModelsError as error:
        message = str(error)
    else:
        raise AssertionError("loaded")
    reached(message.startswith(f"{path}: "), f"refused for another reason: {message}")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def situations(*wrappings: Wrapping) -> list[object]:
    return [
        pytest.param(
            wrapping,
            id=wrapping.file_name,
            marks=[wrong_today(wrapping.wrong)] if wrapping.wrong else [],
        )
        for wrapping in wrappings
    ]


@pytest.mark.parametrize(
    "wrapping",
    situations(*made.WRAPPERS, *made.AVERAGES, *made.OBJECTS, *made.CHANGES, *made.TYPES),
)
def test_the_right_weights_are_taken(
    wrapping: Wrapping, state: State, plain: Path, tmp_path: Path
) -> None:
    path, saved = made.write(wrapping, state, tmp_path)
    if wrapping.marker:
        reached(wrapping.marker in saved - state.keys(), f"no {wrapping.marker} in {path.name}")
    torch.save(wrapping.right(state), tmp_path / "right.pth")
    right = logits_of(tmp_path / "right.pth")
    if wrapping in made.AVERAGES[:-1]:
        torch.save(made.shifted(state), tmp_path / "wrong.pth")
        last_step = logits_of(tmp_path / "wrong.pth")
        reached(not torch.allclose(last_step, right, atol=0.05), "both candidates are the same")
    assert torch.allclose(logits_of(path), right, rtol=1e-5, atol=1e-5 * float(right.std()))


def test_a_classifier_without_bias_has_one_of_zeros(
    state: State, plain: Path, tmp_path: Path
) -> None:
    torch.save(made.without_bias(state), tmp_path / "head_nobias.pth")
    torch.save(made.with_zero_bias(state), tmp_path / "right.pth")
    assert logits_of(tmp_path / "head_nobias.pth").equal(logits_of(tmp_path / "right.pth"))


@pytest.mark.parametrize("classes", [1, 2])
def test_few_classes_load(classes: int, tmp_path: Path) -> None:
    path = tmp_path / f"classes{classes}.pth"
    torch.save(made.a_state(classes, seed=1), path)
    answer = logits_of(path)
    assert answer.shape == (2, classes)
    assert answer.isfinite().all()


@pytest.mark.parametrize(
    "name",
    [pytest.param(name) for name in made.ARCHIVES],
)
def test_the_one_file_in_an_archive_is_taken(name: str, plain: Path, tmp_path: Path) -> None:
    pack, beginning = made.ARCHIVES[name]
    path = tmp_path / name
    path.write_bytes(pack(plain.read_bytes()))
    reached(path.read_bytes().startswith(beginning), "it is no archive")
    assert logits_of(path).equal(logits_of(plain))


@pytest.mark.parametrize("name", ["plain.zip", "plain.tar.gz"])
def test_several_files_in_an_archive_are_listed(name: str, plain: Path, tmp_path: Path) -> None:
    files = {"first.pth": plain.read_bytes(), "second.pth": plain.read_bytes()}
    pack = made.zipped if name.endswith(".zip") else made.tarred
    (tmp_path / name).write_bytes(pack(files))
    message = refusal(tmp_path / name)
    assert "first.pth" in message
    assert "second.pth" in message


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        pytest.param("lfs.pth", made.LFS_POINTER, r"git.?lfs"),
        pytest.param("page.pth", made.WEB_PAGE, r"web page|html"),
        pytest.param(
            "error.pth",
            b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>',
            r"xml|web page|server",
        ),
        ("empty.pth", b"", r"empty"),
        ("truncated.pth", None, r"cut off|truncated"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.endswith(".pth") else "",
)
def test_what_is_no_checkpoint_is_called_what_it_is(
    name: str, content: bytes | None, words: str, plain: Path, tmp_path: Path
) -> None:
    path = tmp_path / name
    whole = plain.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert re.search(words, refusal(path), re.IGNORECASE)


def other_stem(channels: int) -> State:
    key = "features.init_block.conv.weight"
    content = made.a_state()
    content[key] = torch.cat([content[key]] * 2, 1)[:, :channels]
    return content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(lambda: other_stem(1), "init_block.conv.weight", id="gray"),
        pytest.param(lambda: other_stem(4), "init_block.conv.weight", id="four"),
        pytest.param(lambda: made.quantised(made.a_state()), "quantis", id="quantised"),
        pytest.param(
            lambda: {k: v for k, v in made.a_state().items() if not k.startswith("output")},
            "output.weight",
            id="nohead",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:.*quantize_per_tensor.*", "ignore:.*quantization.*")
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_another_network_is_refused_by_what_is_other(
    content: object, words: str, tmp_path: Path
) -> None:
    assert callable(content)
    torch.save(content(), tmp_path / "other.pth")
    assert words in refusal(tmp_path / "other.pth")


def test_code_beside_the_weights_is_not_run_and_the_weights_are_read(
    state: State, plain: Path, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    content = {"state_dict": state, "hook": {"nested": [made.Command(str(ran))]}}
    torch.save(content, tmp_path / "hostile.pth")
    saved = io.BytesIO()
    torch.save(content, saved)
    torch.load(io.BytesIO(saved.getvalue()), weights_only=False)
    reached(ran.is_dir(), "who trusts the file runs nothing either")
    ran.rmdir()
    try:
        answer = logits_of(tmp_path / "hostile.pth")
    finally:
        if ran.exists():  # worse than what is expected to be wrong
            raise NotReached("the code in the file was run")
    assert answer.equal(logits_of(plain))


@pytest.mark.slow
def test_who_exports_one_of_two_candidates_is_told_of_the_other(state: State, bench: Bench) -> None:
    content = {"model": made.shifted(state), "ema": state}
    torch.save(content, bench.folder / "both.pth")
    small = ("--input-size", "32", "--format", "onnx", "--out", "out")
    said = bench.run("shufflenet-export", "--weights", "both.pth", *small)
    reached(said.code == 0, said.stderr)
    assert "ema" in said.stderr
    assert "--weights-key" in said.stderr
    other = bench.run(
        "shufflenet-export", "--weights", "both.pth", "--weights-key", "model", *small
    )
    other.require_success()
