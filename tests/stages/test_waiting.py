"""Two runs of one base model, and work that takes longer than a database session may be idle in a transaction."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core import stages
from adastar_core.audit import export
from adastar_core.audit.lineage import trace
from adastar_core.audit.verify import verify
from adastar_core.generators import Decoding
from adastar_core.generators.transformers import TransformersGenerator
from adastar_core.models import checkpoints
from adastar_core.problems import arithmetic
from adastar_core.progress import Silent
from adastar_core.records import Attempt, GenerationRequest, Split
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.stored import open_stored
from adastar_core.samplers.thompson import ThompsonSampler
from adastar_core.store import database as database_module
from adastar_core.trainers import sft
from tests.support.runs import run_iteration, small_config

LONGER_THAN_ANY = 3.0


class Lines(Silent):
    """Keeps the lines of a run's progress."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        """Keep the line."""
        self.lines.append(text)


def test_a_run_that_waits_for_anothers_base_evaluation_outlasts_every_limit(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
    for name in limits:
        monkeypatch.setitem(database_module._SESSION_SETTINGS, name, "500ms")
    generate, began, go_on = TransformersGenerator.generate, threading.Event(), threading.Event()
    batches: list[int] = []

    def slow(
        generator: TransformersGenerator, requests: Sequence[GenerationRequest], decoding: Decoding
    ) -> list[Attempt]:
        batches.append(len(requests))
        began.set()
        assert go_on.wait(60)
        return generate(generator, requests, decoding)

    monkeypatch.setattr(TransformersGenerator, "generate", slow)
    progress = Lines()
    one, two = (small_config(database, tmp_path, f"seed={seed}") for seed in (1, 2))
    with (
        open_workspace(one, "one") as first,
        open_workspace(two, "two", display=progress) as second,
        ThreadPoolExecutor() as pool,
    ):
        evaluating = pool.submit(stages.evaluate, first, 0, Split.VALIDATION)
        assert began.wait(60)
        waiting = pool.submit(stages.evaluate, second, 0, Split.VALIDATION)
        with pytest.raises(TimeoutError):
            waiting.result(LONGER_THAN_ANY)
        go_on.set()
        assert evaluating.result() == waiting.result()
    assert sum(batches) == 24  # nothing was generated twice
    (line,) = progress.lines
    assert line.startswith("Waiting for another run to evaluate the base model (connected as 'adastar one'")


@pytest.fixture
def require_idle(database: Engine, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make functions that are not the database's refuse to work inside a transaction.

    Another thread's, which stores the batch before, ends by itself.
    """
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
    )

    def in_transaction() -> int:
        with database.connect() as connection:  # a new one: within a transaction the view stays as it was
            return int(connection.scalar(query) or 0)

    def wrap(where: object, name: str) -> None:
        function = getattr(where, name)

        def guarded(*arguments: object, **named: object) -> object:
            deadline = time.monotonic() + LONGER_THAN_ANY
            while in_transaction():
                assert time.monotonic() < deadline, f"a transaction is open during {name}"
            return function(*arguments, **named)

        monkeypatch.setattr(where, name, guarded)

    return wrap


def test_no_transaction_is_open_during_other_work(
    database: Engine, tmp_path: Path, require_idle: Callable[..., None]
) -> None:
    """Hashing, rendering, generating, judging, training, building a sampler, and writing what is exported."""
    require_idle(checkpoints, "_list_files")
    require_idle(arithmetic.Arithmetic, "training_prompt")
    require_idle(arithmetic.Arithmetic, "prompt")
    require_idle(TransformersGenerator, "generate")
    require_idle(sft, "finetune")
    require_idle(ThompsonSampler, "recall")
    config = small_config(database, tmp_path, "sampler.type=thompson")
    with open_workspace(config, "run") as workspace:
        stages.evaluate(workspace, 0, Split.VALIDATION)
        run_iteration(workspace, 1)
        workspace.forget_sampler()
        run_iteration(workspace, 2)
    stored = open_stored(database, tmp_path, "run")
    assert [one.violation for one in verify(stored) if one.violation] == []
    count = export.export(stored, "jsonl", tmp_path / "rationales.jsonl")
    assert count == len(list(trace(database, tmp_path, "run:2").examples())) > 0
