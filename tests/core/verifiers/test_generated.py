"""Verdicts on generated responses: each allows the outcomes that follow from what its wording asserts."""

from collections import Counter, defaultdict

import pytest

from adastar_core.verifiers.batch import verify_all
from adastar_core.verifiers.math import MathVerifier
from tests.core.verifiers.generated import Case, cases, cases_of
from tests.core.verifiers.values import KINDS, Kind


def misses(kind: Kind, given: list[Case]) -> list[str]:
    """Return one line for each template with a verdict that is not allowed, with its first such case."""
    verdicts = verify_all(
        kind.opened_verifier,
        [(kind.observation(case.reference, case.value), case.response, case.finish) for case in given],
    )
    tried = Counter(case.template for case in given)
    missed: dict[str, list[str]] = defaultdict(list)
    for case, verdict in zip(given, verdicts, strict=True):
        if verdict.outcome not in case.allowed:
            missed[case.template].append(
                f"{verdict.outcome}, not {' or '.join(sorted(case.allowed))}, for {case.reference!r} on "
                f"{case.response!r} (read {verdict.extracted!r}: {verdict.reason})"
            )
    return [
        f"{template}: {len(found)} of {tried[template]}: {found[0]}" for template, found in missed.items()
    ]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_generated_verdict_is_allowed(kind: Kind, formulas: MathVerifier) -> None:
    if kind.verifier == "math":
        kind.problem.verifier = formulas
    found = misses(kind, list(cases_of(kind)))
    assert not found, "\n".join([f"{len(found)} templates of {kind.name} fail:", *found])


def test_there_are_many_and_they_follow_from_the_seed() -> None:
    assert sum(1 for _ in cases()) >= 20_000

    def responses(seed: int) -> list[tuple[str, str, str]]:
        kind = KINDS[0]
        return [(case.template, case.reference, case.response) for case in cases_of(kind, seed)]

    assert responses(0) == responses(0)
    assert responses(0) != responses(1)
