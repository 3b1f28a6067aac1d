"""Options: the look-up of usual spellings says what reading them says, and labels do not depend on the text."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from adastar_core.records import Choice
from adastar_core.verifiers.extraction import Parsed
from adastar_core.verifiers.options import Reading, options_of, read_option

texts = st.one_of(
    st.sampled_from(
        [
            "the wind",
            "The wind.",
            "a wheel",
            "A",
            "B",
            "1",
            "2",
            "iron (Fe)",
            "B. C.",
            "not iron",
            "5 m",
            "it is (A)",
            "*x*",
        ]
    ),
    st.text(min_size=1, max_size=12).filter(str.strip),
)
labels = st.sampled_from(["ABCD", "1234", "0123"])
decorations = st.sampled_from(["{}", "{}.", "**{}**", "**{}**.", " {} ", "({})", "{} because", "not {}"])


def choices(alphabet: str, spelt: list[str]) -> tuple[Choice, ...]:
    return tuple(Choice(label, text.strip()) for label, text in zip(alphabet, spelt, strict=False))


def label_of(reading: Reading) -> str | None:
    return reading.value if isinstance(reading, Parsed) else None


@given(labels, st.lists(texts, min_size=2, max_size=4), decorations, st.data())
def test_the_look_up_agrees_with_reading(
    alphabet: str, spelt: list[str], decoration: str, data: st.DataObject
) -> None:
    options = options_of(choices(alphabet, spelt))
    forms = [
        f"{label}{joint}{text}"
        for label, text in zip(alphabet, spelt, strict=False)
        for joint in (") ", ". ", " ")
    ]
    written = decoration.format(
        data.draw(st.sampled_from([*spelt, *alphabet, *forms, *(f"({label})" for label in alphabet)]))
    )
    fresh = replace(options, known={})
    looked_up, read = read_option(choices(alphabet, spelt), written), fresh.read(written)
    assert options.read(written) == read
    assert looked_up == read or label_of(looked_up) == label_of(read) is not None


@given(labels, st.lists(texts, min_size=2, max_size=4))
def test_a_bracketed_label_is_always_its_option(alphabet: str, spelt: list[str]) -> None:
    options = options_of(choices(alphabet, spelt))
    for label, _ in zip(alphabet, spelt, strict=False):
        assert label_of(options.read(f"({label})")) == label
        assert label_of(read_option(choices(alphabet, spelt), f"({label}).")) == label


@given(labels, st.lists(texts, min_size=2, max_size=4))
def test_a_text_never_reads_as_an_option_with_another_text(alphabet: str, spelt: list[str]) -> None:
    options = options_of(choices(alphabet, spelt))
    for label, text in zip(alphabet, spelt, strict=False):
        read = options.read(f"({label}) {text}")
        if isinstance(read, Parsed):
            assert read.value == label
