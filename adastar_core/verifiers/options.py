"""Reading one X as one of a question's options: by its label, by its text, or by both if they agree."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from adastar_core.records import Choice
from adastar_core.verifiers.extraction import Parsed, Unclear
from adastar_core.verifiers.tidy import DENIAL, first_sentence, is_question, tidy, without_filler

_LABEL = re.compile(r"\s*[*$]{0,2}([(\[]?)([A-Za-z0-9])[)\]]?[.]?[*$]{0,2}[.]?\s*")
_ARTICLE = re.compile(r"(?:an?|the|that|to|in|by|at|on)\s+")
_BEFORE_TEXT = re.compile(
    r"(?:[(\[]\s*(\w{1,20})\s*[)\]][.:,]?|(\w{1,20})(?:[.:)]|\s-|(?=\s[(\[])))\s+[*_\"']*(?=\S)"
)
_AFTER_TEXT = re.compile(r"(.+?)[\s*_\"']*[(\[]\s*(\w{1,20})\s*[)\]]")
_MARKED = re.compile(
    r"[(\[]\s*(\w{1,20})\s*[)\]]|\b(?:[Oo]ption|[Cc]hoice|[Ll]etter|[Ll]abel)\s+(\w{1,20})\b(?!')"
)
_LED = re.compile(r"(\w{1,20})(?:[,:;]\s|(\s?[,/&]\s?\w{1,20}\b|\s(?:and|or)\s))")

Reading = Parsed[str] | Unclear | None


_MOST_KNOWN = 64


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one question, ready for look-up; build them with :func:`options_of`.

    Attributes:
        labels: Each label, by itself and, where that is not another label, in the other case.
        texts: Labels by their text: as written, without regard to case, and without a leading article.
        known: What was read before; models repeat themselves.
    """

    labels: dict[str, str]
    texts: tuple[dict[str, frozenset[str]], ...]
    known: dict[str, Reading]

    def read(self, text: str) -> Reading:
        """Return the option that X names; ``None`` when it names none, unclear when it names several."""
        spelling = text.strip(" *\n")
        if spelling not in self.known:
            reading = self._read(spelling)
            if len(self.known) == _MOST_KNOWN:
                return reading
            self.known[spelling] = reading
        return self.known[spelling]

    def _read(self, text: str) -> Reading:
        whole = tidy(text)
        sentence = first_sentence(whole)
        core = without_filler(sentence)
        if reading := self._spelt(whole):
            return reading
        reading = (
            self._spelt(sentence)
            or self._spelt(core)
            or self._marked(sentence)
            or self._led(without_filler(whole))
        )
        return Unclear("the declared answer is a question") if reading and is_question(text) else reading

    def _spelt(self, text: str) -> Reading:
        """Read ``B``, ``(B)``, ``the wind``, ``(B) the wind``, ``B. the wind`` and ``the wind (B)``."""
        found: set[str] = set(self._named_by(text))
        alone = _LABEL.fullmatch(text)
        if alone and alone[2] in self.labels:
            found = {self.labels[alone[2]]} | (set() if alone[1] else found)
        for label, rest in self._label_and_text(text):
            by_text = self._named_by(rest)
            found |= {label} if label in by_text else {label, *by_text} if by_text else set()
        return _only(found)

    def _label_and_text(self, text: str) -> Iterator[tuple[str, str]]:
        before, after = _BEFORE_TEXT.match(text), _AFTER_TEXT.fullmatch(text)
        if before and (label := self.labels.get(before[1] or before[2])):
            yield label, tidy(text[before.end() :].strip("()[] "))
        if after and (label := self.labels.get(after[2])):
            yield label, tidy(after[1])

    def _named_by(self, text: str) -> frozenset[str]:
        """Return the labels of the options with this text; several when two read alike."""
        as_written, folded, bare = self.texts
        small = text.casefold()
        return (
            as_written.get(text)
            or folded.get(small)
            or bare.get(_ARTICLE.sub("", small, count=1))
            or frozenset()
        )

    def _marked(self, sentence: str) -> Reading:
        """Read a sentence in which exactly one label stands in brackets or is called an option."""
        words = [bracketed or named for bracketed, named in _MARKED.findall(sentence)]
        found = {self.labels[word] for word in words if word in self.labels}
        if found and (len(found) > 1 or DENIAL.search(sentence)):
            return Unclear("the declared answer is an alternative or a denial")
        return _only(found)

    def _led(self, text: str) -> Reading:
        """Read ``B, which ...``; ``B and C`` is unclear, and in ``A wheel`` the A is an article."""
        match = _LED.match(text)
        if match is None or match[1] not in self.labels.values():
            return None
        if match[2] or DENIAL.search(text):
            return Unclear("the declared answer is an alternative or a denial")
        return _only({match[1]})


def _only(found: set[str]) -> Reading:
    if len(found) > 1:
        return Unclear(f"the declared answer fits the options {', '.join(sorted(found))}")
    return next((Parsed(label, label) for label in found), None)


@lru_cache(maxsize=4096)
def options_of(choices: tuple[Choice, ...]) -> Options:
    labels = {
        variant: choice.label
        for choice in choices
        for variant in (choice.label.upper(), choice.label.lower())
    }
    labels |= {choice.label: choice.label for choice in choices}
    as_written: dict[str, frozenset[str]] = {}
    folded: dict[str, frozenset[str]] = {}
    bare: dict[str, frozenset[str]] = {}
    for choice in choices:
        text = tidy(choice.text)
        small = text.casefold()
        for table, key in ((as_written, text), (folded, small), (bare, _ARTICLE.sub("", small, count=1))):
            table[key] = table.get(key, frozenset()) | {choice.label}
    return Options(labels, (as_written, folded, bare), {})


def read_option(choices: tuple[Choice, ...], text: str) -> Reading:
    """Return the option that X names; a label in brackets is found without looking at the texts."""
    inside = text.strip(" *.\n")
    if inside[:1] == "(" and inside[-1:] == ")":
        label = inside[1:-1]
        if any(choice.label == label for choice in choices):
            return Parsed(label, label)
    return options_of(choices).read(text)
