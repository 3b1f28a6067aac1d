"""The disagreements of two verifiers, as a table with examples for the terminal and as JSON."""

from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from adastar_core.audit.reverify import Reverification
from adastar_core.machine.visible import json_text, visible

_SHOWN = 300


def print_disagreements(result: Reverification, console: Console) -> None:
    """Print how many rollouts changed from which outcome to which, examples, and the total."""
    if result.disagreements:
        table = Table(title=f"Disagreements with {result.verifier}", title_justify="left")
        for heading in ("selected by", "was", "is now"):
            table.add_column(heading)
        for heading in ("rollouts", "trained on"):
            table.add_column(heading, justify="right")
        for change in result.disagreements:
            counts = (f"{change.rollouts:,}", f"{change.trained:,}")
            table.add_row(change.old_verifier, change.old, change.new, *counts)
        console.print(table)
    for example in result.examples:
        trained = ", trained on" if example.trained else ""
        # The end of a long response has the answer.
        response = example.response if len(example.response) <= _SHOWN else f"… {example.response[-_SHOWN:]}"
        lines = [
            f"{example.old} → {example.new}: observation {example.observation_id}, iteration {example.iteration}, "
            f"attempt {example.attempt}{trained}",
            f"  reference: {example.reference}",
            f"  {example.old_verifier}: {example.old_extracted!r}, {example.old_reason}",
            f"  {result.verifier}: {example.new_extracted!r}, {example.new_reason}",
            f"  response: {' '.join(response.split())}",
        ]
        console.print(Text(visible("\n".join(lines) + "\n")), soft_wrap=True)
    changed = sum(change.rollouts for change in result.disagreements)
    console.print(
        f"{result.verifier} agrees on {result.rollouts - changed:,} of {result.rollouts:,} rollouts of run {result.run} "
        f"and disagrees on {changed:,}; {result.judged:,} were judged now. Statistics and training history are unchanged.",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip


def as_json(result: Reverification) -> str:
    """Return what ``adastar reverify --json`` prints: the counts, every change and the examples."""
    values = {
        "run": result.run,
        "verifier": result.verifier,
        "rollouts": result.rollouts,
        "judged": result.judged,
        "changes": [asdict(change) for change in result.changes],
        "examples": [asdict(example) for example in result.examples],
    }
    return json_text(values)
