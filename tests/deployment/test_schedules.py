"""Scheduled runs that cannot start when they are due: they do not pile up."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from tests.deployment.conftest import Deployed
from tests.deployment.test_end_to_end import SLOW

DAY_SECONDS = 24 * 60 * 60
TINY = {
    "iterations": 1,
    "problem": {"type": "arithmetic", "train": 60, "validation": 8, "test": 8, "max_digits": 2},
    "schedule": {"first_steps": 2},
    "trainer": {"batch_size": 8, "learning_rate": 0.0003},
    "generator": {"batch_size": 64, "max_new_tokens": 64},
}


@contextmanager
def pool(deployed: Deployed, **changed: object) -> Iterator[None]:
    """Change the process pool for a while."""
    kept = {"is_paused": False, "concurrency_limit": 1}
    deployed.ask("PATCH", "work_pools/adastar-process", changed)
    try:
        yield
    finally:
        deployed.ask("PATCH", "work_pools/adastar-process", kept)


def test_of_overdue_nights_only_the_last_runs(deployed: Deployed) -> None:
    """Two nights become due while no worker polls the pool; a run that a user started still runs."""
    asked_for = {"run": "asked-for", "rerun": "nightly", "overrides": TINY}
    with pool(deployed, is_paused=True):
        nights = _miss_two_nights(deployed, {"run": "late", "rerun": "nightly", "overrides": TINY})
        other = deployed.trigger("local", asked_for)
        assert {deployed.flow_run(one)["state_type"] for one in nights} == {"SCHEDULED"}
    ended = [deployed.wait_until_over(one) for one in [*nights, other]]
    assert ended == ["CANCELLED", "COMPLETED", "COMPLETED"]
    assert "has come due" in deployed.flow_run(nights[0])["state"]["message"]
    with deployed.database.connect() as connection:
        made = connection.scalars(text("SELECT name FROM runs WHERE name LIKE 'late%'")).all()
    assert made == ["late"]


def _miss_two_nights(deployed: Deployed, parameters: dict[str, object]) -> list[str]:
    """Schedule as the server did on the last two days; return the runs, the oldest first."""
    identity = deployed.deployment("local")["id"]
    first = (datetime.now(UTC) - timedelta(days=1, hours=1)).isoformat()
    interval = {"interval": DAY_SECONDS, "anchor_date": first}
    schedule = {"schedule": interval, "active": True, "parameters": parameters}
    (made,) = deployed.ask("POST", f"deployments/{identity}/schedules", [schedule])
    span = {"start_time": first, "end_time": datetime.now(UTC).isoformat()}
    deployed.ask("POST", f"deployments/{identity}/schedule", span)
    body = {
        "flow_runs": {
            "deployment_id": {"any_": [identity]},
            "expected_start_time": {"after_": first, "before_": span["end_time"]},
        },
        "sort": "EXPECTED_START_TIME_ASC",
    }
    found = [one for one in deployed.ask("POST", "flow_runs/filter", body) if one["auto_scheduled"]]
    assert len(found) == 2
    inactive = {"active": False}  # a deleted one would take its runs along
    deployed.ask("PATCH", f"deployments/{identity}/schedules/{made['id']}", inactive)
    return [str(one["id"]) for one in found]


def test_a_night_due_while_the_previous_one_runs_is_cancelled(deployed: Deployed) -> None:
    """Where the pool has room for both, the deployment's limit decides."""
    with pool(deployed, concurrency_limit=2):
        before = deployed.trigger("nightly", {"run": "still-going", "overrides": SLOW})
        deployed.services.wait(lambda: deployed.flow_run(before)["state_type"] == "RUNNING")
        late = deployed.trigger("nightly", {"run": "too-much", "overrides": TINY})
        assert deployed.wait_until_over(late) == "CANCELLED"
        assert deployed.flow_run(before)["state_type"] == "RUNNING"
        deployed.ask("POST", f"flow_runs/{before}/set_state", {"state": {"type": "CANCELLING"}})
        assert deployed.wait_until_over(before) == "CANCELLED"
