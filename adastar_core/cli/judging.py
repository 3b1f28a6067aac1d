"""``adastar judge``: verdicts on a file of responses.

::

    adastar judge --problem gsm8k responses.jsonl
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from adastar_core.audit.responses import Judged, judge
from adastar_core.cli.options import Commands
from adastar_core.cli.output import wants_json
from adastar_core.config.files import resolve
from adastar_core.errors import DataError
from adastar_core.problems.catalogue import open_problem


def add(commands: Commands) -> None:
    """Add the command's parser."""
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
    judging.add_argument(
        "--json",
        action="store_true",
        help="write one JSON document, all verdicts and how many of each kind, instead of a line for each",
    )
    judging.set_defaults(action=_judge)


def _judge(options: argparse.Namespace) -> int:
    """Write verdicts and, on standard error, how many of each kind there are."""
    problem_values: dict[str, object] = {"type": options.problem}
    if options.problem == "table":
        problem_values["path"] = str(options.file)
    config = resolve({"problem": problem_values}, [f"problem.{override}" for override in options.overrides])
    problem = open_problem(config.problem)
    write = _write_document if wants_json(options) else _write_lines
    try:
        with options.file.open(encoding="utf-8-sig") as lines, _sink(options.output) as sink:
            counts = write(judge(problem, (line.rstrip("\r\n") for line in lines), str(options.file)), sink)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{options.file}: cannot be read or its verdicts written ({error}). Check the paths."
        ) from error
    total = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    print(
        f"{counts.total()} responses judged by {problem.verifier.version}: {total or 'none'}", file=sys.stderr
    )
    return 0


def _write_lines(verdicts: Iterable[Judged], sink: TextIO) -> Counter[str]:
    """Write a line for each as it comes; return how many of each kind there were."""
    counts: Counter[str] = Counter()
    for judged in verdicts:
        print(json.dumps(judged.as_json(), ensure_ascii=False), file=sink)
        counts[judged.verdict.outcome] += 1
    return counts


def _write_document(verdicts: Iterable[Judged], sink: TextIO) -> Counter[str]:
    """Write one document at the end; return how many of each kind there were."""
    found = list(verdicts)
    counts = Counter(str(one.verdict.outcome) for one in found)
    document = {"outcomes": counts, "verdicts": [one.as_json() for one in found]}
    print(json.dumps(document, ensure_ascii=False, indent=1), file=sink)
    return counts


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
