"""The rationale filter: which right answers are still not worth training on, and why. Pure.

A rejected rationale is right but not accepted. What the method defines by right answers (win rates, the first
try, whether another attempt is made) does not change; what it defines by accepted rationales does: D+, beta_t,
and the alpha that measures acceptance.
"""

import re
from collections.abc import Sequence

from adastar_core.records import Attempt, Observation, Rejection, RejectionReason
from adastar_core.settings import Settings, setting
from adastar_core.shingles import Outline, tokens, words
from adastar_core.verifiers.closings import without_closings
from adastar_core.verifiers.declarations import without_declared_answers
from adastar_core.verifiers.own import own_part


class FilterSettings(Settings):
    """Which right rationales are kept out of training. Each rule is switchable; each rejection has its reason."""

    truncated: bool = setting(
        True,
        "Truncated",
        "Reject rationales that were cut at the length limit or broke off at a special token.",
    )
    run_on: bool = setting(
        True,
        "Run on",
        "Reject responses that go on after their own part, e.g. with a question that the model asks itself.",
        added=True,
    )
    empty: bool = setting(True, "Empty", "Reject responses that declare an answer and nothing else.")
    hint_echo: bool = setting(
        True, "Hint echo", "Reject hinted rationales that only repeat the hint, or speak of it."
    )
    exact_duplicates: bool = setting(
        False,
        "Exact duplicates",
        "Reject repetitions of a kept rationale of the same observation in the same iteration.",
    )
    near_duplicates: float | None = setting(
        None,
        "Near duplicates",
        "Reject rationales this similar to a kept one of the same observation in the same iteration (the same "
        "numbers and symbols, and this Jaccard similarity of three-word shingles, e.g. 0.9) (default: keep them).",
        gt=0,
        le=1,
    )
    longest_tokens: int | None = setting(
        None, "Longest rationale", "Reject longer ones, in generated tokens (default: keep them).", ge=1
    )
    guessing: float | None = setting(
        None,
        "Guessing",
        "Reject the right rationales of an observation whose attempts are right no more often than guessing among its options, or "
        "the problem's few classes, reaches with this probability, e.g. 0.05 (default: keep them).",
        gt=0,
        lt=1,
        added=True,
    )
    consistent: bool = setting(
        False,
        "Consistent",
        "Reject right rationales from which the model, continuing greedily after the question and the rationale, "
        "does not come to the right answer again. Costs reading each right rationale once.",
        added=True,
    )
    needed: bool = setting(
        False,
        "Needed",
        "Reject right rationales of questions that the model, answering greedily without a rationale, gets right. Costs reading "
        "the question of each right rationale once.",
        added=True,
    )

    @property
    def asks(self) -> bool:
        """Whether a rule asks the model that made the rationales."""
        return self.consistent or self.needed


_ABOUT_THE_HINT = re.compile(
    r"\b(?:hint(?:ed)?|(?:given|provided|stated|shown) answer|answer (?:is|was) (?:already )?(?:given|provided|shown|stated)"
    r"|answer in (?:the )?(?:parentheses|brackets))\b",
    re.IGNORECASE,
)


def screen(
    observation: Observation, attempt: Attempt, kept: Sequence[str], settings: FilterSettings
) -> Rejection | None:
    """Decide on an attempt whose verdict is right; ``None`` keeps it.

    Duplicates are those of the observation's ``kept`` responses; a rejected one is no model for them.
    """
    return screen_alone(observation, attempt, settings) or screen_repeats(attempt.response, kept, settings)


def screen_alone(observation: Observation, attempt: Attempt, settings: FilterSettings) -> Rejection | None:
    """Decide on a right attempt as if it were its observation's only one."""
    if settings.truncated and (broken_off := attempt.finish_reason.broken_off):
        return Rejection(RejectionReason.TRUNCATED, broken_off)
    if settings.longest_tokens is not None and attempt.generated_tokens > settings.longest_tokens:
        longer = f"{attempt.generated_tokens} tokens, more than {settings.longest_tokens}"
        return Rejection(RejectionReason.OVER_LONG, longer)
    beyond = own_part(attempt.response).beyond
    if settings.run_on and beyond:
        return Rejection(RejectionReason.RUN_ON, f"goes on after its own part: {beyond[:60]!r}")
    own = attempt.response.rstrip().removesuffix(beyond)
    rationale = without_closings(without_declared_answers(own))
    if settings.empty and not words(rationale):
        return Rejection(RejectionReason.EMPTY, "an answer without a rationale")
    return _echo(observation, rationale) if settings.hint_echo and attempt.hinted else None


def _echo(observation: Observation, rationale: str) -> Rejection | None:
    if match := _ABOUT_THE_HINT.search(rationale):
        return Rejection(RejectionReason.HINT_ECHO, f"speaks of the hint: {match[0]!r}")
    texts = [choice.text for choice in observation.choices if choice.label == observation.answer]
    if not set(words(rationale)) - set(words(" ".join([observation.answer, *texts]))):
        return Rejection(RejectionReason.HINT_ECHO, "repeats the hint and nothing else")
    return None


def screen_repeats(response: str, kept: Sequence[str], settings: FilterSettings) -> Rejection | None:
    """Decide on a right response by whether it repeats one that was kept."""
    spelling = " ".join(response.split())
    if settings.exact_duplicates and any(spelling == " ".join(other.split()) for other in kept):
        return Rejection(RejectionReason.DUPLICATE, "repeats a kept rationale of this observation")
    if settings.near_duplicates is not None:
        mine = Outline.of(tokens(response))
        closest = max((mine.likeness(Outline.of(tokens(other))) for other in kept), default=0.0)
        if closest >= settings.near_duplicates:
            alike = f"{closest:.0%} like a kept rationale of this observation"
            return Rejection(RejectionReason.NEAR_DUPLICATE, alike)
    return None
