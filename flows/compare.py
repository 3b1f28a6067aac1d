"""Compare methods on one problem and model: a parent flow with one run per (method, seed), and its command.

Run it:  python flows/compare.py --preset arithmetic-hard --methods adastar,random-lazy,star-acc --seeds 0..4
         python flows/compare.py --help

Each run is ``python flows/adastar.py`` in a separate process with one thread. Its files and rows are those that it would
have if started by hand. The same command resumes a comparison: finished runs are read back, the others resume.
"""

import sys  # isort: skip

if (
    __name__ == "__main__"
):  # Python puts this folder on the path; flows and tasks are found from the checkout's root
    sys.path.insert(0, __file__.rpartition("flows")[0] or ".")
from flows import environment  # isort: skip  # noqa: F401 (first: Prefect reads the environment when imported)

import json
from pathlib import Path

from prefect import get_client, task
from prefect.futures import PrefectFuture
from prefect.task_runners import ThreadPoolTaskRunner

from adastar_core import names
from adastar_core.comparison import text
from adastar_core.comparison.member import Member, read_member
from adastar_core.comparison.page import write_comparison
from adastar_core.comparison.rungs import Rung
from adastar_core.comparison.table import Comparison, compare_members
from adastar_core.config.methods import MethodName
from adastar_core.errors import StageError
from flows.access import confine_deployed
from flows.halving import climb, rung_to_run
from flows.members import ComparisonSettings, ending_members, facts_of, run_in_a_process
from flows.parameters import form_flow
from flows.scoreboard import scoreboard
from flows.stopping import ended_when_cancelled, ending_soon
from flows.tagging import tags_for_a_process, tasks_untagged
from tasks.artifacts import put_artifact
from tasks.caching import NOT_CACHED


@task(cache_policy=NOT_CACHED, persist_result=False, task_run_name="{method}-seed-{seed}")
def run_member(
    settings: ComparisonSettings, method: MethodName, seed: int, rung: Rung, handed: dict[str, str]
) -> Member:
    """Run one method with one seed to a rung's end, or read it back if it has been there before.

    ``handed`` is the environment that ties the run to this comparison's server and tags.
    """
    later = (one for one in settings.rungs if one.limit >= rung.limit)
    known = (path for one in later if (path := settings.summary_path(method, seed, one)).exists())
    summary = next(known, None)
    if summary is None:
        until = rung_to_run(settings, method, seed, rung)
        run_in_a_process(settings, method, seed, until, handed)
        summary = settings.summary_path(method, seed, until)
    return rung.cut(read_member(summary, method, seed))


@form_flow(name="compare", flow_run_name="{settings.name}")
def compare(settings: ComparisonSettings = ComparisonSettings()) -> Comparison:
    """Run every method with every seed, ``settings.parallel`` at once, and report the results.

    Args:
        settings: What to compare. Every field has a default.

    Raises:
        StageError: A run failed; the table holds the others.
    """
    return _compare(settings)


@ended_when_cancelled
def _compare(settings: ComparisonSettings) -> Comparison:
    confine_deployed(settings)
    for method in settings.methods:
        confine_deployed(settings.config(method, settings.seeds[0]))
    with get_client(sync_client=True) as client:
        handed = {"PREFECT_API_URL": str(client.api_url), **tags_for_a_process()}
    runner: ThreadPoolTaskRunner[Member] = ThreadPoolTaskRunner(max_workers=settings.parallel)
    with tasks_untagged(), runner, scoreboard(settings) as board, ending_members(), ending_soon():

        def submit(method: MethodName, seed: int, rung: Rung) -> PrefectFuture[Member]:
            parameters = {"method": method, "seed": seed, "rung": rung}
            return runner.submit(run_member, {"settings": settings, "handed": handed, **parameters})

        climbed = climb(settings, submit, board)
    if not climbed.members:
        raise StageError(f"every run failed; the first: {climbed.failed[0]}")
    comparison = compare_members(
        settings.title, climbed.members, settings.select_on, facts_of(settings), climbed.decisions
    )
    report(settings, comparison)
    if failed := climbed.failed:
        runs = len(settings.methods) * len(settings.seeds)
        raise StageError(
            f"{len(failed)} of {runs} runs failed, the table holds the others. {'; '.join(failed)}"
        )
    return comparison


@task(cache_policy=NOT_CACHED, persist_result=False, task_run_name="report")
def report(settings: ComparisonSettings, comparison: Comparison) -> dict[str, Path]:
    """Show the comparison as two artifacts of its flow run, and write its files; return where."""
    head = text.headings(comparison)
    rows = [dict(zip(head, row, strict=True)) for row in text.cells(comparison)]
    put_artifact("table", names.key(settings.name, "comparison"), json.dumps(rows), settings.title)
    page = text.markdown(comparison)
    put_artifact("markdown", names.key(settings.name, "comparison-report"), page, settings.title)
    return write_comparison(comparison, settings.output)


if __name__ == "__main__":
    from flows.compare_commandline import main

    main(compare)
