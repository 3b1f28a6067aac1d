"""The one generator that a run keeps open."""

from collections.abc import Callable
from functools import cached_property

from adastar_core.errors import EngineError
from adastar_core.generators import Generator, LastingGenerator, Weights
from adastar_core.generators.catalogue import EngineChoice, Engines
from adastar_core.generators.halving import Halving
from adastar_core.models import checkpoints
from adastar_core.records import Incident


class KeptGenerator:
    """Opens an engine when it is first needed, and gives it one checkpoint after the other.

    ``record`` is called with the iteration of the checkpoint that generates, and what was recovered.
    """

    def __init__(self, engines: Engines, record: Callable[[int, Incident], None]) -> None:
        self._engines, self._record = engines, record
        self._engine: LastingGenerator | None = None
        self._given: Generator | None = None
        self._held: str | None = None
        self._iteration = 0

    @cached_property
    def choice(self) -> EngineChoice:
        return self._engines.choose()

    def holding(self, weights: Weights, iteration: int) -> Generator:
        """Return a generator that holds an iteration's weights, whose files are the recorded ones.

        Raises:
            CheckpointError: They are not.
            ModelError: They cannot be loaded.
            EngineError: The engine does not prove that it holds them.
        """
        if self._given is not None:
            return self._given
        if self._engine is None:
            self._engine = self._engines.open(self.choice.engine, self._report)
        if self._held != weights.sha256:
            checkpoints.verify(weights.model_dir, weights.sha256)
            # Reset first: after a failed hand-over the engine holds nothing that is known.
            self._held, self._iteration = None, iteration
            self._engine.hand_over(weights.model_dir, weights.sha256)
            self._held = weights.sha256
        return Halving(self._engine, self._report) if self._engines.halves else self._engine

    def holds(self, sha256: str) -> bool:
        """Return whether generating with these weights needs no hand-over."""
        return self._given is not None or self._held == sha256

    def proved_sha256(self, expected: str) -> str:
        """Return the digest of the weights that generated, as the engine has proved it.

        Raises:
            EngineError: It is not the expected one.
        """
        proved = expected if self._given or self._engine is None else self._engine.weights_sha256
        if proved != expected:
            raise EngineError(
                f"The engine generated with the weights {proved}, not with those of iteration {self._iteration} ({expected}). "
                "Nothing of it was stored; run the same command again."
            )
        return proved

    def use(self, generator: Generator) -> None:
        """Generate with ``generator`` whatever the checkpoint. It is never rested or closed."""
        self._given = generator

    def rest(self) -> None:
        """Free the memory that training needs. The next use verifies the checkpoint's files again."""
        if self._engine is not None:
            self._held = None
            self._engine.rest()

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()
        self._engine = self._held = None

    def _report(self, incident: Incident) -> None:
        self._record(self._iteration, incident)
