"""The summary file, a stable contract for scripts: names never change, new ones may be added."""

import json
from dataclasses import asdict

from adastar_core.records import Accuracy
from adastar_core.report.records import RunReport


def summary(report: RunReport) -> dict[str, object]:
    """Return the run's summary as plain JSON values. Shares are in [0, 1]; ``None`` was not measured."""
    return {
        "run": report.run,
        "preset": report.preset,
        "config_sha256": report.config_sha256,
        "problem": report.problem,
        "method": report.method,
        "base_model": report.base_model,
        "seed": report.seed,
        "base_validation_accuracy": report.base_validation.share,
        "base_test_accuracy": _share(report.base_test),
        "test_accuracy": _share(report.test),
        "best_iteration": report.best_iteration,
        "total_pflops": report.total_pflops,
        "total_padded_pflops": report.total_padded_pflops,
        "total_attention_pflops": report.total_attention_pflops,
        "trained_frequency_deviation": report.trained_frequency_deviation,
        "wall_seconds": report.wall_seconds,
        "checkpoint": report.checkpoint,
        "iterations": [
            {
                "t": row.t,
                "beta": row.beta,
                "m": row.m,
                "accepted": row.accepted,
                "rejected": row.rejected,
                "undecided": row.undecided,
                "surplus": row.surplus,
                "alpha": row.alpha,
                "stamped": row.stamped,
                "first_try_accuracy": row.first_try_accuracy,
                "false_positive_share": row.false_positive_share,
                "validation_accuracy": _share(row.validation),
                "pflops": row.pflops,
                "padded_pflops": row.padded_pflops,
                "attention_pflops": row.attention_pflops,
                "test_accuracy": _share(row.test),
                "seconds": row.seconds,
            }
            for row in report.iterations
        ],
        "compute": [
            {
                "t": row.t,
                "stage": row.stage,
                **asdict(row.tokens),
                "pflops": row.pflops,
                "padded_pflops": row.padded_pflops,
                "attention_pflops": row.attention_pflops,
                "seconds": row.seconds,
            }
            for row in report.stages
        ],
        "items_sha256": report.items_sha256,
    }


def summary_text(report: RunReport) -> str:
    return json.dumps(summary(report), indent=2, allow_nan=False) + "\n"


def _share(measured: Accuracy | None) -> float | None:
    return None if measured is None else measured.share
