"""The generator on a Ray cluster: an engine in each actor; all take pieces of the same batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import GetTimeoutError

from adastar_core.cluster.connection import actors_wanted, connect, gpus_of_an_actor
from adastar_core.cluster.engine import ClusterEngine, PieceResult, choose_here
from adastar_core.cluster.pool import ActorPool
from adastar_core.cluster.settings import ComputeSettings
from adastar_core.errors import EngineError
from adastar_core.generators import Decoding, OnIncident, Weights
from adastar_core.generators.catalogue import EngineChoice
from adastar_core.generators.settings import EngineName, GeneratorSettings
from adastar_core.records import Attempt, GenerationRequest, Incident


def choose_on_cluster(settings: GeneratorSettings, compute: ComputeSettings, parameters: int) -> EngineChoice:
    """Return the engine that suits the cluster's nodes, chosen on one of them.

    Raises:
        ConfigError: There is no cluster.
        EngineError: No node has room in time.
    """
    connect(compute)
    room = _room(settings, compute)
    found = ray.remote(choose_here).options(**room, max_retries=3).remote(settings, parameters)
    try:
        choice: EngineChoice = ray.get(found, timeout=compute.timeout_seconds)
    except GetTimeoutError as error:
        words = f"{room['num_cpus']:g} cores" + (f" and {room['num_gpus']} GPUs" if room["num_gpus"] else "")
        raise EngineError(
            f"No node of the Ray cluster had {words} free within {compute.timeout_seconds:g} seconds. Check `ray status`, and "
            "lower compute.cpus or compute.gpus."
        ) from error
    return choice


@dataclass(frozen=True, slots=True)
class ClusterEngines:
    """Engines in the actors of a cluster; see :class:`RayGenerator` for the fields."""

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

    A batch is cut into pieces of ``compute.piece`` attempts, whatever the number of actors, so that rounding
    does not depend on their number. An actor loads weights with its first piece for them. ``parameters`` is
    P; ``logs`` is a folder on a file system that all nodes see.
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
        """The digest of the weights that generated the last batch, proved by every actor."""
        return self._proved

    def hand_over(self, model_dir: Path, sha256: str) -> None:
        """Generate from this checkpoint from now on; actors load and prove it with their next piece."""
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
            raise ValueError("the generator has no checkpoint; load one first")
        weights, size = self._wanted, self._compute.piece
        pieces = [list(requests[start : start + size]) for start in range(0, len(requests), size)]
        answers: list[PieceResult] = self._actors().do(
            len(pieces), lambda actor, place: actor.generate.remote(weights, pieces[place], decoding)
        )
        for answer in answers:
            for incident in answer.incidents:
                self._report(incident)
            if answer.sha256 != weights.sha256:
                raise EngineError(
                    f"An actor of the Ray cluster generated with the weights {answer.sha256}, not with {weights.sha256}. Nothing of "
                    "the batch was stored; run the same command again."
                )
        self._proved = weights.sha256
        return [attempt for answer in answers for attempt in answer.attempts]

    def rest(self) -> None:
        """End the actors unless ``while_training`` is ``keep``: Ray reserves their cores and GPUs as long as they live."""
        if self._settings.vllm.while_training != "keep":
            self._end()

    def close(self) -> None:
        self._wanted = self._proved = None
        self._end()

    def _actors(self) -> ActorPool:
        """Return the actors, each with its engine; started if needed, spread over the nodes."""
        if self._pool is None:
            connect(self._compute)
            self._logs.mkdir(parents=True, exist_ok=True)
            room = _room(self._settings, self._compute)
            room |= {"max_restarts": -1, "scheduling_strategy": "SPREAD"}
            start: Any = ray.remote(ClusterEngine).options(**room)
            count = actors_wanted(self._compute, room["num_gpus"])
            actors = [start.remote(self._settings, self._parameters, self._logs) for _ in range(count)]
            self._pool = ActorPool(
                actors,
                self._compute.timeout_seconds,
                lambda detail: self._report(Incident("actor lost", detail)),
            )
        return self._pool

    def _end(self) -> None:
        if self._pool is not None:
            for actor in self._pool.actors:
                ray.kill(actor)
        self._pool = None


def _room(settings: GeneratorSettings, compute: ComputeSettings) -> dict[str, Any]:
    return {"num_cpus": compute.cpus, "num_gpus": gpus_of_an_actor(compute, settings)}
