"""Right rationales that the model does not stand by, or does not need: asked again, and out of D+ with their reason."""

from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core.audit.verify import CHECKS, verify
from adastar_core.config import RunConfig
from adastar_core.config.files import resolve
from adastar_core.errors import ConfigError
from adastar_core.records import GenerationRequest, Split
from adastar_core.report.build import report_of
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.workspace import Workspace
from adastar_core.stages import asking, evaluate, generate, sample
from adastar_core.stages import verify as judge
from adastar_core.store.costs import read_costs
from tests.stages.test_controls import opened
from tests.support.runs import outcome_of, run_iteration, small_config
from tests.support.scripted import ScriptedGenerator

BOTH = ("filter.consistent=true", "filter.needed=true")
LEADS = ("####", "The answer is")
SELECTED = ("statistics", "events", "training examples", "iterations")
REASONS = "SELECT DISTINCT position % 3, rejected_by, rejected_because FROM verdicts WHERE outcome = 'right' ORDER BY 1"


def script(workspace: Workspace) -> ScriptedGenerator:
    """Right everywhere; at every third observation it does not stand by its rationale, at the next it needs none."""

    def answer(one: GenerationRequest) -> str:
        reference = int(workspace.train[one.position].answer)
        wrong = (reference + 1) % 3
        if not one.prompt.endswith(LEADS):
            return f"Clearly. #### {reference}"
        if "Clearly." in one.prompt:
            return f" {wrong if one.position % 3 == 0 else reference}\nMore."
        return f" {reference if one.position % 3 == 1 else wrong}"

    return ScriptedGenerator(answer)


def test_both_rules_give_their_reasons_and_everything_agrees(database: Engine, tmp_path: Path) -> None:
    with opened(database, tmp_path, "asked", *BOTH) as workspace:
        workspace.generators.use(generator := script(workspace))
        evaluate(workspace, 0, Split.VALIDATION)
        run_iteration(workspace, 1)
        with database.connect() as connection:
            stored = connection.execute(text(REASONS)).all()
            costs = {row.stage: row for row in read_costs(connection, workspace.run_id)}
        report = report_of(workspace, 1)
        checked = list(verify(workspace))
    assert [row[:2] for row in stored if row[0] < 2 and row[1] == "inconsistent"] == [(0, "inconsistent")] * 3
    assert {row[1] for row in stored if row[0] == 1} == {"not_needed"}
    assert [row[1] for row in stored if row[0] == 2] == [None]
    assert {row[2] for row in stored if row[0] == 1} == {
        f"without a rationale, the model answers '{n}' too" for n in range(3)
    }
    asked = [one for batch in generator.batches for one in batch if one.prompt.endswith(LEADS)]
    assert costs[asking.STAGE].tokens.prompt_tokens == sum(len(one.prompt) for one in asked)
    assert costs[asking.STAGE].flops > 0
    (row,) = report.iterations
    assert row.accepted == row.beta
    assert (
        row.rejected == sum(one.rejected for judged in workspace.results.of(1).values() for one in judged)
        or row.surplus
    )
    assert "inconsistent" in " ".join(report.notes)
    assert [one.violation for one in checked] == [None] * len(CHECKS)


def test_a_wave_that_is_killed_while_it_is_judged_asks_in_the_same_batches(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = (*BOTH, "generator.batch_size=8")
    with opened(database, tmp_path, "whole", *small) as workspace:
        workspace.generators.use(generator := script(workspace))
        run_iteration(workspace, 1)
    whole = outcome_of(database, workspace.run_id, *SELECTED)
    asked = questions(generator)
    times, seen = 0, []
    with monkeypatch.context() as patched:

        def killed(self: asking.Asking, connection: object) -> None:
            nonlocal times
            times += 1
            if times % 3 == 0:
                raise KeyboardInterrupt
            record(self, connection)  # type: ignore[arg-type]

        record = asking.Asking.record
        patched.setattr(asking.Asking, "record", killed)
        done = False
        while not done:
            with suppress(KeyboardInterrupt), opened(database, tmp_path, "killed", *small) as workspace:
                workspace.generators.use(generator := script(workspace))
                seen.append(generator)
                wave = 1
                while not sample(workspace, 1, wave).closed:
                    generate(workspace, 1, wave)
                    judge(workspace, 1, wave)
                    wave += 1
                done = True
    assert times > 3
    with opened(database, tmp_path, "killed", *small) as workspace:
        workspace.generators.use(script(workspace))
        run_iteration(workspace, 1)
        with database.connect() as connection:
            costs = {row.stage: row.tokens for row in read_costs(connection, workspace.run_id)}
    assert outcome_of(database, workspace.run_id, *SELECTED) == whole
    assert {batch for one in seen for batch in questions(one)} == set(asked)
    once = sum(len(one.prompt) for batch in asked for one in batch)
    assert (
        costs[asking.STAGE].prompt_tokens == once
    )  # what a killed process asked was not stored, nor counted


def questions(generator: ScriptedGenerator) -> list[tuple[GenerationRequest, ...]]:
    return [batch for batch in generator.batches if batch and batch[0].prompt.endswith(LEADS)]


def test_a_real_model_is_asked_for_what_follows_its_own_rationale(database: Engine, tmp_path: Path) -> None:
    """The packaged model adds in steps that it cannot do without, and nearly always stands by them."""
    with open_workspace(small_config(database, tmp_path, *BOTH, "iterations=1"), "real") as workspace:
        run_iteration(workspace, 1)
        with database.connect() as connection:
            query = "SELECT rejected_by, count(*) FROM verdicts WHERE outcome = 'right' GROUP BY 1"
            counts = {row[0]: row[1] for row in connection.execute(text(query))}
    right = sum(counts.values())
    assert counts[None] > 0.8 * right
    assert set(counts) <= {None, "inconsistent", "not_needed"}


OWN = """
class Own:
    version = "own/1"

    def verify(self, observation, response, finish_reason):
        return observation.answer in response
"""


def test_a_verifier_that_does_not_say_where_its_answer_stands_is_refused(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_verifier.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    rows = "".join(f'{{"q": "What is {n}?", "a": "{n}"}}\n' for n in range(40))
    (tmp_path / "rows.jsonl").write_text(rows)
    problem = {"type": "table", "path": str(tmp_path / "rows.jsonl"), "question": "q", "answer": "a"}
    base = small_config(database, tmp_path).model_dump(mode="json") | {
        "problem": problem | {"verifier": {"path": "own_verifier:Own"}},
        "database_url": database.url.render_as_string(hide_password=False),
    }
    config = resolve(base, ["filter.needed=true"])
    refused = pytest.raises(
        ConfigError, match=r"filter\.needed \(true\) needs to know where .* own/1 does not"
    )
    with refused, open_workspace(config, "own"):
        pass


def test_answers_of_the_data_are_not_asked_about(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"rationales is reference"):
        RunConfig.model_validate({"method": "sft", "rationales": "reference", "filter": {"consistent": True}})
