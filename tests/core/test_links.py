"""Every relative link in the documentation leads to a file of the project."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text())
    assert [one for one in targets if not (page.parent / one).exists()] == []


def test_links_are_found() -> None:
    assert LINK.findall("[a](b.md) ![c](d/e.png#f) [g](https://h.i/j)") == ["b.md", "d/e.png"]
