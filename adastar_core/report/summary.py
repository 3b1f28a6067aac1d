"""The summary file, a stable contract for scripts: names never change, new ones may be added."""

import json
from dataclasses import asdict

from adastar_core.records import Accuracy
from adastar_core.report.calibration import Calibration
from adastar_core.report.controls import Controls
from adastar_core.report.records import RunReport

_RUN = ("run", "preset", "config_sha256", "problem", "method", "base_model", "seed")
_COUNTS = ("t", "beta", "m", "accepted", "rejected", "undecided", "surplus", "alpha", "stamped")
_SHARES = ("first_try_accuracy", "false_positive_share")
_MISLABELLED = ("mislabelled_visit_share", "mislabelled_accepted_share")
_CERTAIN = ("certain", "left_out", "certain_share")
_COSTS = ("pflops", "padded_pflops", "attention_pflops")


def summary(report: RunReport) -> dict[str, object]:
    """Return the run's summary as plain JSON values. Shares are in [0, 1]; ``None`` was not measured."""
    return {
        **_fields(report, *_RUN),
        "base_validation_accuracy": report.base_validation.share,
        "base_test_accuracy": _share(report.base_test),
        "test_accuracy": _share(report.test),
        "best_iteration": report.best_iteration,
        **_fields(report, *(f"total_{cost}" for cost in _COSTS)),
        **_fields(report, "trained_frequency_deviation", "wall_seconds", "checkpoint"),
        "iterations": [
            {
                **_fields(row, *_COUNTS, *_SHARES),
                "validation_accuracy": _share(row.validation),
                **_fields(row, *_COSTS),
                "test_accuracy": _share(row.test),
                "seconds": row.seconds,
                "controls": _controls(row.controls),
                "classes": [asdict(one) for one in row.classes],
                "lucky_share": row.lucky_share,
                **_fields(row, *_MISLABELLED),
                "warnings": row.warnings,
                **_fields(row, *_CERTAIN),
                "validation_right": row.validation_right,
            }
            for row in report.iterations
        ],
        "compute": [
            {**_fields(row, "t", "stage"), **asdict(row.tokens), **_fields(row, *_COSTS, "seconds")}
            for row in report.stages
        ],
        "items_sha256": report.items_sha256,
        "base_controls": _controls(report.base_controls),
        "controls": _controls(report.controls),
        "base_as_sampled": _controls(report.as_sampled),
        "warnings": report.warnings,
        **_fields(report, "certain_training_share", "certain_pflops", "certain_left_out"),
        "base_validation_right": report.base_validation_right,
        "calibration": _calibration(report.calibration),
    }


def _controls(found: Controls | None) -> dict[str, object] | None:
    """Return what an accuracy is compared with; ``answers`` and ``references`` are the ten most frequent, counted."""
    if found is None:
        return None
    return {
        "accuracy": found.accuracy.share,
        "total": found.accuracy.total,
        "chance": found.chance,
        "majority_answer": found.constant,
        "majority_accuracy": found.majority.share,
        "majority_interval_95": found.majority.interval(),
        "read_share": _share(found.read),
        "right_of_read": _share(found.right_of_read),
        "answers": dict(found.answers),
        "references": dict(found.references),
        "overuse": found.overuse and asdict(found.overuse),
    }


def _calibration(found: Calibration | None) -> dict[str, object] | None:
    """Return how the sampler's predictions of first attempts came true."""
    if found is None:
        return None
    bins = [
        {
            **_fields(row, "low", "high", "predicted"),
            "observed": row.observed.share,
            "attempts": row.observed.total,
        }
        for row in found.bins
    ]
    return {
        **_fields(found, "attempts", "base_rate", "brier", "base_brier"),
        "bins": bins,
        "iterations": [asdict(row) for row in found.iterations],
    }


def _fields(record: object, *names: str) -> dict[str, object]:
    return {name: getattr(record, name) for name in names}


def summary_text(report: RunReport) -> str:
    """Return the summary as the text of its file."""
    return json.dumps(summary(report), indent=2, allow_nan=False) + "\n"


def _share(measured: Accuracy | None) -> float | None:
    return None if measured is None else measured.share
