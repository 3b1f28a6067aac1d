"""How far a run is run so that it reaches a rung, whatever it has done before."""

from pathlib import Path

import yaml
from sqlalchemy import Engine

from adastar_core import stages
from adastar_core.records import Split
from adastar_core.runs.opening import open_workspace
from flows.halving import rung_to_run
from flows.members import ComparisonSettings
from tests.support.runs import SMALL, run_iteration


def test_a_run_that_has_gone_beyond_a_rung_is_run_to_the_next(database: Engine, tmp_path: Path) -> None:
    """Its budget may only grow; what it did beyond the rung is cut off where the rung decides."""
    url = database.url.render_as_string(hide_password=False)
    base = tmp_path / "small.yaml"
    base.write_text(yaml.safe_dump({**SMALL, "database_url": url, "home": str(tmp_path / "home")}))
    settings = ComparisonSettings(source="config", base=str(base), budget="4", drop=True, seeds=(0, 1))
    first, second, last = settings.rungs
    assert [rung.limit for rung in settings.rungs] == [1, 2, 4]
    assert rung_to_run(settings, "adastar", 0, first) == first  # there is no such run yet
    with open_workspace(settings.config("adastar", 0), settings.run_name("adastar", 0)) as workspace:
        stages.evaluate(workspace, 0, Split.VALIDATION)
        run_iteration(workspace, 1)
        assert (
            rung_to_run(settings, "adastar", 0, first) == first
        )  # it may have been killed before its last tests
        run_iteration(workspace, 2)
        assert rung_to_run(settings, "adastar", 0, first) == second
        run_iteration(workspace, 3)
        assert rung_to_run(settings, "adastar", 0, first) == last
        assert rung_to_run(settings, "adastar", 0, second) == last
    assert rung_to_run(settings, "adastar", 1, first) == first
