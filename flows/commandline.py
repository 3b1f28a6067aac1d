"""The command line of ``flows/adastar.py``: options in, a configuration, and what a person reads at the end."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import yaml
from cyclopts import CycloptsError, Group, Parameter, UnknownOptionError
from cyclopts.validators import Number, mutually_exclusive
from rich.console import Console
from safetensors import SafetensorError
from sqlalchemy.exc import DBAPIError

from adastar_core import names
from adastar_core.cli.app import INTERRUPTED, MISUSED, OPTIONS, Flag, complain, flow_name, misuse, new_app
from adastar_core.config import RunConfig, files
from adastar_core.config.base import base_of
from adastar_core.config.explain import key_of_option
from adastar_core.errors import AdaStarError, ConfigError
from adastar_core.planning.cards import CARDS
from adastar_core.planning.forecast import Assumptions
from adastar_core.report.records import RunReport
from adastar_core.report.summary import summary_text
from flows.signals import SIGNALLED, Ended, ended_by_signals

if TYPE_CHECKING:
    from adastar_core.runs.stored import StoredRun

NAME = flow_name("run", "adastar.py")
EXAMPLES = f"""\
Examples:
  The quickstart:
    {NAME}
  A configuration of your own, such as `adastar init` writes:
    {NAME} run.yaml
  More iterations, under a name of your own:
    {NAME} --set iterations=8 --run my-run
  Continue that run (with --preset and --set as before):
    {NAME} --run my-run --set iterations=12
  Show what would be done, and change nothing:
    {NAME} --preset quickstart --dry-run
