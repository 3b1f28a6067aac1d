"""``adastar reverify``: other verdicts on a run's stored rollouts, beside those that selected.

::

    adastar reverify my-run --verifier number
"""

import argparse
import sys

from adastar_core.cli.options import Commands, add_command, database
from adastar_core.cli.output import console, wants_json
from adastar_core.verifiers.catalogue import VERIFIER_NAMES


def add(commands: Commands) -> None:
    """Add the command's parser."""
    command = add_command(
        commands,
        "reverify",
        "judge a run's stored rollouts anew and show where the verdicts differ",
        "Judge all stored rollouts of a run anew. New verdicts stand beside the old ones; statistics, training "
        "history and later iterations of the run do not change.",
    )
    command.add_argument("run", metavar="RUN", help="name of the run")
    command.add_argument(
        "--verifier",
        choices=VERIFIER_NAMES,
        help="the verifier (default: the problem's own, in this version)",
    )
    command.add_argument(
        "--fall-back",
        action="store_true",
        help="take the last number, letter, or yes or no where none is declared",
    )
    command.add_argument(
        "--examples",
        type=int,
        default=3,
        metavar="N",
        help="examples of every kind of disagreement (default: 3)",
    )
    command.set_defaults(action=_reverify)


def _reverify(options: argparse.Namespace) -> int:
    """Judge anew, say how far it is on standard error, and print the disagreements."""
    from adastar_core.audit.disagreements import as_json, print_disagreements
    from adastar_core.audit.reverify import reverify

    with database(options) as engine:
        result = reverify(
            engine,
            options.run,
            options.verifier,
            fall_back=options.fall_back,
            examples=options.examples,
            report=_say,
        )
    if wants_json(options):
        print(as_json(result))
    else:
        print_disagreements(result, console())
    return 0


def _say(iteration: int, judged: int | None) -> None:
    done = "left out, it is being sampled" if judged is None else f"{judged:,} rollouts judged"
    print(f"iteration {iteration}: {done}", file=sys.stderr)
