"""``adastar judge``: verdicts on a file of responses.

::

    adastar judge --problem gsm8k responses.jsonl
"""

import json as json_format
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from adastar_core.audit.responses import judge as verdicts_of
from adastar_core.cli.app import Flag
from adastar_core.config.files import resolve
from adastar_core.errors import DataError
from adastar_core.machine.files import atomic_write
from adastar_core.problems.catalogue import open_problem


def judge(
    file: Path,
    /,
    *,
    problem: Annotated[str, Parameter(metavar="NAME")],
    output: Annotated[Path | None, Parameter(metavar="FILE")] = None,
    overrides: Annotated[tuple[str, ...], Flag, Parameter(name="--set", metavar="KEY=VALUE")] = (),
    json: Annotated[bool, Flag] = False,
) -> int:
    """Write verdicts, and on standard error how many of each kind there are.

    Args:
        file: Responses, one JSON object per line.
        problem: E.g. gsm8k, arc_challenge, table, arithmetic, countdown.
        output: Where verdicts are written (default: standard output).
        overrides: A setting of the problem, e.g. verifier=math, or answer=solution for a table; may be repeated.
        json: Write one JSON document with all verdicts and their counts, not a line for each.
    """
    values: dict[str, object] = {"type": problem}
    if problem == "table":
        values["path"] = str(file)
    config = resolve({"problem": values}, [f"problem.{override}" for override in overrides])
    opened = open_problem(config.problem)
    counts: Counter[str] = Counter()
    verdicts = []
    try:
        with ExitStack() as files:
            lines = files.enter_context(file.open(encoding="utf-8-sig"))
            part = files.enter_context(atomic_write(output)) if output else None
            sink = files.enter_context(part.open("w", encoding="utf-8")) if part else sys.stdout
            for judged in verdicts_of(opened, (line.rstrip("\r\n") for line in lines), str(file)):
                counts[judged.verdict.outcome] += 1
                if json:
                    verdicts.append(judged.as_json())
                else:
                    print(json_format.dumps(judged.as_json(), ensure_ascii=False), file=sink)
            if json:
                document = {"outcomes": counts, "verdicts": verdicts}
                print(json_format.dumps(document, ensure_ascii=False, indent=1), file=sink)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{file}: cannot read it or write its verdicts ({error}). Check the paths."
        ) from error
    total = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "none"
    print(f"{counts.total()} responses judged by {opened.verifier.version}: {total}", file=sys.stderr)
    return 0
