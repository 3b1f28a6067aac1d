"""How long a run still takes, from the speed of its own stages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from adastar_core.progress.records import Counts, Left, Stage


@dataclass(frozen=True, slots=True)
class Pace:
    """The speed of a finished stage: seconds per unit, and the units that it had.

    ``short`` means that it ended before its goal, because the pool was exhausted. Whatever the next one wants, it goes
    through the same pool, and takes about as long.
    """

    seconds: float
    units: int
    short: bool = False

    def of(self, stage: Stage, done: float = 0) -> float:
        """Return the seconds that a stage of the same kind takes beyond what is done; without a goal it takes as long."""
        units = min(stage.goal or self.units, self.units) if self.short else stage.goal or self.units
        return self.seconds * max(units - done, 0)


Paces = Mapping[str, Pace]
"""The newest pace of each kind of stage."""


def likely_done(stage: Stage, counts: Counts, gain: float | None) -> float:
    """Return the units that are done if the attempts without a verdict are judged as the others were.

    ``gain`` is what an attempt brought in an earlier stage of this kind.
    """
    each = counts.done / counts.judged if counts.judged else gain or stage.gain or 0.0
    likely = counts.done + (counts.attempts - counts.judged) * each
    return min(likely, stage.goal) if stage.goal else likely


def pace_of(stage: Stage, since: float, done: float, seconds: float, earlier: Pace | None) -> Pace | None:
    """Return the pace of a stage that took so many seconds from ``since`` units to ``done`` units.

    The less of its goal it has done itself, the more an earlier stage's pace counts.
    """
    goal, worked = stage.goal or (earlier.units if earlier else 0), done - since
    if not goal or (worked <= 0 and earlier is None):
        return None
    share = min(worked / goal, 1.0) if earlier else 1.0
    own = seconds / worked if worked > 0 else 0.0
    seconds = share * own + (1 - share) * (earlier.seconds if earlier else 0.0)
    return replace(earlier, seconds=seconds) if earlier and earlier.short else Pace(seconds, goal)


def left_of(
    stage: Stage, done: float, iteration: Sequence[Stage], rest: Sequence[Stage] | None, paces: Paces
) -> Left:
    """Return what is left of a stage that has ``done`` units, and of the stages that follow it.

    ``iteration`` are those of the same iteration, ``rest`` those after it; ``None`` if the run's end is not known.
    """
    pace = paces.get(stage.kind)
    own = None if pace is None else pace.of(stage, done)
    here = _total(own, iteration, paces)
    run = None if rest is None else _total(here, rest, paces)
    return Left(own, here if stage.in_an_iteration else None, run)


def _total(first: float | None, stages: Sequence[Stage], paces: Paces) -> float | None:
    if first is None or any(stage.kind not in paces for stage in stages):
        return None
    return first + sum(paces[stage.kind].of(stage) for stage in stages)
