"""What each service's own reader finds of a run, as JSON. Run apart: the clients change the process they are in.

Run it:  python -m tests.support.monitor_readers RUN_DIRECTORY
"""

import json
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Numbers = dict[str, list[tuple[int, float]]]
_BLOCK, _HEADER = 32768, 7


def mlflow(folder: Path) -> dict[str, Any]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("adastar")
    (run,) = client.search_runs([experiment.experiment_id])
    tables = client.download_artifacts(run.info.run_id, "samples")
    history = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
    return {
        "run": run.info.run_name,
        "status": run.info.status,
        "config": run.data.params,
        "files": sorted(file.path for file in client.list_artifacts(run.info.run_id)),
        "tables": [json.loads(Path(tables, name).read_text()) for name in sorted(os.listdir(tables))],
        "numbers": {
            name: [(point.step, point.value) for point in points] for name, points in history.items()
        },
    }


def tensorboard(folder: Path) -> dict[str, Any]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0}).Reload()
    tags = events.Tags()["scalars"]
    texts = events.Tensors("samples/text_summary")
    return {
        "numbers": {tag: [(point.step, point.value) for point in events.Scalars(tag)] for tag in tags},
        "config": events.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode(),
        "tables": {text.step: text.tensor_proto.string_val[0].decode() for text in texts},
    }


def wandb(folder: Path) -> dict[str, Any]:
    """Read the files that `wandb sync` reads: one per process of the run, records in blocks as in LevelDB's log."""
    from wandb.proto.wandb_internal_pb2 import Record

    numbers: Numbers = {}
    config: dict[str, Any] = {}
    ids, tables, status = set(), 0, None
    for path in sorted(folder.glob("wandb/offline-run-*/run-*.wandb")):
        for data in _records(path.read_bytes()):
            record = Record()
            record.ParseFromString(data)
            kind = record.WhichOneof("record_type")
            if kind == "run":
                ids.add(record.run.run_id)
                config |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
            elif kind == "history":
                row = {item.key or "/".join(item.nested_key): item.value_json for item in record.history.item}
                tables += any(name.startswith("samples") for name in row)
                axis = "train/step" if "train/loss" in row else "iteration"
                for name in row:
                    if "/" in name and name != axis and not name.startswith("samples"):
                        numbers.setdefault(name, []).append((int(row[axis]), float(row[name])))
            elif kind == "exit":
                status = record.exit.exit_code
    files = sorted(path.name for path in folder.glob("wandb/offline-run-*/files/report.*"))
    return {
        "ids": sorted(ids),
        "config": config,
        "numbers": numbers,
        "tables": tables,
        "status": status,
        "files": files,
    }


def _records(data: bytes) -> Iterator[bytes]:
    place, record = _HEADER, b""
    while place + _HEADER <= len(data):
        if _BLOCK - place % _BLOCK < _HEADER:
            place += _BLOCK - place % _BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        place += _HEADER + length
        record += data[place - length : place]
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b""


def trackio(folder: Path) -> dict[str, Any]:
    os.environ["TRACKIO_DIR"] = str(folder)
    from trackio import Api
    from trackio.sqlite_storage import SQLiteStorage

    (run,) = Api().runs("adastar")
    numbers: Numbers = {}
    tables = 0
    for row in SQLiteStorage.get_logs("adastar", run.name):
        tables += "samples" in row
        for name, value in row.items():
            if "/" in name and name != "train/step":
                numbers.setdefault(name, []).append((int(row["step"]), value))
    files = sorted(path.name for path in folder.rglob("report.*"))
    return {"run": run.name, "config": run.config, "numbers": numbers, "tables": tables, "files": files}


if __name__ == "__main__":
    readers = (mlflow, tensorboard, wandb, trackio)
    found = {reader.__name__: reader(Path(sys.argv[1], "monitors", reader.__name__)) for reader in readers}
    print(json.dumps(found))
