"""Responses that end once they have declared their answer: what a run stores and how it judges them."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core import stages
from adastar_core.errors import ConfigError
from adastar_core.generators import Decoding
from adastar_core.planning.plan import plan_of
from adastar_core.records import GenerationRequest
from adastar_core.runs.opening import open_workspace
from tests.support.runs import small_config
from tests.support.scripted import ScriptedGenerator

AT_ANSWER = "generator.end_at_answer=true"


@pytest.mark.parametrize(("overrides", "verdict"), [([], "undecided"), ([AT_ANSWER], "right")])
def test_what_a_model_says_after_its_answer_counts_unless_it_is_not_generated(
    database: Engine, tmp_path: Path, overrides: list[str], verdict: str
) -> None:
    with open_workspace(small_config(database, tmp_path, *overrides), "one") as workspace:

        def script(one: GenerationRequest) -> str:
            return f"so\n#### {workspace.train[one.position].answer}\nA person took 8 rolls."

        workspace.generators.use(ScriptedGenerator(script))
        stages.sample(workspace, 1, 0)
        stages.generate(workspace, 1, 0)
        stages.verify(workspace, 1, 0)
        with database.connect() as connection:
            outcomes = connection.scalars(text("SELECT DISTINCT outcome FROM verdicts")).all()
            ends = connection.scalars(text("SELECT DISTINCT finish_reason FROM rollouts")).all()
    assert outcomes == [verdict]
    assert ends == (["stop"] if overrides else ["eos"])


def test_it_is_refused_where_an_answer_cannot_be_read_without_its_question(
    database: Engine, tmp_path: Path
) -> None:
    problem = ("problem=table", "problem.path=examples/additions.csv", "problem.verifier=exact")
    config = small_config(database, tmp_path, AT_ANSWER, *problem)
    said = r"generator\.end_at_answer \(true\) needs a verifier of number, yes_no, not exact"
    with pytest.raises(ConfigError, match=said), open_workspace(config, "one"):
        pass
    with pytest.raises(ConfigError, match=said):
        plan_of(config)


def test_digests_of_earlier_decodings_stay() -> None:
    """An evaluation that was made before counts as the same."""
    earlier = {"greedy": True, "temperature": 1.0, "top_p": 1.0, "max_new_tokens": 9, "stop": ("\nQ:",)}
    decoding = Decoding(**earlier)  # type: ignore[arg-type]
    assert list(decoding.decisive().items()) == list(earlier.items())
    assert Decoding(True, 1.0, 1.0, 9, ("\nQ:",), "number").decisive() == {**earlier, "answer": "number"}
