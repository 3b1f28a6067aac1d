"""A run of the small configuration in a process that a test kills: `python -m tests.real.job CONFIG.json`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Engine

from adastar_core import stages
from adastar_core.config import RunConfig
from adastar_core.config.files import resolve
from adastar_core.records import Split
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.workspace import Workspace
from tests.support.runs import run_iteration

NAME = "real"
SMALL: Mapping[str, object] = {
    "model": "smollm2-135m",
    "iterations": 2,
    "attempts": 2,
    "attempt_mode": "until_correct",
    "schedule": {"first_steps": 1, "growth": 1.0},
    "generator": {
        "type": "transformers",
        "batch_size": 4,
        "max_new_tokens": 48,
        "temperature": 0.5,
        "dtype": "float32",
    },
    "trainer": {"batch_size": 2, "batching": "packed", "dtype": "float32", "save_every": 1},
}


def config_of(engine: Engine, home: Path, questions: Path, *overrides: str) -> RunConfig:
    """Return two short iterations on a test's database: one exemplar, and plain text to continue."""
    url = engine.url.render_as_string(hide_password=False)
    problem = {
        "type": "anli_r1",
        "path": str(questions),
        "train_limit": 24,
        "shots": 1,
        **{
            f"{split}_{what}": value
            for split in ("validation", "test")
            for what, value in (("share", 0.2), ("limit", 4))
        },
    }
    return resolve({**SMALL, "problem": problem, "database_url": url, "home": str(home)}, overrides)


def work(workspace: Workspace) -> None:
    """Do all of the run; what is done already is read back by its stage."""
    stages.evaluate(workspace, 0, Split.VALIDATION)
    for iteration in (1, 2):
        run_iteration(workspace, iteration)


def main(path: Path) -> None:
    values = json.loads(path.read_text())
    with open_workspace(resolve(values), NAME) as workspace:
        work(workspace)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
