"""``adastar runs``, ``show``, ``observations``, ``report``: what runs did.

::

    adastar runs
    adastar show my-run
    adastar observations my-run --never-solved --limit 50
    adastar report my-run
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter
from cyclopts.validators import mutually_exclusive

from adastar_core.audit.whereabouts import HERE, Whereabouts, whereabouts
from adastar_core.cli.app import OPTIONS
from adastar_core.cli.options import Common, RunName
from adastar_core.cli.output import print_json, print_line, print_table, shortened
from adastar_core.compute import pflops
from adastar_core.machine.units import NONE, accuracy, duration, flops, percent_number, wall_time
from adastar_core.records import Accuracy
from adastar_core.report.compared import read_compared
from adastar_core.report.summary import summary
from adastar_core.report.text import controls_lines, headline
from adastar_core.runs.stored import folder_of, no_such_run
from adastar_core.store.checkpoints import CheckpointRow, read_checkpoints
from adastar_core.store.costs import read_costs
from adastar_core.store.evaluations import EvaluationRow, read_evaluations
from adastar_core.store.iterations import IterationRow, read_iterations
from adastar_core.store.overview import Overview, find_overview, read_overviews
from adastar_core.store.provenance import read_owners
from adastar_core.store.statistic_columns import TOTALS
from adastar_core.store.usage import Kind, UsedObservation, read_used, summarise_usage

_QUESTION_WIDTH = 60
_KIND = Parameter(group=(OPTIONS, Group(validator=mutually_exclusive)), show_default=False)


def runs(*, common: Common = Common()) -> int:
    with common.database() as engine, engine.connect() as connection:
        overviews = read_overviews(connection)
    if common.json:
        home = common.directory()
        return print_json(
            [{**asdict(run), "directory": folder_of(home, run.name, run.uid)} for run in overviews]
        )
    headings = ("run", "state", "problem", "method", "created", "started by")
    numbers = ("iterations", "best", "validation", "compute")
    print_table((*headings, *numbers), map(_overview_cells, overviews), left=len(headings))
    for run in overviews:
        if run.failure:
            print_line(f"{run.name} {run.state}: {run.failure}")
    return 0


def _overview_cells(run: Overview) -> tuple[str, ...]:
    measured = None if run.correct is None or run.total is None else Accuracy(run.correct, run.total)
    return (
        run.name,
        run.state,
        run.problem,
        run.method,
        f"{run.created_at:%Y-%m-%d %H:%M}",
        run.started_by or NONE,
        f"{run.done}/{run.wanted}",
        NONE if run.best_iteration is None else str(run.best_iteration),
        accuracy(measured),
        flops(pflops(run.flops)),
    )


def show(run: RunName, /, *, common: Common = Common()) -> int:
    with common.database() as engine, engine.connect() as connection:
        overview = find_overview(connection, run)
        if overview is None:
            raise no_such_run(engine, run)
        folder = folder_of(common.directory(), overview.name, overview.uid)
        checkpoints = read_checkpoints(connection, overview.run_id, folder)
        iterations = read_iterations(connection, overview.run_id)
        evaluations = read_evaluations(connection, overview.run_id)
        costs = read_costs(connection, overview.run_id)
        owners = read_owners(connection, overview.run_id)
        said = read_compared(connection, overview.run_id).said(overview.best_iteration or 0)
    where = whereabouts(folder, overview.file_store, checkpoints)
    if common.json:
        measured = list(map(_evaluation_json, evaluations))
        rows = {
            "iterations": iterations,
            "evaluations": measured,
            "compute": costs,
            "checkpoints": [
                {**asdict(row), "state": where.checkpoints[row.iteration]} for row in checkpoints
            ],
            "owners": owners,
        }
        places = {"directory": folder, "in_store": where.file_store, "report": where.report, "said": said}
        head = {**asdict(overview), **places}
        return print_json({**head, **rows})
    done = f"{overview.done} of {overview.wanted} iterations done"
    if overview.phase and overview.phase != "advanced":
        done += f", iteration {overview.iteration} is {overview.phase}"
    print_line(f"{overview.name}: {overview.state}, {done}")
    if overview.failure:
        print_line(f"{overview.state}: {overview.failure}")
    print_line(f"{overview.method} on {overview.problem}, from {overview.base_model}, seed {overview.seed}")
    total = flops(pflops(overview.flops))
    print_line(f"compute {total} without evaluation; {wall_time(overview.seconds)} over all processes")
    created = f"{overview.created_at:%Y-%m-%d %H:%M}"
    print_line(f"created {created} by adastar {overview.code_version}; last owner: {overview.owner}")
    started = dict.fromkeys(str(owner.starter) for owner in owners)  # a run that was resumed may have several
    print_line(f"started by {'; then by '.join(started) or NONE}")
    print_line(f"configuration {overview.config_sha256}\n")
    cost_of = {
        t: sum(cost.flops for cost in costs if cost.iteration == t and not cost.stage.startswith("evaluate"))
        for t in range(overview.iteration + 1)
    }
    headings = ("t", "phase", "β", "m", "accepted", "surplus", "α", "stamped", "validation", "test")
    print_table((*headings, "compute", "time"), _iteration_rows(iterations, evaluations, cost_of))
    print_line("")
    for line in said:
        print_line(f"{line}\n")
    print_table(
        ("t", "checkpoint", "digest", "MB", "loss"),
        (_checkpoint_cells(row, folder, where.checkpoints[row.iteration]) for row in checkpoints),
        left=3,
    )
    _print_places(run, folder, where)
    return 0


def _print_places(run: str, folder: Path, where: Whereabouts) -> None:
    elsewhere = "nothing is here yet" if where.file_store else "missing here: --home names another one"
    print_line(f"\ndirectory  {folder}{'' if folder.is_dir() else f' ({elsewhere})'}")
    if where.file_store:
        print_line(f"file store {where.file_store}")
    print_line(f"report     {where.report or f'none yet: adastar report {run}'}")
    if where.trouble:
        print_line(f"\n{where.trouble}")


def _checkpoint_cells(row: CheckpointRow, folder: Path, state: str) -> tuple[str, ...]:
    path = Path(row.path)
    inside = path.relative_to(folder) if path.is_relative_to(folder) else path
    shown = str(inside) if state == HERE else f"{inside} ({state})"
    loss = NONE if row.training is None else f"{row.training.loss:.3f}"
    return str(row.iteration), shown, row.sha256[:16], f"{row.bytes / 1e6:,.1f}", loss


def _iteration_rows(
    iterations: list[IterationRow], evaluations: list[EvaluationRow], flops_of: dict[int, float]
) -> list[tuple[str, ...]]:
    measured = {(row.iteration, row.split.value): row.accuracy for row in evaluations}

    def accuracies(t: int) -> tuple[str, str]:
        return accuracy(measured.get((t, "validation"))), accuracy(measured.get((t, "test")))

    base = ("0", "base model", *[NONE] * 6, *accuracies(0), NONE, NONE)
    rows = [
        (
            str(row.iteration),
            row.phase,
            f"{row.beta:,}",
            *(NONE if count is None else f"{count:,}" for count in (row.m, row.accepted, row.surplus)),
            NONE if row.alpha is None else f"{row.alpha:.3f}",
            NONE if row.stamped is None else f"{row.stamped:,}",
            *accuracies(row.iteration),
            flops(pflops(flops_of[row.iteration])),
            NONE if row.seconds is None else duration(row.seconds),
        )
        for row in iterations
    ]
    return [base, *rows]


def _evaluation_json(row: EvaluationRow) -> dict[str, object]:
    return {
        "iteration": row.iteration,
        "split": row.split,
        "correct": row.accuracy.correct,
        "total": row.accuracy.total,
        "undecided": row.undecided,
        "interval_95": row.accuracy.interval(),
        "by_difficulty": row.by_difficulty,
    }


def observations(
    run: RunName,
    /,
    *,
    under_trained: Annotated[bool, _KIND] = False,
    over_trained: Annotated[bool, _KIND] = False,
    never_solved: Annotated[bool, _KIND] = False,
    limit: Annotated[int, Parameter(metavar="N")] = 20,
    common: Common = Common(),
) -> int:
    """Print observations of one kind, or all.

    Args:
        under_trained: Trained on less than half as often as the mean.
        over_trained: Trained on more than twice as often as the mean.
        never_solved: Visited, but without an accepted rationale.
        limit: Largest number of rows.
    """
    kind: Kind = "all"
    if under_trained or over_trained or never_solved:
        kind = "under-trained" if under_trained else "over-trained" if over_trained else "never-solved"
    with common.stored_run(run) as stored, stored.engine.connect() as connection:
        usage = summarise_usage(connection, stored.run.run_id, kind)
        rows = read_used(connection, stored.run.run_id, stored.run.dataset_id, kind, max(limit, 0))
    if common.json:
        return print_json({**asdict(usage), "kind": kind, "rows": [row.as_json() for row in rows]})
    print_line(
        f"{usage.visited:,} of {usage.observations:,} observations visited; each trained on {usage.mean_trained:.2f} "
        f"times on average. {kind}: {usage.matching:,}; the first {len(rows):,}:"
    )
    totals = (total.name.removeprefix("times_") for total in TOTALS)
    headings = ("observation", "difficulty", "question", *totals, "last", "win rate %")
    print_table(headings, map(_used_cells, rows), left=3)
    return 0


def _used_cells(row: UsedObservation) -> tuple[str, ...]:
    return (
        row.observation_id,
        row.difficulty or NONE,
        shortened(row.question, _QUESTION_WIDTH),
        *(str(row.statistics[total.name]) for total in TOTALS),
        str(row.statistics["last_iteration"] or NONE),
        percent_number(row.win_rate),
    )


def report(run: RunName, /, *, common: Common = Common()) -> int:
    # Imported here: figures take half a second to import, which the other commands need not wait for.
    from adastar_core.audit.reports import rewrite_report

    with common.stored_run(run) as stored:
        rewritten, files = rewrite_report(stored)
    if common.json:
        return print_json({"summary": summary(rewritten), "files": files})
    print_line(headline(rewritten))
    for line in controls_lines(rewritten):
        print_line(line)
    for path in files.values():
        print_line(str(path))
    return 0
