"""Why LiteRT may have run a model slowly, by what its sessions tell; without LiteRT itself."""

from __future__ import annotations

from shufflenet_deploy.runtime.engines import Doubt, Remarks

DELEGATE_PARTITIONS = "delegate_partitions"
"""The name of the remark that says in how many pieces the XNNPACK delegate runs a model: 1 is best,
and 0 leaves everything to the slow reference kernels."""
_REMEDY = "use ai-edge-litert, not tflite-runtime, and export with --lowering fast"


def doubt(engine: str, remarks: Remarks, precision: str | None) -> Doubt | None:
    """A `runtime.engines.Judge`."""
    partitions = remarks.get(DELEGATE_PARTITIONS)
    if partitions == 0:
        return Doubt(f"runs on the reference kernels of {engine}, without its delegate", _REMEDY)
    if isinstance(partitions, int) and partitions > 1:
        return Doubt(f"runs in {partitions} pieces, slow operators between them", _REMEDY)
    if engine == "tflite-runtime" and precision == "int8":
        return Doubt("is int8, for which tflite-runtime has no delegate", _REMEDY)
    return None
