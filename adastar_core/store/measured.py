"""What a run's checkpoints answered to the items of a split, beside the references: what an accuracy is compared with."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from adastar_core.records import Choice, Outcome, Split


@dataclass(frozen=True, slots=True)
class Answered:
    """One measured item: its reference and options, the answer that was read (``None``: none), and the verdict on it."""

    reference: str
    choices: tuple[Choice, ...]
    extracted: str | None
    outcome: Outcome


def read_answered(connection: Connection, run_id: int) -> dict[tuple[int, Split], list[Answered]]:
    """Return the items of every complete evaluation by iteration and split; 0 is the base model.

    Evaluations made before items were pinned have none.
    """
    found: dict[tuple[int, Split], list[Answered]] = {}
    for iteration, split, reference, choices, extracted, outcome in connection.execute(
        _ANSWERED, {"run_id": run_id}
    ):
        options = tuple(Choice(label, option) for label, option in choices)
        answered = Answered(reference, options, extracted, Outcome(outcome))
        found.setdefault((iteration, Split(split)), []).append(answered)
    return found


_ANSWERED = text(
    "SELECT a.iteration, a.split, i.answer, i.choices, a.extracted, a.outcome FROM evaluations e "
    "JOIN evaluation_answers a USING (run_id, iteration, split) JOIN evaluation_items i USING (run_id, split, position) "
    "WHERE run_id = :run_id ORDER BY a.iteration, a.split, a.position"
)
