"""Reading one X as one of a question's options: by its label, by its text, or by both if they agree."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from adastar_core.records import Choice
from adastar_core.verifiers.closings import is_silent, what_speaks
from adastar_core.verifiers.extraction import Parsed, Unclear
from adastar_core.verifiers.remarks import without_remarks, words
from adastar_core.verifiers.tidy import ends, folded, is_asked, spelled, starts, tidy

_LABEL = re.compile(r"([(\[]\s?)?(\w{1,20})(\s?[)\]])?")
_MARKED = re.compile(
    r"[(\[]\s?(\w{1,20})\s?[)\]]|\b(?:option|choice|letter|label|answer)s?\s+(\w{1,20})\b", re.IGNORECASE
)
_CLAIM = re.compile(r"(\w{1,20})[)\]]?\s+(?:is|was|are|fits|matches|must|should|would|seems|works|answers)\b")
_ARTICLE = re.compile(r"(?:an?|the)\s+")
_SMALL_WORD = re.compile(r"(?:an?|the|that|to|in|by|at|on)\s+")
_JOINT = re.compile(
    r"""[\s.,:;)\]}=*_"'`(\[-]{0,9}(?:(?:that\ is|i\.\s?e\.|ie|namely|meaning|which\ (?:is|says|means))[\s,:*_"'(]+)?""",
    re.IGNORECASE | re.VERBOSE,
)
_BEFORE_LABEL = re.compile(
    r"""[\s.,:;*_"'`-]*(?:which\ (?:is|matches|corresponds\ to|is\ given\ by)\ |that\ is,?\ )?(?=[(\[]\s?\w{1,20}\s?[)\]])
    |[\s,:;(*_"'`-]*(?:which\ (?:is|matches|corresponds\ to)\ |matching\ |corresponding\ to\ )?(?:the\ )?(?:answer\ )?(?:option|choice|letter|label|class|answer)\s""",
    re.IGNORECASE | re.VERBOSE,
)
_NAMED_BEFORE = re.compile(r"\b(?:option|choice|letter|label|class)[\s:*_\"'`]*$", re.IGNORECASE)
_OWN_LABEL = r"[(\[]?\s*{}\s*[)\].:]\s*(?=\S)"
_MOST_KNOWN = 64

Reading = Parsed[str] | Unclear | None


