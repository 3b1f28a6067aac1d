"""Two verifiers' disagreements, as a table with examples for the terminal and as JSON."""

import json
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from adastar_core.audit.reverify import Reverification
from adastar_core.store.disagreements import Disagreement

_SHOWN = 300


def print_disagreements(result: Reverification, console: Console) -> None:
    """Print how many rollouts changed from what to what, examples, and the total."""
    if result.disagreements:
        console.print(_table(result))
    for example in result.examples:
        _print_example(example, result.verifier, console)
    changed = sum(change.rollouts for change in result.disagreements)
    console.print(
        f"{result.verifier} agrees on {result.rollouts - changed:,} of {result.rollouts:,} rollouts of run {result.run} "
        f"and disagrees on {changed:,}; {result.judged:,} were judged now. Statistics and training history are unchanged.",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip


def _table(result: Reverification) -> Table:
    table = Table(title=f"Disagreements with {result.verifier}", title_justify="left")
    for heading in ("selected by", "was", "is now"):
        table.add_column(heading)
    for heading in ("rollouts", "trained on"):
        table.add_column(heading, justify="right")
    for change in result.disagreements:
        table.add_row(
            change.old_verifier, change.old, change.new, f"{change.rollouts:,}", f"{change.trained:,}"
        )
    return table


def _print_example(one: Disagreement, verifier: str, console: Console) -> None:
    trained = ", trained on" if one.trained else ""
    response = one.response if len(one.response) <= _SHOWN else f"… {one.response[-_SHOWN:]}"
    lines = [
        f"{one.old} → {one.new}: observation {one.observation_id}, iteration {one.iteration}, attempt {one.attempt}{trained}",
        f"  reference: {one.reference}",
        f"  {one.old_verifier}: {one.old_extracted!r}, {one.old_reason}",
        f"  {verifier}: {one.new_extracted!r}, {one.new_reason}",
        f"  response: {' '.join(response.split())}",
    ]
    console.print("\n".join(lines) + "\n", highlight=False, markup=False, soft_wrap=True)


def as_json(result: Reverification) -> str:
    """Return the whole comparison as one JSON object."""
    values = {
        "run": result.run,
        "verifier": result.verifier,
        "rollouts": result.rollouts,
        "judged": result.judged,
        "changes": [asdict(change) for change in result.changes],
        "examples": [asdict(example) for example in result.examples],
    }
    return json.dumps(values, ensure_ascii=False, indent=2)
