"""The rationale filter: which right answers are still not worth training on, and why. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from adastar_core.records import Attempt, FinishReason, Observation
from adastar_core.settings import Settings, setting
from adastar_core.shingles import jaccard, shingles, words
from adastar_core.verifiers.patterns import answer_part, without_declared_answers


class FilterSettings(Settings):
    """Which right rationales are kept out of training. Each rule is switchable; each rejection has its reason."""

    truncated: bool = setting(True, 0, "Truncated", "Reject rationales that were cut at the length limit.")
    empty: bool = setting(True, 1, "Empty", "Reject responses that declare an answer and nothing else.")
    hint_echo: bool = setting(
        True, 2, "Hint echo", "Reject hinted rationales that only repeat the hint, or speak of it."
    )
    exact_duplicates: bool = setting(
        True, 3, "Exact duplicates", "Reject repetitions of a rationale of the same observation."
    )
    near_duplicates: float | None = setting(
        None,
        4,
        "Near duplicates",
        "Reject rationales this similar to a kept one of the same observation (Jaccard of "
        "three-word shingles, e.g. 0.9); none keeps them.",
        gt=0,
        le=1,
    )
    longest_tokens: int | None = setting(
        None, 5, "Longest rationale", "Reject longer ones, in generated tokens; none keeps them.", ge=1
    )


class Reason(StrEnum):
    """Why a rationale is rejected."""

    TRUNCATED = "truncated"
    EMPTY = "empty"
    HINT_ECHO = "hint_echo"
    OVER_LONG = "over_long"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"


@dataclass(frozen=True, slots=True)
class Screening:
    """The filter's decision on one attempt.

    Attributes:
        attempt: The attempt.
        rejected: Why it is rejected; ``None`` when it is kept.
        detail: One short sentence about the rejection; empty when it is kept.
    """

    attempt: Attempt
    rejected: Reason | None = None
    detail: str = ""


_ABOUT_THE_HINT = re.compile(
    r"\b(?:hint(?:ed)?|(?:given|provided|stated|shown) answer|answer (?:is|was) (?:already )?(?:given|provided|shown|stated)"
    r"|answer in (?:the )?(?:parentheses|brackets))\b",
    re.IGNORECASE,
)


def screen(
    observation: Observation,
    attempts: Sequence[Attempt],
    settings: FilterSettings,
    kept_before: Sequence[str] = (),
) -> list[Screening]:
    """Decide on an observation's right attempts, in the order of attempts.

    Args:
        observation: What they are attempts at.
        attempts: Attempts whose verdict is right; earlier ones win over their duplicates.
        settings: Which rules apply.
        kept_before: Responses of the observation that are in the training set already.

    Returns:
        One decision per attempt, in order. A rejected rationale is no model for duplicates.
    """
    kept = list(kept_before)
    decisions: list[Screening] = []
    for attempt in attempts:
        found = _by_itself(observation, attempt, settings) or _by_others(attempt.response, kept, settings)
        if found is None:
            kept.append(attempt.response)
        decisions.append(Screening(attempt, *(found or (None, ""))))
    return decisions


def _by_itself(
    observation: Observation, attempt: Attempt, settings: FilterSettings
) -> tuple[Reason, str] | None:
    if settings.truncated and attempt.finish_reason is FinishReason.LENGTH:
        return Reason.TRUNCATED, "cut at the length limit"
    rationale = without_declared_answers(answer_part(attempt.response))
    if settings.empty and not words(rationale):
        return Reason.EMPTY, "an answer without a rationale"
    if settings.hint_echo and attempt.hinted:
        if match := _ABOUT_THE_HINT.search(rationale):
            return Reason.HINT_ECHO, f"speaks of the hint: {match[0]!r}"
        if not set(words(rationale)) - _words_of_the_hint(observation):
            return Reason.HINT_ECHO, "repeats the hint and nothing else"
    if settings.longest_tokens is not None and attempt.generated_tokens > settings.longest_tokens:
        return Reason.OVER_LONG, f"{attempt.generated_tokens} tokens, more than {settings.longest_tokens}"
    return None


def _words_of_the_hint(observation: Observation) -> set[str]:
    texts = [choice.text for choice in observation.choices if choice.label == observation.answer]
    return set(words(" ".join([observation.answer, *texts])))


def _by_others(response: str, kept: Sequence[str], settings: FilterSettings) -> tuple[Reason, str] | None:
    spelling = " ".join(response.split())
    if settings.exact_duplicates and any(spelling == " ".join(other.split()) for other in kept):
        return Reason.DUPLICATE, "repeats a kept rationale of this observation"
    if settings.near_duplicates is not None:
        mine = shingles(words(response))
        closest = max((jaccard(mine, shingles(words(other))) for other in kept), default=0.0)
        if closest >= settings.near_duplicates:
            return Reason.NEAR_DUPLICATE, f"{closest:.0%} like a kept rationale of this observation"
    return None
