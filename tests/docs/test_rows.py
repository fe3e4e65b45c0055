"""What the document says of rows is what rows have."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from documents import ROOT
from shufflenet_deploy.export.formats.emitter import Emitter
from shufflenet_deploy.runtime.engines import Engine
from shufflenet_deploy.runtime.formats import Format

_TABLE = re.compile(r"^\| field[^|]*\|.*\n\| --- .*\n((?:\|.*\n)+)", re.MULTILINE)
_TABLES = _TABLE.findall((ROOT / "docs/adding-an-engine.md").read_text())
_ROWS = list(zip((Engine, Format, Emitter), _TABLES, strict=True))


@pytest.mark.parametrize(("row", "table"), _ROWS)
def test_a_table_tells_of_each_field_in_its_order(row: type, table: str) -> None:
    told = re.findall(r"^\| `(\w+)`", table, re.MULTILINE)
    assert told == [field.name for field in fields(row)]
