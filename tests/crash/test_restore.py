"""A database behind what Prefect and the disk hold: restored, failed over, or copied. The run's outcome is the undisturbed one."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from adastar_core.cli import main as adastar
from adastar_core.errors import HomeError
from adastar_core.postgres.binaries import find_binaries
from adastar_core.store.database import connect
from tests.conftest import new_database
from tests.crash.conftest import Run
from tests.crash.killer import Hit
from tests.crash.scene import SOAK, Undisturbed, on_database, outcome, require_sound
from tests.support.prefect_server import PrefectServer

MOMENTS = (
    ("after-commit", "generate", 2),
    ("after-commit", "finetune", 1),
    ("before-commit", "finetune", 1),
    ("after-commit", "advance", 1),
)
"""When the copy is taken: in the middle of a wave and between two stages; for `make soak` at two other moments too."""


@contextmanager
def copied(administrator: Engine, database: Engine) -> Iterator[Engine]:
    """Yield an engine on a copy of a database that nobody is connected to."""
    database.dispose()
    name = f"{database.url.database}_copy"
    with new_database(administrator, name, str(database.url.database)):
        engine = connect(database.url.set(database=name))
        yield engine
        engine.dispose()


@pytest.mark.parametrize("moment", MOMENTS[: None if SOAK else 2], ids=lambda one: "-".join(map(str, one)))
def test_a_database_behind_the_results_and_checkpoints_catches_up(
    run: Run,
    undisturbed: Undisturbed,
    administrator: Engine,
    database: Engine,
    tmp_path: Path,
    moment: tuple[str, str, int],
) -> None:
    """Prefect's results and the checkpoints are ahead of the database by the rest of the run."""
    arguments = on_database(tmp_path, "mine", database)
    assert run(arguments, tmp_path, Hit(*moment)) == -9
    with copied(administrator, database) as behind:
        assert run(arguments, tmp_path) == 0
        assert outcome(database, "mine") == undisturbed.outcome

        assert run(on_database(tmp_path, "mine", behind), tmp_path) == 0, (
            tmp_path / "output.log"
        ).read_text()
        assert outcome(behind, "mine") == undisturbed.outcome
        require_sound(behind, tmp_path / "home", "mine")


def test_two_copies_of_a_database_that_go_different_ways(
    run: Run, administrator: Engine, template: str, database: Engine, tmp_path: Path
) -> None:
    """One after the other they train another second iteration in one data directory, and each keeps its own."""
    data = tmp_path / "sums.jsonl"
    rows = [
        f'{{"id": "{a}+{b}", "question": "{a}+{b}", "answer": "{a + b}"}}\n'
        for a in range(1, 10)
        for b in range(1, 10)
    ]

    def arguments(name: str, engine: Engine, share: int, iterations: int) -> list[str]:
        data.write_text("".join(rows[:share]))
        problem = {"type": "table", "path": str(data), "id": "id"}
        return on_database(tmp_path, name, engine, problem=problem, iterations=iterations)

    def both_ways(name: str, engine: Engine, grown: Engine) -> None:
        assert run(arguments(name, engine, 60, 2), tmp_path) == 0
        assert run(arguments(name, grown, 81, 2), tmp_path) == 0, (tmp_path / "output.log").read_text()

    assert run(arguments("mine", database, 60, 1), tmp_path) == 0
    with copied(administrator, database) as other:
        both_ways("mine", database, other)
        separate = outcome(database, "mine"), outcome(other, "mine")
        both_ways("mine", database, other)
        assert (outcome(database, "mine"), outcome(other, "mine")) == separate
        assert separate[0]["checkpoints"][:2] == separate[1]["checkpoints"][:2]
        assert separate[0]["checkpoints"][2] != separate[1]["checkpoints"][2]
        for engine in (database, other):
            require_sound(engine, tmp_path / "home", "mine")

    with new_database(administrator, f"{template}_alone", template):
        alone = connect(database.url.set(database=f"{template}_alone"))
        assert run(arguments("alone", alone, 60, 1), tmp_path) == 0
        assert run(arguments("alone", alone, 81, 2), tmp_path) == 0
        assert outcome(alone, "alone") == separate[1]
        alone.dispose()


def test_backup_restore_and_continue(
    run: Run,
    undisturbed: Undisturbed,
    administrator: Engine,
    database: Engine,
    prefect: PrefectServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Database and data directory of one evening; Prefect's results are lost. Then files that are behind the database."""
    arguments, home, copy = on_database(tmp_path, "mine", database), tmp_path / "home", tmp_path / "copy"
    assert run(arguments, tmp_path, Hit("after-commit", "advance", 1)) == -9
    monkeypatch.setenv("ADASTAR_DATABASE_URL", database.url.render_as_string(hide_password=False))
    assert adastar(["db", "backup", str(tmp_path / "copy.dump"), "--home", str(home)]) == 0
    shutil.copytree(home, copy)
    assert run(arguments, tmp_path) == 0

    shutil.rmtree(home)
    shutil.copytree(copy, home)
    shutil.rmtree(Path(prefect.environment["PREFECT_HOME"]) / "storage")
    name = f"{database.url.database}_restored"
    with new_database(administrator, name):
        url = database.url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
        program = find_binaries(None).program("pg_restore")
        subprocess.run([program, "--no-owner", f"--dbname={url}", str(tmp_path / "copy.dump")], check=True)
        restored = connect(database.url.set(database=name))
        arguments = on_database(tmp_path, "mine", restored)
        assert run(arguments, tmp_path) == 0, (tmp_path / "output.log").read_text()
        assert outcome(restored, "mine") == undisturbed.outcome
        require_sound(restored, home, "mine")

        (trained,) = home.glob("runs/*/checkpoints/iteration-0002")
        trained.rename(tmp_path / "set aside")
        longer = [*arguments, "--set", "iterations=3"]
        assert run(longer, tmp_path) == HomeError.exit_status
        assert "iteration-0002 is missing. Name the data directory" in (tmp_path / "output.log").read_text()
        (tmp_path / "set aside").rename(trained)
        assert run(longer, tmp_path) == 0
        restored.dispose()
