"""A run moves to a machine that has the database and the file store, and nothing of the first machine's disk."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from adastar_core.models.filestore import VARIABLE
from adastar_core.runs.stored import open_stored
from tests.crash.conftest import Run
from tests.crash.killer import Hit
from tests.crash.scene import ITERATIONS, Undisturbed, on_database, outcome, require_sound


@pytest.fixture
def machines(tmp_path: Path) -> tuple[Path, Path]:
    """The disks of two machines."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    return tmp_path / "first", tmp_path / "second"


@pytest.mark.parametrize(
    ("store_address", "hit"),
    [("folder", Hit("after-commit", "advance", 1)), ("s3", Hit("before-commit", "finetune", 2))],
    indirect=["store_address"],
    ids=["folder-between-two-iterations", "s3-before-a-checkpoint-is-recorded"],
)
def test_a_killed_run_continues_on_another_machine(
    run: Run,
    undisturbed: Undisturbed,
    database: Engine,
    machines: tuple[Path, Path],
    store_address: str,
    s3: dict[str, str],
    hit: Hit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = machines
    environment = {**s3, VARIABLE: store_address}
    assert run(on_database(first, "mine", database), first, hit, **environment) == -9
    before = sorted(first.rglob("*"))
    arguments = on_database(second, "mine", database)
    assert run(arguments, second) == 2
    assert f"Set {VARIABLE}={store_address}" in (second / "output.log").read_text()
    assert not (second / "home" / "runs").exists()

    assert run(arguments, second, **environment) == 0, (second / "output.log").read_text()
    assert outcome(database, "mine") == undisturbed.outcome
    assert sorted(first.rglob("*")) == before
    monkeypatch.setenv(VARIABLE, store_address)
    require_sound(database, second / "home", "mine")
    stored = open_stored(database, second / "home", "mine")
    assert stored.file_store is not None
    for iteration in (1, ITERATIONS):
        assert stored.file_store.holds(stored.key_of(stored.checkpoint(iteration)))
