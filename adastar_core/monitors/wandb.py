"""Weights & Biases: offline beside the run, unless WANDB_MODE or a key says otherwise."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import wandb

from adastar_core.monitors import ITERATIONS, About, Ending, Point, Row


class Wandb:
    """One run of W&B, whose id is the run's uid."""

    def __init__(self, about: About) -> None:
        asked = os.environ.get("WANDB_MODE")
        mode: Literal["online", "offline"] | None = None
        if not asked:  # the client would ask for a key on a terminal
            mode = "online" if wandb.login(prompt=False, verify=False) else "offline"
        settings = wandb.Settings(
            console="off", disable_code=True, disable_git=True, silent=True, x_disable_meta=True, x_disable_stats=True
        )  # fmt: skip
        folder = os.environ.get("WANDB_DIR") or about.folder
        self._run = wandb.init(
            project=about.project, id=about.uid, name=about.run, config=dict(about.config), mode=mode, dir=folder,
            resume="allow" if "online" in (mode, asked) else None, settings=settings,
        )  # fmt: skip
        self._groups = set[str]()

    def log(self, points: Sequence[Point]) -> None:
        for point in points:
            for group in {name.partition("/")[0] for name in point.numbers} - self._groups:
                self._groups.add(group)
                self._run.define_metric(point.axis)
                self._run.define_metric(f"{group}/*", step_metric=point.axis)
            self._run.log({point.axis: point.step, **point.numbers})

    def table(self, name: str, step: int, rows: Sequence[Row]) -> None:
        data = [list(row.values()) for row in rows]
        self._run.log({ITERATIONS: step, name: wandb.Table(columns=list(rows[0]), data=data)})

    def file(self, path: Path) -> None:
        self._run.save(str(path), base_path=str(path.parent), policy="now")

    def close(self, ending: Ending) -> None:
        self._run.finish(exit_code=0 if ending == "finished" else 1)
