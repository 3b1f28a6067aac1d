"""Words as they are compared: without markup, quotes, and the sentence that goes on after them."""

import re

from adastar_core.verifiers.markup import without_marks

_WRAPPER = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathsf|mbox|boxed|fbox|emph)\s*\{([^{}]*)\}"
)
_MATHS = re.compile(r"\\[()\[\] ]|\$")
_EDGES = " \t\r\n*_`\"'"
_ONE_KIND = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "−": "-"})
_SENTENCE_END = re.compile(r"[.;!?](?=\s|$)|,?\s(?:because|since|as|so)(?:\s|$)|,\s(?:which|and|due)\s")
_FILLER = re.compile(
    r"(?:(?:therefore|thus|then|now|clearly|indeed|simply|definitely|most likely|likely|probably|the|answer|correct"
    r"|option|choice|letter|label|statement|is)\b[\s:,*]*)+(?=\S)",
    re.IGNORECASE,
)
_QUESTION = re.compile(r"[^.!\n]{0,80}\?")
DENIAL = re.compile(
    r"\b(?:not|either|neither|nor|or|both|except|cannot|unless|between|wrong|incorrect|false)\b|n't\b",
    re.IGNORECASE,
)


def tidy(text: str) -> str:
    """Return ``text`` with one kind of space, quote and dash, without markup and closing full stops."""
    if "\\" in text or "$" in text:
        for _ in range(3):
            text = _WRAPPER.sub(r" \1 ", text)
        text = _MATHS.sub(" ", text)
    text = without_marks(text)
    if not text.isascii():
        text = text.translate(_ONE_KIND)
    return " ".join(text.replace("**", " ").split()).strip(_EDGES).rstrip(_EDGES + ".")


def first_sentence(tidied: str) -> str:
    """Return what is said before a reason or a next sentence follows."""
    end = _SENTENCE_END.search(tidied, 1)
    return tidied[: end.start()].rstrip(_EDGES) if end else tidied


def is_question(text: str) -> bool:
    """Return whether the first sentence of X is asked and not said, as in ``72? No.``, which answers nothing."""
    return "?" in text and _QUESTION.match(text) is not None


def without_filler(sentence: str) -> str:
    """Return ``(B)`` of ``most likely option (B)``."""
    filler = _FILLER.match(sentence)
    return sentence[filler.end() :] if filler else sentence
