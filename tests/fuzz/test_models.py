"""Damaged models in real workers: an engine that crashes is that worker's end, and one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from cases import require_plain
from mutations import Damaged, damaged, fuzzed
from shufflenet_deploy.runtime.errors import ProcessError
from shufflenet_deploy.runtime.worker.client import run_worker
from shufflenet_deploy.runtime.worker.spec import Spec


@pytest.mark.parametrize("suffix", ["onnx", "tflite"])
def test_a_worker_measures_it_or_ends_in_one_line(
    suffix: str, tiny_artifacts: Path, tmp_path: Path
) -> None:
    original = next(tiny_artifacts.glob(f"*.{suffix}")).read_bytes()

    @fuzzed(4)
    @given(damaged(lambda: original))
    def run(model: Damaged) -> None:
        file = tmp_path / f"damaged.{suffix}"
        file.write_bytes(model.data)
        try:
            (answer,) = run_worker(Spec(artifacts=(str(file),), rounds=0)).models
        except ProcessError as error:
            said = str(error)
        else:
            said = answer.artifact
        assert "Traceback" not in said
        assert "\n" not in said
        require_plain(said)

    run()
