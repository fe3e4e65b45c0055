"""shufflenet-train as a user runs it, on images that are told apart by their colour."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from coloured_images import COLOURS, HELD_OUT, write_coloured_images
from shufflenet_deploy.models.networks.shufflenet import ShuffleNetV1
from shufflenet_deploy.models.training import command as train_command
from shufflenet_deploy.models.training.files import Files
from shufflenet_deploy.models.training.loop import Training
from shufflenet_deploy.models.weights.checkpoint import load
from shufflenet_deploy.runtime.images.datasets import open_dataset
from shufflenet_deploy.runtime.manifest import Preprocessing
from shufflenet_deploy.runtime.preprocess import fit, normalise
from waiting import HANG_SECONDS

COMMAND = (sys.executable, "-m", "shufflenet_deploy.models.training.command")
SMALL = ("--scale", "0.25", "--input-size", "32", "--batch-size", "8", "--device", "cpu")
# As in tests/conftest.py: another number of threads adds in another order.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coloured_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """Run the command in this process, which has torch loaded: its exit code."""
    monkeypatch.setattr(sys, "argv", ["shufflenet-train", *map(str, arguments)])
    with pytest.raises(SystemExit) as exited:
        train_command.main()
    assert isinstance(exited.value.code, int)
    return exited.value.code


def refusal(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, code: int, *arguments: str | Path
) -> str:
    """The one line by which the command failed, after those of its progress."""
    assert train(monkeypatch, *arguments) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    *progress, line = captured.err.splitlines()
    assert not any(text.startswith("error: ") for text in progress)
    assert line.startswith("error: ")
    return line


def weights(path: str) -> dict[str, torch.Tensor]:
    content: dict[str, Any] = torch.load(path, weights_only=True)
    state: dict[str, torch.Tensor] = content["state_dict"]
    return state


def assert_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    for name in first:
        assert first[name].equal(second[name]), name


def rows(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def recount(path: str, images: Path) -> tuple[int, float]:
    """Held-out images that a checkpoint recognises, one by one in plain PyTorch, and the loss."""
    content = torch.load(path, weights_only=True)
    network = ShuffleNetV1(3, 0.25, num_classes=len(content["labels"])).eval()
    network.load_state_dict(content["state_dict"])
    preprocessing = Preprocessing(crop=tuple(content["input_size"]), **content["preprocessing"])
    correct, loss = 0, 0.0
    examples = open_dataset(str(images), "test").examples
    for example in examples:
        pixels = normalise(fit(example.read(), preprocessing)[None], preprocessing)
        with torch.no_grad():
            logits = network(torch.from_numpy(pixels).permute(0, 3, 1, 2))
        correct += int(logits.argmax()) == example.label
        loss += float(functional.cross_entropy(logits, torch.tensor([example.label])))
    return correct, loss / len(examples)


def test_a_run_learns_and_writes_what_it_says(
    images: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    arguments = ("--data", images, *SMALL, "--epochs", "12", "--learning-rate", "0.02")
    assert train(monkeypatch, *arguments, "--out", "new/a.pth", "--log", "events", "--json") == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    lines = captured.err.splitlines()
    assert lines[0] == "loading PyTorch"
    assert lines[1].startswith("epoch 1/12: training loss ")
    assert len(lines) == 13

    log = rows("new/a.csv")
    assert [int(row["epoch"]) for row in log] == list(range(1, 13))
    assert float(log[-1]["training_loss"]) < 0.7 * float(log[0]["training_loss"])
    rates = [float(row["learning_rate"]) for row in log]
    # 32 images in batches of 8: the last step of 48.
    assert rates == pytest.approx([0.02 * (1 - (4 * n + 3) / 48) for n in range(12)])

    assert (result["labels"], result["counted"]) == (sorted(COLOURS), "held-out")
    best = max(log, key=lambda row: float(row["top1"]))
    assert result["best"]["top1"] == float(best["top1"]) > 0.5
    correct, loss = recount("new/a.pth", images)
    assert (correct, HELD_OUT) == (result["best"]["correct"], result["best"]["held_out"])
    assert loss == pytest.approx(result["best"]["held_out_loss"], rel=1e-4)

    content = torch.load("new/a.pth", weights_only=True)
    assert content["training"]["result"]["correct"] == correct
    assert content["training"]["recipe"]["data"] == images.name
    assert "optimizer" not in content["training"]
    assert [path.name for path in Path("new").iterdir() if path.name.startswith(".")] == []
    (events,) = Path("events").iterdir()
    assert b"held_out/top1" in events.read_bytes()


def test_a_network_with_squeeze_and_excitation_is_trained_and_resumed(
    images: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    network = ("--network", "shufflenet-v1-se")
    arguments = ("--data", images, *SMALL, *network, "--epochs", "2")
    write = Files.write

    def interrupted(files: Files, training: Training) -> None:
        if len(training.history) > 1:
            raise KeyboardInterrupt
        write(files, training)

    with monkeypatch.context() as patched:
        patched.setattr(Files, "write", interrupted)
        refusal(patched, capsys, 1, *arguments, "--out", "se.pth")
    other = ("--network", "shufflenet-v1")
    line = refusal(monkeypatch, capsys, 2, "--resume", "se.last.pth", *other)
    assert "--network shufflenet-v1: the run to be resumed has shufflenet-v1-se" in line
    assert train(monkeypatch, "--resume", "se.last.pth", *network) == 0
    assert len(rows("se.csv")) == 2
    assert load(Path("se.pth")).name == "shufflenet-v1-se"


def test_the_seed_decides(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("--data", images, *SMALL, "--epochs", "1")
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        assert train(monkeypatch, *arguments, "--seed", seed, "--out", f"{name}.pth") == 0
    assert_same(weights("a.pth"), weights("b.pth"))
    assert not weights("a.pth")["output.weight"].equal(weights("c.pth")["output.weight"])


def test_a_resumed_run_ends_where_one_in_one_go_does(
    images: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    arguments = ("--data", images, *SMALL, "--epochs", "4")
    assert train(monkeypatch, *arguments, "--out", "whole.pth") == 0
    write = Files.write

    def interrupted(files: Files, training: Training) -> None:
        if len(training.history) > 2:
            raise KeyboardInterrupt
        write(files, training)

    with monkeypatch.context() as patched:
        patched.setattr(Files, "write", interrupted)
        capsys.readouterr()
        line = refusal(patched, capsys, 1, *arguments, "--out", "halves.pth")
    assert line == (
        "error: interrupted after epoch 2 of 4: go on with "
        "shufflenet-train --resume halves.last.pth"
    )
    assert len(rows("halves.csv")) == 2

    line = refusal(monkeypatch, capsys, 2, *arguments, "--out", "halves.pth")
    assert "halves.last.pth is a run of 2 of 4 epochs: go on with --resume" in line
    line = refusal(monkeypatch, capsys, 2, "--resume", "halves.last.pth", "--epochs", "9")
    assert "--epochs 9: the run to be resumed has 4; leave the option out" in line
    line = refusal(monkeypatch, capsys, 2, "--resume", "halves.last.pth", "--out", "b.pth")
    assert "leave the option out" in line
    line = refusal(monkeypatch, capsys, 2, "--resume", "halves.last.pth", "--data", "digits")
    assert "digits has 10 classes where the run to be resumed has 4" in line

    # Where it is resumed from does not matter, nor where its data lies by then.
    moved = images.rename(images.with_name("moved"))
    try:
        resumed = ("--resume", "halves.last.pth", "--data", moved, "--device", "cpu")
        assert train(monkeypatch, *resumed) == 0
    finally:
        moved.rename(images)
    assert_same(weights("whole.last.pth"), weights("halves.last.pth"))
    assert_same(weights("whole.pth"), weights("halves.pth"))
    for whole, halves in zip(rows("whole.csv"), rows("halves.csv"), strict=True):
        assert whole["training_loss"] == halves["training_loss"]
        assert whole["correct"] == halves["correct"]
    capsys.readouterr()
    line = refusal(monkeypatch, capsys, 2, "--resume", "halves.last.pth")
    assert "has all of its 4 epochs: halves.pth is the trained network" in line


def test_workers_change_nothing(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("--data", str(images), *SMALL, "--epochs", "1")
    assert train(monkeypatch, *arguments, "--workers", "0", "--out", "alone.pth") == 0
    # In a process of its own: this one has threads, and may not fork without a warning.
    done = subprocess.run(
        [*COMMAND, *arguments, "--workers", "2", "--out", "workers.pth"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert_same(weights("alone.last.pth"), weights("workers.last.pth"))


def test_mixed_precision_on_a_cpu(
    images: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    arguments = ("--data", images, *SMALL, "--epochs", "1")
    assert train(monkeypatch, *arguments, "--out", "full.pth") == 0
    assert train(monkeypatch, *arguments, "--amp", "--out", "mixed.pth") == 0
    mixed = weights("mixed.pth")
    assert {tensor.dtype for tensor in mixed.values()} == {torch.float32, torch.int64}
    assert not mixed["output.weight"].equal(weights("full.pth")["output.weight"])
    assert "mixed.pth: top-1 " in capsys.readouterr().out


def torchrun(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in two processes that talk over this machine's own address only."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
            *("--master-addr", "127.0.0.1", "--master-port", str(port)),
            *("-m", "shufflenet_deploy.models.training.command", *arguments),
        ],
        env={**ENVIRONMENT, "GLOO_SOCKET_IFNAME": "lo"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=HANG_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # the two besides torchrun
        out, err = process.communicate()
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def test_two_processes_make_one_network(images: Path) -> None:
    done = torchrun(
        *("--data", str(images), *SMALL, "--epochs", "6", "--learning-rate", "0.02"),
        *("--out", "together.pth", "--json"),
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)  # one document: the first process alone prints
    assert done.stderr.count("epoch 6/6") == 1, done.stderr
    assert {path.name for path in Path().iterdir()} == {
        "together.pth",
        "together.last.pth",
        "together.csv",
    }
    assert result["best"]["held_out"] == HELD_OUT
    correct, loss = recount("together.pth", images)
    assert correct == result["best"]["correct"]
    # The running statistics that all counted with are those that were written.
    assert loss == pytest.approx(result["best"]["held_out_loss"], rel=1e-4)
    log = rows("together.csv")
    assert float(log[-1]["training_loss"]) < float(log[0]["training_loss"])


def test_two_processes_say_once_what_is_wrong(images: Path) -> None:
    done = torchrun("--data", str(images), "--batch-size", "7", "--device", "cpu")
    assert done.returncode == 1  # torchrun's own
    assert done.stderr.count("error: batch size 7 over 2 processes") == 1, done.stderr


def test_ctrl_c_leaves_the_last_epoch(images: Path) -> None:
    arguments = ("--data", str(images), *SMALL, "--epochs", "10000", "--out", "long.pth")
    with subprocess.Popen(
        [*COMMAND, *arguments], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        lines = iter(process.stderr)
        assert any(line.startswith("epoch 3/10000") for line in lines)
        process.send_signal(signal.SIGINT)
        last = list(lines)[-1]
    assert process.returncode == 1
    assert last.startswith("error: interrupted after epoch ")
    assert last.rstrip().endswith("go on with shufflenet-train --resume long.last.pth")
    done = len(rows("long.csv"))
    assert f"after epoch {done} of 10000" in last
    content = torch.load("long.last.pth", weights_only=True)
    assert len(content["training"]["history"]) == done


def test_images_that_cannot_be_read_are_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    images = write_coloured_images(tmp_path / "images")
    for name in ("train/red/0.png", "val/blue/1.png"):
        (images / name).write_bytes(b"no image")
    arguments = ("--data", images, *SMALL, "--epochs", "2", "--json")
    assert train(monkeypatch, *arguments) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert result["checkpoint"] == "checkpoint.pth"
    assert result["unreadable"] == ["blue/1.png", "red/0.png"]
    assert result["last"]["held_out"] == HELD_OUT - 1
    line = "images that cannot be read, left out: 2: blue/1.png, red/0.png"
    assert captured.err.splitlines().count(line) == 1

    for path in images.glob("train/*/*.png"):
        path.write_bytes(b"no image")
    line = refusal(monkeypatch, capsys, 1, *arguments)
    assert "32 images in a row cannot be read, such as blue/0.png" in line


def test_a_folder_without_splits_is_said_to_be_no_held_out_data(
    images: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    assert train(monkeypatch, "--data", images / "train", *SMALL, "--epochs", "1") == 0
    captured = capsys.readouterr()
    assert "has no train and val folders: top-1 is that of training images" in captured.err
    assert "of 32 training images" in captured.out


def test_what_is_wrong_takes_one_line(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    Path("file").touch()
    for name in ("empty", "half/train/a", "one/a", "odd/train/a", "odd/val/b"):
        Path(name).mkdir(parents=True)
    image = (images / "train" / "red" / "0.png").read_bytes()
    for name in ("half/train/a", "one/a", "odd/train/a", "odd/val/b"):
        for index in range(8):
            Path(name, f"{index}.png").write_bytes(image)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    small = ("--data", images, "--scale", "0.25", "--input-size", "32", "--epochs", "1")
    for code, arguments, line in (
        (2, (), "no data: --data FOLDER"),
        (2, ("--data", "nowhere"), "no data"),
        (2, ("--data", "empty"), "empty holds no images"),
        (2, ("--data", "half"), "half has train in it and no val"),
        (2, ("--data", "odd"), "odd: train has a class 'a' and val has not"),
        (2, ("--data", "one", "--batch-size", "4"), "one has one class only, 'a'"),
        (2, small, "batch size 1024 is larger than the data set of 32 images"),
        (2, (*small, "--device", "tpu"), "unknown device 'tpu': choose from auto, cpu, cuda"),
        (2, (*small, "--device", "cuda"), "this PyTorch sees no CUDA device"),
        (2, (*small, "--out", "file/a.pth"), "cannot write to file"),
        (2, (*small, "--out", "empty"), "name a file that ends in .pth"),
        (2, (*small, "--workers", "-1"), "Invalid value for '--workers'"),
        (2, (*small, "--input-size", "big"), "input size 'big'"),
        (2, ("--resume", "nothing.pth"), "no file nothing.pth to resume from"),
        (1, ("--resume", "file"), "file: the file is empty"),
        (
            1,
            (*small, "--batch-size", "8", "--learning-rate", "1e30"),
            "in epoch 1, step 4: start again with a lower --learning-rate (it was 1e+30)",
        ),
    ):
        assert line in refusal(monkeypatch, capsys, code, *arguments), arguments
    assert not Path("checkpoint.pth").exists()


def test_a_network_is_not_a_run(
    images: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    arguments = ("--data", images, *SMALL, "--epochs", "1")
    assert train(monkeypatch, *arguments, "--out", "a.pth") == 0
    capsys.readouterr()
    line = refusal(monkeypatch, capsys, 2, "--resume", "a.pth")
    assert "a.pth is a network and not a run to go on with" in line
    Path("a.last.pth").rename("b.last.pth")
    line = refusal(monkeypatch, capsys, 2, "--resume", "b.last.pth")
    assert "no file b.pth: the best network so far belongs beside b.last.pth" in line
    Path("b.last.pth").rename("c.pth")
    line = refusal(monkeypatch, capsys, 2, "--resume", "c.pth")
    assert "c.pth was renamed" in line
