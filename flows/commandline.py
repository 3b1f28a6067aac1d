"""The command line of ``flows/adastar.py``: options in, a configuration, and what a person reads at the end."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import yaml
from rich.console import Console
from safetensors import SafetensorError
from sqlalchemy.exc import DBAPIError

from adastar_core import names
from adastar_core.config import RunConfig, files
from adastar_core.errors import AdaStarError, ConfigError
from adastar_core.planning.cards import CARDS
from adastar_core.planning.forecast import Assumptions
from adastar_core.report.records import RunReport
from adastar_core.report.summary import summary_text
from flows.signals import Ended, ended_by_signals

EPILOGUE = """\
examples:
  python flows/adastar.py                                     the quickstart
  python flows/adastar.py --set iterations=8 --run my-run     more iterations under a name of your own
  python flows/adastar.py --run my-run --set iterations=12    continue that run (with --preset/--set as before)
  python flows/adastar.py --preset quickstart --dry-run       show what would be done and touch nothing
"""


class FixedWidthHelp(argparse.RawDescriptionHelpFormatter):
    """Help of one width, so that the copy in the documentation is the same everywhere."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=100)


def parser() -> argparse.ArgumentParser:
    """Return the parser, whose help text is also in ``docs/usage.md``."""
    options = argparse.ArgumentParser(
        prog="python flows/adastar.py",
        description="Make a language model improve itself on problems with known answers.",
        epilog=EPILOGUE,
        formatter_class=FixedWidthHelp,
    )
    source = options.add_mutually_exclusive_group()
    source.add_argument(
        "--preset", metavar="NAME", help=f"a ready-made run (default: {files.DEFAULT_PRESET})"
    )
    source.add_argument("--config", metavar="FILE.yaml", type=Path, help="a configuration file of your own")
    options.add_argument(
        "--set", metavar="a.b=value", action="append", default=[], dest="overrides",
        help="change one configuration key; may be repeated",
    )  # fmt: skip
    options.add_argument(
        "--run", metavar="NAME",
        help="name of the run, up to 128 printable characters; a known name continues it (default: the preset's name and a digest of "
        "the values)",
    )  # fmt: skip
    options.add_argument(
        "--dry-run", action="store_true",
        help="print the resolved configuration, the plan, its compute and its memory; touch nothing",
    )  # fmt: skip
    forecast = options.add_argument_group("what --dry-run assumes")
    forecast.add_argument(
        "--accepted", metavar="SHARE", type=share, default=0.5,
        help="share of visited observations with an accepted rationale, from 0 to 1 (default: 0.5)",
    )  # fmt: skip
    forecast.add_argument(
        "--rationale-tokens", metavar="N", type=float,
        help="mean tokens of a rationale (default: half of the longest)",
    )  # fmt: skip
    forecast.add_argument(
        "--card", choices=sorted(CARDS), help="a GPU: does it fit, and how long does it take at least"
    )
    options.add_argument(
        "--summary", metavar="FILE.json", type=Path, help="write the run's summary here at the end"
    )
    options.add_argument("--list-presets", action="store_true", help="list the ready-made runs and exit")
    return options


def share(text: str) -> float:
    """Return a share above 0 and up to 1."""
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return value


INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""

_KEPT = "What was stored before is kept; the same command continues the run."

RunFlow = Callable[[RunConfig, str], RunReport]
"""The flow itself; it is passed in because the command's own module defines it."""


