import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adastar_core import names
from adastar_core.errors import ConfigError

TEXTS = st.text(max_size=300)


@pytest.mark.parametrize(
    ("name", "trouble"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        (" mine", "begins or ends with a space"),
        ("mine ", "begins or ends with a space"),
        ("my\nrun", r"holds '\n'"),
        ("my\trun", r"holds '\t'"),
        ("\x1b[31mred", r"holds '\x1b'"),
        ("my\0run", r"holds '\x00'"),
        ("my\u2028run", r"holds '\u2028'"),
        ("abc\u202efed", r"holds '\u202e'"),
        ("\udcff", r"holds '\udcff'"),
        ("x" * 400, "has 400 characters; at most 128 are allowed"),
    ],
)
def test_what_cannot_name_a_run_is_refused_in_one_line(name: str, trouble: str) -> None:
    with pytest.raises(ConfigError) as refused:
        names.require_name(name)
    assert trouble in str(refused.value)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("name", ["mine", "My run (2)", "höher/weiter: α=0,5 | β", "実験", "x" * 128])
def test_other_names_are_free(name: str) -> None:
    names.require_name(name)


@given(TEXTS, TEXTS)
def test_keys_of_different_names_differ_and_are_keys(one: str, other: str) -> None:
    keys = {names.key(name, "report") for name in (one, other)}
    assert len(keys) == len({one, other})
    assert all(re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", key) for key in keys)


@pytest.mark.parametrize(
    ("one", "other"), [("My_Run", "my-run"), ("実験", "試験"), ("a-comparison", "a"), ("x" * 90, "x" * 91)]
)
def test_keys_that_were_one_are_two(one: str, other: str) -> None:
    mine = {names.key(one, what) for what in ("report", "iterations", "comparison-report")}
    assert not mine & {names.key(other, what) for what in ("report", "iterations", "comparison-report")}


@given(TEXTS)
def test_names_that_are_made_can_name_a_run(text: str) -> None:
    names.require_name(f"compare-{names.named_after(text, 60)}-01234567-random-lazy-seed-4")
    if names.is_storable(text) and text.strip() == text and text.isprintable() and text:
        names.require_name(names.dated(text[: names.LONGEST].strip(), date(2026, 1, 31)))


def test_a_file_s_name_that_is_usable_stays() -> None:
    assert names.named_after("my config (2)", 60) == "my config (2)"
    assert names.dated("mine", date(2026, 1, 31)) == "mine-2026-01-31"


def test_an_error_that_asks_for_another_name_says_so_for_a_form_too() -> None:
    """Whoever filled in a form has no command line to put --run on."""
    core = Path(names.__file__).parent
    saying = {path.name for path in core.rglob("*.py") if "--run NAME" in path.read_text("utf-8")}
    assert saying == {"names.py"}
    assert "(run in the form)" in names.ANOTHER
