from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import jsonschema
import msgspec
import pytest

from shufflenet_deploy.bench.results import RESULTS_VERSION, Model, Results
from shufflenet_deploy.bench.schema import results_schema

PUBLISHED = files("shufflenet_deploy.bench").joinpath("results.schema.json")


def test_the_published_schema_is_that_of_the_types() -> None:
    assert PUBLISHED.read_text() == results_schema(), (
        "the types of results changed: raise RESULTS_VERSION where older files can no longer be "
        "read, then run python -m shufflenet_deploy.bench.schema > bench/results.schema.json"
    )


def test_it_says_what_it_is_and_resolves_what_it_names() -> None:
    schema = json.loads(PUBLISHED.read_text())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert f"version {RESULTS_VERSION}" in schema["title"]
    assert schema["$ref"] == "#/$defs/Results"
    named = set(references(schema))
    assert named == {f"#/$defs/{name}" for name in schema["$defs"]}
    assert set(schema["$defs"]["Results"]["properties"]) == set(Results.__struct_fields__)


def test_results_are_valid_by_it(
    make_model: Callable[..., Model], make_results: Callable[..., Results]
) -> None:
    results = make_results(make_model(scale=0.5), make_model(scale=1.0))
    document = json.loads(msgspec.json.encode(results))
    validator = jsonschema.Draft202012Validator(json.loads(PUBLISHED.read_text()))
    validator.validate(document)
    for wrong in ({"ended": "perhaps"}, {"version": 99}, {"more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(document | wrong)


def references(part: Any) -> list[str]:
    """Every definition that is named anywhere."""
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [name for value in part.values() for name in references(value)]
    if isinstance(part, list):
        return [name for value in part for name in references(value)]
    return []
