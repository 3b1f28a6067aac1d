"""Judging many responses: in order, and in parallel where a verifier has processes to wait for."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from adastar_core.records import FinishReason, Observation, Verdict
from adastar_core.verifiers import Verifier
from adastar_core.verifiers.math import MathVerifier

Response = tuple[Observation, str, FinishReason]


def verify_all(verifier: Verifier, responses: Sequence[Response]) -> list[Verdict]:
    """Return one verdict per response, in order.

    An answer that hangs costs its deadline in one worker process, while the others go on.
    """
    workers = verifier.workers if isinstance(verifier, MathVerifier) else 1
    if workers == 1 or len(responses) < 2:
        return [verifier.verify(*response) for response in responses]
    # These threads only wait for the worker processes, which do the comparing and are killed at the deadline.
    with ThreadPoolExecutor(workers) as threads:
        return list(threads.map(lambda response: verifier.verify(*response), responses))


def close_verifier(verifier: Verifier) -> None:
    """End the processes that a verifier has; it starts them again when it is used again."""
    if isinstance(verifier, MathVerifier):
        verifier.close()
