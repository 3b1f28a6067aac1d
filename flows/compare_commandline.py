"""The command line of ``flows/compare.py``."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import DBAPIError

from adastar_core.comparison import text
from adastar_core.comparison.table import Comparison
from adastar_core.config.methods import METHODS
from adastar_core.errors import AdaStarError, ConfigError
from flows.commandline import INTERRUPTED, FixedWidthHelp, fail
from flows.members import ComparisonSettings
from flows.signals import Ended, ended_by_signals

EPILOGUE = """\
examples:
  python flows/compare.py                                            three methods, five seeds, arithmetic-hard
  python flows/compare.py --methods all --seeds 0..2                 every method, three seeds
  python flows/compare.py --preset quickstart --seeds 0..2 --budget 1.5TFLOPs
  python flows/compare.py --config mine.yaml --methods adastar,random-lazy,star-acc-full --budget 6

The same command continues a comparison that was interrupted; more methods or seeds add to it.
"""
_KEPT = "What was stored before is kept; the same command continues the comparison."
Compare = Callable[[ComparisonSettings], Comparison]


def parser() -> argparse.ArgumentParser:
    """Return the parser, whose help text is also in ``docs/usage.md``."""
    options = argparse.ArgumentParser(
        prog="python flows/compare.py",
        description="Compare methods on one problem and model: a run per method and seed, and one table.",
        epilog=EPILOGUE,
        formatter_class=FixedWidthHelp,
    )
    source = options.add_mutually_exclusive_group()
    source.add_argument(
        "--preset", metavar="NAME", default="arithmetic-hard", help="common values (default: %(default)s)"
    )
    source.add_argument("--config", metavar="FILE.yaml", help="common values from a file of your own")
    options.add_argument(
        "--methods", metavar="A,B,...", default="adastar,random-lazy,star-acc",
        help="methods, or all (default: %(default)s); --list-methods shows them",
    )  # fmt: skip
    options.add_argument("--seeds", metavar="0..4", default="0..4", help="a range, or a list such as 0,3,7")
    options.add_argument(
        "--budget", metavar="N|COMPUTE",
        help="iterations (8) or compute (2TFLOPs, 0.5PFLOPs) of each run; the preset's own when left out",
    )  # fmt: skip
    options.add_argument(
        "--select-on", choices=("validation", "test"), default="validation",
        help="what selects checkpoints; test is the paper's protocol, and the table says so",
    )  # fmt: skip
    options.add_argument(
        "--set", metavar="a.b=value", action="append", default=[], dest="overrides",
        help="change one configuration key of every run; may be repeated",
    )  # fmt: skip
    options.add_argument(
        "--parallel", metavar="N", type=int, default=2, help="runs at once (default: %(default)s)"
    )
    options.add_argument(
        "--threads", metavar="N", type=int, default=1, help="threads of each run (default: %(default)s)"
    )
    options.add_argument("--output", metavar="FOLDER", type=Path, help="where the table and figures go")
    options.add_argument("--list-methods", action="store_true", help="list the methods and exit")
    return options


def main(compare: Compare, arguments: Sequence[str] | None = None) -> None:
    """Parse, compare, and turn the project's own errors into one paragraph and an exit status."""
    console = Console()
    try:
        with ended_by_signals():
            run_command(parser().parse_args(arguments), compare, console)
    except Ended as ended:
        fail(f"ended by {ended.signal.name}. {_KEPT}", ended.exit_status)
    except AdaStarError as error:
        fail(str(error), error.exit_status)
    except DBAPIError as error:
        fail(
            f"The database failed ({error.orig}). The same command continues the comparison.",
            AdaStarError.exit_status,
        )
    except KeyboardInterrupt:
        fail(f"interrupted. {_KEPT}", INTERRUPTED)


def run_command(options: argparse.Namespace, compare: Compare, console: Console) -> None:
    """Do what the parsed options ask for."""
    if options.list_methods:
        for name, method in METHODS.items():
            console.print(f"{name:20} {method.title}: {method.summary}", highlight=False, soft_wrap=True)
        return
    settings = settings_of(options)
    for named in settings.methods:
        settings.config(named, settings.seeds[0])  # refuse bad values before any run
    from flows.server import check_server, prefect_server

    check_server()
    count = len(settings.methods) * len(settings.seeds)
    console.print(
        f"Comparing {len(settings.methods)} methods with {len(settings.seeds)} seeds: {count} runs, {settings.parallel} at "
        f"once. Logs: {settings.folder}",
        highlight=False,
        soft_wrap=True,
    )
    with prefect_server():
        comparison = compare(settings)
    print_comparison(comparison, console)
    console.print(f"Files: {settings.output}", highlight=False, soft_wrap=True)


def settings_of(options: argparse.Namespace) -> ComparisonSettings:
    """Return what the options ask for.

    Raises:
        ConfigError: A method, a range of seeds or a number is not acceptable.
    """
    if min(options.parallel, options.threads) < 1:
        raise ConfigError("--parallel and --threads must be at least 1.")
    return ComparisonSettings(
        source="config" if options.config else "preset",
        base=options.config or options.preset,
        methods=methods_of(options.methods),
        seeds=seeds_of(options.seeds),
        overrides=tuple(options.overrides),
        budget=options.budget,
        select_on=options.select_on,
        parallel=options.parallel,
        threads=options.threads,
        given_output=options.output,
    )


def methods_of(words: str) -> tuple[str, ...]:
    """Return the methods that ``words`` names, ``all`` being every one.

    Raises:
        ConfigError: One is unknown.
    """
    if words == "all":
        return tuple(METHODS)
    named = tuple(dict.fromkeys(word.strip() for word in words.split(",") if word.strip()))
    unknown = [name for name in named if name not in METHODS]
    if unknown or not named:
        raise ConfigError(
            f"--methods {words}: no method {', '.join(unknown) or 'is named'}; --list-methods shows them."
        )
    return named


def seeds_of(words: str) -> tuple[int, ...]:
    """Return the seeds of ``0..4`` or ``0,3,7``.

    Raises:
        ConfigError: It is neither.
    """
    first, dots, last = words.partition("..")
    parts = (
        range(int(first), int(last) + 1) if dots and first.isdigit() and last.isdigit() else words.split(",")
    )
    if not parts or not all(str(part).strip().isdigit() for part in parts):
        raise ConfigError(f"--seeds {words} is neither a range such as 0..4 nor a list such as 0,3,7.")
    return tuple(dict.fromkeys(int(part) for part in parts))


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print the columns that matter most; the files hold all."""
    shown = (0, 1, 2, 3, 4, 6, 7, 12, 15, 16)
    table = Table(title=comparison.title, title_justify="left", box=None, pad_edge=False)
    head = text.headings(comparison)
    for place in shown:
        table.add_column(head[place], justify="left" if place == 0 else "right")
    for row in text.cells(comparison):
        table.add_row(*(row[place] for place in shown))
    console.print(table)
    console.print(text.headline(comparison), highlight=False, soft_wrap=True)
    for note in text.notes(comparison):
        console.print(f"* {note}", highlight=False, soft_wrap=True)
