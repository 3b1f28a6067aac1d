"""``adastar advise``: what sampling less, in another order, or training on less can save on a problem."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import Annotated

from cyclopts import Parameter

from adastar_core.cli.options import Common
from adastar_core.cli.output import print_json, print_line
from adastar_core.config import RunConfig, files
from adastar_core.errors import UserError
from adastar_core.planning.advice import advise as advise_on
from adastar_core.planning.advising import advice_lines, has_trained, method_for, read_sampled, tells_of
from adastar_core.runs.stored import StoredRun, open_stored
from adastar_core.store.runs import list_runs

_FILES = (".yaml", ".yml")


def advise(run: Annotated[str, Parameter(metavar="RUN|CONFIG")], /, *, common: Common = Common()) -> int:
    """Say what a run's first iteration tells of its problem.

    Args:
        run: Name of a run, or a configuration file of which a run with the same problem, model and attempts was made.
    """
    with _run_of(run, common) as (stored, planned):
        sampled = read_sampled(stored, planned)
    advice = advise_on(sampled)
    if common.json:
        return print_json({"run": stored.run.name, **asdict(advice), "method": method_for(sampled, advice)})
    print_line(f"{stored.run.name}:")
    for line in advice_lines(sampled, advice):
        print_line(line)
    return 0


@contextmanager
def _run_of(name: str, common: Common) -> Iterator[tuple[StoredRun, RunConfig]]:
    """Yield a run and what is planned: the run of this name, or the newest that says the same as one of this file would."""
    if not name.endswith(_FILES):
        with common.stored_run(name) as stored:
            yield stored, stored.config
        return
    config = files.resolve(files.load_file(Path(name)))
    with common.database() as engine:
        for run in reversed(list_runs(engine)):
            stored = open_stored(engine, common.directory(), run.name)
            if tells_of(stored.config, config) and has_trained(stored):
                yield stored, config
                return
    raise UserError(
        f"No run with the problem, model and attempts of {name} has trained yet. Make the first iteration of one with "
        f"`adastar run {quote(name)} --set method=adastar --set iterations=1 --run probe`, then repeat this command."
    )
