"""The response's own part: what the model says to this question, without its reasoning block and what it says as somebody else.

One notion for judging and for what is trained on: the rationale filter rejects a response that goes on after its own part.
Generation stops at the commonest beginnings of a turn (:data:`TURN_STARTS`).
"""

import re
from typing import NamedTuple

_ENDS = re.compile(
    r"<\|(?:user|assistant|system|endoftext|end_of_text|end_of_turn|im_end|eot_id|eom_id|eos|end|return)\|>|<eos>|<end_of_turn>|<｜end▁of▁sentence｜>|</s>|\[INST\]"
)
_REASONING = re.compile(
    r"<(/?)(?:think|thinking|reasoning|thought)>|(<\|channel\|>final<\|message\|>)", re.IGNORECASE
)

_SPEAKERS = ("Human", "User", "Assistant", "System", "Instruction", "Input", "Response")
_SPEAKERS_ONLY_MARKED = ("system", "input")
"""Also common words: they begin a turn only as a heading or with a special token."""

_TASKS = ("Question", "Problem", "Exercise", "Example", "Task", "Puzzle", "Query", "Prompt")
TURN_STARTS = ("\nQuestion:", "\nHuman:", "\nUser:", "\n### Instruction:")
"""How models most often begin a turn of somebody else, besides the prompt's own mark: generation stops there."""

_TURN = re.compile(
    rf"""\n[ \t]*+(?:[*_\#>\[]|<\|(?:im_start|start|start_header_id)\|>|<start_of_turn>)*+[ \t]*+
    (?:(?P<speaker>{"|".join(_SPEAKERS)})|(?:(?:Next|Another|New|Similar|Bonus|Second)[ ]+)?(?P<task>{"|".join(_TASKS)})|Q)
    [ \t]*+(?P<number>\#?\d{{0,3}})[ \t]*+[*_\]]*+[ \t]*+(?P<mark>[:.)]|(?=\n|<\|))""",
    re.IGNORECASE | re.VERBOSE,
)
"""A turn's name on a line of its own; of the name alone, ``Q:``, also within a line (:data:`_ASKED`)."""

_ASKED = re.compile(r"(?<=[ \t])(?P<speaker>)(?P<task>)(?P<mark>)Q\**:(?=\s)")
_SOLVED = re.compile(
    r"^[ \t]*[*_#>]*[ \t]*(?:solution|reasoning|answer|explanation|rationale|step 1|response|a)\b[*_ ]*[:.\n]",
    re.IGNORECASE | re.MULTILINE,
)
_POINT = re.compile(r"[*_: \t]*[(\[]?[-\d.,;=xyzt()\[\] \t]*(?:\n|$)")
_OTHER_POINT = re.compile(r"(?:^|\n)[ \t*_-]*[B-PR-Z][*_]*:[^\n]*\n+[ \t*_-]*$")
_RESTATING = re.compile(
    r"\b(?:restat\w+|problem|question|given|asked?|asks|read|understand|repeat|again|task)\b|:\W*$", re.I
)
_LONGEST_RESTATEMENT = 200


class OwnPart(NamedTuple):
    """What of a response counts.

    Attributes:
        text: The response's own words, after its reasoning.
        trouble: Why they cannot count: the reasoning block never ends; else empty.
        start: Where they begin in the response.
        beyond: What follows them: a turn that the model invents, or text after a spelled out end; else empty.
    """

    text: str
    trouble: str
    start: int
    beyond: str


def own_part(response: str) -> OwnPart:
    """Return what a response says itself: after its reasoning, before a spelled out end and before an invented turn."""
    text, trouble, ended = response, "", len(response)
    if "<" in response or "[INST]" in response:
        ended = _end(response)
        text, trouble = _after_reasoning(response[:ended])
    own = text[: _turn_start(text)]
    beyond = "" if len(own) == len(response) else text[len(own) :] + _ENDS.sub("", response[ended:])
    return OwnPart(own, trouble, ended - len(text), beyond.strip())


def _end(text: str) -> int:
    """Return where text or turn end, spelled out; ``</s>`` is an end unless ``<s>`` before it makes both a pair of tags."""
    opened = text.find("<s>")
    for end in _ENDS.finditer(text):
        if end[0] != "</s>" or not 0 <= opened < end.start():
            return end.start()
    return len(text)


def _after_reasoning(text: str) -> tuple[str, str]:
    marks = list(_REASONING.finditer(text))
    if not marks:
        return text, ""
    last = marks[-1]
    if last[1] or last[2]:
        return text[last.end() :], ""
    return text[last.end() :], "the reasoning block never ends"


def _turn_start(text: str) -> int:
    """Return where the model begins to speak as somebody else, or the text's length."""
    first = _TURN.match(f"\n{text[:60]}")
    if first and _is_turn(f"\n{text}", first):
        return 0
    asked = _ASKED.finditer(text) if "Q" in text else iter(())
    turns = (turn for found in (_TURN.finditer(text), asked) for turn in found)
    return min((turn.start() for turn in turns if _is_turn(text, turn)), default=len(text))


def _is_turn(text: str, turn: re.Match[str]) -> bool:
    """Tell an invented turn from a point that is named Q and from a problem that is restated before it is solved."""
    before = text[: turn.start()]
    if turn["speaker"]:
        its_own = turn["speaker"].lower() in ("assistant", "response") and not before.strip()
        marked = "#" in turn[0] or "<" in turn[0]
        by_name = turn["mark"] == ":" and turn["speaker"].lower() not in _SPEAKERS_ONLY_MARKED
        return not its_own and (marked or by_name)
    if not turn["task"]:
        named = _POINT.match(text, turn.end()) or _OTHER_POINT.search(before[-200:])
        return turn["mark"] != ")" and not named
    if not (turn["mark"] == ":" or (turn["mark"] and turn["number"]) or "#" in turn[0] or "*" in turn[0]):
        return False
    restated = (
        (not before.strip() or (not turn["number"] and _RESTATING.search(before)))
        and len(before) <= _LONGEST_RESTATEMENT
        and not any(character.isdigit() for character in before)
        and _SOLVED.search(text, turn.end()) is not None
    )
    return not restated
