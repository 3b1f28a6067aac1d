"""A run that is open in this process: its store, its data, its model, and the right to write."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from adastar_core.config import RunConfig
from adastar_core.generators import Decoding, Generator, Weights
from adastar_core.generators.catalogue import Engines, LocalEngines, is_elsewhere
from adastar_core.generators.kept import KeptGenerator
from adastar_core.generators.reference import ReferenceGenerator
from adastar_core.machine.numerics import Numerics
from adastar_core.machine.threads import threads_for
from adastar_core.models.checkpoints import open_checkpoint
from adastar_core.models.source import model_shape
from adastar_core.monitors.following import Monitors
from adastar_core.problems import Problem
from adastar_core.progress import Display, Progress
from adastar_core.records import Incident, Observation, Split
from adastar_core.runs.answers import answer_kind
from adastar_core.runs.guessing import options_of
from adastar_core.runs.itinerary import RunItinerary, stored_paces
from adastar_core.runs.judging import Judge
from adastar_core.runs.lengths import Room, training_limit
from adastar_core.runs.numerics import numerics_of
from adastar_core.runs.results import ResultsSoFar
from adastar_core.runs.stored import RunRef, StoredRun
from adastar_core.samplers import Allocating, Sampler
from adastar_core.samplers.catalogue import open_sampler
from adastar_core.selection import Planned, Rules
from adastar_core.selection.exploration import Control
from adastar_core.selection.luck import Luck
from adastar_core.store.checkpoints import CheckpointRow
from adastar_core.store.controls import find_control
from adastar_core.store.incidents import write_incident
from adastar_core.store.lease import Lease
from adastar_core.store.runs import Run
from adastar_core.store.statistics import read_stamps, read_statistics

_SECONDS_BETWEEN_SIGNS = 60.0
_TOLD_BYTES = 50_000_000
"""A checkpoint from this size on takes a while to upload, and the display would stand still without a word."""


class Workspace(StoredRun):
    """A run that this process owns, shared by all of its stages.

    Attributes:
        lease: The right to write; every write goes through its transactions.
        problem: Prompts, as the model is given them, and verifier.
        base: Directory of the base model on this machine.
        shape: What the model's compute follows from.
        itinerary: The stages that the run goes through; ``progress`` follows it through them.
        plan: Iteration, wave and attempts that were planned last.
        when_failed: Called once the run is recorded as failed, unless a signal ended it; what it raises is dropped.
    """

    def __init__(
        self,
        engine: Engine,
        home: Path,
        run: Run,
        config: RunConfig,
        lease: Lease,
        problem: Problem,
        data: Mapping[Split, Sequence[Observation]],
        base: Path,
        display: Display,
        monitors: Monitors,
    ) -> None:
        super().__init__(engine, home, run, config)
        self.lease, self.data, self.monitors = lease, data, monitors
        # What a stored run would look up is known here.
        self.problem, self.base, self.train = problem, base, data[Split.TRAIN]
        self.shape = model_shape(base)
        self.itinerary = RunItinerary(
            config, {split: len(observations) for split, observations in data.items()}
        )
        self.progress = Progress(display, self.itinerary, stored_paces(self, self.itinerary))
        self.results = ResultsSoFar(engine, run.run_id, problem.verifier.version)
        engines: Engines
        log = self.folder / "work" / "engine.log"  # for what an engine in a process of its own prints
        if config.compute.backend == "local" or is_elsewhere(config.generator):
            engines = LocalEngines(config.generator, self.parameters, log, threads_for(self.parameters))
        else:
            from adastar_core.cluster.generation import ClusterEngines

            engines = ClusterEngines(config.generator, config.compute, self.parameters, log.parent)
        self.generators = KeptGenerator(engines, self.record_incident)
        self.when_failed: Callable[[], object] | None = None
        self.plan: tuple[int, int, list[Planned]] | None = None
        self._sampler: tuple[int, Sampler] | None = None
        self._control: tuple[int, Control] | None = None
        self._luck: Luck | None = None
        self._seen = time.monotonic()

    @property
    def ref(self) -> RunRef:
        """The run's reference; its digest is that of the configuration as resolved on this machine."""
        return super().ref.model_copy(update={"config_sha256": self.config.sha256()})

    @cached_property
    def numerics(self) -> Numerics:
        return numerics_of(self.config, self.generators.choice.engine)

    @property
    def parameters(self) -> int:
        return self.shape.parameters

    def rules(self, iteration: int) -> Rules:
        """Return what a visit does: as configured, chosen by exploration control, or allotted by the sampler."""
        rules = self.config.rules()
        if control := self.control(iteration):
            rules = replace(rules, attempts=control.attempts)
        sampler = self.sampler(iteration)
        budget_of = sampler.budget if isinstance(sampler, Allocating) else None
        return replace(rules, budget_of=budget_of, luck=self._luck)

    def control(self, iteration: int) -> Control | None:
        """Return what exploration control chose for an iteration; ``None`` before, or if temperature and K are fixed."""
        if self.config.exploration.control == "fixed":
            return None
        if self._control is None or self._control[0] != iteration:
            found = self.read(find_control, iteration)
            self._control = (iteration, found) if found else None
        return self._control[1] if self._control else None

    @cached_property
    def judge(self) -> Judge:
        limit = training_limit(self.config, self.base)
        room = Room(self.problem, self.vocabulary, self.config.prompt.chat, limit)
        return Judge.of(self.config, self.problem, self.problem.verifier, room)

    @cached_property
    def answer(self) -> str:
        """The kind of answer after which a response ends; empty where none does."""
        return answer_kind(self.config, self.problem)

    def sampling_decoding(self, iteration: int) -> Decoding:
        settings, control = self.config.generator, self.control(iteration)
        return Decoding(
            greedy=False,
            temperature=control.temperature if control else settings.temperature,
            top_p=settings.top_p,
            max_new_tokens=settings.max_new_tokens,
            stop=self.problem.stop,
            answer=self.answer,
        )

    def evaluation_decoding(self) -> Decoding:
        """Return how evaluations are decoded: greedily, or sampled for self-consistency."""
        settings = self.config.evaluation
        longest = settings.max_new_tokens or self.config.generator.max_new_tokens
        greedy = settings.samples == 1
        temperature = 1.0 if greedy else settings.temperature
        return Decoding(greedy, temperature, 1.0, longest, self.problem.stop, self.answer)

    def generator(self, checkpoint: CheckpointRow) -> Generator:
        """Return a generator that holds ``checkpoint``, whose files are the recorded ones; one is kept open."""
        here = self.fetched(checkpoint, self.at_work)
        return self.generators.holding(Weights(Path(here.path), here.sha256), here.iteration)

    def share(self, checkpoint: CheckpointRow) -> None:
        """Put a checkpoint into the file store, if there is one, so that other machines can continue from it."""
        if self.file_store is not None:
            files = open_checkpoint(Path(checkpoint.path))
            if files.size_bytes >= _TOLD_BYTES:
                size = f"{files.size_bytes / 1e6:,.0f} MB"
                self.progress.line(
                    f"Uploading checkpoint {checkpoint.iteration}, {size}, to {self.file_store.address}."
                )
            self.file_store.put(files, self.key_of(checkpoint), self.at_work)

    def rationales(self, checkpoint: CheckpointRow) -> Generator:
        """Return the source of an iteration's rationales: the checkpoint, or the data's reference answers."""
        if self.config.rationales == "model":
            return self.generator(checkpoint)
        return ReferenceGenerator(lambda position: self.problem.reference(self.train[position]))

    def record_incident(self, iteration: int, incident: Incident) -> None:
        """Show and store what was recovered while an iteration's checkpoint generated."""
        with self.lease.transaction() as connection:
            self.note(connection, iteration, incident)

    def note(self, connection: Connection, iteration: int, incident: Incident) -> None:
        """Show an incident and store it in a transaction of the lease."""
        self.progress.line(f"{incident.kind}: {incident.detail}")
        write_incident(connection, self.run_id, iteration, incident)

    def at_work(self) -> None:
        """Record, once a minute at most, that a stage that writes rarely is at work: a kill loses no more run time.

        Raises:
            LostLease: Another process has taken the run over.
        """
        if time.monotonic() - self._seen > _SECONDS_BETWEEN_SIGNS:
            self._seen = time.monotonic()
            with suppress(DBAPIError):  # if the database stays away, the stage's own write fails
                self.lease.seen()

    def sampler(self, iteration: int) -> Sampler:
        """Return the sampler of ``iteration``, rebuilt from the store unless this process has it."""
        if self._sampler is None or self._sampler[0] != iteration:
            statistics = self.read(read_statistics)
            # The store has statistics of the observations that entered; those that the data gained since enter with
            # the next iteration, so that an open one keeps its order.
            entered = self.train[: len(statistics.last_iteration)]
            if (level := self.config.filter.guessing) is not None:
                self._luck = Luck(level, options_of(entered))
            past = partial(self.read, read_stamps)
            opened = open_sampler(self.config.sampler, self.config.seed, entered, statistics, past)
            self._sampler = (iteration, opened)
        return self._sampler[1]

    def sampler_advanced(self, iteration: int) -> None:
        if self._sampler is not None:
            self._sampler = (iteration + 1, self._sampler[1])

    def forget_sampler(self) -> None:
        self._sampler = None
