"""Accepted rationales as a data set for supervised fine-tuning, with the provenance of each."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from adastar_core.audit.formats import TRAINERS
from adastar_core.errors import ConfigError, HomeError
from adastar_core.machine.files import atomic_write
from adastar_core.machine.visible import visible
from adastar_core.models.filestore import store_at
from adastar_core.models.source import is_hub_name
from adastar_core.names import checkpoint_named
from adastar_core.report.text import escape
from adastar_core.runs.stored import StoredRun
from adastar_core.store.iterations import read_iterations
from adastar_core.store.provenance import read_provenance

_ROWS_PER_GROUP = 10_000
Example = Mapping[str, str | int | bool | list[int] | None]


def export(stored: StoredRun, kind: str, output: Path | str) -> int:
    """Write every training example of a run; return how many. A file is complete or absent, and so is a folder here.

    ``kind`` is a key of :data:`WRITERS`. The output is a file, or a folder for ``hub-dataset``; as a URL it is one of a file
    store, where a folder is complete once it has its README.md.

    Raises:
        HomeError: The output exists already or cannot be written.
        FileStoreError: What the URL names cannot be written.
    """
    if "://" in str(output):
        return _upload(stored, kind, str(output))
    output = Path(output)
    if output.exists():
        raise HomeError(f"{output} exists already. Remove it, or give another --output.")
    try:
        with atomic_write(output) as part:
            return WRITERS[kind](stored, part)
    except OSError as error:
        raise HomeError(f"Cannot write {output}: {error}. Give another --output.") from error


def _upload(stored: StoredRun, kind: str, url: str) -> int:
    address, _, name = url.rstrip("/").rpartition("/")
    if "://" not in address:
        raise ConfigError(f"--output {url} names no file in a bucket. Write s3://BUCKET/FILE.")
    store = store_at(address, "--output")
    if store.sizes(name):
        raise HomeError(f"{url} exists already. Remove it, or give another --output.")
    with TemporaryDirectory(prefix="adastar-export-") as folder:
        part = Path(folder) / name
        count = WRITERS[kind](stored, part)
        files = [part] if part.is_file() else [file for file in part.rglob("*") if file.is_file()]
        for file in sorted(files, key=lambda file: file.name == "README.md"):
            store.upload(file, file.relative_to(folder).as_posix())
    return count


def examples(stored: StoredRun) -> Iterator[Example]:
    """Yield one mapping per training example, in the order of training; the keys are :data:`COLUMNS`."""
    iterations = [iteration.iteration for iteration in stored.read(read_iterations)]
    for row in read_provenance(stored.engine, stored.run_id, stored.run.dataset_id, iterations):
        accepted = row.accepting
        yield {
            "prompt": stored.problem.training_prompt(stored.train[row.position]),
            "completion": row.response,
            "completion_ids": list(row.tokens) or None,
            "question": row.question,
            "answer": row.answer,
            "run": stored.run.name,
            "run_uid": stored.run.uid,
            "iteration": row.iteration,
            "place": row.place,
            "observation_id": row.observation_id,
            "attempt": row.attempt,
            "hinted": row.hinted,
            "stream": str(row.stream),
            "verifier": accepted.verifier if accepted else None,
            "extracted": accepted.extracted if accepted else None,
            "rationale_correct": accepted.rationale_correct if accepted else None,
            "checkpoint_sha256": row.checkpoint_sha256,
            "prompt_sha256": row.prompt_sha256,
            "text_sha256": row.text_sha256,
            "config_sha256": stored.run.config_sha256,
            "code_version": row.code_version or stored.run.code_version,
            "started_by": row.started_by,
        }


def _write_jsonl(stored: StoredRun, path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for example in examples(stored):
            file.write(json.dumps(example, ensure_ascii=False) + "\n")
            count += 1
    return count


def _write_parquet(stored: StoredRun, path: Path, columns: Iterable[str]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types: dict[str, pa.DataType] = {"completion_ids": pa.list_(pa.int32())}
    types |= {"iteration": pa.int32(), "place": pa.int32(), "attempt": pa.int32()}
    types |= {"hinted": pa.bool_(), "rationale_correct": pa.bool_()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in columns])
    count, remaining = 0, examples(stored)
    with pq.ParquetWriter(path, schema) as writer:
        while part := list(islice(remaining, _ROWS_PER_GROUP)):
            writer.write_table(pa.Table.from_pylist(part, schema=schema))
            count += len(part)
    return count


def shown_model(name: str) -> str:
    """Return a model's name for others: that of the hub or the package, or the last part of a path of this machine."""
    if checkpoint_named(name):
        return visible(name)
    return name if is_hub_name(name) else visible(Path(name).name)


def write_hub_dataset(stored: StoredRun, folder: Path, license_name: str = "unknown") -> int:
    """Write the data and its card, which names ``license_name``; return the number of rationales."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    count = _write_parquet(stored, folder / "data" / "train-00000-of-00001.parquet", _FOR_OTHERS)
    run = stored.run
    columns = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in _FOR_OTHERS.items())
    card = (
        f"---\nlicense: {license_name}\n"
        "configs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n"
        "task_categories:\n- text-generation\n---\n\n# Accepted rationales\n\n"
        f"{count:,} rationales that a model generated, a verifier accepted, and the model was then trained on.\n"
        f"Run `{run.uid}`, configuration `{run.config_sha256}`, problem `{stored.config.problem.type}`, base model "
        f"{escape(shown_model(run.base_model))}, adastar {run.code_version}. The questions have the license of their source.\n\n"
        f"| column | meaning |\n|---|---|\n{columns}\n"
    )
    (folder / "README.md").write_text(card, encoding="utf-8")
    return count


COLUMNS = {
    "prompt": "The prompt of the training text",
    "completion": "The rationale, the completion of the training text",
    "completion_ids": "The token ids of the completion as the model generated them, with the end; null if unknown or removed",
    "question": "The question",
    "answer": "The reference answer",
    "run": "Name of the run",
    "run_uid": "The run's unique id",
    "iteration": "The iteration that trained on it",
    "place": "Zero-based place within the iteration",
    "observation_id": "The question's id in the data",
    "attempt": "Number of the attempt, from 1",
    "hinted": "Whether the generation prompt showed the answer",
    "stream": "Key of the attempt's random stream, a 64-bit number as text",
    "verifier": "Name and version of the verifier that accepted it",
    "extracted": "The answer that the verifier found",
    "rationale_correct": "Whether every step is right; null if that cannot be checked",
    "checkpoint_sha256": "Digest of the checkpoint that generated it",
    "prompt_sha256": "Digest of the generation prompt",
    "text_sha256": "Digest of the training text",
    "config_sha256": "Digest of the run's configuration",
    "code_version": "Version of adastar that stored the rationale",
    "started_by": "Who started the process that stored it; null if unknown",
}
"""The columns of ``jsonl`` and ``parquet``, and their meaning."""
_FOR_OTHERS = {name: meaning for name, meaning in COLUMNS.items() if name != "started_by"}
"""Those of a data set that others may get: it names no user of this machine."""

WRITERS: dict[str, Callable[[StoredRun, Path], int]] = {
    "jsonl": _write_jsonl,
    "parquet": partial(_write_parquet, columns=COLUMNS),
    "hub-dataset": write_hub_dataset,
    **TRAINERS,
}
