"""What a reader of a run's accuracy must be warned of: one answer to everything, luck, format, vanished classes. Pure."""

from adastar_core.machine.units import accuracy, percent, points
from adastar_core.machine.visible import visible
from adastar_core.records import Accuracy
from adastar_core.report.controls import Controls, Overuse

LEVEL = 0.001
"""Of every test: a healthy run is warned of nothing in 999 of 1,000 looks."""
_LEAST_EXCESS = 0.15
_FEW_READ = 10
_SHOWN = 40


def cautions(before: Controls, after: Controls, which: str = "answers") -> list[str]:
    """Return what must be said beside an accuracy, a paragraph each; nothing where it can be trusted.

    Args:
        before: The base model, on the same items.
        after: The selected checkpoint.
        which: Whose answers ``after`` has, e.g. ``"test answers of iteration 3"``.
    """
    found = (one_answer(after.overuse, which), _no_better(after), _format_alone(before, after))
    return [text for text in found if text is not None]


def no_more_than_as_sampled(before: Controls, after: Controls, as_sampled: Accuracy) -> list[str]:
    """Return a warning where the base model reaches as much when it is prompted as rationales are sampled."""
    reached, share = as_sampled.interval(), after.accuracy.share
    if not before.accuracy < after.accuracy or reached is None or share is None or share > reached[1]:
        return []
    return [
        f"WARNING: prompted as rationales are sampled, the base model already answers {accuracy(as_sampled)} of the validation "
        f"questions right. The gain of {points(before.accuracy, after.accuracy)} points to {percent(share)} may be the form of the "
        "answers alone."
    ]


def one_answer(overuse: Overuse | None, which: str = "answers") -> str | None:
    """Return a warning where one answer is given more often than its references allow."""
    if overuse is None or overuse.excess < _LEAST_EXCESS or overuse.p >= LEVEL:
        return None
    share, allowed = percent(overuse.given / overuse.of), percent(overuse.allowed / overuse.of)
    return (
        f"WARNING: {overuse.given:,} of {overuse.of:,} {which} ({share}) are {quoted(overuse.answer)}, the reference of "
        f"{overuse.allowed:,} ({allowed}; p {_probability(overuse.p)}). The model prefers it whatever the question is: read its answers "
        "before you use this checkpoint."
    )


def _no_better(after: Controls) -> str | None:
    """Return a warning where always giving the most frequent reference would do as well."""
    share, interval = after.accuracy.share, after.majority.interval()
    if share is None or interval is None or share > interval[1]:
        return None
    return (
        f"WARNING: an accuracy of {percent(share)} is not above what always answering {quoted(after.constant)} gives, "
        f"{accuracy(after.majority)}. It does not show that the model can answer: measure more questions, or start from a "
        "stronger model."
    )


def _format_alone(before: Controls, after: Controls) -> str | None:
    """Return a warning where what was gained is the form of answers, not what they say."""
    if not before.accuracy < after.accuracy:
        return None
    gained = f"{points(before.accuracy, after.accuracy)} points"
    if before.read is None or after.read is None or not _apart(before.read, after.read):
        return None
    was, now = before.right_of_read, after.right_of_read
    if was is None or now is None:
        return None
    few = was.total < _FEW_READ
    bound = (after.majority if few else was).interval()
    if bound is None or (now.share or 0.0) > bound[1]:
        return None
    than = (
        f"always answering {quoted(after.constant)} gives {accuracy(after.majority)}"
        if few
        else f"{accuracy(was)} were before"
    )
    return (
        f"WARNING: the gain of {gained} is one of form: {percent(before.read.share)} of the answers could be read before, "
        f"{percent(after.read.share)} after. Of those read {percent(now.share)} are right, and {than}."
    )


def _apart(low: Accuracy, high: Accuracy) -> bool:
    """Return whether a share is above another one, beyond both intervals."""
    below, above = low.interval(), high.interval()
    return below is not None and above is not None and below[1] < above[0]


def quoted(answer: str) -> str:
    """Return an answer for a sentence: on one line, and not long."""
    flat = " ".join(visible(answer).split())
    return f'"{flat if len(flat) <= _SHOWN else flat[: _SHOWN - 1] + "…"}"'


def _probability(p: float) -> str:
    return "< 0.0001" if p < 1e-4 else f"= {p:.4f}"
