"""Texts that are too long: known when a run is opened, rejected with their reason, and never the end of a run."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core.errors import DataError
from adastar_core.planning.plan import plan_of
from adastar_core.records import Rejection
from adastar_core.runs.lengths import Room
from adastar_core.runs.opening import open_workspace
from adastar_core.stages.finetune import read_examples
from tests.support.runs import run_iteration, small_config

LONGEST = 40
"""Tokens of a training text: some of the small run's right rationales are longer, most are not."""


def _rejected(engine: Engine) -> list[tuple[str, str]]:
    query = "SELECT rejected_by, rejected_because FROM verdicts WHERE outcome = 'right' AND rejected_by IS NOT NULL"
    with engine.connect() as connection:
        return [(row[0], row[1]) for row in connection.execute(text(query))]


def test_a_run_whose_rationales_are_too_long_to_train_finishes_without_them(
    database: Engine, tmp_path: Path
) -> None:
    config = small_config(database, tmp_path, f"trainer.max_length={LONGEST}")
    with open_workspace(config, "run") as workspace:
        for iteration in (1, 2):
            run_iteration(workspace, iteration)
        examples = read_examples(workspace, 1)
        rejected = _rejected(database)
        assert {by for by, _ in rejected} == {"no_room"}
        assert all("more than trainer.max_length (40)" in because for _, because in rejected)
        prompts = workspace.vocabulary.prompt_ids([one.prompt for one in examples])
        lengths = [len(ids) + len(one.tokens) for ids, one in zip(prompts, examples, strict=True)]
        assert max(lengths) <= LONGEST
        counted = (
            "SELECT correct, attempts FROM observation_statistics s JOIN verdicts v USING (run_id, position) "
        )
        with database.connect() as connection:  # right, and so counted as right
            rows = connection.execute(
                text(counted + "WHERE v.rejected_by = 'no_room' AND s.times_stamped > 0")
            )
            assert all(row.correct > 0 for row in rows)
    with database.connect() as connection:
        notes = str(connection.scalar(text("SELECT data_notes FROM runs")))
    assert "training prompt of train leaves fewer than 65 tokens within trainer.max_length (40)" in notes
    assert plan_of(config).data_notes[-1] in notes


def test_a_run_that_is_stuck_on_a_text_too_long_continues_with_a_higher_limit(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that an earlier version sampled, which did not look at lengths."""

    def looks_away(*_: object) -> Rejection | None:
        return None

    monkeypatch.setattr(Room, "rejection", looks_away)
    low = small_config(database, tmp_path, f"trainer.max_length={LONGEST}")
    with (
        pytest.raises(DataError, match=r"more than 40 .*raise trainer\.max_length"),
        open_workspace(low, "run") as workspace,
    ):
        run_iteration(workspace, 1)
    with open_workspace(small_config(database, tmp_path, "trainer.max_length=1024"), "run") as workspace:
        run_iteration(workspace, 1)
        assert workspace.checkpoint(1).training is not None


def test_references_that_are_too_long_are_known_and_not_trained(database: Engine, tmp_path: Path) -> None:
    config = small_config(database, tmp_path, "rationales=reference", "trainer.max_length=14")
    with open_workspace(config, "run") as workspace:
        run_iteration(workspace, 1)
    rejected = _rejected(database)
    assert {by for by, _ in rejected} == {"no_room"}
    note = plan_of(config).data_notes[-1]
    assert "are too long to train on; the first is" in note
    assert "more than trainer.max_length (14)" in note


@pytest.mark.parametrize(
    ("choices", "named"),
    [
        (
            ("trainer.max_length=8",),
            r"training prompt of train row '\S+' has \d+ tokens.*Raise trainer\.max_length",
        ),
        (
            ("generator.type=vllm", "generator.vllm.longest_text=70"),
            r"prompt of train row '\S+' has 8 tokens.*no room for 64 more.*Raise generator\.vllm\.longest_text",
        ),
        (
            ("evaluation.shots=400",),
            r"evaluation prompt of validation row '\S+' has \d+ tokens.*model's positions \(2048\)",
        ),
    ],
)
def test_a_prompt_without_room_is_refused_before_anything_is_written(
    database: Engine, tmp_path: Path, choices: tuple[str, ...], named: str
) -> None:
    config = small_config(database, tmp_path, *choices)
    with pytest.raises(DataError, match=named), open_workspace(config, "run"):
        pass
    with pytest.raises(DataError, match=named):
        plan_of(config)
    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM runs")) == 0
