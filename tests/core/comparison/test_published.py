"""The published tables are what the code gives for the runs that they publish, and so are the README's."""

import re
import runpy
from html import unescape
from pathlib import Path

import pytest

from adastar_core.comparison import text

ROOT = Path(__file__).parents[3]
FOLDERS = sorted(path for path in (ROOT / "docs" / "results").iterdir() if path.is_dir())
SCRIPT = ROOT / "scripts" / "publish_comparison.py"
WRITTEN = {
    "comparison.md": text.markdown,
    "comparison.tex": text.latex,
    "comparison.csv": text.table_csv,
    "runs.csv": text.runs_csv,
}
read_comparison = runpy.run_path(str(SCRIPT))["read_comparison"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_published_tables_are_what_the_code_gives(folder: Path) -> None:
    comparison = read_comparison(folder)
    for name, write in WRITTEN.items():
        assert write(comparison) == (folder / name).read_text(), f"python {SCRIPT} {folder}"
    page = unescape((folder / "comparison.html").read_text())
    told = [
        text.headline(comparison),
        *text.notes(comparison),
        *(cell for row in text.cells(comparison) for cell in row),
    ]
    assert [one for one in told if one not in page] == []


def test_the_readme_repeats_the_published_numbers() -> None:
    readme = (ROOT / "README.md").read_text().partition("## Results")[2].partition("\n## ")[0]
    lines = next(line for line in re.split(r"\n\n", readme) if line.startswith("|")).splitlines()[2:]
    published = {
        row[0].lower(): row
        for row in text.cells(read_comparison(ROOT / "docs" / "results" / "arithmetic-hard"))
    }
    for line in lines:
        method, accuracy, difference, *_ = (cell.strip() for cell in line.strip("|").split("|"))
        row = published[method.lower()]
        assert accuracy.replace(" %", "") == row[2]
        assert difference.replace("−", "-") == row[3].replace("–", "")
