"""Texts as pages show them."""

from html import unescape
from html.parser import HTMLParser

import pytest

from adastar_core.ui.wording import LONGEST, clipped, parts, plain, shown

HOSTILE = "<script>alert(1)</script> & \" ' </pre> {{ 7 * 7 }} javascript:alert(1)"


class Elements(HTMLParser):
    """The names of elements, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_text_is_a_text() -> None:
    page = Elements(shown(HOSTILE))
    assert (page.names, page.text) == ([], HOSTILE)
    assert unescape(shown(HOSTILE)) == HOSTILE


@pytest.mark.parametrize(
    "sign",
    [*map(chr, (0x202A, 0x202E, 0x2066, 0x2069, 0x200E, 0x200F, 0x61C, 0x200B, 0xFEFF, 0xE0041, 0x1B, 0x7, 0x9B, 0x2028))],
)  # fmt: skip
def test_what_acts_unseen_is_named(sign: str) -> None:
    page = Elements(shown(f"a{sign}b{sign}"))
    assert page.names == ["i", "i"]
    assert page.text == f"aU+{ord(sign):04X}bU+{ord(sign):04X}"
    assert plain(f"a{sign}b") == "a\ufffdb"


@pytest.mark.parametrize(
    "text", ["two\nlines\tand a tab", "שלום עולם", "می\u200cخواهم", "👩\u200d🔬", "é ñ 漢字"]
)
def test_what_writing_needs_stays(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "extracted", "found_by", "marked"),
    [
        ("1+2=3\n#### 3", "3", "#### X", "1+2=3\n#### [3]"),
        ("2+5=7, so 7. The answer is 7. Not 7?", "7", "The answer is X", "2+5=7, so 7. The answer is [7]. Not 7?"),
        ("He pays $1,234.", "1234", "", "He pays $[1,234]."),
        ("so \\boxed{x^2} it is", "x^2", "\\boxed{X}", "so \\boxed{[x^2]} it is"),
        ("Because A and B. Answer: B", "B", "Answer: X", "Because A and B. Answer: [B]"),
        ("a cat, a CAT", "cat", "", "a cat, a [CAT]"),
        ("42 is not 142", "42", "", "[42] is not 142"),
        ("no number at all", "7", "#### X", "no number at all"),
        ("#### .*", ".*", "#### X", "#### [.*]"),
        ("nothing", None, "", "nothing"),
        ("", "7", "", ""),
    ],
)  # fmt: skip
def test_the_answer_is_marked_where_it_stands(
    text: str, extracted: str | None, found_by: str, marked: str
) -> None:
    found = parts(text, extracted, found_by)
    assert "".join(f"[{part.text}]" if part.answer else part.text for part in found) == marked
    assert "".join(part.text for part in found) == text


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    text = "a" * LONGEST + "b" * LONGEST
    beginning, left_out, end = clipped(text)
    assert len(beginning) + left_out + len(end) == len(text)
    assert text.startswith(beginning)
    assert text.endswith(end)
    assert len(beginning) + len(end) == LONGEST
    assert clipped("a" * LONGEST) == ("a" * LONGEST, 0, "")
