"""Ask the model that made a right rationale again, for the rules of the filter that compare with what it says then.

* ``filter.consistent``: after the question and the rationale up to its answer, greedily. A rationale that does not lead the
  model itself to the answer came to it by chance (early answering, Lanham et al. 2023, arXiv 2307.13702).
* ``filter.needed``: after the question and the words that declare an answer, greedily. Where this is right, the rationale
  added nothing (leakage-adjusted simulatability, Hase et al. 2020, arXiv 2010.04119), and a favourite answer is right by luck.

Prompts are those of attempts without hints. Answers are not stored; a rejection says what the answer was.
"""

import time
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from adastar_core.compute import StageTokens
from adastar_core.generators import Decoding
from adastar_core.records import (
    GenerationRequest,
    Outcome,
    Rejection,
    RejectionReason,
)
from adastar_core.runs.asking import LONGEST_ANSWER, before_answer, lead_of
from adastar_core.runs.judging import Right
from adastar_core.runs.workspace import Workspace
from adastar_core.stages.costs import record_cost, tokens_of
from adastar_core.verifiers.batch import verify_all

STAGE = "generate again"

Lead = Callable[[Right], str]
"""Returns how a response begins whose next word is its answer."""


class Asking:
    """Asks about the right rationales of one iteration, and knows what it cost since that was last recorded."""

    def __init__(self, workspace: Workspace, iteration: int) -> None:
        self._workspace, self._iteration = workspace, iteration
        self._tokens, self._seconds = StageTokens(), 0.0

    def __call__(self, right: Sequence[Right]) -> list[Rejection | None]:
        """Return why each is rejected, ``None`` if it is not; all are asked as one batch."""
        started, rules = time.monotonic(), self._workspace.config.filter
        rejections: list[Rejection | None] = [None] * len(right)
        if rules.consistent:
            for place, (answer, agrees) in enumerate(self._answers(right, up_to_the_answer)):
                if not agrees:
                    went_on = f"asked to go on from the rationale, the model answers {answer}"
                    rejections[place] = Rejection(RejectionReason.INCONSISTENT, went_on)
        if rules.needed:
            left = [place for place, rejection in enumerate(rejections) if rejection is None]
            said = self._answers([right[place] for place in left], self._declaring)
            for place, (answer, agrees) in zip(left, said, strict=True):
                if agrees:
                    alone = f"without a rationale, the model answers {answer} too"
                    rejections[place] = Rejection(RejectionReason.NOT_NEEDED, alone)
        self._seconds += time.monotonic() - started
        return rejections

    def record(self, connection: Connection) -> None:
        """Add what was spent, in the transaction that stores the verdicts."""
        if self._seconds:
            cost = (self._iteration, STAGE, self._tokens, self._seconds)
            record_cost(connection, self._workspace, *cost, add=True)
        self._tokens, self._seconds = StageTokens(), 0.0

    def _declaring(self, right: Right) -> str:
        return lead_of(self._workspace.problem, right[0]) or ""

    def _answers(self, right: Sequence[Right], lead: Lead) -> list[tuple[str, bool]]:
        """Return what the model answers to each after its lead, and whether that is right."""
        if not right:
            return []
        workspace, leads = self._workspace, [lead(one) for one in right]
        requests = [
            GenerationRequest(
                row.position, row.attempt, False, workspace.problem.prompt(asked) + start, stream=0
            )
            for (asked, row, _), start in zip(right, leads, strict=True)
        ]
        checkpoint = workspace.checkpoint(self._iteration - 1)
        made = workspace.generator(checkpoint).generate(requests, self._decoding())
        workspace.generators.proved_sha256(checkpoint.sha256)
        self._tokens += sum(map(tokens_of, made), StageTokens())
        whole = [
            (asked, start + one.response, one.finish_reason)
            for (asked, _, _), start, one in zip(right, leads, made, strict=True)
        ]
        verdicts = verify_all(workspace.problem.verifier, whole)
        return [
            (repr(one.response.strip()[:60]), verdict.outcome is Outcome.RIGHT)
            for one, verdict in zip(made, verdicts, strict=True)
        ]

    def _decoding(self) -> Decoding:
        stop = ("\n", *self._workspace.problem.stop)
        return Decoding(greedy=True, temperature=1.0, top_p=1.0, max_new_tokens=LONGEST_ANSWER, stop=stop)


def up_to_the_answer(right: Right) -> str:
    """Return a right response up to its answer; all of it where the answer's place is not known, so that it agrees."""
    _, attempt, verdict = right
    return before_answer(attempt.response, verdict.span) if verdict.span else attempt.response
