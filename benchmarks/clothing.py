"""What each precision keeps of real weights on real photographs: ``make clothing``.

A published network is trained on with photographs of clothes, exported in every precision and
format, and its right answers are counted on photographs that it has not seen. --write puts the
table into docs/accuracy.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "docs/accuracy.md"
BEGIN, END = "<!-- clothing -->\n", "<!-- end -->\n"

INPUT_SIZE = 64
"""Of the photographs' own size: a run takes minutes, not hours."""


@dataclass(frozen=True)
class Row:
    """An artifact's answers."""

    name: str
    """Format and precision."""
    size_bytes: int
    images: int
    top1: float
    low: float
    high: float
    """The share of right answers and its 95% interval."""
    agreement: float | None
    """The share of images to which it gives the class of the first artifact; None for that one."""
    mcnemar_p: float | None


def main() -> int:
    """Print the table. Exit code 1 where a command fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="a checkpoint to start from")
    parser.add_argument(
        "--photographs", type=Path, required=True, help="a .zip or a folder with train and val"
    )
    parser.add_argument("--epochs", type=int, default=20, help="[20]")
    parser.add_argument("--write", action="store_true", help="into docs/accuracy.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            rows = measure(options.weights, options.photographs, Path(folder), options.epochs)
        except subprocess.CalledProcessError as error:
            print(f"error: exit code {error.returncode}: {' '.join(error.cmd)}", file=sys.stderr)
            return 1
    text = table(rows)
    print(text, end="")
    if options.write:
        before, _, rest = TABLE.read_text().partition(BEGIN)
        TABLE.write_text(f"{before}{BEGIN}{text}{END}{rest.partition(END)[2]}")
    return 0


def measure(weights: Path, photographs: Path, folder: Path, epochs: int) -> list[Row]:
    """Train, export and count, in `folder`; others are compared with the first, fp32 in ONNX."""
    if photographs.suffix == ".zip":
        with zipfile.ZipFile(photographs) as packed:
            packed.extractall(folder / "photographs")
        photographs = folder / "photographs"
    tuned, out = folder / "clothing.pth", folder / "artifacts"
    _run(
        *("models.training.command", "--weights", weights, "--data", photographs),
        *("--input-size", INPUT_SIZE, "--epochs", epochs, "--out", tuned, "--device", "cpu"),
    )
    _run(
        *("export", "--weights", tuned, "--calibration", photographs, "--data", photographs),
        *("--precision", "fp32", "--precision", "fp16", "--precision", "int8", "--out", out),
    )
    artifacts = sorted(
        (path for path in out.iterdir() if path.suffix != ".json"),
        key=lambda path: ("int8" in path.name, "fp16" in path.name, path.suffix),
    )
    said = _run("bench.commands.evaluate", *artifacts, "--data", photographs, "--json", output=True)
    report: dict[str, Any] = json.loads(said)
    return [
        _row(report["images"], path, entry)
        for path, entry in zip(artifacts, report["artifacts"], strict=True)
    ]


def _run(module: str, *words: object, output: bool = False) -> str:
    """Run a command of ours; raises CalledProcessError where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", f"shufflenet_deploy.{module}", *map(str, words)],
        check=True,
        text=True,
        stdout=subprocess.PIPE if output else sys.stderr,
    )
    return done.stdout or ""


def _row(images: int, path: Path, entry: dict[str, Any]) -> Row:
    options = json.loads(path.with_name(f"{path.name}.json").read_text())["options"]
    against = entry["against_first"]
    return Row(
        name=f"{options['format']} {options['precision']}",
        size_bytes=entry["size_bytes"],
        images=images,
        top1=entry["top1"]["share"],
        low=entry["top1"]["low"],
        high=entry["top1"]["high"],
        agreement=against["agreement"]["share"] if against else None,
        mcnemar_p=against["mcnemar_p"] if against else None,
    )


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        f"| | MB | top-1 of {rows[0].images} | 95% interval | agreement | McNemar p |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        agreement = "-" if row.agreement is None else f"{row.agreement:.1%}"
        p = "-" if row.mcnemar_p is None else f"{row.mcnemar_p:.2g}"
        lines.append(
            f"| {row.name} | {row.size_bytes / 1e6:.2f} | {row.top1:.1%} | "
            f"{row.low:.1%} to {row.high:.1%} | {agreement} | {p} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
