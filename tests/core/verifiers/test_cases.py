"""The hand-written table: what each verifier must say of hundreds of ways to write an answer.

``cases.jsonl`` is ordered by verifier. Each line has ``verifier, reference, response, verdict`` and may have
``options`` (a name from ``OPTIONS``), ``fall_back`` and ``finish_reason``.
"""

import json
from collections import Counter
from pathlib import Path

import pytest

from adastar_core.records import Choice, FinishReason, Observation
from adastar_core.verifiers import Verifier
from adastar_core.verifiers.catalogue import VERIFIER_NAMES, open_verifier
from adastar_core.verifiers.math import MathVerifier

OPTIONS = {
    "punishing": ("ABCDE", ["ignore", "enforce", "authoritarian", "yell at", "avoid"]),
    "magnets": (
        "ABCD",
        [
            "The refrigerator door is smooth.",
            "The refrigerator door contains iron.",
            "The refrigerator door is a good conductor.",
            "A wheel",
        ],
    ),
    "numbered": ("1234", ["4", "a lens", "a mirror", "1"]),
    "genes": ("ABCD", ["Cc or cc", "CC or Cc", "CC only", "Cc only"]),
    "twice": ("ABCD", ["pocket", "lock", "pocket", "key"]),
    "blood": ("ABCD", ["B", "A", "AB", "O"]),
    "classes": ("012", ["entailment", "neutral", "contradiction"]),
}
CASES = [json.loads(line) for line in (Path(__file__).parent / "cases.jsonl").read_text("utf-8").splitlines()]


def observation(case: dict[str, str]) -> Observation:
    labels, texts = OPTIONS[case["options"]] if "options" in case else ("", [])
    choices = tuple(Choice(label, text) for label, text in zip(labels, texts, strict=True))
    return Observation("x", "", case["reference"], choices)


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{number}-{case['verifier']}" for number, case in enumerate(CASES, 1)]
)
def test_every_case_of_the_table(case: dict[str, str], formulas: MathVerifier) -> None:
    verifier: Verifier = formulas
    if case["verifier"] != "math":
        verifier = open_verifier(case["verifier"], fall_back=bool(case.get("fall_back")))  # type: ignore[arg-type]
    verdict = verifier.verify(
        observation(case), case["response"], FinishReason(case.get("finish_reason", "eos"))
    )
    assert verdict.outcome == case["verdict"], verdict
    assert verdict.verifier == verifier.version
    assert verdict.reason


def test_the_table_is_ordered_and_covers_every_verifier() -> None:
    counts = Counter(case["verifier"] for case in CASES)
    assert sum(counts.values()) >= 300
    assert set(counts) == set(VERIFIER_NAMES)
    assert [case["verifier"] for case in CASES] == sorted(
        (case["verifier"] for case in CASES), key=list(VERIFIER_NAMES).index
    )
