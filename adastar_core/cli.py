"""The ``adastar`` command: small tools around runs. The main job is ``python flows/adastar.py``.

::

    adastar judge --problem gsm8k responses.jsonl
    adastar reverify my-run --verifier number
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rich.console import Console
from sqlalchemy.exc import DBAPIError

from adastar_core.configfile import resolve
from adastar_core.errors import AdaStarError, DataError
from adastar_core.home import usable_home
from adastar_core.judge import judge
from adastar_core.problems.catalogue import open_problem
from adastar_core.verifiers.catalogue import VERIFIER_NAMES


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: The command line without the program's name; ``None`` takes the process's own.

    Returns:
        The exit status: 0, or that of the error (2 when the user can mend it).
    """
    options = _parser().parse_args(arguments)
    try:
        options.execute(options)
    except AdaStarError as error:
        print(f"adastar: {error}", file=sys.stderr)
        return error.exit_status
    except DBAPIError as error:
        print(
            f"adastar: the database failed ({error.orig}). The same command goes on from there.",
            file=sys.stderr,
        )
        return AdaStarError.exit_status
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="adastar", description="Tools around self-improvement runs.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    judging = commands.add_parser(
        "judge",
        help="judge a file of responses with a problem's verifier",
        description='Judge responses. Each line of FILE is {"row": <row in the data set\'s schema>, "response": text} and may have '
        '"finish_reason": eos, stop or length. One verdict per line is written, in order.',
    )
    judging.add_argument("file", metavar="FILE.jsonl", type=Path, help="responses, one JSON object per line")
    judging.add_argument(
        "--problem", required=True, metavar="NAME", help="e.g. gsm8k, arc_challenge, table, arithmetic"
    )
    judging.add_argument(
        "--output", metavar="FILE", type=Path, help="where verdicts go; standard output by default"
    )
    judging.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="a setting of the problem, e.g. verifier=math or answer=solution for a table; may be repeated",
    )
    judging.set_defaults(execute=_judge)
    _add_reverify(commands.add_parser(
        "reverify",
        help="judge a run's stored rollouts anew and show where the verdicts differ",
        description="Judge all stored rollouts of a run anew. New verdicts stand beside the old ones; statistics, training "
        "history and later iterations of the run do not change.",
    ))  # fmt: skip
    return parser


def _add_reverify(command: argparse.ArgumentParser) -> None:
    command.add_argument("run", metavar="RUN", help="the run's name")
    command.add_argument(
        "--verifier",
        choices=VERIFIER_NAMES,
        help="the verifier (default: the problem's own, in this version)",
    )
    command.add_argument(
        "--fall-back", action="store_true", help="take the last number, letter, or yes or no where none is declared"
    )  # fmt: skip
    command.add_argument(
        "--examples", type=int, default=3, metavar="N", help="examples of every kind of disagreement (default: 3)"
    )  # fmt: skip
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.add_argument(
        "--database", metavar="URL", help="where the run is (default: ADASTAR_DATABASE_URL, or the local server)"
    )  # fmt: skip
    command.add_argument(
        "--home", metavar="DIRECTORY", type=Path, help="the data directory of the local server"
    )
    command.set_defaults(execute=_reverify)


def _reverify(options: argparse.Namespace) -> None:
    """Judge anew, say how far it is on standard error, and print the disagreements."""
    from adastar_core.report.disagreements import as_json, print_disagreements
    from adastar_core.reverify import reverify
    from adastar_core.store.database import open_database

    def show(iteration: int, judged: int | None) -> None:
        done = "left out, it is being sampled" if judged is None else f"{judged:,} rollouts judged"
        print(f"iteration {iteration}: {done}", file=sys.stderr)

    engine = open_database(options.database, usable_home(options.home))
    result = reverify(
        engine, options.run, options.verifier,
        fall_back=options.fall_back, examples=options.examples, report=show,
    )  # fmt: skip
    engine.dispose()
    if options.json:
        print(as_json(result))
    else:
        print_disagreements(result, Console())


def _judge(options: argparse.Namespace) -> None:
    """Write verdicts and, on standard error, how many of each kind there are."""
    problem_values: dict[str, object] = {"type": options.problem}
    if options.problem == "table":
        problem_values["path"] = str(options.file)
    config = resolve({"problem": problem_values}, [f"problem.{override}" for override in options.overrides])
    problem = open_problem(config.problem)
    counts: Counter[str] = Counter()
    try:
        with options.file.open(encoding="utf-8-sig") as lines, _sink(options.output) as sink:
            for judged in judge(problem, (line.rstrip("\r\n") for line in lines), str(options.file)):
                print(judged.json_line(), file=sink)
                counts[judged.verdict.outcome] += 1
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{options.file}: cannot be read or its verdicts written ({error}). Check the paths."
        ) from error
    total = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    print(
        f"{counts.total()} responses judged by {problem.verifier.version}: {total or 'none'}", file=sys.stderr
    )


@contextmanager
def _sink(output: Path | None) -> Iterator[TextIO]:
    """Give standard output, or a file that appears under its name only once it is complete."""
    if output is None:
        yield sys.stdout
        return
    part = output.with_name(output.name + ".part")
    try:
        with part.open("w", encoding="utf-8") as file:
            yield file
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
