"""Prompts that are made again, and what is not run for them."""

import json
from pathlib import Path

from sqlalchemy import Engine, text

from adastar_core.ui.site import Site
from tests.ui.conftest import serving

PROMPT = "/runs/1/iterations/1/0/1"


def configure(engine: Engine, **values: object) -> None:
    """Change keys of the run's configuration; those of its problem are replaced."""
    with engine.begin() as connection:
        config = connection.execute(text("SELECT config FROM runs")).scalar_one()
        kept = {key: value for key, value in config.items() if not key.startswith("problem.")}
        changed = {**kept, **{key.replace("__", "."): value for key, value in values.items()}}
        connection.execute(text("UPDATE runs SET config = :config"), {"config": json.dumps(changed)})


def page(site: Site) -> str:
    with serving(site) as served, served.client() as client:
        answer = client.get(PROMPT)
        assert answer.status_code == 200
        return answer.text


def test_code_of_a_user_is_not_run(own_site: Site, tmp_path: Path) -> None:
    ran, code = tmp_path / "ran", tmp_path / "mine.py"
    code.write_text(f"open({str(ran)!r}, 'w')\nclass Mine: pass\n")
    configure(own_site.engine, problem__type="custom", problem__path=f"{code}:Mine")
    assert "code of your own, which this page does not run" in page(own_site)
    (tmp_path / "table.jsonl").write_text("")
    table = {"problem__type": "table", "problem__path": str(tmp_path / "table.jsonl")}
    configure(own_site.engine, **table, problem__verifier__path=f"{code}:Mine")
    assert "code of your own, which this page does not run" in page(own_site)
    assert not ran.exists()


def test_another_prompt_than_the_recorded_one_is_said_to_be_one(own_site: Site) -> None:
    with own_site.engine.begin() as connection:
        connection.execute(text("UPDATE observations SET question = '1+1' WHERE position = 0"))
    assert "Not the recorded prompt" in page(own_site)


def test_a_model_that_is_not_here_is_not_fetched(own_site: Site) -> None:
    with own_site.engine.begin() as connection:
        connection.execute(
            text("UPDATE runs SET base_model = 'someone/model', config = config || '{\"prompt.chat\": true}'")
        )
        connection.execute(text("UPDATE checkpoints SET path = '/nowhere' WHERE iteration = 0"))
    assert "someone/model, which is not on this machine" in page(own_site)


def test_a_configuration_of_another_version_leaves_the_rest_of_the_page(own_site: Site) -> None:
    with own_site.engine.begin() as connection:
        connection.execute(text("UPDATE runs SET config = config || '{\"unheard.of\": 1}'"))
    shown = page(own_site)
    assert "The prompt cannot be made again" in shown
    assert "random stream" in shown
