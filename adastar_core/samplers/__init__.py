"""Samplers: the order in which an iteration visits observations."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from adastar_core.records import Observation
from adastar_core.selection import Budget, Judged, Visit
from adastar_core.settings import Settings

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stamps:
    """What one iteration stamped: positions, correct attempts, attempts and their tokens, each of shape (u,)."""

    iteration: int
    positions: npt.NDArray[np.int32]
    correct: npt.NDArray[np.int32]
    attempts: npt.NDArray[np.int32]
    tokens: npt.NDArray[np.int32]

    @classmethod
    def of(cls, iteration: int, visits: Sequence[Visit]) -> "Stamps":
        columns = (
            (visit.position for visit in visits),
            (visit.correct for visit in visits),
            (visit.attempts for visit in visits),
            (visit.tokens for visit in visits),
        )
        return cls(iteration, *(np.fromiter(column, np.int32, len(visits)) for column in columns))


@dataclass(frozen=True, slots=True)
class Statistics:
    """The sampler's state: what is known of every observation, indexed by position, each of shape (N,).

    ``last_iteration`` is that of the last stamp (t~_i of the paper), 0 for never; the rest are its attempts.
    """

    last_iteration: npt.NDArray[np.int32]
    correct: npt.NDArray[np.int32]
    attempts: npt.NDArray[np.int32]

    @classmethod
    def empty(cls, count: int) -> "Statistics":
        return cls(*(np.zeros(count, dtype=np.int32) for _ in range(3)))

    def copy(self) -> "Statistics":
        """Return statistics that share no memory with these."""
        return Statistics(self.last_iteration.copy(), self.correct.copy(), self.attempts.copy())

    def win_rate(self) -> npt.NDArray[np.float64]:
        """Return w_i; 0 if never stamped. Equal fractions give equal numbers: division rounds correctly."""
        return self.correct / np.maximum(self.attempts, 1)

    def stamp(self, iteration: int, visits: Sequence[Visit]) -> None:
        stamps = Stamps.of(iteration, visits)
        self.last_iteration[stamps.positions] = iteration
        self.correct[stamps.positions] = stamps.correct
        self.attempts[stamps.positions] = stamps.attempts


@runtime_checkable
class Ordering(Protocol):
    """All that a sampler of your own must have; every visit is stamped unless it is a whole :class:`Sampler`."""

    def order(self, iteration: int) -> Iterator[int]:
        """Yield the position of every observation once, first to visit first; the same whenever it is asked for."""


@runtime_checkable
class Sampler(Ordering, Protocol):
    """Decides the order of visits. ``order``, then ``observe`` once the iteration is trained."""

    def observe(self, iteration: int, visits: Sequence[Visit], alpha: Fraction | float) -> int:
        """Take in a trained iteration, later than all before; return u: the first u visits were stamped.

        ``visits`` are in the order of visit; ``alpha`` is the model's strength in [0, 1].
        """


@runtime_checkable
class Allocating(Protocol):
    """A sampler that also decides how many attempts each observation gets."""

    def budget(self, position: int, judged: Sequence[Judged]) -> Budget:
        """Return an observation's budget, given its own attempts so far and nothing else of the iteration."""


@runtime_checkable
class Remembering(Protocol):
    """A sampler whose order follows from every stamp of a run, not from each observation's last one alone."""

    def recall(self, stamps: Stamps) -> None:
        """Take in what an iteration stamped. A rebuilt sampler is given every iteration, oldest first."""


@runtime_checkable
class Revising(Protocol):
    """A sampler that learns within an iteration: after 128 visits, 256, 512 and so on it orders the rest anew."""

    def revised(self, iteration: int, visits: Sequence[Visit]) -> Iterator[int]:
        """Yield every position that the iteration has not visited yet once, given its visits so far.

        The same whenever it is asked for, and nothing is learned for good: ``observe`` tells what was stamped.
        """


@runtime_checkable
class Predicting(Protocol):
    """A sampler that predicts how often the model is right, from every stamp that it recalls; the report says how well."""

    def recall(self, stamps: Stamps) -> None:
        """As :meth:`Remembering.recall`."""

    def predict(self) -> Floats:
        """Return the chance that a first attempt at each observation is right, by position, as known from the stamps so far."""


@runtime_checkable
class Reading(Protocol):
    """A sampler whose order follows from the questions, too."""

    def read(self, questions: Sequence[str]) -> None:
        """Take in the questions by position, with what else prompts show of them; once, before anything else."""


class BaseSamplerSettings(Settings):
    """Names a sampler and opens it; to add one, write its module and list its settings in the catalogue."""

    @property
    def predicts(self) -> bool:
        """Whether its sampler is :class:`Predicting`."""
        return False

    @property
    def begins_at_random(self) -> bool:
        """Whether its first iteration visits observations in random order, so that they are a fair sample of the pool."""
        return True

    @property
    def most_attempts(self) -> int | None:
        """The most attempts that it allots to one observation; ``None`` if the run's own settings decide."""
        return None

    def check(self, seed: int, pool: Sequence[Observation]) -> None:
        """Refuse a sampler that cannot order these observations, before a run begins; the package's own all can."""

    def open(self, statistics: Statistics, seed: int, observation_ids: Sequence[str]) -> Sampler:
        """Return the sampler; ``observation_ids`` are by position."""
        raise NotImplementedError

    def open_for(self, statistics: Statistics, seed: int, pool: Sequence[Observation]) -> Sampler:
        """Return the sampler of these observations, which has read them if it reads questions."""
        sampler = self.open(statistics, seed, [observation.observation_id for observation in pool])
        if isinstance(sampler, Reading):
            shown = ((one.question, *(text for _, text in one.context)) for one in pool)
            sampler.read([" ".join(texts) for texts in shown])
        return sampler
