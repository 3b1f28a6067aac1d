"""The table of what a form can reach names every kind of text, and tests that exist."""

import ast
import re
from pathlib import Path

import pytest

from adastar_core.config.files import resolve
from adastar_core.errors import ConfigError, DataError
from adastar_core.problems.catalogue import open_problem
from adastar_core.records import Split
from adastar_core.settings import TextKind
from flows.borders import BORDERS, PAGE, fields, page

ROOT = Path(__file__).parents[2]


def test_the_page_is_that_of_the_code() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m flows.describe"


def test_every_kind_of_text_has_a_row_and_every_row_fields() -> None:
    assert set(BORDERS) == set(TextKind)
    assert set(fields()) - {None} == set(TextKind)


def test_every_row_s_test_is_there() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page()))
    assert len(named) > 10
    for place, name in named:
        tree = ast.parse((ROOT / place).read_text("utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, (
            f"{place}::{name}"
        )


@pytest.mark.parametrize("key", ["prompt", "system"])
@pytest.mark.parametrize(
    "template",
    [
        "{question.__class__}",
        "{question[0]}",
        "{question!r}",
        "{question:>99999999}",
        "{}",
        "{0}",
        "{question()}",
    ],
)
def test_a_template_shows_fields_and_nothing_else(tmp_path: Path, key: str, template: str) -> None:
    """Formats and conversions are refused; anything else is the name of a column, which the table does not have."""
    rows = "".join(f'{{"question": "1+{n}", "answer": "{n + 1}"}}\n' for n in range(40))
    (tmp_path / "rows.jsonl").write_text(rows)
    table = {"type": "table", "path": str(tmp_path / "rows.jsonl"), key: "{question} " + template}
    with pytest.raises((ConfigError, DataError), match=key):
        open_problem(resolve({"problem": table}).problem).load(Split.TRAIN)
