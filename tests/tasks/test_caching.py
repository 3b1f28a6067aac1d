"""The cache policy's traps: what a key holds, what it must not hold, and that every process makes the same one."""

import inspect
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import get_type_hints

import pytest
from prefect import Flow, Task

from adastar_core.records import Split
from adastar_core.runs.stored import RunRef
from flows.adastar import adastar
from flows.compare import compare
from flows.iteration import iterate
from tasks import caching, reporting, stages
from tasks.stages import CachedStage
from tests.flows.conftest import ROOT

RUN = RunRef(uid="0f", name="mine", config_sha256="ab")
STAGES = {name: one.task for name, one in vars(stages).items() if isinstance(one, CachedStage)}
UNCACHED = {name: one for name, one in vars(stages).items() if isinstance(one, Task)}
REPORTS = {name: one for name, one in vars(reporting).items() if isinstance(one, Task)}


def key(task: str, **inputs: object) -> str:
    """Return the key of a call."""
    context = SimpleNamespace(task=SimpleNamespace(name=task))
    found = caching.STAGE_POLICY.compute_key(context, inputs, {})  # type: ignore[arg-type]
    assert found is not None
    return found


def test_every_stage_is_cached_under_the_one_policy_and_its_own_version() -> None:
    assert set(STAGES) == set(caching.STAGE_VERSIONS)
    assert all(one.cache_policy is caching.STAGE_POLICY for one in STAGES.values())
    assert {one.result_serializer for one in STAGES.values()} == {"json"}


def test_what_an_open_wave_lacks_only_the_store_knows() -> None:
    assert set(UNCACHED) == {"generate", "verify", "measure_as_sampled"}
    assert all(one.cache_policy is caching.NOT_CACHED for one in UNCACHED.values())


def test_reports_are_made_again_since_artifacts_are_not() -> None:
    assert set(REPORTS) == {"report_iteration", "report_iterations", "report_run"}
    assert all(one.cache_policy is caching.NOT_CACHED for one in REPORTS.values())


@pytest.mark.parametrize(
    "one", [adastar, iterate, compare, *REPORTS.values(), *UNCACHED.values()], ids=lambda one: one.name
)
def test_nothing_else_is_kept_as_a_result_which_would_be_a_pickle(one: Flow | Task) -> None:  # type: ignore[type-arg]
    """Whatever the operator's settings are: who can write to the shared storage could run code on the next retry."""
    assert one.persist_result is False


@pytest.mark.parametrize("name", list(STAGES))
def test_a_stage_is_given_ids_and_numbers(name: str) -> None:
    """No model, no data, no address, nothing whose order or identity differs between processes."""
    hints = get_type_hints(STAGES[name].fn)
    assert {hints[one] for one in inspect.signature(STAGES[name].fn).parameters} <= {RunRef, int, Split}
    assert {field.annotation for field in RunRef.model_fields.values()} == {str}


def test_another_input_run_stage_or_version_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {
        key("evaluate", run=RUN, iteration=1, split=Split.TEST),
        key("evaluate", run=RUN, iteration=2, split=Split.TEST),
        key("evaluate", run=RUN, iteration=1, split=Split.VALIDATION),
        key("finetune", run=RUN, iteration=1),
        key("advance", run=RUN, iteration=1),
        *(
            key("advance", run=RUN.model_copy(update={field: "other"}), iteration=1)
            for field in RunRef.model_fields
        ),
    }
    assert key("sample", run=RUN, iteration=1, wave=0) == key("sample", run=RUN, iteration=1, wave=3)
    monkeypatch.setitem(caching.STAGE_VERSIONS, "advance", 99)
    keys.add(key("advance", run=RUN, iteration=1))
    assert len(keys) == 9


def test_every_process_makes_the_same_key() -> None:
    program = (
        "from tests.tasks.test_caching import RUN, Split, key\n"
        "print(key('evaluate', split=Split.TEST, iteration=1, run=RUN))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert printed == {key("evaluate", run=RUN, iteration=1, split=Split.TEST)}
