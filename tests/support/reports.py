"""Reports of runs that never were: a usual one, and those at the edges."""

from dataclasses import replace
from functools import cache

import pytest

from adastar_core.compute import StageTokens
from adastar_core.records import Accuracy, Ending
from adastar_core.report.figures import figures
from adastar_core.report.page import html
from adastar_core.report.records import DifficultySummary, IterationSummary, RunReport, StageSummary
from adastar_core.store.samples import KINDS, Given, Sample, SampleGroup

ROWS = tuple(
    IterationSummary(
        t=t,
        beta=1000 + 100 * t,
        m=1500 + 100 * t,
        accepted=1000 + 100 * t,
        surplus=37,
        alpha=0.7 + t / 100,
        stamped=800 + 10 * t,
        first_try_accuracy=0.61,
        false_positive_share=0.0712,
        validation=Accuracy(340 + 15 * t, 500),
        pflops=4e-6 * t,
        padded_pflops=5e-6 * t,
        seconds=25.5,
    )
    for t in (1, 2, 3)
)
STAGES = tuple(
    StageSummary(row.t, "generate first", StageTokens(), row.pflops, row.padded_pflops, 0.0, row.seconds)
    for row in ROWS
)
REPORT = RunReport(
    run="quick",
    preset="quickstart",
    config_sha256="ab" * 32,
    problem="arithmetic",
    method="adastar",
    base_model="tiny-adder",
    seed=7,
    base_validation=Accuracy(340, 500),
    base_test=Accuracy(677, 1000),
    test=Accuracy(774, 1000),
    best_iteration=3,
    wall_seconds=168.3,
    checkpoint="/data/runs/quick/checkpoints/3",
    iterations=ROWS,
    by_difficulty=(
        DifficultySummary("1", Accuracy(100, 100), Accuracy(100, 100)),
        DifficultySummary("6", Accuracy(0, 100), Accuracy(24, 100)),
    ),
    trained_frequency=(10, 20, 10),
    stages=STAGES,
    notes=("Test was measured once.",),
)
BEFORE_ANYTHING = replace(
    REPORT,
    iterations=(),
    stages=(),
    base_test=None,
    test=None,
    best_iteration=0,
    by_difficulty=(),
    trained_frequency=(),
    notes=(),
)
NOTHING_ACCEPTED = replace(
    BEFORE_ANYTHING,
    base_validation=Accuracy(0, 500),
    iterations=(IterationSummary(1, 1000, 8000, 0, 0, 0.0, 0, 0.0, None, None, 0.0, 0.0, 12.0),),
    by_difficulty=(DifficultySummary("?", Accuracy(0, 0), Accuracy(0, 0)),),
    trained_frequency=(8000,),
)
SAMPLES = tuple(
    SampleGroup(
        kind, 7, (Sample("a", "1+1", "2", Given("wrong", "3", "I say 3"), Given("right", None, "or 2")),)
    )
    for kind in KINDS
)
ONE_ITERATION = replace(REPORT, iterations=ROWS[:1], best_iteration=1, trained_frequency=(5,))
FAILED = replace(REPORT, ending=Ending("failed", "The disk is full."), samples=SAMPLES)
EVERY_REPORT = pytest.mark.parametrize(
    "report", [REPORT, BEFORE_ANYTHING, NOTHING_ACCEPTED, ONE_ITERATION, FAILED]
)
HOSTILE = """<script>alert(1)</script><img src=x onerror=alert(1)> | [a](javascript:alert(1)) `code` *b* $x$ "' {{ 7*7 }}\n# h \u202e\x1b[31m\x9b"""
HOSTILE_SAMPLE = Sample(
    HOSTILE, HOSTILE, HOSTILE, Given("wrong", HOSTILE, HOSTILE), Given("wrong", HOSTILE, HOSTILE)
)


def page(report: RunReport) -> str:
    """Return a report's page with its figures."""
    return html(report, figures(report))


page_of = cache(page)
