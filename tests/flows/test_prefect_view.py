"""What Prefect shows of a run that a worker started: few artifacts, which move, and lines in the flow run's log."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from adastar_core import names
from flows.adastar import adastar as run_flow
from tasks import progress
from tests.support.runs import small_config


@pytest.fixture
def logged() -> Iterator[None]:
    """Send what flow runs and task runs log to the server, which tests do not do otherwise."""
    loggers = [logging.getLogger(f"prefect.{kind}_runs") for kind in ("flow", "task")]
    before = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.INFO)
    yield
    for one, level in zip(loggers, before, strict=True):
        one.setLevel(level)


class Server:
    """The session's Prefect server, as its pages ask it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, what: str, **body: object) -> list[dict[str, object]]:
        """Return what a filter finds."""
        found: list[dict[str, object]] = httpx.post(f"{self._url}/{what}/filter", json=body).json()
        return found

    def artifacts(self, run: str) -> list[dict[str, object]]:
        """Return all artifacts of a run, every version of each."""
        like = {"key": {"like_": f"{names.key(run, '')}%"}}
        return self.ask("artifacts", artifacts=like)


def test_two_iterations_leave_three_artifacts_and_a_line_each_in_the_flow_runs_log(
    prefect_client: Callable[[], AbstractContextManager[object]],
    prefect_environment: dict[str, str],
    database: Engine,
    tmp_path: Path,
    logged: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_UPDATES", 0.0)
    moved: list[tuple[float, str]] = []
    update = progress.update_progress_artifact

    def watched(artifact: object, percent: float, description: str) -> None:
        moved.append((percent, description))
        update(artifact, percent, description)  # type: ignore[arg-type]

    monkeypatch.setattr(progress, "update_progress_artifact", watched)
    server = Server(prefect_environment["PREFECT_API_URL"])
    config = small_config(database, tmp_path, "iterations=2")
    with prefect_client():
        report = run_flow(config, "seen_in_prefect")

    artifacts = server.artifacts("seen_in_prefect")
    by_key = {str(one["key"]): one for one in artifacts}
    kinds = {"progress": "progress", "iterations": "table", "report": "markdown"}
    assert {key: one["type"] for key, one in by_key.items()} == {
        names.key("seen_in_prefect", what): kind for what, kind in kinds.items()
    }
    assert len(artifacts) == 3  # one version of each
    (owner,) = {one["flow_run_id"] for one in artifacts}

    percents = [percent for percent, _ in moved]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    said = " ".join(description for _, description in moved)
    assert all(
        f"seen_in_prefect: t=2 {stage}" in said for stage in ("sample", "finetune", "evaluate validation")
    )
    shown = by_key[names.key("seen_in_prefect", "progress")]
    assert shown["data"] == 100
    assert "accuracy" in str(shown["description"])
    assert str(by_key[names.key("seen_in_prefect", "iterations")]["data"]).count('"stamped"') == 3
    assert "data:image/png;base64," in str(by_key[names.key("seen_in_prefect", "report")]["data"])

    def lines() -> list[str]:
        found = server.ask("logs", logs={"flow_run_id": {"any_": [owner]}}, limit=200)
        return [str(one["message"]) for one in found]

    end = time.monotonic() + 30  # logs are sent from a thread
    while time.monotonic() < end and not any(line.startswith("t=2") for line in lines()):
        time.sleep(0.5)
    told = [line for line in lines() if line.startswith("t=")]
    assert [line.split()[0] for line in told] == ["t=1", "t=2"]
    assert f"validation {report.iterations[1].validation.share:.1%}" in told[1]  # type: ignore[union-attr]
