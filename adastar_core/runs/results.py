"""The verdicts of the iteration that is being sampled, kept in memory so that planning a wave reads no table.

The store is the truth: a process that starts, or fails while it writes, reads it again.
"""

from bisect import insort
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter

from sqlalchemy import Engine

from adastar_core.records import Attempt, Outcome
from adastar_core.selection import Judged
from adastar_core.store.iterations import find_iteration
from adastar_core.store.verdicts import JudgedAttempt, read_judged


class ResultsSoFar:
    """The results of one iteration of a run; ``verifier`` is the version that counts while it is open."""

    def __init__(self, engine: Engine, run_id: int, verifier: str) -> None:
        self._engine, self._run_id, self._verifier = engine, run_id, verifier
        self._known: tuple[int, dict[int, list[Judged]]] | None = None

    def of(self, iteration: int) -> dict[int, list[Judged]]:
        """Return the iteration's verdicts by position, each list in order of attempt."""
        if self._known is not None and self._known[0] == iteration:
            return self._known[1]
        with self._engine.connect() as connection:
            known = find_iteration(connection, self._run_id, iteration)
            # A closed iteration is replayed by the verdicts that closed it, whatever the verifier is today.
            closed_by = known.verifier if known and known.phase != "sampling" else None
            rows = read_judged(connection, self._run_id, iteration, closed_by or self._verifier)
        results: dict[int, list[Judged]] = {}
        for row in rows:
            judged = Judged(row.attempt, row.hinted, row.outcome is Outcome.RIGHT, row.rejected, row.tokens)
            results.setdefault(row.position, []).append(judged)
        self._known = (iteration, results)
        return results

    @contextmanager
    def extending(
        self, iteration: int, attempts: Sequence[Attempt], verdicts: Sequence[JudgedAttempt]
    ) -> Iterator[None]:
        """Add the verdicts on ``attempts`` once the block has stored them; if it fails, read all again."""
        results, self._known = self.of(iteration), None
        yield
        for attempt, row in zip(attempts, verdicts, strict=True):
            right = row.verdict.outcome is Outcome.RIGHT
            tokens = attempt.prompt_tokens + attempt.generated_tokens
            judged = Judged(attempt.attempt, attempt.hinted, right, row.rejection is not None, tokens)
            insort(results.setdefault(attempt.position, []), judged, key=attrgetter("attempt"))
        self._known = (iteration, results)
