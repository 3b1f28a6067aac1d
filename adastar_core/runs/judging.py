"""Verdicts on stored attempts, and the rationale filter's decision on the right ones, written together.

An attempt's row depends on its observation's attempts alone, earlier ones first, so it is the same in whatever
batches they were judged.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

from adastar_core.config import RunConfig
from adastar_core.problems import Problem
from adastar_core.records import (
    CUT_SHORT,
    Attempt,
    FinishReason,
    Incident,
    Observation,
    Outcome,
    Rejection,
    Verdict,
)
from adastar_core.runs.lengths import Room
from adastar_core.store import incidents
from adastar_core.store.rollouts import read_unjudged
from adastar_core.store.verdicts import JudgedAttempt, read_kept_responses
from adastar_core.verifiers import Response, Verifier
from adastar_core.verifiers.batch import verify_all
from adastar_core.verifiers.custom import CustomVerifier
from adastar_core.verifiers.filters import FilterSettings, screen_alone, screen_repeats

_PER_TRANSACTION = 2_000

Said = tuple[int, int, str, FinishReason]
Right = tuple[Observation, Attempt, Verdict]
Ask = Callable[[Sequence[Right]], Sequence[Rejection | None]]
"""Asks the model about right attempts that no other rule rejects, and returns its rejection of each."""

Store = Callable[[Sequence[Attempt], Sequence[JudgedAttempt], int], None]
"""Writes the verdicts on these attempts; as many others are still without one."""


@dataclass(frozen=True, slots=True)
class Judge:
    """What decides on attempts; the verifier is the problem's own, or another one.

    Attributes:
        references: Whether responses are the data's own answers, which have no rationale to check or to reject.
        room: Decides what is too long to train on; ``None`` if nothing will be trained.
        reached: Verdicts that :meth:`reach` gave and :meth:`decide` has not used yet, by attempt and what it says.
    """

    problem: Problem
    verifier: Verifier
    filter: FilterSettings
    references: bool = False
    room: Room | None = None
    reached: dict[Said, Verdict] = field(default_factory=dict)

    @classmethod
    def of(cls, config: RunConfig, problem: Problem, verifier: Verifier, room: Room | None = None) -> "Judge":
        return cls(problem, verifier, config.filter, config.rationales == "reference", room)

    def reach(self, observations: Sequence[Observation], attempts: Sequence[Attempt]) -> None:
        """Reach the verdicts that :meth:`decide` will ask for, in a thread of the caller's.

        A user's verifier is left alone: it may not bear being called in another thread than the first.
        """
        if not isinstance(self.verifier, CustomVerifier):
            responses = _responses(observations, attempts)
            self.reached.update(zip(map(_said, attempts), verify_all(self.verifier, responses), strict=True))

    def decide(
        self,
        observations: Sequence[Observation],
        attempts: Sequence[Attempt],
        kept: Mapping[int, Sequence[str]],
        ask: Ask | None = None,
    ) -> list[JudgedAttempt]:
        """Return the verdict on every attempt, in the order given: by attempt within an observation.

        ``observations`` are by position; ``kept`` has the right responses of earlier attempts that were kept.
        """
        answers = _responses(observations, attempts)
        verdicts = self._verdicts(attempts, answers)
        right: dict[int, Right] = {
            place: (answers[place][0], attempts[place], verdict)
            for place, verdict in enumerate(verdicts)
            if verdict.outcome is Outcome.RIGHT
        }
        rejected = {place: self._by_itself(*one) for place, one in right.items()}
        if ask is not None and (open_ones := [place for place, rule in rejected.items() if rule is None]):
            rejected |= zip(open_ones, ask([right[place] for place in open_ones]), strict=True)
        accepted = {position: list(responses) for position, responses in kept.items()}
        return [
            self._right(*right[place], rejected[place], accepted)
            if place in right
            else JudgedAttempt(attempt.position, attempt.attempt, verdicts[place])
            for place, attempt in enumerate(attempts)
        ]

    def _verdicts(self, attempts: Sequence[Attempt], responses: Sequence[Response]) -> list[Verdict]:
        reached = [self.reached.pop(_said(attempt), None) for attempt in attempts]
        left = [response for response, verdict in zip(responses, reached, strict=True) if verdict is None]
        given = iter(verify_all(self.verifier, left))
        return [verdict or next(given) for verdict in reached]

    def _by_itself(self, observation: Observation, attempt: Attempt, _: Verdict) -> Rejection | None:
        """Return why a right attempt is rejected whatever the others are."""
        rejection = None if self.references else screen_alone(observation, attempt, self.filter)
        if rejection is None and self.room is not None:
            rejection = self.room.rejection(observation, attempt.response, attempt.tokens)
        return rejection

    def _right(
        self,
        observation: Observation,
        attempt: Attempt,
        verdict: Verdict,
        rejection: Rejection | None,
        accepted: dict[int, list[str]],
    ) -> JudgedAttempt:
        """Return the row of a right attempt; one that is kept is added to ``accepted``."""
        if self.references:
            return JudgedAttempt(attempt.position, attempt.attempt, verdict, None, rejection)
        correct = self.problem.rationale_is_correct(observation, attempt.response)
        earlier = accepted.setdefault(attempt.position, [])
        rejection = rejection or screen_repeats(attempt.response, earlier, self.filter)
        if rejection is None:
            earlier.append(attempt.response)
        return JudgedAttempt(attempt.position, attempt.attempt, verdict, correct, rejection)


def _said(attempt: Attempt) -> Said:
    """Return what a verdict depends on; hashing the observation instead of its position would take longer than judging."""
    return attempt.position, attempt.attempt, attempt.response, attempt.finish_reason


def _responses(observations: Sequence[Observation], attempts: Sequence[Attempt]) -> list[Response]:
    return [(observations[it.position], it.response, it.finish_reason) for it in attempts]


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
    ask: Ask | None = None,
    at_once: int | None = None,
) -> int:
    """Judge every stored attempt of an iteration that has no verdict of the judge's verifier; return how many.

    ``observations`` are the training observations by position. Each call of ``store`` is one transaction, with the
    verdicts on ``at_once`` attempts, or on many.
    """
    version, at_once = judge.verifier.version, at_once or _PER_TRANSACTION
    with engine.connect() as connection:
        attempts = read_unjudged(connection, run_id, iteration, version)
    for start in range(0, len(attempts), at_once):
        part = attempts[start : start + at_once]
        # The filter compares a retry with what was kept of its observation, perhaps in an earlier part or wave.
        positions = sorted({attempt.position for attempt in part if attempt.attempt > 1})
        kept: Mapping[int, Sequence[str]] = {}
        if positions:
            with engine.connect() as connection:
                kept = read_kept_responses(connection, run_id, iteration, version, positions)
        store(part, judge.decide(observations, part, kept, ask), len(attempts) - start - len(part))
    return len(attempts)