"""
ONE_SOURCE = (OPTIONS, Group(validator=mutually_exclusive))
_FORECAST = Group("What --dry-run assumes", sort_key=2)

RunFlow = Callable[[RunConfig, str], RunReport]
"""The flow itself; it is passed in because the command's own module defines it."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of the main job, which ``docs/usage.md`` shows too.

    Attributes:
        config: A configuration file of your own.
        preset: A ready-made run (default: quickstart; with another model, the defaults for pre-trained models).
        overrides: Change one configuration key; may be repeated.
        run: Name of the run; an existing name resumes it (default: the preset's name and a digest of the values).
        dry_run: Print the plan, its warnings, compute, memory and time, and the first prompt; write nothing.
        show_config: Print the whole resolved configuration too, as YAML; write nothing.
        accepted: Share of visited observations with an accepted rationale, above 0 and up to 1 (default: 0.5; for the time,
            that of the earlier run which tells it).
        rationale_tokens: Mean tokens of a rationale (default: half of the longest).
        card: A GPU, to show whether the run fits on it and the least time that it takes.
        summary: Write the run's summary here at the end.
        list_presets: List the ready-made runs and exit.
    """

    config: Annotated[Path | None, Parameter(metavar="FILE.yaml", group=ONE_SOURCE)] = field(
        default=None, kw_only=False
    )
    preset: Annotated[str | None, Parameter(metavar="NAME", group=ONE_SOURCE)] = None
    overrides: Annotated[tuple[str, ...], Flag, Parameter(name="--set", metavar="a.b=value")] = ()
    run: Annotated[str | None, Parameter(metavar="NAME")] = None
    dry_run: Annotated[bool, Flag] = False
    show_config: Annotated[bool, Flag] = False
    accepted: Annotated[
        float | None, Parameter(metavar="SHARE", group=_FORECAST, validator=Number(gt=0, lte=1))
    ] = None
    rationale_tokens: Annotated[
        float | None, Parameter(metavar="N", group=_FORECAST, validator=Number(gt=0, lte=1e6))
    ] = None
    card: Annotated[str | None, Parameter(choices=sorted(CARDS), group=_FORECAST)] = None
    summary: Annotated[Path | None, Parameter(metavar="FILE.json")] = None
    list_presets: Annotated[bool, Flag] = False


APP = new_app(NAME, "Make a language model improve itself on problems with known answers.", EXAMPLES)
APP.default(Options)


def main(run_flow: RunFlow, arguments: Sequence[str] | None = None) -> None:
    """Run the command; end the process with one paragraph and an exit status where it fails."""
    with errors_explained(NAME, "run"):
        options = APP(arguments)
        if isinstance(options, Options):  # else help was asked for, and printed
            carry_out(options, run_flow, Console())


@contextmanager
def errors_explained(name: str, what: str) -> Iterator[None]:
    """Turn what ends command ``name`` into one paragraph and an exit status; it can be run again to resume ``what``."""
    kept = f"What was stored is kept. Run the same command to resume the {what}."
    try:
        with ended_by_signals():
            yield
    except Ended as ended:
        fail(f"ended by {ended.signal.name}. {kept}", ended.exit_status)
    except CycloptsError as error:
        fail(_misuse(error, name), MISUSED)
    except AdaStarError as error:
        fail(str(error), error.exit_status)
    except DBAPIError as error:
        fail(f"The database failed ({error.orig}). {kept}", AdaStarError.exit_status)
    except (OSError, SafetensorError) as error:
        if "No space left on device" not in str(error):
            raise
        fail(f"The disk is full ({error}). Free some space: {kept}", AdaStarError.exit_status)
    except KeyboardInterrupt:
        fail(f"interrupted. {kept}", INTERRUPTED)
    except SystemExit as error:  # else a part that exits with 0 would look like a finished run
        if isinstance(
            error.__context__, BrokenPipeError
        ):  # rich's, when the reader, such as head, has enough
            sys.exit(0)
        fail(f"A part of the {what} called exit({error.code!r}). {kept}", AdaStarError.exit_status)
    except Exception as error:
        from prefect.exceptions import CancelledRun  # half a second that a refused command need not wait for

        if not isinstance(error, CancelledRun):
            raise
        fail(f"cancelled in Prefect. {kept}", SIGNALLED + signal.SIGTERM)


def _misuse(error: CycloptsError, name: str) -> str:
    """Return what is wrong with the options; for one that names a key of the configuration, how that is set."""
    token = error.token if isinstance(error, UnknownOptionError) else None
    option = (token.keyword or token.value) if token else None
    if option and (key := key_of_option(option)):
        return f"Unknown option: {option}. It is a key of the configuration: --set {key}=VALUE."
    return misuse(error, name)


def fail(message: str, status: int) -> NoReturn:
    """Say why the command ends, and end it with this exit status."""
    complain(f"error: {message}")
    sys.exit(status)


def carry_out(options: Options, run_flow: RunFlow, console: Console) -> None:
    """Do what the options ask: list, plan, show, or run."""
    if options.list_presets:
        for name in files.preset_names():
            console.print(f"{name:28} {files.preset_summary(name)}", highlight=False, soft_wrap=True)
        return
    base = base_of(options.preset, options.config, options.overrides, files.DEFAULT_PRESET)
    config = base.resolve(options.overrides)
    named_after = names.named_after(base.source or config.problem.type, 100)
    name = f"{named_after}-{config.sha256()[:8]}" if options.run is None else options.run
    if warning := base.remaining(config, options.overrides):
        say(console, warning)
    if options.show_config:
        show_config(config, name, console)
    if options.dry_run or options.show_config:
        dry_run(config, name, _assumed(options), options.card, console)
    else:
        execute(run_flow, config, name, base.source, options.summary, console)


def _assumed(options: Options) -> Assumptions | None:
    """Return what the options assume; ``None`` where they leave it open."""
    if options.accepted is None and options.rationale_tokens is None:
        return None
    return Assumptions(options.accepted or Assumptions().acceptance, options.rationale_tokens)


def show_config(config: RunConfig, name: str, console: Console) -> None:
    """Print the whole configuration as YAML."""
    values = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    console.print(f"# run {names.shown(name)}\n{values}", highlight=False, markup=False, soft_wrap=True)


def dry_run(
    config: RunConfig, name: str, given: Assumptions | None, card: str | None, console: Console
) -> None:
    """Print what a run would do and cost, and its first prompt. ``card`` is a GPU to plan for."""
    import torch

    from adastar_core.planning.plan import plan_of
    from adastar_core.planning.text import plan_lines, plan_table, warning_lines
    from adastar_core.planning.timing import time_line
    from adastar_core.runs.stored import pinned

    config = pinned(config, name)  # the run's model by the name that earlier runs from it have
    assumptions = given or Assumptions()
    plan = plan_of(config, assumptions, on_gpu=card is not None or torch.cuda.is_available())
    sizes = ", ".join(f"{count:,} {split}" for split, count in plan.sizes.items())
    about = f"Run {names.shown(name)}: {config.method_title()} on {config.problem.type} ({sizes}), from {config.model}."
    say(console, about)
    console.print(plan_table(plan))
    say(console, *warning_lines(plan, card))
    time = [time_line(plan, config, given)] if card is None and plan.needs else []
    say(console, *plan_lines(plan, config, assumptions, card), *time, "", *plan.preview.lines(), "")
    say(console, "Nothing was written. --show-config prints every key of the configuration.")


def say(console: Console, *lines: str) -> None:
    """Print lines as they are; warnings stand out."""
    for line in lines:
        style = "bold yellow" if line.startswith("WARNING") else None
        console.print(line, style=style, highlight=False, markup=False, soft_wrap=True)


def execute(
    run_flow: RunFlow, config: RunConfig, name: str, preset: str, summary: Path | None, console: Console
) -> None:
    """Run the flow, after everything that can be checked, and show its report."""
    if summary is not None and not os.access(summary.parent, os.W_OK):
        raise ConfigError(
            f"--summary {summary}: the folder {summary.parent} is not writable or does not exist; create it first."
        )
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from adastar_core.planning.needs import memory_warnings, needs_of
    from adastar_core.report.opening import opening, places
    from adastar_core.report.text import print_report
    from adastar_core.runs.opening import open_workspace
    from flows.console import open_console
    from flows.ending import finished_run
    from flows.prefect_server import check_server, prefect_server
    from flows.starter import starter
    from flows.stopping import ending_told_apart
    from flows.tagging import tagged_by_the_environment

    with finished_run(config, name) as found_done:
        if found_done is not None:
            say_finished(*found_done, summary, console)
            return
    check_server()
    with (
        open_console(console) as display,
        open_workspace(
            config, name, preset=preset, display=display, explain=ending_told_apart, starter=starter
        ) as workspace,
    ):
        say(console, *opening(workspace).split("\n"))
        if config.compute.backend == "local":
            say(console, *memory_warnings(needs_of(workspace)))
        # A sync flow with heartbeats waits for whole seconds at its end, and nobody reads them here.
        heartbeats_off = temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
        with prefect_server(), heartbeats_off, tagged_by_the_environment():
            report = run_flow(config, name)
        found = places(workspace)
    if summary is not None:
        summary.write_text(summary_text(report), encoding="utf-8")
        found["summary"] = str(summary)
    print_report(report, {"checkpoint": report.checkpoint, **found}, console)


def say_finished(stored: "StoredRun", best: int, summary: Path | None, console: Console) -> None:
    """Say that nothing is left to do, what came out, and how to do more."""
    from adastar_core.report.build import whole_report_of
    from adastar_core.report.opening import places
    from adastar_core.report.text import headline, print_controls, print_places

    report = whole_report_of(stored, best)
    lines = [
        f"Run {stored.run.name} is already finished. {headline(report)}",
        f"To go on, {_more(stored.config, len(report.iterations))}. To start again, give a new name (--run NAME). To look at "
        f"it: {stored.command('show')}",
    ]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    print_controls(report, console)
    found = places(stored)
    if summary is not None:
        summary.write_text(summary_text(report), encoding="utf-8")
        found["summary"] = str(summary)
    print_places({"checkpoint": report.checkpoint, **found}, console)


def _more(config: RunConfig, done: int) -> str:
    if done < config.iterations:
        return (
            f"raise budget_pflops or patience, which ended it after {done} of {config.iterations} iterations"
        )
    return f"give it more iterations with the same command and --set iterations={done + config.iterations} (it has {done})"
