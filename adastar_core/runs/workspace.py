"""A run that is open in this process: its store, its data, its model, and the right to write."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from adastar_core.compute import ModelShape
from adastar_core.config import RunConfig
from adastar_core.generators import Decoding, Generator
from adastar_core.generators.keeper import Keeper
from adastar_core.generators.reference import ReferenceGenerator
from adastar_core.machine.numerics import Numerics
from adastar_core.machine.threads import threads_for
from adastar_core.machine.units import flops
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.problems import Problem
from adastar_core.progress import Progress, Silent
from adastar_core.records import Incident, Observation, Split
from adastar_core.runs.judging import Judge
from adastar_core.runs.lengths import Room, training_limit
from adastar_core.runs.numerics import numerics_of
from adastar_core.runs.results import ResultsSoFar
from adastar_core.runs.stored import RunRef
from adastar_core.samplers import Allocating, Sampler, Stamps
from adastar_core.samplers.catalogue import open_sampler
from adastar_core.selection import Planned, Rules
from adastar_core.selection.exploration import Control
from adastar_core.store.checkpoints import CheckpointRow, read_checkpoint
from adastar_core.store.controls import find_control
from adastar_core.store.incidents import write_incident
from adastar_core.store.lease import Lease
from adastar_core.store.statistics import read_stamps, read_statistics

_SECONDS_BETWEEN_SIGNS = 60.0


@dataclass
class Workspace:
    """Everything that the stages of one run share in one process.

    Attributes:
        ref: The run's reference, as tasks pass it.
        config: The run's configuration.
        run_id: The run's key in the store.
        engine: The store.
        lease: The right to write; every write goes through its transactions.
        problem: Data, prompts and verifier.
        data: Observations by split.
        base: Directory of the base model, as it lies on this machine.
        shape: What the model's compute follows from.
        folder: The run's own directory: checkpoints, work files, report.
        progress: Whoever shows how far the stages are.
        results: The verdicts of the iteration that is being sampled.
        generators: The one generator that is kept open.
        plan: Iteration, wave and attempts that were planned last.
    """

    ref: RunRef
    config: RunConfig
    run_id: int
    engine: Engine
    lease: Lease
    problem: Problem
    data: Mapping[Split, Sequence[Observation]]
    base: Path
    shape: ModelShape
    folder: Path
    progress: Progress = field(default_factory=Silent)
    results: ResultsSoFar = field(init=False)
    generators: Keeper = field(init=False)
    plan: tuple[int, int, list[Planned]] | None = None
    _sampler: tuple[int, Sampler] | None = None
    _control: tuple[int, Control] | None = None
    _seen: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Know no verdicts yet, and have nothing to generate with."""
        self.results = ResultsSoFar(self.engine, self.run_id, self.problem.verifier.version)
        log, threads = self.folder / "work" / "engine.log", threads_for(self.parameters)
        self.generators = Keeper(
            self.config.generator, self.config.compute, log, threads, self.parameters, self.record_incident
        )

    @cached_property
    def numerics(self) -> Numerics:
        """Return how this process rounds."""
        return numerics_of(self.config, self.generators.choice.engine)

    @property
    def parameters(self) -> int:
        """Return P, the parameters of the model."""
        return self.shape.parameters

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Return the tokens of the model, which training does not change."""
        return Vocabulary(self.base)

    @cached_property
    def _room(self) -> Room:
        """Return what decides which rationales are too long to train on."""
        limit = training_limit(self.config, self.base)
        return Room(self.problem, self.vocabulary, self.config.prompt.chat, limit)

    def rules(self, iteration: int) -> Rules:
        """Return what a visit does: as configured, as exploration control chose, or as the sampler allots."""
        rules = self.config.rules()
        if control := self.control(iteration):
            rules = replace(rules, attempts=control.attempts)
        sampler = self.sampler(iteration)
        return replace(rules, budget_of=sampler.budget) if isinstance(sampler, Allocating) else rules

    def control(self, iteration: int) -> Control | None:
        """Return what exploration control chose for an iteration; ``None`` where temperature and K are fixed."""
        if self.config.exploration.control == "fixed":
            return None
        if self._control is None or self._control[0] != iteration:
            with self.engine.connect() as connection:
                found = find_control(connection, self.run_id, iteration)
            if found is None:
                return None
            self._control = (iteration, found)
        return self._control[1]

    @property
    def judge(self) -> Judge:
        """Return what decides on attempts."""
        return Judge.of(self.config, self.problem, self.problem.verifier, self._room)

    @property
    def train(self) -> Sequence[Observation]:
        """Return the training observations by position."""
        return self.data[Split.TRAIN]

    def sampling_decoding(self, iteration: int) -> Decoding:
        """Return how an iteration's rationales are sampled."""
        settings = self.config.generator
        control = self.control(iteration)
        return Decoding(
            greedy=False,
            temperature=control.temperature if control else settings.temperature,
            top_p=settings.top_p,
            max_new_tokens=settings.max_new_tokens,
            stop=self.problem.stop,
        )

    def evaluation_decoding(self) -> Decoding:
        """Return how evaluations are decoded: greedily, or sampled for self-consistency."""
        settings = self.config.evaluation
        longest = settings.max_new_tokens or self.config.generator.max_new_tokens
        greedy = settings.samples == 1
        temperature = 1.0 if greedy else settings.temperature
        return Decoding(greedy, temperature, top_p=1.0, max_new_tokens=longest, stop=self.problem.stop)

    def checkpoint(self, iteration: int) -> CheckpointRow:
        """Return the recorded checkpoint of an iteration; 0 is the base model."""
        with self.engine.connect() as connection:
            recorded = read_checkpoint(connection, self.run_id, iteration, self.folder)
        return replace(recorded, path=str(self.base)) if iteration == 0 else recorded

    def generator(self, checkpoint: CheckpointRow) -> Generator:
        """Return a generator that holds ``checkpoint``, whose files are the recorded ones; one is kept open."""
        return self.generators.holding(checkpoint)

    def rationales(self, checkpoint: CheckpointRow) -> Generator:
        """Return what makes an iteration's rationales: the checkpoint, or the data's reference answers."""
        if self.config.rationales == "model":
            return self.generator(checkpoint)
        return ReferenceGenerator(lambda position: self.problem.reference(self.train[position]))

    def use_generator(self, generator: Generator) -> None:
        """Generate with ``generator`` whatever the checkpoint: a scripted one, or one of your own."""
        self.generators.use(generator)

    def release_generator(self) -> None:
        """Free the memory that training needs. A generator that was given to us stays."""
        self.generators.rest()

    def record_incident(self, iteration: int, incident: Incident) -> None:
        """Show and store what went wrong while generating from an iteration's checkpoint, and was mended."""
        with self.lease.transaction() as connection:
            self.note(connection, iteration, incident)

    def note(self, connection: Connection, iteration: int, incident: Incident) -> None:
        """Show an incident and store it in a transaction of the lease."""
        self.progress.line(f"{incident.kind}: {incident.detail}")
        write_incident(connection, self.run_id, iteration, incident)

    def at_work(self) -> None:
        """Tell the store, once a minute at most, that a stage that writes rarely is at work: a kill loses no more time.

        Raises:
            LostLease: Another process has taken the run over.
        """
        if time.monotonic() - self._seen > _SECONDS_BETWEEN_SIGNS:
            self._seen = time.monotonic()
            with suppress(DBAPIError):  # the stage's own write will say so, if it lasts
                self.lease.seen()

    def sampler(self, iteration: int) -> Sampler:
        """Return the sampler as it stands before ``iteration`` advances, rebuilt from the store if need be."""
        if self._sampler is None or self._sampler[0] != iteration:
            self._sampler = (iteration, self._open_sampler())
        return self._sampler[1]

    def _open_sampler(self) -> Sampler:
        with self.engine.connect() as connection:
            statistics = read_statistics(connection, self.run_id)
        # Observations that the data has gained meanwhile enter with the next iteration.
        known = self.train[: len(statistics.last_iteration)]
        ids = [observation.observation_id for observation in known]
        return open_sampler(self.config.sampler, self.config.seed, ids, statistics, self._past)

    def _past(self) -> Sequence[Stamps]:
        """Return what every iteration stamped. Nothing but the owner writes it, so it fits the statistics."""
        with self.engine.connect() as connection:
            return read_stamps(connection, self.run_id)

    def sampler_advanced(self, iteration: int) -> None:
        """Note that the sampler has taken in ``iteration``; it is now the one of the next."""
        if self._sampler is not None:
            self._sampler = (iteration + 1, self._sampler[1])

    def places(self) -> dict[str, str]:
        """Return where the run's report, files and rows lie, by name. The database's password is left out."""
        report = self.folder / "report"
        return {
            "report": str(report / "report.html"),
            "figures": str(report / "*.png"),
            "directory": str(self.folder),
            "database": self.engine.url.render_as_string(hide_password=True),
        }

    def opening(self) -> str:
        """Return what this run is about to do, in a few lines."""
        config = self.config
        sizes = ", ".join(f"{len(observations):,} {split}" for split, observations in self.data.items())
        return (
            f"Run {self.ref.name}: {config.method_title()} on {self.problem.name} ({sizes}), from {config.model} with "
            f"{self.parameters:,} parameters.\n{self._plan()}, at most {config.attempts_at_most()} attempts per observation. "
            f"{self._engine()}Files: {self.folder}" + "".join(f"\n{note}" for note in self.problem.notes)
        )

    def _engine(self) -> str:
        """Return which engine was chosen to generate, and why, where that was left to us."""
        if self.config.generator.type != "auto":
            return ""
        choice = self.generators.choice
        return f"Generates with {choice.engine}: {choice.why}. "

    def _plan(self) -> str:
        """Return how long the run goes on and how its iterations end."""
        config, last = self.config, self.config.iterations
        if config.budget_pflops is not None:
            length = f"Iterations until {flops(config.budget_pflops)} are spent, {last} at most"
            betas = f"beta_1 = {config.beta(1):,}, growing by {config.schedule.growth:g}"
        else:
            length = f"{last} iterations" if last > 1 else "1 iteration"
            betas = f"beta_1 = {config.beta(1):,}" + (
                f", beta_{last} = {config.beta(last):,}" if last > 1 else ""
            )
        if config.schedule.visit == "all":
            trained = (
                "all accepted rationales"
                if config.schedule.train_on == "accepted"
                else f"beta_t of them ({betas})"
            )
            return f"{length}, each a pass over the whole pool, trained on {trained}"
        return f"{length}, each until beta_t rationales are accepted ({betas})"

    def forget_sampler(self) -> None:
        """Drop the sampler, so that the next use rebuilds it from the store."""
        self._sampler = None
