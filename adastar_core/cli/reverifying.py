"""``adastar reverify``: other verdicts on a run's stored rollouts, beside those that selected.

::

    adastar reverify my-run --verifier number
"""

import sys
from typing import Annotated

from cyclopts import Parameter

from adastar_core.audit.disagreements import as_json, print_disagreements
from adastar_core.audit.reverify import reverify as judge_again
from adastar_core.cli.app import Flag
from adastar_core.cli.options import Common, RunName
from adastar_core.cli.output import console
from adastar_core.verifiers.catalogue import VERIFIER_NAMES, parse_verifier


def reverify(
    run: RunName,
    /,
    *,
    verifier: Annotated[
        str | None,
        Parameter(
            metavar="NAME",
            help=f"{', '.join(VERIFIER_NAMES)}, or the import path of your own (default: the problem's, in this version).",
        ),
    ] = None,
    fall_back: Annotated[
        bool, Flag, Parameter(help="Take the last number, letter, or yes or no where none is declared.")
    ] = False,
    examples: Annotated[
        int, Parameter(metavar="N", help="Examples of every kind of disagreement.")
    ] = 3,
    common: Common = Common(),
) -> int:  # fmt: skip
    with common.database() as engine:
        named = parse_verifier(verifier) if verifier else None
        result = judge_again(engine, run, named, fall_back=fall_back, examples=examples, on_iteration=_say)
    if common.json:
        print(as_json(result))
    else:
        print_disagreements(result, console())
    return 0


def _say(iteration: int, judged: int | None) -> None:
    done = "left out, it is being sampled" if judged is None else f"{judged:,} rollouts judged"
    print(f"iteration {iteration}: {done}", file=sys.stderr)
