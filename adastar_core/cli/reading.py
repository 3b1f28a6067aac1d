"""``adastar runs``, ``show``, ``observations``, ``report``: what runs did.

::

    adastar runs
    adastar show my-run
    adastar observations my-run --never-solved --limit 50
    adastar report my-run
"""

import argparse
from dataclasses import asdict

from adastar_core.cli.options import Commands, add_command, database, stored_run
from adastar_core.cli.output import print_json, print_line, print_table, shortened, wants_json
from adastar_core.compute import pflops
from adastar_core.machine.units import NONE, accuracy, duration, flops, percent_number, wall_time
from adastar_core.records import Accuracy
from adastar_core.report.summary import summary
from adastar_core.report.text import headline
from adastar_core.runs.stored import no_such_run
from adastar_core.store.costs import read_compute
from adastar_core.store.evaluations import EvaluationRow, read_evaluations
from adastar_core.store.iterations import IterationRow, read_iterations
from adastar_core.store.overview import Overview, find_overview, read_overviews
from adastar_core.store.usage import Kind, UsedObservation, read_used, summarise_usage

_QUESTION_WIDTH = 60


def add(commands: Commands) -> None:
    """Add the commands' parsers."""
    runs = add_command(commands, "runs", "list all runs")
    runs.set_defaults(action=_runs)

    show = add_command(
        commands, "show", "show a run: iterations, accuracy with its 95 %% interval, compute, phase"
    )
    show.add_argument("run", metavar="RUN", help="name of the run")
    show.set_defaults(action=_show)

    observations = add_command(commands, "observations", "show how a run used its observations")
    observations.add_argument("run", metavar="RUN", help="name of the run")
    kinds = observations.add_mutually_exclusive_group()
    for kind, meaning in (
        ("under-trained", "trained on less than half as often as the mean"),
        ("over-trained", "trained on more than twice as often as the mean"),
        ("never-solved", "visited, and without any accepted rationale"),
    ):
        kinds.add_argument(f"--{kind}", dest="kind", action="store_const", const=kind, help=meaning)
    observations.add_argument("--limit", type=int, default=20, metavar="N", help="rows at most (default: 20)")
    observations.set_defaults(action=_observations, kind="all")

    report = add_command(commands, "report", "write a run's report anew from the database")
    report.add_argument("run", metavar="RUN", help="name of the run")
    report.set_defaults(action=_report)


def _runs(options: argparse.Namespace) -> int:
    with database(options) as engine, engine.connect() as connection:
        overviews = read_overviews(connection)
    if wants_json(options):
        print_json(overviews)
        return 0
    headings = ("run", "state", "problem", "method", "created", "iterations", "best", "validation", "compute")
    print_table(headings, [_overview_cells(one) for one in overviews], left=5)
    return 0


def _overview_cells(one: Overview) -> tuple[str, ...]:
    return (
        one.name,
        one.state,
        one.problem,
        one.method,
        f"{one.created_at:%Y-%m-%d %H:%M}",
        f"{one.done}/{one.wanted}",
        NONE if one.best_iteration is None else str(one.best_iteration),
        accuracy(_accuracy(one)),
        flops(pflops(one.flops)),
    )


def _accuracy(one: Overview) -> Accuracy | None:
    return None if one.correct is None or one.total is None else Accuracy(one.correct, one.total)


def _show(options: argparse.Namespace) -> int:
    with database(options) as engine, engine.connect() as connection:
        overview = find_overview(connection, options.run)
        if overview is None:
            raise no_such_run(engine, options.run)
        iterations = read_iterations(connection, overview.run_id)
        evaluations = read_evaluations(connection, overview.run_id)
        costs = read_compute(connection, overview.run_id)
    if wants_json(options):
        print_json(
            {
                **asdict(overview),
                "iterations": iterations,
                "evaluations": [_evaluation_json(one) for one in evaluations],
                "compute": costs,
            }
        )
        return 0
    _print_facts(overview)
    cost_of = {
        t: sum(one.flops for one in costs if one.iteration == t and not one.stage.startswith("evaluate"))
        for t in range(overview.iteration + 1)
    }
    print_table(_ITERATION_HEADINGS, _iteration_rows(iterations, evaluations, cost_of))
    return 0


