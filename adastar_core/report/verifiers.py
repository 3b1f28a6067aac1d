"""A note for runs that more than one version of a verifier judged: an upgraded library is another version."""

from collections.abc import Sequence

from adastar_core.store.evaluations import EvaluationRow
from adastar_core.store.iterations import IterationRow


def verifier_note(iterations: Sequence[IterationRow], evaluations: Sequence[EvaluationRow]) -> list[str]:
    """Return which version decided on what, where there is more than one; rows of old code name none."""
    rationales = [(one.verifier, one.iteration) for one in iterations]
    answers = sorted({(one.verifier or "", one.iteration) for one in evaluations})
    versions = list(filter(None, dict.fromkeys(version for version, _ in (*rationales, *answers))))
    if len(versions) < 2:
        return []
    parts = [
        f"{version} (rationales of iterations: {_numbers(rationales, version)}; evaluations of checkpoints: "
        f"{_numbers(answers, version)})"
        for version in versions
    ]
    return [
        "The verifier changed during the run, so counts under different versions are not exactly comparable: "
        f"{'; '.join(parts)}."
    ]


def _numbers(judged: Sequence[tuple[str | None, int]], version: str) -> str:
    return ", ".join(str(number) for by, number in judged if by == version) or "none"
