"""A stage's progress in words: the same on a terminal, in a log and in an artifact."""

from adastar_core.machine import units
from adastar_core.progress.records import Counts, Stage, Standing


def stage_text(standing: Standing, now: float) -> str:
    """Return one line: ``t=2 sample: 640 of 1,408 accepted, 1,536 attempts, …; about 8 s left in t=2``."""
    said = ", ".join((headline(standing), *details(standing)))
    left = left_text(standing, now)
    return f"{standing.stage.title}: {said}" + (f"; {left}" if left else "")


def headline(standing: Standing) -> str:
    """Return how near the stage's goal is: ``640 of 1,408 accepted``."""
    stage, done = standing.stage, standing.counts.done
    # Attempts beyond the last visit are surplus: what they bring is not trained on.
    return (
        f"{min(done, stage.goal):,} of {stage.goal:,} {stage.unit}"
        if stage.goal
        else f"{done:,} {stage.unit}"
    )


def details(standing: Standing) -> list[str]:
    """Return what else was counted and measured: attempts, acceptance, loss and learning rate, and speeds."""
    counts = standing.counts
    found = _attempts(standing.stage, counts) if counts.planned or counts.attempts else []
    if counts.loss is not None:
        found.append(f"loss {counts.loss:.3f}")
    if counts.learning_rate is not None:
        found.append(f"learning rate {counts.learning_rate:.2g}")
    return found + _speeds(standing)


def _attempts(stage: Stage, counts: Counts) -> list[str]:
    planned = f" of {counts.planned:,} planned" if counts.planned > counts.attempts else ""
    found = [f"{counts.attempts:,}{planned} attempts"]
    if counts.judged:
        share = units.percent(counts.accepted / counts.judged)
        found.append(
            f"{share} accepted" if stage.unit == "accepted" else f"{counts.accepted:,} ({share}) accepted"
        )
    return found


def _speeds(standing: Standing) -> list[str]:
    seconds = standing.at - standing.entered
    done, tokens = (
        getattr(standing.counts, name) - getattr(standing.since, name) for name in ("done", "tokens")
    )
    if seconds <= 0:
        return []
    found = [] if standing.counts.attempts or done <= 0 else [speed(done / seconds, standing.stage.unit)]
    return [*found, speed(tokens / seconds, "tokens")] if tokens else found


def speed(rate: float, unit: str) -> str:
    """Return ``12.3 steps/s``, ``1,234 tokens/s``, or ``4.2 s per step`` where a second is not enough for one."""
    if rate < 1:
        return f"{1 / rate:,.1f} s per {unit.removesuffix('s')}"
    return f"{rate:,.0f} {unit}/s" if rate >= 100 else f"{rate:,.1f} {unit}/s"


def left_text(standing: Standing, now: float) -> str:
    """Return how long the iteration and the run still take, at the time ``now``; nothing where nothing tells."""
    left, waited = standing.left, now - standing.at
    iteration = None if left.iteration == left.run else left.iteration
    said = [
        _part("", iteration, waited, f"left in t={standing.stage.iteration}"),
        _part("at most " if left.at_most else "", left.run, waited, "left in the run"),
    ]
    if left.iteration is None and left.run is None:
        said = [_part("", left.stage, waited, "left in this stage")]
    return f"about {', '.join(filter(None, said))}" if any(said) else ""


def _part(limit: str, seconds: float | None, waited: float, of: str) -> str:
    """Return a time that is left, after waiting for so long; nothing once it is over, or where it is not known."""
    if seconds is None or round(seconds - waited) <= 0:
        return ""
    return f"{limit}{units.about(seconds - waited)} {of}"
