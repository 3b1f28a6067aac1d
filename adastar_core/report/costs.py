"""What each kind of work cost over the whole run: attempts of every kind, training, and evaluation apart."""

from functools import reduce
from operator import add

from adastar_core.compute import StageTokens
from adastar_core.machine.units import duration, flops_unit, number
from adastar_core.report.records import RunReport, StageRow


def cost_headings(report: RunReport) -> tuple[str, ...]:
    """Return the headings; the run's total decides the unit, as in the table per iteration."""
    unit = flops_unit(report.total_pflops)[1]
    return ("stage", "read", "generated", "trained", unit, f"padded {unit}", f"attention {unit}", "time")


def cost_cells(report: RunReport) -> list[tuple[str, ...]]:
    """Return a row per kind of work, tokens without padding; evaluation, which the run's total leaves out, last."""
    factor, _ = flops_unit(report.total_pflops)
    kinds = dict.fromkeys(row.stage for row in report.stages)
    return [
        _cells(kind, [row for row in report.stages if row.stage == kind], factor)
        for kind in sorted(kinds, key=lambda kind: kind.startswith("evaluate"))
    ]


def _cells(kind: str, rows: list[StageRow], factor: float) -> tuple[str, ...]:
    tokens = reduce(add, (row.tokens for row in rows), StageTokens())
    return (
        kind,
        *(f"{count:,}" for count in (tokens.prompt_tokens, tokens.generated_tokens, tokens.train_tokens)),
        number(factor * sum(row.pflops for row in rows)),
        number(factor * sum(row.padded_pflops for row in rows)),
        number(factor * sum(row.attention_pflops for row in rows)),
        duration(sum(row.seconds for row in rows)),
    )
