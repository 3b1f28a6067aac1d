"""Every SQL recipe of the documentation runs as it is printed, by ``adastar sql``, and gives what it says."""

import json
import re
import shlex
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.cli.conftest import Adastar, Finished
from tests.flows.conftest import ROOT

PAGE = (ROOT / "docs" / "queries.md").read_text()
RECIPES = dict(re.findall(r"\n([^\n]+):\n\n```sql\n(.*?)```", PAGE, re.DOTALL))
EMPTY = (
    "Rationales that training left out because they were near-certain (`trainer.thin`), with the visits that show it",
    "Training examples without an accepting verdict (there must be none)",
    "Which process works on which run now",
)


@pytest.fixture
def run_database(only_read: Engine) -> Engine:
    """No query changes anything, so all share a copy."""
    return only_read


@pytest.fixture
def run_home(finished: Finished, run_database: Engine) -> Path:
    return finished.home


def test_the_documentation_has_recipes() -> None:
    assert len(RECIPES) == 12
    assert set(EMPTY) <= set(RECIPES)


@pytest.mark.parametrize("question", list(RECIPES))
def test_a_recipe(adastar: Adastar, run_database: Engine, question: str) -> None:
    with run_database.connect() as connection:
        observation = connection.scalar(
            text("SELECT observation_id FROM observations JOIN observation_events USING (position) LIMIT 1")
        )
        examples = connection.scalar(text("SELECT count(*) FROM training_examples"))
    query = RECIPES[question].replace("my-run", "mine").replace("my-observation", str(observation))
    status, out, complaint = adastar("sql", query, "--json")
    assert status == 0, complaint
    rows = json.loads(out)
    assert bool(rows) is (question not in EMPTY)
    if question.startswith("Which rationales"):
        assert len(rows) == examples


def test_the_printed_command_works(adastar: Adastar) -> None:
    (command,) = re.findall(r"```sh\n(adastar .*)\n```", PAGE)
    status, out, _ = adastar(*shlex.split(command)[1:])
    assert status == 0
    assert "mine" in out
