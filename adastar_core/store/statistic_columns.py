"""What is kept of every observation: the columns of ``observation_statistics``, each defined once.

Table, updates, rebuilding, verification, ``adastar observations`` and the schema's page follow from :data:`STATISTICS`. To
add a statistic, add it here and write its migration; one that the sampler reads is a field of its ``Statistics`` too.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Statistic:
    """A number kept of every observation, 0 before its first visit.

    ``after_visit`` is SQL of its value after a visit ``visit``, ``s`` being the row before; ``from_events`` is SQL
    of the same over all events ``e`` of an observation. ``e.newest`` marks the newest stamped one.
    """

    name: str
    comment: str
    after_visit: str
    from_events: str


def _of_last_stamp(name: str, comment: str, visit: str, event: str) -> Statistic:
    """Return a statistic that only a stamp changes."""
    after_visit = f"CASE WHEN visit.stamped THEN {visit} ELSE s.{name} END"
    return Statistic(name, comment, after_visit, f"max({event}) FILTER (WHERE e.newest)")


STATE = (
    _of_last_stamp("last_iteration", "Iteration of its last stamp; 0 = never", ":iteration", "e.iteration"),
    _of_last_stamp(
        "correct",
        "Correct attempts at that stamp; the win rate is correct / attempts",
        "visit.correct",
        "e.correct",
    ),
    _of_last_stamp("attempts", "Attempts at that stamp", "visit.attempts", "e.attempts"),
)
"""What the sampler starts from, in the order of its ``Statistics``."""

TOTALS = (
    Statistic("times_visited", "Iterations that visited it", "s.times_visited + 1", "count(e.iteration)"),
    Statistic(
        "times_stamped",
        "Iterations that stamped it",
        "s.times_stamped + CAST(visit.stamped AS int)",
        "count(e.iteration) FILTER (WHERE e.stamped)",
    ),
    Statistic(
        "times_trained",
        "Rationales of it that were trained on, over all iterations",
        "s.times_trained + visit.accepted",
        "sum(e.accepted)",
    ),
)
"""Sums over all visits. ``adastar observations`` shows each, under its name without ``times_``."""

STATISTICS = STATE + TOTALS
NAMES = tuple(statistic.name for statistic in STATISTICS)
