"""The generator on a Ray cluster: an engine in each actor, which all take pieces of the same batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.actor import ActorHandle
from ray.exceptions import GetTimeoutError

from adastar_core.cluster.connection import actors_wanted, connect, gpus_of_an_actor
from adastar_core.cluster.engine import Answer, ClusterEngine, choose_here
from adastar_core.cluster.pool import ActorPool
from adastar_core.cluster.settings import ComputeSettings
from adastar_core.errors import EngineError
from adastar_core.generators import Decoding, OnIncident, Weights
from adastar_core.generators.catalogue import EngineChoice
from adastar_core.generators.settings import EngineName, GeneratorSettings
from adastar_core.records import Attempt, GenerationRequest, Incident


def choose_on_cluster(settings: GeneratorSettings, compute: ComputeSettings, parameters: int) -> EngineChoice:
    """Return the engine that suits the cluster's nodes, as one of them finds.

    Raises:
        ConfigError: There is no cluster.
        EngineError: No node has room in time.
    """
    connect(compute)
    found = (
        ray.remote(choose_here)
        .options(**_room(settings, compute), max_retries=3)
        .remote(settings, parameters)
    )
    try:
        choice: EngineChoice = ray.get(found, timeout=compute.timeout_seconds)
    except GetTimeoutError as error:
        raise EngineError(
            f"No node of the Ray cluster had {_words(_room(settings, compute))} free for {compute.timeout_seconds:g} seconds; see "
            "with `ray status` what it has, and set compute.cpus or compute.gpus lower."
        ) from error
    return choice


@dataclass(frozen=True, slots=True)
class ClusterEngines:
    """Engines in the actors of a cluster, see :class:`RayGenerator` for the fields."""

    settings: GeneratorSettings
    compute: ComputeSettings
    parameters: int
    logs: Path
    halves: bool = False

    def choose(self) -> EngineChoice:
        return choose_on_cluster(self.settings, self.compute, self.parameters)

    def open(self, engine: EngineName, report: OnIncident) -> "RayGenerator":
        return RayGenerator(self.settings, self.compute, engine, self.parameters, self.logs, report)


class RayGenerator:
    """Samples attempts on a cluster: a :class:`~adastar_core.generators.LastingGenerator`.

    A batch is cut into pieces of ``compute.piece`` attempts, whatever the number of actors, so that rounding does not depend
    on who generated. Weights go to an actor with its first piece for them.

    Args:
        settings: How to generate.
        compute: How the cluster is used.
        engine: What :func:`choose_on_cluster` chose.
        parameters: P, all parameters of the model.
        logs: Folder for what engines print, on a file system that all nodes see.
        report: Told of everything that went wrong and was mended.
    """

    def __init__(
        self,
        settings: GeneratorSettings,
        compute: ComputeSettings,
        engine: EngineName,
        parameters: int,
        logs: Path,
        report: OnIncident,
    ) -> None:
        self._settings = settings.model_copy(update={"type": engine})
        self._compute, self._parameters, self._logs, self._report = compute, parameters, logs, report
        self._pool: ActorPool | None = None
        self._wanted: Weights | None = None
        self._proved: str | None = None

    @property
    def weights_sha256(self) -> str | None:
        """Return the digest of the weights that generated the last batch, as every actor has proved."""
        return self._proved

    def hand_over(self, model_dir: Path, sha256: str) -> None:
        """Generate from this checkpoint from now on; actors take and prove it with their next piece."""
        self._wanted, self._proved = Weights(model_dir.absolute(), sha256), None

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Attempt]:
        """Return one attempt per request, in order.

        Raises:
            EngineError: No actor answers, or one generated with other weights.
            AdaStarError: What the actors' generators raise.
        """
        if not requests:
            return []
        if self._wanted is None:
            raise ValueError("the generator holds no checkpoint; hand one over first")
        weights, size = self._wanted, self._compute.piece
        pieces = [list(requests[start : start + size]) for start in range(0, len(requests), size)]
        answers: list[Answer] = self._actors().do(
            len(pieces), lambda actor, place: actor.generate.remote(weights, pieces[place], decoding)
        )
        for incident in (one for answer in answers for one in answer.incidents):
            self._report(incident)
        self._proved = self._proof(answers, weights)
        return [attempt for answer in answers for attempt in answer.attempts]

    def rest(self) -> None:
        """End the actors, whose cores and GPUs Ray gives to nobody else before that; ``while_training: keep`` leaves them."""
        if self._settings.vllm.while_training != "keep":
            self._end()

    def close(self) -> None:
        """End the actors."""
        self._wanted = self._proved = None
        self._end()

    def _actors(self) -> ActorPool:
        """Return the actors, started if need be, each with its engine on a node of its own as far as possible."""
        if self._pool is None:
            connect(self._compute)
            self._logs.mkdir(parents=True, exist_ok=True)
            room = _room(self._settings, self._compute)
            start: Any = ray.remote(ClusterEngine).options(
                **room, max_restarts=-1, scheduling_strategy="SPREAD"
            )
            count = actors_wanted(self._compute, room["num_gpus"])
            actors: list[ActorHandle[Any]] = [
                start.remote(self._settings, self._parameters, self._logs) for _ in range(count)
            ]
            self._pool = ActorPool(actors, self._compute.timeout_seconds, self._report_loss)
        return self._pool

    def _report_loss(self, detail: str) -> None:
        self._report(Incident("actor lost", detail))

    def _proof(self, answers: Sequence[Answer], weights: Weights) -> str:
        others = {answer.sha256 for answer in answers} - {weights.sha256}
        if others:
            raise EngineError(
                f"An actor of the Ray cluster generated with the weights {others.pop()}, not with {weights.sha256}. Nothing of it "
                "was stored; run the same command again."
            )
        return weights.sha256

    def _end(self) -> None:
        if self._pool is not None:
            for actor in self._pool.actors:
                ray.kill(actor)
        self._pool = None


def _room(settings: GeneratorSettings, compute: ComputeSettings) -> dict[str, Any]:
    return {"num_cpus": compute.cpus, "num_gpus": gpus_of_an_actor(compute, settings)}


def _words(room: dict[str, Any]) -> str:
    return f"{room['num_cpus']:g} cores" + (f" and {room['num_gpus']} GPUs" if room["num_gpus"] else "")