class Named(NamedTuple):
    """The options that a piece of text names, where it ends, and the small word before an option's text."""

    labels: frozenset[str]
    end: int
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one question, ready for look-up; build them with :func:`options_of`.

    Attributes:
        labels: Each label, by itself and, where that is not another label, in the other case.
        texts: Each text as written, in small letters, the small word that was taken from its front, and its label.
        confusing: Whether two texts or more read like the labels of other options, or one does and labels are digits.
        known: What was read before; models repeat themselves.
    """

    labels: dict[str, str]
    texts: tuple[tuple[str, str, str, str], ...]
    confusing: bool
    known: dict[str, Reading]

    def read(self, text: str) -> Reading:
        """Return the option that X names; ``None`` when it names none, unclear when it names several."""
        if text not in self.known:
            reading = self._read(spelled(text))
            if len(self.known) == _MOST_KNOWN:
                return reading
            self.known[text] = reading
        return self.known[text]

    def _read(self, spelling: str) -> Reading:
        for start in starts(spelling):
            named = self.named(spelling, start)
            if named is None:
                continue
            rest = spelling[named.end :]
            if len(named.labels) > 1:
                return Unclear(f"the declared answer fits the options {', '.join(sorted(named.labels))}")
            if is_asked(rest):
                return Unclear("the declared answer is a question")
            label = next(iter(named.labels))
            if (
                label.isdigit()
                and spelling[named.end - 1] == ")"
                and "(" not in spelling[: named.end]
                and rest
            ):
                return Unclear("the declared answer begins with a numbered step")
            return Parsed(label, label, without_remarks(rest, label, self.named, self.others(label)))
        return None

    def named(self, spelling: str, start: int) -> Named | None:
        """Read ``B``, ``(B)``, ``the wind``, ``(B) the wind``, ``B. the wind`` or ``the wind (B)`` at ``start``.

        The longest reading counts, because a text may begin with another one or contain full stops. Where label and text
        disagree, it names both.
        """
        text = self._text(spelling, start)
        label = self._label(spelling, start)
        if text and (label is None or text.end > label.end):
            whole = self._with_label(spelling, text)
            if label and text.left_out and spelling[start : label.end] == "A":  # a label or an article
                return Named(whole.labels | label.labels, whole.end)
            return whole
        if label is None:
            return None
        after = _JOINT.match(spelling, label.end).end()  # type: ignore[union-attr]
        apart = after > label.end or spelling[label.end - 1] in ")]"
        said = self._text(spelling, after) if apart else None
        if said:
            agreed = label.labels & said.labels
            return Named(agreed or label.labels | said.labels, said.end)
        if not ends(spelling, label.end):
            return None
        return label if text is None else self._settled(spelling, start, label, text)

    def others(self, label: str) -> tuple[str, ...]:
        """Return the words of the labels and of the texts, in small letters, of all other options."""
        labels = {other for other in self.labels.values() if other != label}
        return tuple(
            words(other) for other in (*labels, *(small for _, small, _, of in self.texts if of != label))
        )

    def _settled(self, spelling: str, start: int, label: Named, text: Named) -> Named:
        """Decide what a word means that is an option's label and an option's text."""
        if label.labels & text.labels:
            return label
        word = spelling[start : label.end]
        if word[0] in "([" and word[-1] in ")]":
            return label
        if _NAMED_BEFORE.search(spelling[:start]):
            return label
        bare = word.rstrip(")] ")
        as_label = bare in self.labels.values()
        as_text = any(written == bare for written, *_ in self.texts)
        if as_label != as_text:
            return label if as_label else text
        return Named(label.labels | text.labels, label.end) if self.confusing else label

    def _label(self, spelling: str, start: int) -> Named | None:
        match = _LABEL.match(spelling, start)
        label = self.labels.get(match[2]) if match else None
        return Named(frozenset([label]), match.end()) if match and label is not None else None

    def _with_label(self, spelling: str, text: Named) -> Named:
        """Read the label that follows a text, if one does: ``the wind (B)``."""
        before = _BEFORE_LABEL.match(spelling, text.end)
        label = self._label(spelling, before.end()) if before else None
        if before is None or label is None or not ends(spelling, label.end):
            return text
        agreed = text.labels & label.labels
        if not agreed and "." in before[0]:
            return text  # another sentence begins, such as "(A) is wrong."
        return Named(agreed or text.labels | label.labels, label.end)

    def _text(self, spelling: str, start: int) -> Named | None:
        """Return the options whose text begins at ``start``: the longest, and of equally long ones the most alike."""
        small = folded(spelling)
        end, found, word = start, dict[str, int](), ""
        for begins, left_out in self._begins(small, start):
            for written, form, dropped, label in self.texts:
                after = begins + len(form)
                if after < end or not small.startswith(form, begins) or not ends(spelling, after):
                    continue
                if (
                    left_out
                    and dropped
                    and not (_ARTICLE.fullmatch(left_out) and _ARTICLE.fullmatch(dropped))
                ):
                    continue
                if after > end:
                    end, found, word = after, {}, left_out
                alike = 2 * (left_out == dropped) + spelling.startswith(written, begins)
                found[label] = max(alike, found.get(label, 0))
        labels = frozenset(label for label, alike in found.items() if alike == max(found.values()))
        return Named(labels, end, word) if labels else None

    def _begins(self, small: str, start: int) -> Iterator[tuple[int, str]]:
        yield start, ""
        opened = start + 1 if small[start : start + 1] in ("(", "[") else start
        if opened > start:
            yield opened, ""
        if article := _SMALL_WORD.match(small, opened):
            yield article.end(), article[0]


@lru_cache(maxsize=4096)
def options_of(choices: tuple[Choice, ...]) -> Options:
    labels = {
        variant: choice.label
        for choice in choices
        for variant in (choice.label.upper(), choice.label.lower())
    }
    labels |= {choice.label: choice.label for choice in choices}
    texts = []
    for label, written in _texts(choices):
        small = folded(written)
        article = _SMALL_WORD.match(small)
        texts += [(written, small, "", label)] if small else []
        if article and article.end() < len(small):
            texts.append((written[article.end() :], small[article.end() :], article[0], label))
    alike = {written for written, _, _, label in texts if labels.get(written, label) != label}
    confusing = len(alike) > 1 or any(word.isdigit() for word in alike)
    return Options(labels, tuple(texts), confusing, {})


def _texts(choices: tuple[Choice, ...]) -> list[tuple[str, str]]:
    """Return labels and texts; where every text begins with its own label, as ``A) 7`` does, without it."""
    marks = [re.match(_OWN_LABEL.format(re.escape(choice.label)), choice.text) for choice in choices]
    return [
        (choice.label, tidy(choice.text[mark.end() :] if mark and all(marks) else choice.text))
        for choice, mark in zip(choices, marks, strict=True)
    ]


def read_option(choices: tuple[Choice, ...], text: str) -> Reading:
    """Return the option that X names; a label in brackets is found without looking at the texts."""
    inside = text.strip(" *.\n")
    if inside[:1] == "(" and inside[-1:] == ")":
        label = inside[1:-1]
        if any(choice.label == label for choice in choices):
            return Parsed(label, label)
    return options_of(choices).read(text)


def named_option(choices: tuple[Choice, ...], text: str) -> str | None:
    """Return the label of the option that a text names if it says nothing else."""
    reading = read_option(choices, text)
    return reading.value if isinstance(reading, Parsed) and not what_speaks(reading.rest) else None


def is_remark(choices: tuple[Choice, ...], label: str, sentence: str) -> bool | None:
    """Return whether a sentence after the answer ``label`` agrees with it, as "The other options are wrong." does.

    It does not if it names another option in any other way, and nothing is known of a sentence that names none.
    """
    options = options_of(choices)

    def agrees(text: str) -> bool:
        return is_silent(without_remarks(text, label, options.named, options.others(label)))

    if agrees(sentence):
        return True
    begins = _CLAIM.match(sentence)
    if begins and options.labels.get(begins[1], label) != label:
        return False
    marked = (
        mark for mark in _MARKED.finditer(sentence) if options.labels.get(mark[1] or mark[2], label) != label
    )
    return None if all(agrees(sentence[mark.start() :]) for mark in marked) else False
