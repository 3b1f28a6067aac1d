"""The pages about the code name what is there."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_map_is_up_to_date() -> None:
    page = runpy.run_path(str(ROOT / "scripts" / "write_map.py"))["page"]()
    assert (ROOT / "docs" / "map.md").read_text("utf-8") == page, "run python scripts/write_map.py"


def test_every_path_that_the_architecture_names_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    named = set(re.findall(r"`([a-z_]+/[\w/.]*|[a-z_]+\.(?:py|yaml))`", text))
    assert len(named) > 30
    places = (ROOT, ROOT / "adastar_core")
    assert {name for name in named if not any((place / name).exists() for place in places)} == set()


def test_every_folder_of_the_core_is_in_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    folders = {path.parent.name for path in (ROOT / "adastar_core").glob("*/__init__.py")}
    assert {name for name in folders if f"`{name}/`" not in text} == set()
