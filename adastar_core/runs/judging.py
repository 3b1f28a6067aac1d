"""Verdicts on stored attempts, and the rationale filter's decision on the right ones, written together.

An attempt's row depends on its observation's attempts alone, earlier ones first, so it is the same in whatever
batches they were judged.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from adastar_core.config import RunConfig
from adastar_core.problems import Problem
from adastar_core.records import CUT_SHORT, Attempt, Incident, Observation, Outcome, Verdict
from adastar_core.runs.lengths import Room
from adastar_core.store import incidents
from adastar_core.store.rollouts import read_unjudged
from adastar_core.store.verdicts import JudgedAttempt, read_kept_responses
from adastar_core.verifiers import Verifier
from adastar_core.verifiers.batch import verify_all
from adastar_core.verifiers.filters import FilterSettings, screen

_PER_TRANSACTION = 2_000

Store = Callable[[Sequence[Attempt], Sequence[JudgedAttempt], int], None]
"""Writes the verdicts on these attempts; as many others are still without one."""


@dataclass(frozen=True, slots=True)
class Judge:
    """What decides on attempts; the verifier is the problem's own, or another one.

    Attributes:
        references: Whether responses are the data's own answers, which have no rationale to check or to reject.
        room: Decides what is too long to train on; ``None`` if nothing will be trained.
    """

    problem: Problem
    verifier: Verifier
    filter: FilterSettings
    references: bool = False
    room: Room | None = None

    @classmethod
    def of(cls, config: RunConfig, problem: Problem, verifier: Verifier, room: Room | None = None) -> "Judge":
        return cls(problem, verifier, config.filter, config.rationales == "reference", room)

    def decide(
        self,
        observations: Sequence[Observation],
        attempts: Sequence[Attempt],
        kept: Mapping[int, Sequence[str]],
    ) -> list[JudgedAttempt]:
        """Return the verdict on every attempt, in the order given: by attempt within an observation.

        ``observations`` are by position; ``kept`` has the right responses of earlier attempts that were kept.
        """
        answers = [(observations[it.position], it.response, it.finish_reason) for it in attempts]
        verdicts = verify_all(self.verifier, answers)
        accepted = {position: list(responses) for position, responses in kept.items()}
        return [
            self._screened(observations[attempt.position], attempt, verdict, accepted)
            for attempt, verdict in zip(attempts, verdicts, strict=True)
        ]

    def _screened(
        self, observation: Observation, attempt: Attempt, verdict: Verdict, accepted: dict[int, list[str]]
    ) -> JudgedAttempt:
        """Return the row of one attempt; a right one that is kept is added to ``accepted``."""
        if verdict.outcome is not Outcome.RIGHT:
            return JudgedAttempt(attempt.position, attempt.attempt, verdict)
        too_long = self.room.rejection(observation, attempt.response, attempt.tokens) if self.room else None
        if self.references:
            return JudgedAttempt(attempt.position, attempt.attempt, verdict, None, too_long)
        correct = self.problem.rationale_is_correct(observation, attempt.response)
        earlier = accepted.setdefault(attempt.position, [])
        rejection = screen(observation, attempt, earlier, self.filter) or too_long
        if rejection is None:
            earlier.append(attempt.response)
        return JudgedAttempt(attempt.position, attempt.attempt, verdict, correct, rejection)


def write_cut_short(
    connection: Connection, run_id: int, checkpoint_iteration: int, verdicts: Sequence[Verdict]
) -> None:
    """Count the verdicts that another machine may give otherwise, in the transaction that stores them."""
    if cut := [verdict for verdict in verdicts if verdict.cut_short]:
        detail = f"the answer {(cut[-1].extracted or '')[:80]!r} is undecided: {cut[-1].reason.removeprefix(CUT_SHORT)}"
        incident = Incident(incidents.CUT_SHORT, detail)
        incidents.write_incident(connection, run_id, checkpoint_iteration, incident, times=len(cut))


def judge_stored(
    engine: Engine,
    judge: Judge,
    run_id: int,
    iteration: int,
    observations: Sequence[Observation],
    store: Store,
) -> int:
    """Judge every stored attempt of an iteration that has no verdict of the judge's verifier; return how many.

    ``observations`` are the training observations by position. Each call of ``store`` is one transaction.
    """
    version = judge.verifier.version
    with engine.connect() as connection:
        attempts = read_unjudged(connection, run_id, iteration, version)
    for start in range(0, len(attempts), _PER_TRANSACTION):
        part = attempts[start : start + _PER_TRANSACTION]
        # The filter compares a retry with what was kept of its observation, perhaps in an earlier part or wave.
        positions = sorted({attempt.position for attempt in part if attempt.attempt > 1})
        kept: Mapping[int, Sequence[str]] = {}
        if positions:
            with engine.connect() as connection:
                kept = read_kept_responses(connection, run_id, iteration, version, positions)
        store(part, judge.decide(observations, part, kept), len(attempts) - start - len(part))
    return len(attempts)
