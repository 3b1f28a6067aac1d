from pathlib import Path

import pytest

from adastar_core.machine.files import atomic_write


def test_a_file_is_replaced_when_the_block_ends_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.write_text("old")
    with atomic_write(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def _fail(path: Path, *, in_folder: bool) -> None:
    with atomic_write(path) as part:
        if in_folder:
            part.mkdir()
        (part / "file" if in_folder else part).write_text("half")
        raise ZeroDivisionError


@pytest.mark.parametrize("in_folder", [False, True])
def test_what_a_failed_block_wrote_is_removed(tmp_path: Path, in_folder: bool) -> None:
    with pytest.raises(ZeroDivisionError):
        _fail(tmp_path / "data", in_folder=in_folder)
    assert list(tmp_path.iterdir()) == []
