"""How what is read of an iteration's attempts is joined: row by row would take a minute where a hash takes no time."""

from pathlib import Path

from sqlalchemy import Connection, Engine, event

from adastar_core import stages
from adastar_core.records import Split
from adastar_core.report.build import report_of
from adastar_core.runs.opening import open_workspace
from tests.support.runs import run_iteration, small_config

OF_ATTEMPTS = ("rollouts", "verdicts", "training_examples")


def test_the_attempts_of_a_running_iteration_are_never_joined_row_by_row(
    database: Engine, tmp_path: Path
) -> None:
    """A partition that was just filled is taken for empty, so every such statement must keep the planner from nested loops."""
    nested: dict[str, str] = {}

    def look(connection: Connection, cursor: object, statement: str, *_: object) -> None:
        read = [name for name in OF_ATTEMPTS if f" {name} " in statement]
        if "JOIN" in statement and len(read) > 1:
            cursor.execute("SHOW enable_nestloop")  # type: ignore[attr-defined]
            nested[statement] = cursor.fetchone()[0]  # type: ignore[attr-defined]

    config = small_config(database, tmp_path, "attempts=3", "schedule.first_steps=6")
    with open_workspace(config, "run") as workspace:
        event.listen(workspace.engine, "before_cursor_execute", look)
        stages.evaluate(workspace, 0, Split.VALIDATION)
        run_iteration(workspace, 1)
        workspace.results._known = None
        run_iteration(workspace, 2)
        report_of(workspace, best=0)
    assert len(nested) >= 3
    assert [statement for statement, on in nested.items() if on == "on"] == []
