"""A checkpoint of a run and its accepted rationales as two folders that others can load, each with its card.

::

    FOLDER/model/     the checkpoint's files, and README.md: data, method, accuracies, compute, digests, license
    FOLDER/dataset/   the rationales with their provenance, and README.md

Nothing in them names a file or folder of this machine.
"""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData

from adastar_core.audit.export import shown_model, write_hub_dataset
from adastar_core.errors import HomeError, StageError, UserError
from adastar_core.machine import units
from adastar_core.machine.files import atomic_write
from adastar_core.models import checkpoints
from adastar_core.models.source import is_hub_name
from adastar_core.records import Accuracy, Split
from adastar_core.report.build import report_of
from adastar_core.report.records import RunReport
from adastar_core.report.text import difficulty_cells, difficulty_headings, escape, markdown_table, worst
from adastar_core.runs.stored import StoredRun
from adastar_core.store.overview import find_overview
from adastar_core.store.provenance import read_ancestors

_LICENSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")


@dataclass(frozen=True, slots=True)
class Licenses:
    """The licenses of the two cards, as the hub names them, e.g. ``apache-2.0``.

    Raises:
        UserError: One is not such a name.
    """

    model: str = "unknown"
    data: str = "unknown"

    def __post_init__(self) -> None:
        for name in (self.model, self.data):
            if not _LICENSE.fullmatch(name):
                raise UserError(
                    f"The license {name!r} is not a name of the hub. Give one such as apache-2.0, cc-by-4.0 or other."
                )


@dataclass(frozen=True, slots=True)
class Published:
    """What was written: the iteration of the checkpoint, its digest, and the number of rationales."""

    folder: Path
    iteration: int
    sha256: str
    examples: int


def publish(
    stored: StoredRun, folder: Path, iteration: int | None, licenses: Licenses, dataset: str | None = None
) -> Published:
    """Write both folders; they are complete or absent.

    ``iteration`` is that of the checkpoint; without it, validation's choice. ``dataset`` is the data set's name on the hub.

    Raises:
        StageError: No checkpoint of the run is better than its base model, or none of the iteration is recorded.
        CheckpointError: The checkpoint's files are gone, or are not the recorded ones.
        HomeError: The folder exists already or cannot be written.
    """
    chosen = _selected(stored) if iteration is None else iteration
    row = stored.fetched(stored.checkpoint(chosen))
    checkpoints.verify(Path(row.path), row.sha256)
    if folder.exists():
        raise HomeError(f"{folder} exists already. Remove it, or give another --to.")
    try:
        with atomic_write(folder) as part:
            shutil.copytree(row.path, part / "model")
            card = model_card(stored, chosen, licenses, dataset)
            (part / "model" / "README.md").write_text(card, encoding="utf-8")
            count = write_hub_dataset(stored, part / "dataset", licenses.data)
    except OSError as error:
        raise HomeError(f"Cannot write {folder}: {error}. Give another --to.") from error
    return Published(folder, chosen, row.sha256, count)


def _selected(stored: StoredRun) -> int:
    best = _best(stored)
    if not best:
        raise StageError(
            f"Validation selected no checkpoint of run {stored.run.name!r}: none is better than its base model. Choose one "
            "with --iteration N, or train on."
        )
    return best


def _best(stored: StoredRun) -> int | None:
    with stored.engine.connect() as connection:
        overview = find_overview(connection, stored.run.name)
    return overview.best_iteration if overview else None


def model_card(stored: StoredRun, iteration: int, licenses: Licenses, dataset: str | None) -> str:
    """Return the card of a run's checkpoint: what it is, its accuracies, how it was made, and the licenses."""
    report = report_of(stored, iteration)
    base = stored.run.base_model
    data = ModelCardData(
        license=licenses.model,
        base_model=base if is_hub_name(base) else None,
        datasets=dataset,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["adastar", "self-improvement"],
        model_name="checkpoint",
        eval_results=list(_results(report)),
    )
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n".join(_body(stored, report, iteration, licenses)) + "\n"


