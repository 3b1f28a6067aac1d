"""What Prefect shows of a run that a worker started: few artifacts, which move, and lines in the flow run's log."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest
from prefect import task
from sqlalchemy import Engine

from adastar_core import names
from adastar_core.errors import AdaStarError, ConfigError, EngineError, StageError
from flows.adastar import adastar as run_flow
from flows.deployed import adastar as deployed_flow
from flows.parameters import form_flow
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

    def logs(self, flow_run: object, last: str) -> list[tuple[int, str]]:
        """Return level and text of a flow run's log, once a line that begins with ``last`` has arrived from its thread."""
        found: list[tuple[int, str]] = []
        end = time.monotonic() + 30
        while time.monotonic() < end and not any(text.startswith(last) for _, text in found):
            time.sleep(0.5)
            lines = self.ask(
                "logs", logs={"flow_run_id": {"any_": [flow_run]}}, sort="TIMESTAMP_ASC", limit=200
            )
            found = [(int(str(one["level"])), str(one["message"])) for one in lines]
        return found


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

    logs = server.logs(owner, "t=2")
    told = [line for _, line in logs if line.startswith("t=")]
    assert [line.split()[0] for line in told] == ["t=1", "t=2"]
    assert f"validation {report.iterations[1].validation.share:.1%}" in told[1]  # type: ignore[union-attr]
    warnings = [line for level, line in logs if level == logging.WARNING]
    assert [line.split(".")[0] for line in warnings] == [
        "WARNING: test has 24 questions and validation has 24 questions"
    ]
    assert not any("WARNING" in line for level, line in logs if level < logging.WARNING)


@task
def failing(kind: type[AdaStarError], with_cause: bool) -> None:
    """Fail as a stage does."""
    raise kind("It failed; do something.") from (OSError("a card was lost") if with_cause else None)


@form_flow(name="inner", flow_run_name="inner")
def inner(kind: type[AdaStarError], with_cause: bool) -> None:
    """Fail as an iteration does."""
    failing(kind, with_cause)


@pytest.mark.parametrize(
    ("kind", "with_cause", "traced"),
    [(ConfigError, True, False), (StageError, False, False), (EngineError, True, True)],
)
def test_an_error_raised_on_purpose_is_in_the_log_once_and_with_code_only_if_another_caused_it(
    prefect_client: Callable[[], AbstractContextManager[object]],
    caplog: pytest.LogCaptureFixture,
    logged: None,
    kind: type[AdaStarError],
    with_cause: bool,
    traced: bool,
) -> None:
    loggers = [logging.getLogger(f"prefect.{one}_runs") for one in ("flow", "task")]
    for one in loggers:
        one.addHandler(caplog.handler)
    with prefect_client(), pytest.raises(kind):
        inner(kind, with_cause)
    for one in loggers:
        one.removeHandler(caplog.handler)
    records = dict.fromkeys(caplog.records)  # the root's handler may have got them too
    errors = [one.getMessage() for one in records if one.levelno >= logging.ERROR]
    told = [text for text in errors if not text.startswith("Finished in state Failed")]
    assert told == ["It failed; do something."]
    assert ("a card was lost" in caplog.text) == ("Traceback" in caplog.text) == traced


def test_a_typo_in_the_form_is_one_line_in_the_log(
    prefect_client: Callable[[], AbstractContextManager[object]],
    prefect_environment: dict[str, str],
    logged: None,
) -> None:
    server = Server(prefect_environment["PREFECT_API_URL"])
    with prefect_client(), pytest.raises(ConfigError):
        deployed_flow(run="with_a_typo", overrides={"trainer.lerning_rate": 1})
    (flow_run,) = server.ask("flow_runs", flow_runs={"name": {"any_": ["with_a_typo"]}})
    errors = [
        text for level, text in server.logs(flow_run["id"], "Finished in state") if level >= logging.ERROR
    ]
    assert errors == [
        "Invalid configuration: unknown configuration key 'trainer.lerning_rate'; did you mean 'trainer.learning_rate'?"
    ]
