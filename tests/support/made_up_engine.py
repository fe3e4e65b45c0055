"""A made-up engine and format, added to the two tables in every Python that is started with them.

Python imports a `sitecustomize` that it finds on its path before anything else, so that the command
and the workers that it starts have the rows as if they stood in the source.
"""

from __future__ import annotations

import os
from pathlib import Path

_ROWS = """
from dataclasses import replace
from shufflenet_deploy.runtime.engines import ENGINES, Engine
from shufflenet_deploy.runtime.formats import FORMATS, Format

def opened():
    from second_engine import SecondSession
    return SecondSession

def doubt():
    from second_engine import doubt
    return doubt

ENGINES["second"] = Engine(
    name="second", title="Second", distributions=(), open=opened, doubt=doubt
)
FORMATS["onnx"] = replace(FORMATS["onnx"], engines=("onnxruntime", "second"))
FORMATS["plain"] = Format(
    name="plain", files=(".plain", ".weights"), layout="NCHW", engines=("second",)
)
"""
_ENGINE = """
from shufflenet_deploy.runtime.engines import Doubt, project_version
from shufflenet_deploy.runtime.engines.onnxruntime import OnnxRuntimeSession

class SecondSession(OnnxRuntimeSession):
    engine = "second"
    engine_version = project_version()
    remarks = {"tiles": 7, "kernels": "slow"}

def doubt(engine, remarks, precision):
    return Doubt(f"runs in {remarks['tiles']} tiles of {precision}", "give it one tile")
"""


def with_made_up_engine(folder: Path) -> dict[str, str]:
    """Write its modules to `folder`; the environment that has a Python take them.

    The engine is `second`, this project's own and without a profiler; it runs ``.onnx`` files as
    ONNX Runtime does, and those of the format `plain`, which nothing makes.
    """
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_ROWS)
    (folder / "second_engine.py").write_text(_ENGINE)
    return {**os.environ, "PYTHONPATH": str(folder)}
