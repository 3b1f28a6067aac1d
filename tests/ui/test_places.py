import pytest

from adastar_core.records import Choice, Observation
from adastar_core.ui.places import place_of
from adastar_core.ui.wording import parts
from adastar_core.verifiers.catalogue import open_verifier

CHOICES = (Choice("A", "a bank"), Choice("B", "a river bank"))


@pytest.mark.parametrize(
    ("verifier", "reference", "response", "extracted", "marked"),
    [
        ("number", "18", "18 eggs, less 3. Answer: **18.00** eggs\nI hope it helps.", "18", "**18.00** eggs"),
        ("number", "1234.5", "#### $1,234.50", "1234.5", "$1,234.50"),
        ("choice", "B", "A bank holds money, B is wet. The answer is (B) a river bank.", "B", "(B) a river bank"),
        ("yes_no", "yes", "No doubt. The answer is: Yes.", "yes", "Yes."),
    ],
)  # fmt: skip
def test_the_answer_is_marked_where_its_verifier_reads_it(
    verifier: str, reference: str, response: str, extracted: str, marked: str
) -> None:
    item = Observation("q", "Which?", reference, choices=CHOICES if verifier == "choice" else ())
    version = open_verifier(verifier).version  # type: ignore[arg-type]
    place = place_of(version, item, response, "eos", extracted)
    assert place is not None
    assert [part.text for part in parts(response, extracted, "", place) if part.answer] == [marked]


def test_no_place_is_given_for_what_this_code_reads_otherwise() -> None:
    item = Observation("q", "How many?", "18")
    version = open_verifier("number").version
    assert place_of("number/1", item, "#### 18", "eos", "18") is None
    assert place_of(None, item, "#### 18", "eos", "18") is None
    assert place_of(version, item, "#### 18", "eos", "17") is None
    assert place_of(version, item, "#### 18", "eos", None) is None
