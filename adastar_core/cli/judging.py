"""``adastar judge``: verdicts on a file of responses.

::

    adastar judge --problem gsm8k responses.jsonl
"""

import json as json_format
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO

from cyclopts import Parameter

from adastar_core.audit.responses import Judged
from adastar_core.audit.responses import judge as verdicts_of
from adastar_core.cli.app import Flag
from adastar_core.config.files import resolve
from adastar_core.errors import DataError
from adastar_core.machine.files import atomic_write
from adastar_core.problems.catalogue import open_problem


def judge(
    file: Annotated[Path, Parameter(help="Responses, one JSON object per line.")],
    /,
    *,
    problem: Annotated[str, Parameter(metavar="NAME", help="E.g. gsm8k, arc_challenge, table, arithmetic.")],
    output: Annotated[
        Path | None, Parameter(metavar="FILE", help="Where verdicts are written (default: standard output).")
    ] = None,
    overrides: Annotated[
        tuple[str, ...],
        Flag,
        Parameter(
            name="--set",
            metavar="KEY=VALUE",
            help="A setting of the problem, e.g. verifier=math, or answer=solution for a table; may be repeated.",
        ),
    ] = (),
    json: Annotated[
        bool,
        Flag,
        Parameter(help="Write one JSON document with all verdicts and their counts, not a line for each."),
    ] = False,
) -> int:
    values: dict[str, object] = {"type": problem}
    if problem == "table":
        values["path"] = str(file)
    config = resolve({"problem": values}, [f"problem.{override}" for override in overrides])
    opened = open_problem(config.problem)
    write = _write_document if json else _write_lines
    try:
        with file.open(encoding="utf-8-sig") as lines, _sink(output) as sink:
            counts = write(verdicts_of(opened, (line.rstrip("\r\n") for line in lines), str(file)), sink)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{file}: cannot be read or its verdicts written ({error}). Check the paths."
        ) from error
    total = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))
    print(
        f"{counts.total()} responses judged by {opened.verifier.version}: {total or 'none'}", file=sys.stderr
    )
    return 0


def _write_lines(verdicts: Iterable[Judged], sink: TextIO) -> Counter[str]:
    """Write a line for each as it comes; return how many of each kind there were."""
    counts: Counter[str] = Counter()
    for judged in verdicts:
        print(json_format.dumps(judged.as_json(), ensure_ascii=False), file=sink)
        counts[judged.verdict.outcome] += 1
    return counts


def _write_document(verdicts: Iterable[Judged], sink: TextIO) -> Counter[str]:
    """Write one document at the end; return how many of each kind there were."""
    found = list(verdicts)
    counts = Counter(str(judged.verdict.outcome) for judged in found)
    document = {"outcomes": counts, "verdicts": [judged.as_json() for judged in found]}
    print(json_format.dumps(document, ensure_ascii=False, indent=1), file=sink)
    return counts


@contextmanager
def _sink(output: Path | None) -> Iterator[TextIO]:
    """Yield standard output, or a file that appears under its name only once it is complete."""
    if output is None:
        yield sys.stdout
        return
    with atomic_write(output) as part, part.open("w", encoding="utf-8") as file:
        yield file
