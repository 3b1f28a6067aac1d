"""Every SQL recipe of the documentation runs and gives what it says."""

import re

import pytest
from sqlalchemy import Engine, text

from tests.flows.conftest import ROOT

RECIPES = dict(
    re.findall(r"\n([^\n]+):\n\n```sql\n(.*?)```", (ROOT / "docs" / "queries.md").read_text(), re.DOTALL)
)
EMPTY = (
    "Training examples without an accepting verdict (there must be none)",
    "Which process works on which run now",
)


def test_the_documentation_has_recipes() -> None:
    assert len(RECIPES) == 11
    assert set(EMPTY) <= set(RECIPES)


@pytest.mark.parametrize("question", list(RECIPES))
def test_a_recipe(run_database: Engine, question: str) -> None:
    query = text(RECIPES[question].replace("::", "\\:\\:"))
    with run_database.connect() as connection:
        observation = connection.scalar(
            text("SELECT observation_id FROM observations JOIN observation_events USING (position) LIMIT 1")
        )
        values = {"run": 1, "iteration": 2, "observation_id": observation}
        wanted = {
            name: value for name, value in values.items() if re.search(rf"(?<!:):{name}\b", RECIPES[question])
        }
        rows = connection.execute(query, wanted).all()
        examples = connection.scalar(text("SELECT count(*) FROM training_examples"))
    assert bool(rows) is (question not in EMPTY)
    if question.startswith("Which rationales"):
        assert len(rows) == examples
