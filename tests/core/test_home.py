import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from adastar_core.errors import HomeError
from adastar_core.machine import home


def test_the_environment_names_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ADASTAR_HOME", str(tmp_path))
    assert home.default_home() == tmp_path


def test_without_the_environment_the_default_is_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADASTAR_HOME")
    assert home.default_home().is_absolute()
    assert "adastar" in home.default_home().name


def test_it_is_created_closed_to_readers(tmp_path: Path) -> None:
    made = home.usable_home(tmp_path / "a" / "b")
    assert made.is_dir()
    assert made.stat().st_mode & 0o066 == 0
    assert list(made.iterdir()) == []
    assert home.usable_home(made) == made


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="file"):
        home.usable_home(tmp_path / "file" / "below")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_directory_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(HomeError, match=rf"{tmp_path}.*Permission denied"):
        home.usable_home(tmp_path)


def test_a_file_system_that_takes_no_more_bytes_is_named(tmp_path: Path) -> None:
    script = f"from pathlib import Path; from adastar_core.machine.home import usable_home; usable_home(Path({str(tmp_path)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert f"HomeError: The data directory {tmp_path} cannot be used: File too large" in done.stderr


def test_a_nearly_full_file_system_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(home, "_LEAST_FREE_BYTES", 2**60)
    with pytest.raises(HomeError, match="nearly full"):
        home.usable_home(tmp_path)
