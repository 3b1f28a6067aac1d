"""What is called a smoke test passes with what the package ships."""

import pytest
from sqlalchemy import Engine, text

from adastar_core.config import files
from adastar_core.planning.plan import plan_of
from tests.flows.conftest import Command

SMOKE = [name for name in files.preset_names() if name.startswith("smoke-")]


@pytest.mark.parametrize("preset", SMOKE)
def test_nothing_is_to_be_warned_of_but_small_splits(preset: str) -> None:
    plan = plan_of(files.resolve(files.load_preset(preset)))
    assert plan.observations == 64
    assert all("validation has" in warning for warning in plan.warnings)


@pytest.mark.parametrize("preset", ["smoke-gsm8k", "smoke-arc_challenge"])
def test_a_smoke_test_ends_in_success(
    adastar: Command, database: Engine, tmp_path: object, preset: str
) -> None:
    url = database.url.render_as_string(hide_password=False)
    result = adastar("--preset", preset, "--set", f"database_url={url}", "--set", f"home={tmp_path}")
    assert result.returncode == 0, result.stdout + result.stderr
    with database.connect() as connection:
        assert connection.execute(text("SELECT status FROM runs")).scalar_one() == "finished"
