"""What ``adastar export`` writes for other trainers: by their documented schemas, and by TRL itself."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from datasets import Dataset, load_dataset
from sqlalchemy import Engine, text

from adastar_core.models.source import resolve_model
from tests.cli.conftest import Adastar

Json = Callable[..., dict]  # type: ignore[type-arg]


@pytest.fixture
def exported(adastar_json: Json, tmp_path: Path) -> Callable[[str], Dataset]:
    """Export in a form and load it as any user of `datasets` would."""

    def export(kind: str) -> Dataset:
        output = tmp_path / f"{kind}.jsonl"
        written = adastar_json("export", "mine", "--format", kind, "--output", str(output))
        cache = str(tmp_path / "cache")
        rows = load_dataset("json", data_files=str(output), split="train", cache_dir=cache)
        assert len(rows) == written["examples"]
        return rows

    return export


def trained(database: Engine) -> list[tuple[str, str]]:
    """Return question and rationale of every training example, in order."""
    query = text(
        "SELECT o.question, r.response FROM training_examples e JOIN rollouts r USING (run_id, iteration, position, attempt) "
        "JOIN observations o USING (position) ORDER BY e.iteration, e.place"
    )
    with database.connect() as connection:
        return [(row.question, row.response) for row in connection.execute(query)]


def test_trl_sft_has_the_texts_that_were_trained(
    exported: Callable[[str], Dataset], adastar_json: Json, tmp_path: Path
) -> None:
    rows = exported("trl-sft")
    assert rows.column_names == ["prompt", "completion"]
    adastar_json("export", "mine", "--to", "jsonl", "--output", str(tmp_path / "whole.jsonl"))
    whole = load_dataset(
        "json", data_files=str(tmp_path / "whole.jsonl"), split="train", cache_dir=str(tmp_path / "c")
    )
    assert rows["prompt"][:] == whole["prompt"][:]
    assert rows["completion"][:] == whole["completion"][:]


def test_conversations(exported: Callable[[str], Dataset], run_database: Engine) -> None:
    expected = trained(run_database)
    for row, (question, response) in zip(exported("axolotl"), expected, strict=True):
        asked, answered = row["messages"]
        assert (asked["role"], answered["role"]) == ("user", "assistant")
        assert question in asked["content"]
        assert answered["content"] == response.strip()
    for row, (question, response) in zip(exported("sharegpt"), expected, strict=True):
        asked, answered = row["conversations"]
        assert (asked["from"], answered["from"]) == ("human", "gpt")
        assert question in asked["value"]
        assert answered["value"] == response.strip()


def test_pairs_are_of_one_question_and_one_iteration_and_without_hinted_mistakes(
    exported: Callable[[str], Dataset], run_database: Engine
) -> None:
    query = text(
        "SELECT iteration, position, attempt, response, outcome, o.question FROM rollouts r "
        "JOIN verdicts USING (run_id, iteration, position, attempt) JOIN observations o USING (position) "
        "WHERE (outcome = 'right' AND rejected_by IS NULL) OR (outcome = 'wrong' AND NOT hinted) "
        "ORDER BY iteration, position, attempt"
    )
    sides: dict[tuple[int, int, str], tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    with run_database.connect() as connection:
        for row in connection.execute(query):
            sides[row.iteration, row.position, row.question][row.outcome == "wrong"].append(row.response)
    expected = [
        (question, chosen, rejected)
        for (_, _, question), (right, wrong) in sides.items()
        for chosen, rejected in zip(right, wrong, strict=False)
    ]
    rows = exported("trl-dpo")
    assert len(expected) > 5
    assert rows.column_names == ["prompt", "chosen", "rejected"]
    assert [(row["chosen"], row["rejected"]) for row in rows] == [pair[1:] for pair in expected]
    assert all(question in row["prompt"] for row, (question, _, _) in zip(rows, expected, strict=True))


def test_a_run_without_pairs_is_no_error(adastar: Adastar, run_database: Engine, tmp_path: Path) -> None:
    with run_database.begin() as connection:
        connection.execute(text("UPDATE verdicts SET outcome = 'undecided' WHERE outcome = 'wrong'"))
    status, out, _ = adastar("export", "mine", "--to", "trl-dpo", "--output", str(tmp_path / "none.jsonl"))
    assert status == 0
    assert "0 preference pairs" in out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # theirs
@pytest.mark.parametrize("kind", ["trl-sft", "trl-dpo"])
def test_trl_trains_on_it(exported: Callable[[str], Dataset], tmp_path: Path, kind: str) -> None:
    trl = pytest.importorskip("trl")
    options = {"output_dir": str(tmp_path / "out"), "max_steps": 2, "per_device_train_batch_size": 2}
    options |= {"report_to": "none", "use_cpu": True, "bf16": False, "save_strategy": "no"}
    trainer, settings = {
        "trl-sft": (trl.SFTTrainer, trl.SFTConfig),
        "trl-dpo": (trl.DPOTrainer, trl.DPOConfig),
    }[kind]
    rows = exported(kind).select(range(6))
    made = trainer(model=str(resolve_model("tiny-adder")), args=settings(**options), train_dataset=rows)
    assert made.train().training_loss > 0
