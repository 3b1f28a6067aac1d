"""The one generator that a run keeps open: what it holds, when it rests, and when it ends."""

from collections.abc import Callable
from pathlib import Path

from adastar_core.cluster.settings import ComputeSettings
from adastar_core.errors import EngineError
from adastar_core.generators import Generator, LastingGenerator
from adastar_core.generators.catalogue import Choice, choose_engine, open_generator, open_lasting
from adastar_core.generators.halving import Sparing
from adastar_core.generators.settings import GeneratorSettings
from adastar_core.models import checkpoints
from adastar_core.records import Incident
from adastar_core.store.checkpoints import CheckpointRow

Record = Callable[[int, Incident], None]
"""Writes down what went wrong and was mended, with the iteration of the checkpoint that generated."""


class Keeper:
    """Opens generators, and keeps at most one.

    Args:
        settings: How to generate.
        compute: Where.
        log: File for what an engine in a process of its own prints.
        threads: Threads of such an engine on a CPU; ``None`` leaves that to its libraries.
        parameters: P, all parameters of the model.
        record: Told of everything that went wrong and was mended.
    """

    def __init__(
        self,
        settings: GeneratorSettings,
        compute: ComputeSettings,
        log: Path,
        threads: int | None,
        parameters: int,
        record: Record,
    ) -> None:
        self._settings, self._compute, self._log = settings, compute, log
        self._threads, self._record = threads, record
        self._parameters = parameters
        self._choice: Choice | None = None
        self._lasting: LastingGenerator | None = None
        self._held: str | None = None
        self._generator: Generator | None = None
        self._given = False
        self._iteration = 0

    @property
    def choice(self) -> Choice:
        """Return the engine that generates, and why."""
        if self._choice is None:
            self._choice = self._choose()
        return self._choice

    @property
    def _on_cluster(self) -> bool:
        return self._compute.backend == "ray" and self._settings.type != "openai"

    def _choose(self) -> Choice:
        if not self._on_cluster:
            return choose_engine(self._settings, self._parameters)
        from adastar_core.cluster.generation import choose_on_cluster

        return choose_on_cluster(self._settings, self._compute, self._parameters)

    def holding(self, checkpoint: CheckpointRow) -> Generator:
        """Return a generator that holds ``checkpoint``, whose files are the recorded ones.

        Raises:
            CheckpointError: They are not.
            ModelError: They cannot be loaded.
            EngineError: The engine does not prove that it holds them.
        """
        if self._given or (self._generator is not None and self._held == checkpoint.sha256):
            assert self._generator is not None
            return self._generator
        if self._lasting is None:
            self.close()
        checkpoints.verify(Path(checkpoint.path), checkpoint.sha256)
        self._iteration = checkpoint.iteration
        opened = self._open(checkpoint)
        # Engines on a cluster are spared where they are, piece by piece.
        self._generator = opened if self._on_cluster else Sparing(opened, self._report)
        self._held = checkpoint.sha256
        return self._generator

    def proved_sha256(self, checkpoint: CheckpointRow) -> str:
        """Return the digest of the weights that generated, as the engine has proved it.

        An engine in this process has read the files that were found to be the recorded ones.

        Raises:
            EngineError: They are not those of ``checkpoint``.
        """
        proved = checkpoint.sha256 if self._given or self._lasting is None else self._lasting.weights_sha256
        if proved != checkpoint.sha256:
            raise EngineError(
                f"The engine generated with the weights {proved}, not with those of iteration {checkpoint.iteration} "
                f"({checkpoint.sha256}). Nothing of it was stored; run the same command again."
            )
        return proved

    def use(self, generator: Generator) -> None:
        """Generate with ``generator`` whatever the checkpoint."""
        self._generator, self._given = generator, True

    def rest(self) -> None:
        """Free the memory that training needs. A generator that was given to us stays."""
        if self._given:
            return
        if self._lasting is None:
            self.close()
        else:
            self._lasting.rest()

    def close(self) -> None:
        """End the generator. One that was given to us stays."""
        if self._given:
            return
        if self._generator is not None:
            self._generator.close()
        elif self._lasting is not None:
            self._lasting.close()
        self._generator = self._lasting = self._held = None

    def _open(self, checkpoint: CheckpointRow) -> Generator:
        path = Path(checkpoint.path)
        if self._lasting is None:
            self._lasting = self._open_lasting()
        if self._lasting is None:
            return open_generator(self._settings, path, self._report)
        self._held = None
        self._lasting.hand_over(path, checkpoint.sha256)
        return self._lasting

    def _open_lasting(self) -> LastingGenerator | None:
        engine = self.choice.engine
        if not self._on_cluster:
            return open_lasting(self._settings, engine, self._log, self._threads, self._report)
        from adastar_core.cluster.generation import RayGenerator

        logs = self._log.parent
        return RayGenerator(self._settings, self._compute, engine, self._parameters, logs, self._report)

    def _report(self, incident: Incident) -> None:
        self._record(self._iteration, incident)
