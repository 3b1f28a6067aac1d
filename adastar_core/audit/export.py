"""Accepted rationales as a data set for supervised fine-tuning, with where each of them comes from."""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from adastar_core.errors import HomeError
from adastar_core.machine.files import atomic_write
from adastar_core.runs.stored import StoredRun
from adastar_core.store.provenance import Provenance, read_provenance

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_PER_GROUP = 10_000
Record = Mapping[str, str | int | bool | list[int] | None]


def export(stored: StoredRun, kind: str, output: Path) -> int:
    """Write every training example of a run; return how many. The target appears complete or not at all.

    Args:
        stored: The run.
        kind: A key of :data:`WRITERS`.
        output: The file, or for ``hub-dataset`` the folder; it must not exist.

    Raises:
        HomeError: It exists already or cannot be written.
    """
    if output.exists():
        raise HomeError(f"{output} exists already. Remove it, or name another one with --output.")
    try:
        with atomic_write(output) as part:
            return WRITERS[kind](stored, part)
    except OSError as error:
        raise HomeError(f"{output} cannot be written: {error}. Name another place with --output.") from error


def records(stored: StoredRun) -> Iterator[Record]:
    """Yield one record per training example, in the order of training."""
    with stored.engine.connect() as connection:
        query = text("SELECT iteration FROM iterations WHERE run_id = :run_id ORDER BY iteration")
        iterations = list(connection.scalars(query, {"run_id": stored.run.run_id}))
    for one in read_provenance(stored.engine, stored.run.run_id, stored.run.dataset_id, iterations):
        yield _record(stored, one)


def _record(stored: StoredRun, one: Provenance) -> Record:
    accepted = one.accepting
    return {
        "prompt": stored.problem.training_prompt(stored.train[one.position]),
        "completion": one.response,
        "completion_ids": list(one.tokens) or None,
        "question": one.question,
        "answer": one.answer,
        "run": stored.run.name,
        "run_uid": stored.run.uid,
        "iteration": one.iteration,
        "place": one.place,
        "observation_id": one.observation_id,
        "attempt": one.attempt,
        "hinted": one.hinted,
        "stream": str(one.stream),
        "verifier": accepted.verifier if accepted else None,
        "extracted": accepted.extracted if accepted else None,
        "rationale_correct": accepted.rationale_correct if accepted else None,
        "checkpoint_sha256": one.checkpoint_sha256,
        "prompt_sha256": one.prompt_sha256,
        "text_sha256": one.text_sha256,
        "config_sha256": stored.run.config_sha256,
        "code_version": one.code_version or stored.run.code_version,
    }


def _write_jsonl(stored: StoredRun, path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for record in records(stored):
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            count += 1
    return count


def _write_parquet(stored: StoredRun, path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    count, remaining, schema = 0, records(stored), _schema()
    with pq.ParquetWriter(path, schema) as writer:
        while part := list(islice(remaining, _ROWS_PER_GROUP)):
            writer.write_table(pa.Table.from_pylist(part, schema=schema))
            count += len(part)
    return count


def _schema() -> "pa.Schema":
    import pyarrow as pa

    kinds: dict[str, pa.DataType] = {"completion_ids": pa.list_(pa.int32())}
    kinds |= {"iteration": pa.int32(), "place": pa.int32(), "attempt": pa.int32()}
    kinds |= {"hinted": pa.bool_(), "rationale_correct": pa.bool_()}
    return pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])


def _write_hub_dataset(stored: StoredRun, folder: Path) -> int:
    """Write a folder as the Hugging Face hub has them: a card and Parquet files."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    count = _write_parquet(stored, folder / "data" / "train-00000-of-00001.parquet")
    (folder / "README.md").write_text(_card(stored, count), encoding="utf-8")
    return count


def _card(stored: StoredRun, count: int) -> str:
    run = stored.run
    columns = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in COLUMNS.items())
    return (
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n"
        "task_categories:\n- text-generation\n---\n\n# Accepted rationales\n\n"
        f"{count:,} rationales that a model generated, that a verifier accepted, and that the model was then trained on.\n"
        f"Run `{run.uid}`, configuration `{run.config_sha256}`, problem `{stored.config.problem.type}`, base model "
        f"`{json.dumps(run.base_model)[1:-1]}`, adastar {run.code_version}. The license of the questions is that of their source.\n\n"
        f"| column | meaning |\n|---|---|\n{columns}\n"
    )


COLUMNS = {
    "prompt": "The prompt of the training text",
    "completion": "The rationale, the completion of the training text",
    "completion_ids": "The token ids of the completion as the model generated them, with the end; null where they are not known or were removed",
    "question": "The question",
    "answer": "The reference answer",
    "run": "Name of the run",
    "run_uid": "The run's unique id",
    "iteration": "The iteration that trained on it",
    "place": "Zero-based place within the iteration",
    "observation_id": "The id that the data gives the question",
    "attempt": "Number of the attempt, from 1",
    "hinted": "Whether the generation prompt showed the answer",
    "stream": "Key of the attempt's random stream, a 64-bit number as text",
    "verifier": "Name and version of the verifier that accepted it",
    "extracted": "The answer that the verifier found",
    "rationale_correct": "Whether every step is right; null where that cannot be checked",
    "checkpoint_sha256": "Digest of the checkpoint that generated it",
    "prompt_sha256": "Digest of the generation prompt",
    "text_sha256": "Digest of the training text",
    "config_sha256": "Digest of the run's configuration",
    "code_version": "Version of adastar that stored the rationale",
}
"""The columns and what they mean."""

WRITERS: dict[str, Callable[[StoredRun, Path], int]] = {
    "jsonl": _write_jsonl,
    "parquet": _write_parquet,
    "hub-dataset": _write_hub_dataset,
}
