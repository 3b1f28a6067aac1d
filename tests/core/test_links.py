"""Every relative link in the documentation leads to a file of the project, and every anchor to a heading."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(?:\]\(|src=\"(?=[^:]*\"))([^)#:\s\"]*)(?:#([^)]*))?[)\"]")
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    missing = []
    for file, anchor in LINK.findall(page.read_text()):
        target = page.parent / file if file else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            missing.append(f"{file}#{anchor}")
    assert missing == []


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_are_found() -> None:
    assert LINK.findall(
        '[a](b.md) ![c](d/e.md#f) [g](https://h.i/j) [k](#l) <img src="m.png" width="5">'
    ) == [
        ("b.md", ""),
        ("d/e.md", "f"),
        ("", "l"),
        ("m.png", ""),
    ]


def test_anchors_are_those_of_the_headings() -> None:
    assert anchors("# Use `a` server: how?\n\ntext\n## B\n") == {"use-a-server-how", "b"}