def _print_facts(one: Overview) -> None:
    phase = f", iteration {one.iteration} is {one.phase}" if one.phase and one.phase != "advanced" else ""
    print_line(f"{one.name}: {one.state}, {one.done} of {one.wanted} iterations done{phase}")
    print_line(f"{one.method} on {one.problem}, from {one.base_model}, seed {one.seed}")
    print_line(
        f"compute {flops(pflops(one.flops))} without evaluation; {wall_time(one.seconds)} over all processes"
    )
    print_line(
        f"created {one.created_at:%Y-%m-%d %H:%M} by adastar {one.code_version}; last owner: {one.owner}"
    )
    print_line(f"configuration {one.config_sha256}\n")


_ITERATION_HEADINGS = (
    "t",
    "phase",
    "β",
    "m",
    "accepted",
    "surplus",
    "α",
    "stamped",
    "validation",
    "test",
    "compute",
    "time",
)


def _iteration_rows(
    iterations: list[IterationRow], evaluations: list[EvaluationRow], flops_of: dict[int, float]
) -> list[tuple[str, ...]]:
    measured = {(one.iteration, one.split.value): one.accuracy for one in evaluations}

    def accuracies(t: int) -> tuple[str, str]:
        return accuracy(measured.get((t, "validation"))), accuracy(measured.get((t, "test")))

    base = ("0", "base model", *[NONE] * 6, *accuracies(0), NONE, NONE)
    return [
        base,
        *(
            (
                str(one.iteration),
                one.phase,
                f"{one.beta:,}",
                _count(one.m),
                _count(one.accepted),
                _count(one.surplus),
                NONE if one.alpha is None else f"{one.alpha:.3f}",
                _count(one.stamped),
                *accuracies(one.iteration),
                flops(pflops(flops_of[one.iteration])),
                NONE if one.seconds is None else duration(one.seconds),
            )
            for one in iterations
        ),
    ]


def _count(number: int | None) -> str:
    return NONE if number is None else f"{number:,}"


def _evaluation_json(one: EvaluationRow) -> dict[str, object]:
    return {
        "iteration": one.iteration,
        "split": one.split,
        "correct": one.accuracy.correct,
        "total": one.accuracy.total,
        "undecided": one.undecided,
        "interval_95": one.accuracy.interval(),
        "by_difficulty": one.by_difficulty,
    }


def _observations(options: argparse.Namespace) -> int:
    kind: Kind = options.kind
    with stored_run(options) as stored, stored.engine.connect() as connection:
        found = summarise_usage(connection, stored.run.run_id, kind)
        rows = read_used(connection, stored.run.run_id, stored.run.dataset_id, kind, max(options.limit, 0))
    if wants_json(options):
        print_json({**asdict(found), "kind": kind, "rows": rows})
        return 0
    print_line(
        f"{found.visited:,} of {found.observations:,} observations visited; each trained on {found.mean_trained:.2f} "
        f"times on average. {kind}: {found.matching:,}, of which {len(rows):,} follow."
    )
    headings = (
        "observation",
        "difficulty",
        "question",
        "visited",
        "stamped",
        "trained",
        "last",
        "win rate %",
    )
    print_table(headings, [_used_cells(one) for one in rows], left=3)
    return 0


def _used_cells(one: UsedObservation) -> tuple[str, ...]:
    return (
        one.observation_id,
        one.difficulty or NONE,
        shortened(one.question, _QUESTION_WIDTH),
        str(one.times_visited),
        str(one.times_stamped),
        str(one.times_trained),
        str(one.last_iteration) if one.last_iteration else NONE,
        percent_number(one.correct / one.attempts if one.attempts else None),
    )


def _report(options: argparse.Namespace) -> int:
    # Imported here: figures take half a second to import, which the other commands need not wait for.
    from adastar_core.audit.reports import rewrite_report

    with stored_run(options) as stored:
        report, files = rewrite_report(stored)
    if wants_json(options):
        print_json({"summary": summary(report), "files": files})
        return 0
    print_line(headline(report))
    for path in files.values():
        print_line(str(path))
    return 0
