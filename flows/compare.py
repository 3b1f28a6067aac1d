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

from prefect import flow, get_client, task
from prefect.futures import wait
from prefect.task_runners import ThreadPoolTaskRunner

from adastar_core import names
from adastar_core.comparison import text
from adastar_core.comparison.member import Member, read_member
from adastar_core.comparison.page import write_comparison
from adastar_core.comparison.table import Comparison, compare_members
from adastar_core.config.methods import MethodName
from adastar_core.errors import StageError
from flows.access import confine_deployed
from flows.members import ComparisonSettings, ending_members, facts_of, run_in_a_process
from flows.scoreboard import scoreboard
from flows.stopping import ending_soon
from flows.tagging import tags_for_a_process, tasks_untagged
from tasks.artifacts import put_artifact
from tasks.caching import NOT_CACHED


@task(cache_policy=NOT_CACHED, persist_result=False, task_run_name="{method}-seed-{seed}")
def run_member(settings: ComparisonSettings, method: MethodName, seed: int, handed: dict[str, str]) -> Member:
    """Run one method with one seed to its end, or read it back if it has ended before.

    ``handed`` is the environment that ties the run to this comparison's server and tags.
    """
    summary = settings.summary_path(method, seed)
    if not summary.exists():
        run_in_a_process(settings, method, seed, handed)
    return read_member(summary, method, seed)


@flow(name="compare", flow_run_name="{settings.name}", persist_result=False)
def compare(settings: ComparisonSettings = ComparisonSettings()) -> Comparison:
    """Run every method with every seed, ``settings.parallel`` at once, and report the results.

    Args:
        settings: What to compare. Every field has a default.

    Raises:
        StageError: A run failed; the table holds the others.
    """
    confine_deployed(settings)
    for method in settings.methods:
        confine_deployed(settings.config(method, settings.seeds[0]))
    with get_client(sync_client=True) as client:
        handed = {"PREFECT_API_URL": str(client.api_url), **tags_for_a_process()}
    runner: ThreadPoolTaskRunner[Member] = ThreadPoolTaskRunner(max_workers=settings.parallel)
    with tasks_untagged(), runner, scoreboard(settings), ending_members(), ending_soon():
        futures = {
            (method, seed): runner.submit(
                run_member, {"settings": settings, "method": method, "seed": seed, "handed": handed}
            )
            # Seed by seed, so that an early end leaves every method with the same seeds.
            for seed in settings.seeds
            for method in settings.methods
        }
        wait(list(futures.values()))
    members: list[Member] = []
    failed: list[str] = []
    for (method, seed), future in futures.items():
        found = future.result(raise_on_failure=False)  # a member, or why it failed
        if isinstance(found, Member):
            members.append(found)
        else:
            failed.append(f"{method} with seed {seed}: {found}")
    if not members:
        raise StageError(f"every run failed; the first: {failed[0]}")
    comparison = compare_members(settings.title, members, settings.select_on, facts_of(settings))
    report(settings, comparison)
    if failed:
        raise StageError(
            f"{len(failed)} of {len(futures)} runs failed, the table holds the others. {'; '.join(failed)}"
        )
    return comparison


@task(cache_policy=NOT_CACHED, persist_result=False, task_run_name="report")
def report(settings: ComparisonSettings, comparison: Comparison) -> dict[str, Path]:
    head = text.headings(comparison)
    rows = [dict(zip(head, row, strict=True)) for row in text.cells(comparison)]
    put_artifact("table", names.key(settings.name, "comparison"), json.dumps(rows), settings.title)
    page = text.markdown(comparison)
    put_artifact("markdown", names.key(settings.name, "comparison-report"), page, settings.title)
    return write_comparison(comparison, settings.output)


if __name__ == "__main__":
    from flows.compare_commandline import main

    main(compare)
