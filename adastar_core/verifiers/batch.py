"""Judging many responses with any verifier."""

from collections.abc import Sequence

from adastar_core.records import Verdict
from adastar_core.verifiers import Batching, Closing, Response, Verifier


def verify_all(verifier: Verifier, responses: Sequence[Response]) -> list[Verdict]:
    if isinstance(verifier, Batching):
        return verifier.verify_all(responses)
    return [verifier.verify(*response) for response in responses]


def close_verifier(verifier: Verifier) -> None:
    if isinstance(verifier, Closing):
        verifier.close()
