"""Rewrite the files of finished comparisons from their own tables, after a change of the statistics, without running anything.

Pass the folders. A test compares the published ones with what this writes::

    python scripts/publish_comparison.py docs/results/*

``runs.csv`` has every accuracy and cost, ``comparison.csv`` what is known only per method, ``comparison.md`` title and facts.
"""

import csv
import re
import sys
from itertools import groupby
from pathlib import Path

from adastar_core.comparison.member import Member, Point, SelectOn, in_order
from adastar_core.comparison.page import write_comparison
from adastar_core.comparison.table import Comparison, compare_members
from adastar_core.config.methods import METHODS

FACT = re.compile(r"^\* ([^:\n]+): `(.*)`$", re.MULTILINE)
Cells = dict[str, str]


def read_comparison(folder: Path, select_on: SelectOn = "validation") -> Comparison:
    by_method = {row["method"]: row for row in _rows(folder / "comparison.csv")}
    runs = groupby(_rows(folder / "runs.csv"), lambda row: (row["method"], row["seed"]))
    members = [_member(list(rows), by_method[method]) for (method, _), rows in runs]
    page = (folder / "comparison.md").read_text(encoding="utf-8")
    title = page.splitlines()[0].removeprefix("# ").replace("\\", "")
    return compare_members(title, members, select_on, FACT.findall(page))


def _member(rows: list[Cells], row: Cells) -> Member:
    """Return a run. The files have some values per method only: each of its runs gets those, which keeps the means."""
    (method,) = in_order(name for name in METHODS if name == rows[0]["method"])
    deviation, false_positives = (
        float(row[name]) if row[name] else None for name in ("frequency_deviation", "false_positive_share")
    )
    columns = ("validation", "test", "pflops", "padded_pflops", "attention_pflops")
    points = tuple(Point(int(cells["t"]), *(float(cells[name]) for name in columns)) for cells in rows)
    return Member(method, int(rows[0]["seed"]), points, deviation, false_positives)


def _rows(path: Path) -> list[Cells]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        write_comparison(read_comparison(Path(argument)), Path(argument))
