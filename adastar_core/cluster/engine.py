"""A generation engine on one of the cluster's nodes: what runs inside an actor."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adastar_core.errors import ModelError
from adastar_core.generators import Decoding, Weights
from adastar_core.generators.catalogue import EngineChoice, LocalEngines, choose_engine
from adastar_core.generators.kept import KeptGenerator
from adastar_core.generators.settings import GeneratorSettings
from adastar_core.machine.version import code_version
from adastar_core.records import Attempt, GenerationRequest, Incident


@dataclass(frozen=True, slots=True)
class Node:
    """Where an engine runs, and by which code of this project."""

    host: str
    version: str


@dataclass(frozen=True, slots=True)
class PieceResult:
    """What an engine generated for a piece, in order, and the digest of the weights that it holds, proved."""

    attempts: list[Attempt]
    sha256: str
    incidents: list[Incident]


class ClusterEngine:
    """An engine that gets the weights' place with every piece: a restarted one has no state to restore."""

    def __init__(self, settings: GeneratorSettings, parameters: int, logs: Path) -> None:
        self._incidents: list[Incident] = []
        engines = LocalEngines(settings, parameters, logs / f"engine-{socket.gethostname()}.log", None)
        self._kept = KeptGenerator(engines, lambda _, incident: self._incidents.append(incident))

    def node(self) -> Node:
        return Node(socket.gethostname(), code_version())

    def generate(
        self, weights: Weights, requests: Sequence[GenerationRequest], decoding: Decoding
    ) -> PieceResult:
        """Generate a piece, with those weights.

        Raises:
            ModelError: This node does not see the checkpoint's directory.
            AdaStarError: What a generator raises.
        """
        if not weights.model_dir.is_dir():
            raise ModelError(
                f"{weights.model_dir} does not exist on the node {socket.gethostname()}. Put models and the data directory "
                "(home) on a file system that every node of the cluster sees under the same path."
            )
        attempts = self._kept.holding(weights, iteration=0).generate(requests, decoding)
        incidents, self._incidents = self._incidents, []
        return PieceResult(attempts, self._kept.proved_sha256(weights.sha256), incidents)


def choose_here(settings: GeneratorSettings, parameters: int) -> EngineChoice:
    """Return the engine that ``auto`` means on the node that asks, and why; ``parameters`` are the model's."""
    choice = choose_engine(settings, parameters)
    return EngineChoice(choice.engine, f"{choice.why}, on the Ray cluster")