def main(run_flow: RunFlow, arguments: Sequence[str] | None = None) -> None:
    """Parse, run, and turn the project's own errors into one paragraph and an exit status."""
    console = Console()
    try:
        with ended_by_signals():
            run_command(parser().parse_args(arguments), run_flow, console)
    except Ended as ended:
        fail(f"ended by {ended.signal.name}. {_KEPT}", ended.exit_status)
    except AdaStarError as error:
        fail(str(error), error.exit_status)
    except DBAPIError as error:
        fail(
            f"The database failed during the run ({error.orig}). What was stored before stands; once it answers again, "
            "the same command continues the run.",
            AdaStarError.exit_status,
        )
    except (OSError, SafetensorError) as error:
        if "No space left on device" not in str(error):
            raise
        fail(
            f"The disk is full ({error}). What was stored before stands; with room again, the same command continues the run.",
            AdaStarError.exit_status,
        )
    except KeyboardInterrupt:
        fail(f"interrupted. {_KEPT}", INTERRUPTED)


def fail(message: str, status: int) -> NoReturn:
    """Print ``message`` as one paragraph on standard error and exit."""
    paragraph = " ".join(message.split())
    Console(stderr=True).print(
        f"error: {paragraph}", style="red", markup=False, highlight=False, soft_wrap=True
    )
    sys.exit(status)


def run_command(options: argparse.Namespace, run_flow: RunFlow, console: Console) -> None:
    """Do what the parsed options ask for."""
    if options.list_presets:
        for name in files.preset_names():
            console.print(f"{name:28} {files.preset_summary(name)}", highlight=False, soft_wrap=True)
        return
    source, values = read_source(options)
    config = files.resolve(values, options.overrides)
    name = f"{names.named_after(source, 100)}-{config.sha256()[:8]}" if options.run is None else options.run
    if options.dry_run:
        dry_run(config, name, Assumptions(options.accepted, options.rationale_tokens), options.card, console)
    else:
        execute(run_flow, config, name, source, options.summary, console)


def read_source(options: argparse.Namespace) -> tuple[str, dict[str, object]]:
    """Return the name and the keys of the preset or file that the options name."""
    if options.config is not None:
        return options.config.stem, files.load_file(options.config)
    preset = options.preset or files.DEFAULT_PRESET
    return preset, files.load_preset(preset)


def dry_run(
    config: RunConfig, name: str, assumptions: Assumptions, card: str | None, console: Console
) -> None:
    """Print the resolved configuration, and the plan with what it costs."""
    import torch

    from adastar_core.planning.plan import plan_of
    from adastar_core.planning.text import plan_lines, plan_table

    console.print(f"# run {names.shown(name)}", highlight=False, markup=False)
    console.print(
        yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), highlight=False, markup=False
    )
    plan = plan_of(config, assumptions, bf16=card is not None or torch.cuda.is_available())
    console.print(plan_table(plan))
    for line in (*plan_lines(plan, config, assumptions, card), "Nothing was written."):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def execute(
    run_flow: RunFlow, config: RunConfig, name: str, preset: str, summary: Path | None, console: Console
) -> None:
    """Run the flow with everything that can be checked checked first, and show what came out."""
    check_summary_path(summary)
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from adastar_core.report.opening import opening, places
    from adastar_core.report.text import print_report
    from adastar_core.runs.opening import open_workspace
    from flows.console import open_console
    from flows.server import check_server, prefect_server

    check_server()
    with open_workspace(config, name, preset=preset, progress=open_console(console)) as workspace:
        console.print(opening(workspace), highlight=False, markup=False, soft_wrap=True)
        # A sync flow with heartbeats waits for whole seconds at its end, and nobody reads them here.
        with prefect_server(), temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            report = run_flow(config, name)
        found = places(workspace)
    if summary is not None:
        summary.write_text(summary_text(report), encoding="utf-8")
        found["summary"] = str(summary)
    print_report(report, {"checkpoint": report.checkpoint, **found}, console)


def check_summary_path(summary: Path | None) -> None:
    """Refuse a summary file that cannot be written, before any work is done.

    Raises:
        ConfigError: Its folder does not exist or cannot be written to.
    """
    if summary is not None and not os.access(summary.parent, os.W_OK):
        raise ConfigError(
            f"--summary {summary}: the folder {summary.parent} is not writable or does not exist; create it first."
        )
