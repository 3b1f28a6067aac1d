"""Progress of a run: its stages tell a :class:`Progress` what they have done, and a display shows where the run stands."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from adastar_core.progress.display import Display, Silent
from adastar_core.progress.pace import Pace, left_of, likely_done, pace_of
from adastar_core.progress.records import Counts, Stage, Standing

__all__ = ["Counts", "Display", "Itinerary", "Pace", "Progress", "Silent", "Stage", "Standing"]

_ENOUGH = 0.1
"""The share of a goal that a stage must have done itself before its speed replaces an earlier one's."""


class Itinerary(Protocol):
    """The stages that a run goes through."""

    may_end_sooner: bool
    """Whether the run may end before its last iteration."""

    def after(self, stage: Stage) -> tuple[Sequence[Stage], Sequence[Stage] | None]:
        """Return the stages that follow in the same iteration, and all others; ``None`` if the end is not known."""

    def place_of(self, stage: Stage) -> tuple[int, int]:
        """Return how many of the run's stages come before this one, and how many it has in all."""


class Progress:
    """Follows a run through its stages: what is counted, how fast, and what that says of the rest.

    Args:
        display: Shows it.
        itinerary: What the run goes through.
        paces: Of stages that earlier processes finished.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        display: Display,
        itinerary: Itinerary,
        paces: Mapping[str, Pace],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.display = display
        self._itinerary, self._paces, self._clock = itinerary, dict(paces), clock
        self._gains: dict[str, float] = {}
        self._now: Standing | None = None
        self._after: tuple[Sequence[Stage], Sequence[Stage] | None] = ((), None)

    def is_in(self, stage: Stage) -> bool:
        """Return whether this stage was entered last."""
        last = self._now
        return last is not None and (last.stage.iteration, last.stage.name) == (stage.iteration, stage.name)

    def line(self, text: str) -> None:
        """Show one line of text."""
        self.display.line(text)

    def enter(self, stage: Stage, reached: Counts = Counts()) -> None:  # noqa: B008 (frozen)
        """Begin a stage where it stands, or go on with it.

        What ``reached`` has beyond the last count is not this process's work: no speed is derived from it.
        """
        now, last = self._clock(), self._now
        if last is None or not self.is_in(stage):
            if last is not None:
                self._finish(last, now)
            self._after = self._itinerary.after(stage)
            self._show(stage, reached, reached, entered=now, share=0.0)
            return
        counts, since = last.counts, last.since
        counts = replace(reached, tokens=counts.tokens, loss=counts.loss, learning_rate=counts.learning_rate)
        found = replace(
            since,
            done=since.done + counts.done - last.counts.done,
            attempts=since.attempts + counts.attempts - last.counts.attempts,
            judged=since.judged + counts.judged - last.counts.judged,
        )
        self._show(stage, found, counts, entered=last.entered, share=last.share)

    def add(
        self,
        done: int = 0,
        *,
        attempts: int = 0,
        judged: int = 0,
        accepted: int = 0,
        tokens: int = 0,
        loss: float | None = None,
        learning_rate: float | None = None,
    ) -> None:
        """Count more of what the stage does; nothing where no stage was entered."""
        if (last := self._now) is None:
            return
        counts = Counts(
            last.counts.done + done,
            last.counts.attempts + attempts,
            last.counts.planned,
            last.counts.judged + judged,
            last.counts.accepted + accepted,
            last.counts.tokens + tokens,
            last.counts.loss if loss is None else loss,
            last.counts.learning_rate if learning_rate is None else learning_rate,
        )
        self._show(last.stage, last.since, counts, entered=last.entered, share=last.share)

    def _show(self, stage: Stage, since: Counts, counts: Counts, *, entered: float, share: float) -> None:
        now, gain = self._clock(), self._gains.get(stage.kind)
        done, before = likely_done(stage, counts, gain), likely_done(stage, since, gain)
        share = max(share, done / stage.goal if stage.goal else 0.0)
        pace = pace_of(stage, before, done, now - entered, self._paces.get(stage.kind))
        paces = {**self._paces, stage.kind: pace} if pace else self._paces
        left = left_of(stage, done, *self._after, paces)
        place, stages = self._itinerary.place_of(stage)
        left = replace(left, at_most=self._itinerary.may_end_sooner)
        self._now = Standing(stage, since, counts, entered, now, left, share, (place + share) / stages)
        self.display.show(self._now)

    def _finish(self, last: Standing, now: float) -> None:
        """Keep the speed of the stage that has ended, for those of its kind that follow."""
        stage, counts = last.stage, last.counts
        done, before = (min(count, stage.goal or count) for count in (counts.done, last.since.done))
        worked = done - before
        if worked > 0 and (worked >= _ENOUGH * done or stage.kind not in self._paces):
            self._paces[stage.kind] = Pace((now - last.entered) / worked, done, short=done < stage.goal)
        if counts.judged:
            self._gains[stage.kind] = counts.done / counts.judged
