"""The published JSON Schema of results, as their types have it.

``python -m shufflenet_deploy.bench.schema > bench/results.schema.json``
"""

from __future__ import annotations

import json
import sys

import msgspec

from shufflenet_deploy.bench.results import RESULTS_VERSION, Results


def results_schema() -> str:
    """``bench/results.schema.json``: JSON Schema 2020-12."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"shufflenet-bench results, version {RESULTS_VERSION}",
        **msgspec.json.schema(Results),
    }
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(results_schema())
