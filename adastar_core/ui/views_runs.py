"""Views of runs: all of them, some side by side, one, and what one of its checkpoints was trained on."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from adastar_core.compute import pflops
from adastar_core.machine.units import accuracy, flops_unit, percent
from adastar_core.records import Accuracy, Split
from adastar_core.store.checkpoints import CheckpointRow, find_checkpoint, read_checkpoints
from adastar_core.store.costs import CostRow, read_costs
from adastar_core.store.evaluations import EvaluationRow, read_evaluations
from adastar_core.store.incidents import read_incidents
from adastar_core.store.iterations import IterationRow, read_iterations
from adastar_core.store.overview import Overview, read_overviews
from adastar_core.store.provenance import read_ancestors, read_owners
from adastar_core.store.runs import read_run_config
from adastar_core.ui.attempts import PAGE, read_progress
from adastar_core.ui.curves import Curves, Line, Point, draw
from adastar_core.ui.series import Measured, read_examples, read_measured
from adastar_core.ui.site import After, Number, SeenRun, Site, Values, first, missing

_MOST_CURVES = 8
"""Runs side by side: as many as there are colours."""


def add_run_views(app: FastAPI, site: Site) -> None:
    @app.get("/")
    def all_runs(
        request: Request,
        run: Annotated[list[Number], Query(max_length=_MOST_CURVES)] = [],  # noqa: B006 (never changed)
        before: Number | None = None,
    ) -> HTMLResponse:
        with site.connection() as connection:
            values = _of_all(connection, run, before)
        return site.page(request, "runs.html.j2", values)

    @app.get("/runs/{run_id}")
    def one_run(request: Request, run_id: Number) -> HTMLResponse:
        with site.connection() as connection:
            values = _of_run(connection, site.run(connection, run_id))
        return site.page(request, "run.html.j2", values)

    @app.get("/runs/{run_id}/checkpoints/{iteration}")
    def checkpoint(request: Request, run_id: Number, iteration: Number, after: After = -1) -> HTMLResponse:
        with site.connection() as connection:
            values = _of_checkpoint(connection, site.run(connection, run_id), iteration, after)
        return site.page(request, "checkpoint.html.j2", values)


def _of_all(connection: Connection, asked: list[Number], before: Number | None) -> Values:
    """Return what the page of all runs shows: a page of them, and those that were asked for side by side."""
    overviews = sorted(read_overviews(connection), key=lambda one: -one.run_id)
    chosen = [one for one in overviews if one.run_id in asked] or overviews[:_MOST_CURVES]
    measured = read_measured(connection, [one.run_id for one in chosen])
    configs = [read_run_config(connection, one.run_id) for one in chosen] if asked else []
    rows, last = first([one for one in overviews if before is None or one.run_id < before], PAGE)
    return {
        "rows": rows,
        "last": last,
        "begins": before is None,
        "asked": asked,
        "chosen": chosen,
        "curves": _side_by_side(measured, chosen),
        "differing": _differing(configs),
        "live": any(one.state == "running" for one in overviews),
    }


def _of_run(connection: Connection, run: SeenRun) -> Values:
    """Return what the page of one run shows."""
    iterations = read_iterations(connection, run.run_id)
    evaluations = read_evaluations(connection, run.run_id)
    checkpoints = read_checkpoints(connection, run.run_id, run.folder)
    samples = run.overview.phase == "sampling"
    return {
        "run": run.overview,
        "folder": run.folder,
        "live": run.overview.state == "running",
        "progress": read_progress(connection, run.run_id, run.overview.iteration) if samples else None,
        "curves": _of_one(iterations, evaluations, checkpoints),
        "iterations": iterations,
        "splits": list(dict.fromkeys(row.split.value for row in evaluations)),
        "measured": {(row.iteration, row.split.value): row.accuracy for row in evaluations},
        "flops": _flops_of(read_costs(connection, run.run_id)),
        "trained": {row.iteration for row in checkpoints},
        "incidents": read_incidents(connection, run.run_id),
        "owners": read_owners(connection, run.run_id),
        "config": read_run_config(connection, run.run_id),
    }


def _of_checkpoint(connection: Connection, run: SeenRun, iteration: int, after: int) -> Values:
    """Return what the page of a checkpoint shows: where it comes from, and a page of what it was trained on."""
    if find_checkpoint(connection, run.run_id, iteration, run.folder) is None:
        raise missing(f"{run.name} has no checkpoint of iteration {iteration}.")
    ancestors = read_ancestors(connection, run.run_id, iteration, run.folder)
    rows, last = first(read_examples(connection, run.run_id, run.dataset_id, iteration, after), PAGE)
    return {"run": run.overview, "ancestors": ancestors, "rows": rows, "last": last, "begins": after < 0}


def _flops_of(costs: list[CostRow]) -> dict[int, float]:
    """Return what each iteration cost without evaluation."""
    flops: dict[int, float] = defaultdict(float)
    for cost in costs:
        if not cost.stage.startswith("evaluate"):
            flops[cost.iteration] += cost.flops
    return flops


def _side_by_side(measured: dict[int, list[Measured]], chosen: list[Overview]) -> list[Curves]:
    """Return the validation accuracies of runs by iteration and by compute."""
    spent = max((row.flops for rows in measured.values() for row in rows), default=0.0)
    factor, unit = flops_unit(pflops(spent))
    by_iteration, by_compute = [], []
    for colour, run in enumerate(chosen):
        points = [(row, _point(row.iteration, row.accuracy, run.name)) for row in measured[run.run_id]]
        by_iteration.append(Line(run.name, tuple(point for _, point in points), colour))
        moved = tuple(replace(point, x=pflops(row.flops) * factor) for row, point in points)
        by_compute.append(Line(run.name, moved, colour))
    title = "Validation accuracy"
    drawn = (
        draw(f"{title} by iteration", "iteration", by_iteration, percent),
        draw(f"{title} by compute", f"{unit}, without padding", by_compute, percent, whole_x=False),
    )
    return [curves for curves in drawn if curves]


def _of_one(
    iterations: list[IterationRow], evaluations: list[EvaluationRow], checkpoints: list[CheckpointRow]
) -> list[Curves]:
    """Return the curves of one run: accuracies, strength, loss, and how many attempts were needed."""
    accuracies = [
        Line(
            split.value,
            tuple(
                _point(row.iteration, row.accuracy, split.value)
                for row in evaluations
                if row.split is split and row.accuracy.total
            ),
            colour,
        )
        for colour, split in enumerate((Split.VALIDATION, Split.TEST))
    ]
    strength = [(row.iteration, row.alpha) for row in iterations]
    tried = [
        (
            row.iteration,
            row.first_try_correct / row.m if row.m and row.first_try_correct is not None else None,
        )
        for row in iterations
    ]
    loss = [(row.iteration, row.training.loss if row.training else None) for row in checkpoints]
    right = [(row.iteration, row.training.token_accuracy if row.training else None) for row in checkpoints]
    drawn = (
        draw("Accuracy, with 95 % intervals", "iteration", accuracies, percent),
        draw(
            "While sampling", "iteration", [_line("strength α", strength, 0), _line("right at first try", tried, 1)],
            percent,
        ),
        draw("Training loss", "iteration", [_line("nats per token", loss, 0)], "{:.3g}".format),
        draw("Trained tokens ranked first", "iteration", [_line("share", right, 0)], percent),
    )  # fmt: skip
    return [curves for curves in drawn if curves]


def _line(name: str, values: Iterable[tuple[int, float | None]], colour: int) -> Line:
    points = (
        Point(t, value, f"{name}, iteration {t}: {value:.3g}") for t, value in values if value is not None
    )
    return Line(name, tuple(points), colour)


@lru_cache(maxsize=4096)
def _point(iteration: int, measured: Accuracy, name: str) -> Point:
    """Return a point of a curve. It is kept: live pages draw the same again, and an interval takes a millisecond."""
    low, high = measured.interval() or (None, None)
    says = f"{name}, iteration {iteration}: {accuracy(measured)} of {measured.total:,}"
    return Point(iteration, measured.share or 0.0, says, low, high)


def _differing(configs: list[dict[str, object]]) -> list[tuple[str, list[object]]]:
    """Return the configuration keys in which runs differ, each with the runs' values."""
    keys = sorted({key for config in configs for key in config})
    rows = [(key, [config.get(key) for config in configs]) for key in keys]
    return [(key, values) for key, values in rows if any(value != values[0] for value in values)]
