"""Monitors: they follow a run and show it elsewhere. None can stop the run or change its result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Ending = Literal["finished", "failed", "killed"]
Row = Mapping[str, str]

ITERATIONS = "iteration"
"""The axis of what is known once per iteration; 0 is the base model."""
STEPS = "train/step"
"""The axis of training steps, counted from 1 over the whole run."""


class Monitor(Protocol):
    """What a service does. A monitor of the user's own has any of these methods, and those of `docs/extending.md`."""

    def log(self, axis: str, step: int, numbers: Mapping[str, float]) -> None:
        """Keep numbers by name at a step of an axis. A resumed run may repeat steps, with the same numbers."""

    def table(self, name: str, step: int, rows: Sequence[Row]) -> None:
        """Keep the rows of a table, which have the same columns, at an iteration."""

    def file(self, path: Path) -> None:
        """Keep a copy of a file."""

    def close(self, ending: Ending) -> None:
        """Write what is not written yet."""


@dataclass(frozen=True, slots=True)
class About:
    """The run that a service follows.

    Attributes:
        uid: Names the run wherever its name is not unique; a resumed run has the same.
        folder: The service's own directory, inside the run's: where it stores what no server takes.
        project: The service's name for what groups runs.
        config: What decides the run, with dotted keys.
    """

    run: str
    uid: str
    folder: str
    project: str
    config: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Point:
    """Numbers at a step of an axis, and the wall clock's seconds at which they were known."""

    axis: str
    step: int
    numbers: Mapping[str, float]
    at: float