def _measured(report: RunReport) -> Iterator[tuple[Split, Accuracy, Accuracy]]:
    """Yield each split that is measured before and after: its name and both accuracies."""
    validation = report.selected_validation
    for split, before, after in (
        (Split.TEST, report.base_test, report.test),
        (Split.VALIDATION, report.base_validation, validation),
    ):
        if before is not None and after is not None and after.total:
            yield split, before, after


def _results(report: RunReport) -> Iterator[EvalResult]:
    for split, _, after in _measured(report):
        yield EvalResult(
            task_type="text-generation",
            dataset_type=report.problem,
            dataset_name=report.problem,
            dataset_split=split.value,
            metric_type="accuracy",
            metric_name=f"accuracy of {after.total} {split.value} questions",
            metric_value=round(after.share or 0.0, 6),
        )


def _body(stored: StoredRun, report: RunReport, iteration: int, licenses: Licenses) -> Iterator[str]:
    base, config = escape(shown_model(report.base_model)), stored.config
    yield f"# {base}, improved on its own rationales"
    yield ""
    yield (
        f"Fine-tuned in {iteration} iterations on rationales that the model generated itself and that a verifier accepted "
        f"(method: {escape(report.method)}; data: {escape(report.problem)}, {len(stored.train):,} training questions)."
    )
    yield "\n## Accuracy\n"
    rows = [
        (
            split.value,
            f"{after.total:,}",
            units.accuracy(before),
            units.accuracy(after),
            units.points(before, after),
        )
        for split, before, after in _measured(report)
    ]
    yield from markdown_table(("split", "questions", "base model", "this model", "points"), rows)
    yield "\nWith Wilson's 95 % intervals of these questions alone. They say nothing about other data."
    if iteration == _best(stored):
        yield "The checkpoint was selected on validation, so its validation accuracy is biased upwards."
    if report.by_difficulty:
        yield "\n"
        parts = [(escape(name), *numbers) for name, *numbers in difficulty_cells(report)]
        yield from markdown_table(difficulty_headings(report), parts)
    if said := worst(replace(report, ending=None)):
        yield f"\n{escape(said)}"
    yield "\n## Training\n"
    heads = ("iteration", "visited", "accepted", "trained for")
    trained = [row for row in report.iterations if row.t <= iteration]
    yield from markdown_table(
        heads,
        [(str(row.t), f"{row.m:,}", f"{row.accepted:,}", units.flops(row.pflops)) for row in trained],
        labels=0,
    )
    yield ""
    yield from _settings(stored)
    yield (
        f"* compute: {units.flops(sum(row.pflops for row in trained))} without padding and evaluation, "
        f"{units.flops(sum(row.padded_pflops for row in trained))} with padding"
    )
    yield f"* seed: {config.seed}"
    yield "\n## Lineage\n"
    chain = stored.read(read_ancestors, iteration, stored.folder)
    digests = [
        (f"iteration {one.iteration}" if one.iteration else f"base model {base}", f"`{one.sha256}`")
        for one in chain
    ]
    yield from markdown_table(("checkpoint", "digest"), digests, labels=2)
    yield ""
    yield f"* run: `{stored.run.uid}`, configuration `{report.config_sha256}`"
    yield f"* validation and test items: `{report.items_sha256 or 'not recorded'}`"
    yield f"* software: adastar {stored.run.code_version}"
    yield "\n## License\n"
    yield (
        f"As stated by who published it: {licenses.model}. The base model's license applies to what was made from it, and the "
        "questions have that of their source."
    )


def _settings(stored: StoredRun) -> Iterator[str]:
    config = stored.config
    yield f"* attempts per question: {config.attempts_at_most()}, at temperature {config.generator.temperature:g}"
    yield f"* verifier: {escape(stored.problem.verifier.version)}"
    lora = "" if config.trainer.lora.rank is None else f", LoRA of rank {config.trainer.lora.rank}"
    yield (
        f"* training: learning rate {config.trainer.learning_rate:g}, batches of {config.trainer.batch_size} "
        f"rationales{lora}"
    )
