"""Where a run's files lie: on this machine, in the file store, or in neither. Nothing is fetched."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from adastar_core.audit.collect import was_removed
from adastar_core.errors import AdaStarError
from adastar_core.models.checkpoints import MANIFEST, REMOVED
from adastar_core.models.filestore import VARIABLE, by_folder, file_store
from adastar_core.runs.stored import checkpoint_key, store_key
from adastar_core.store.checkpoints import CheckpointRow

PAGE = "report/report.html"
HERE, IN_STORE, GONE, MISSING = "here", "in the file store", "removed by gc", "missing here"
STARTED_ELSEWHERE = "where the run was started"


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a run's files lie.

    Attributes:
        checkpoints: One of the states above by iteration.
        report: The report's path, or its address in the file store; ``None`` where it is in neither.
        file_store: The address of the run's files in the store; ``None`` where this machine uses none.
        trouble: Why the store was not looked at; empty if it was, or if the run has none.
    """

    checkpoints: dict[int, str]
    report: Path | str | None
    file_store: str | None
    trouble: str = ""


def whereabouts(folder: Path, recorded: str | None, rows: Sequence[CheckpointRow]) -> Whereabouts:
    """Return where the files of the run in ``folder`` lie, whose last owner ``recorded`` this address of a file store."""
    address, there, trouble = None, dict[str, int](), ""
    try:
        if store := file_store():
            address = f"{store.address}/{store_key(folder)}"
            there = replace(store, pauses=()).sizes(store_key(folder))
        elif recorded:
            trouble = f"The run's files are in {recorded}, and {VARIABLE} is not set here. Set {VARIABLE}={recorded} to reach them."
    except AdaStarError as error:  # what the database knows is shown all the same
        trouble = str(error)
    kept = by_folder(by_folder(there).get("checkpoints", {}))
    states = {
        row.iteration: _state(row, kept.get(Path(checkpoint_key(folder, row)).name, {})) for row in rows
    }
    page = folder / PAGE
    report = page if page.is_file() else f"{address}/{PAGE}" if PAGE in there else None
    return Whereabouts(states, report, address, trouble)


def _state(row: CheckpointRow, kept: dict[str, int]) -> str:
    here = Path(row.path)
    if was_removed(here, row.sha256) or (not here.is_dir() and kept.keys() == {REMOVED}):
        return GONE
    if here.is_dir():
        return HERE
    if row.iteration == 0:  # the base model is no file of the run's: every machine finds it by its name
        return STARTED_ELSEWHERE
    return IN_STORE if MANIFEST in kept else MISSING
