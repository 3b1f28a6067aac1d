"""Actors that share pieces of work: a free actor takes the next piece, and a lost actor's piece is retried."""

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import ray
from ray import ObjectRef
from ray.actor import ActorHandle
from ray.exceptions import RayError, RayTaskError

from adastar_core.cluster.engine import Node
from adastar_core.errors import AdaStarError, EngineError
from adastar_core.machine.version import code_version

_POLL_SECONDS = 1.0
_PAUSE_SECONDS = 0.2
_MOST_LOSSES = 4
"""After so many lost actors the piece itself is at fault."""

Ask = Callable[[ActorHandle[Any], int], ObjectRef[Any]]


@dataclass(frozen=True, slots=True)
class Task:
    """A piece under way: its actor, its number, and when it started on the monotonic clock."""

    actor: ActorHandle[Any]
    place: int
    since: float


@dataclass(slots=True)
class Work:
    """The pieces of one batch, and when an actor was last heard of."""

    waiting: deque[int]
    answers: dict[int, Any] = field(default_factory=dict)
    losses: Counter[int] = field(default_factory=Counter)
    heard: float = field(default_factory=time.monotonic)


class ActorPool:
    """The actors, which have a method ``node``; Ray restarts lost ones wherever there is room.

    ``seconds`` is the longest wait for a piece, or for any actor at all. ``report`` is called with each loss.
    """

    def __init__(self, actors: list[ActorHandle[Any]], seconds: float, report: Callable[[str], None]) -> None:
        self.actors, self._seconds, self._report = actors, seconds, report
        self._free: list[ActorHandle[Any]] = []
        self._busy: dict[ObjectRef[Any], Task] = {}
        self._coming: dict[ObjectRef[Any], ActorHandle[Any]] = {}
        for actor in actors:
            self._await(actor)

    def do(self, pieces: int, ask: Ask) -> list[Any]:
        """Return the answers to pieces 0, 1, …, in order; ``ask`` gives an actor the piece of a number.

        Raises:
            EngineError: No actor answers in time, or several were lost over the same piece.
            AdaStarError: What an actor raised.
        """
        work = Work(deque(range(pieces)))
        try:
            while len(work.answers) < pieces:
                while self._free and work.waiting:
                    actor, place = self._free.pop(0), work.waiting.popleft()
                    self._busy[ask(actor, place)] = Task(actor, place, time.monotonic())
                refs = [*self._busy, *self._coming]
                for ref in ray.wait(refs, num_returns=1, timeout=_POLL_SECONDS)[0]:
                    self._take(ref, work)
                self._watch(work)
        finally:
            for task in self._busy.values():  # after an error; they are free once they answer again
                self._await(task.actor)
            self._busy.clear()
        return [work.answers[place] for place in range(pieces)]

    def _take(self, ref: ObjectRef[Any], work: Work) -> None:
        if ref in self._coming:
            self._welcome(ref, work)
            return
        task = self._busy.pop(ref)
        try:
            work.answers[task.place] = ray.get(ref)
        except RayTaskError as error:
            self._free.append(task.actor)
            raise _cause(error) from error
        except RayError as error:  # the actor was lost, or its answer together with a node
            self._lose(task, work, error)
        else:
            work.heard = time.monotonic()
            self._free.append(task.actor)

    def _welcome(self, ref: ObjectRef[Any], work: Work) -> None:
        """Add an actor that has started; one that was lost before that is awaited again."""
        actor = self._coming.pop(ref)
        try:
            node: Node = ray.get(ref)
        except RayTaskError as error:
            raise _cause(error) from error
        except RayError:
            time.sleep(_PAUSE_SECONDS)
            self._await(actor)
            return
        if node.version != code_version():
            raise EngineError(
                f"the node {node.host} of the cluster has adastar {node.version}, but the flow has {code_version()}; install the same "
                "version on both"
            )
        work.heard = time.monotonic()
        self._free.append(actor)

    def _lose(self, task: Task, work: Work, error: RayError) -> None:
        work.losses[task.place] += 1
        reason = str(error).strip().splitlines()[0]
        if work.losses[task.place] >= _MOST_LOSSES:
            raise EngineError(
                f"The cluster lost {_MOST_LOSSES} actors on the same attempts, the last one with: {reason}. Check Ray's logs; if memory "
                "ran out, lower compute.piece or generator.max_new_tokens."
            ) from error
        self._report(f"its piece is retried by another actor: {reason}")
        work.waiting.appendleft(task.place)
        self._await(task.actor)

    def _await(self, actor: ActorHandle[Any]) -> None:
        self._coming[actor.node.remote()] = actor

    def _watch(self, work: Work) -> None:
        """End actors that take too long; give up when none was there for longer than the timeout."""
        now = time.monotonic()
        for ref, task in self._busy.items():
            if now - task.since > self._seconds:
                ray.kill(task.actor, no_restart=False)  # its piece then fails, as after any loss
                self._busy[ref] = replace(task, since=now)
        if not self._busy and not self._free and now - work.heard > self._seconds:
            raise EngineError(
                f"No actor of the Ray cluster was there for {self._seconds:g} seconds. Check `ray status`, then lower compute.cpus or "
                "compute.gpus, or raise compute.timeout_seconds; what was stored is kept."
            )


def _cause(error: RayTaskError) -> AdaStarError:
    """Return what an actor raised, without Ray's wrapping."""
    if isinstance(error.cause, AdaStarError):
        return error.cause
    return EngineError(f"An actor of the Ray cluster failed: {str(error).strip().splitlines()[-1]}")
