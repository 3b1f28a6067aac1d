"""Whether training and generation fit into this machine's memory, and what to set where they do not."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adastar_core.generators.catalogue import choose_engine
from adastar_core.generators.settings import GeneratorSettings
from adastar_core.machine.units import size
from adastar_core.models.source import parameter_count
from adastar_core.planning import footprint
from adastar_core.planning.memory import machine_memory
from adastar_core.planning.texts import longest_of, longest_text
from adastar_core.runs.workspace import Workspace
from adastar_core.trainers.settings import TrainerSettings

_PROGRAM = 2**30
"""What a process of this project takes on a CPU for Python and torch, and what other programs need besides."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What decides the memory of a run: model, settings in number formats of their own, and the longest texts in tokens."""

    model: Path
    trainer: TrainerSettings
    generator: GeneratorSettings
    longest_prompt: int
    longest_text: int
    on_gpu: bool = False

    def training(self, **values: object) -> footprint.TrainingMemory:
        """Return the memory of one training process, with these values of the trainer in place of its own."""
        return footprint.training_memory(
            self.model, self.trainer.model_copy(update=values), self.longest_text
        )

    def generation(self, **values: object) -> footprint.GenerationMemory:
        """Return the memory of the generator on transformers, with these values in place of its own."""
        return footprint.generation_memory(
            self.model,
            self.generator.model_copy(update=values),
            self.longest_prompt,
            on_gpu=self.on_gpu,
        )


def memory_warnings(needs: Needs, runs: int = 1) -> tuple[str, ...]:
    """Return what does not fit into this machine's memory, with what would, a paragraph each; for so many runs at once."""
    import torch

    room, whose = machine_memory()
    on_gpu = torch.cuda.is_available()
    program = 0 if on_gpu else _PROGRAM
    trainings = runs * (1 if on_gpu else needs.trainer.processes)  # on GPUs each process has its own
    found = []
    if (training := trainings * (needs.training().total + program)) > room:
        fix = _train_in(needs, room / trainings - program)
        found.append(_warning("training", training, trainings, room, whose, fix))
    engine = choose_engine(needs.generator, parameter_count(needs.model)).engine
    if engine == "transformers" and (generation := runs * (needs.generation().total + program)) > room:
        fix = _generate_in(needs, room / runs - program)
        found.append(_warning("generation", generation, runs, room, whose, fix))
    return tuple(found)


def _warning(what: str, needed: int, processes: int, room: int, whose: str, fix: str) -> str:
    where = f" in {processes} processes" if processes > 1 else ""
    return (
        f"WARNING: {what} needs up to {size(needed)}{where}, Python and torch included, and {whose} has {size(room)}, so that it "
        f"may be killed. {fix}."
    )


def _train_in(needs: Needs, room: float) -> str:
    """Return what to set for training to fit: a smaller micro-batch if that suffices, else what saves more."""
    batch = needs.trainer.batch_size
    for rows in _halves(needs.trainer.micro_batch_size or batch):
        if batch % rows == 0 and needs.training(micro_batch_size=rows).total <= room:
            return f"Set trainer.micro_batch_size to {rows}"
    return (
        "Set trainer.gradient_checkpointing or lora.rank, lower trainer.max_length, or take a smaller model"
    )


def _generate_in(needs: Needs, room: float) -> str:
    """Return what to set for generation to fit: a smaller batch if that suffices."""
    for rows in _halves(needs.generator.batch_size):
        if needs.generation(batch_size=rows).total <= room:
            return f"Set generator.batch_size to {rows}"
    return "Lower generator.max_new_tokens, or take a smaller model"


def _halves(number: int) -> Iterator[int]:
    while number > 1:
        number //= 2
        yield number


def needs_of(workspace: Workspace) -> Needs:
    """Return the needs of a run that is open; its longest texts are found as those of a plan."""
    import torch

    config, problem, train = workspace.config, workspace.problem, workspace.train
    prompts = [problem.prompt(row) for row in train]
    hinted = [problem.hinted_prompt(row) for row in train] if config.rationalize else []
    training = longest_of(workspace.vocabulary, [problem.training_prompt(row) for row in train])
    return Needs(
        workspace.base,
        config.trainer,
        config.generator,
        longest_of(workspace.vocabulary, [*prompts, *hinted]),
        longest_text(config, training),
        torch.cuda.is_available(),
    )
