"""Real weights and real photographs, by the script that makes docs/accuracy.md."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT.parent / "shared/weights"


@pytest.mark.slow
def test_int8_keeps_what_a_tuned_network_knows(tmp_path: Path) -> None:
    if not WEIGHTS.is_dir():
        pytest.skip(f"{WEIGHTS} with trained weights and photographs is not here")
    done = subprocess.run(
        [
            sys.executable, str(ROOT / "benchmarks/clothing.py"),
            "--weights", str(WEIGHTS / "megvii-g3-0.5x.pth.tar"),
            "--photographs", str(WEIGHTS / "clothing-64.zip"),
        ],
        stdout=subprocess.PIPE, text=True, check=True, cwd=tmp_path,
        # One thread: several that wait for each other beside other tests take ten times as long.
        env={**os.environ, "TMPDIR": str(tmp_path), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    rows = {}
    for line in done.stdout.splitlines()[2:]:
        name, _, top1, _, agreement, p = (cell.strip() for cell in line.strip("|").split("|"))
        rows[name] = (top1, agreement, p)
    assert list(rows) == [
        f"{format_} {precision}"
        for precision in ("fp32", "fp16", "int8")
        for format_ in ("onnx", "tflite")
    ]
    fp32 = float(rows["onnx fp32"][0].rstrip("%"))
    assert fp32 >= 65
    for name in ("onnx fp16", "tflite fp16", "onnx int8", "tflite int8"):
        top1, agreement, p = rows[name]
        assert float(agreement.rstrip("%")) >= 93
        # At this agreement some 20 answers change, and one p in twenty is below 0.05 by chance.
        assert fp32 - float(top1.rstrip("%")) <= 1.5 or float(p) > 0.05
    assert [path for path in tmp_path.iterdir() if "artifacts" in path.name] == []
