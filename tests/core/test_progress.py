"""A run's progress: what is said of a stage, how long the rest takes, and that nothing shown ever falls."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adastar_core.config.files import resolve
from adastar_core.progress import Counts, Pace, Progress, Silent, Stage, Standing
from adastar_core.progress.records import Left
from adastar_core.progress.text import speed, stage_text
from adastar_core.records import Split
from adastar_core.runs.itinerary import RunItinerary

SIZES = {Split.TRAIN: 100, Split.VALIDATION: 20, Split.TEST: 40}


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Kept(Silent):
    """Keeps what it is shown."""

    def __init__(self) -> None:
        self.shown: list[Standing] = []

    def show(self, standing: Standing) -> None:
        """Keep it."""
        self.shown.append(standing)


def itinerary(*overrides: str) -> RunItinerary:
    """Two iterations of 8 and 16 accepted rationales: 2 and 4 steps of 4."""
    values = {"iterations": 2, "schedule": {"first_steps": 2, "growth": 2}, "trainer": {"batch_size": 4}}
    return RunItinerary(resolve(values, overrides), SIZES)


def following(
    *overrides: str, paces: dict[str, Pace] | None = None
) -> tuple[Progress, RunItinerary, Clock, list[Standing]]:
    """Return a run's progress with what it shows, on a clock of the test's."""
    clock, kept, stages = Clock(), Kept(), itinerary(*overrides)
    return Progress(kept, stages, paces or {}, clock), stages, clock, kept.shown


def standing(stage: Stage, counts: Counts, *, left: Left | None = None) -> Standing:
    return Standing(stage, Counts(), counts, 0.0, 10.0, left or Left(), 0.5, 0.5)


SAMPLE = Stage(2, "sample", 1408, "accepted")
POOL = Stage(1, "sample", 8000, "observations")
FINETUNE = Stage(2, "finetune", 44, "steps")


@pytest.mark.parametrize(
    ("stage", "counts", "said"),
    [
        (SAMPLE, Counts(), "t=2 sample: 0 of 1,408 accepted"),
        (
            SAMPLE,
            Counts(640, attempts=1536, planned=2816, judged=1500, accepted=640, tokens=52_000),
            "t=2 sample: 640 of 1,408 accepted, 1,536 of 2,816 planned attempts, 42.7 % accepted, 5,200 tokens/s",
        ),
        (  # surplus is not accepted for training
            SAMPLE,
            Counts(1415, attempts=2816, planned=2816, judged=2816, accepted=1415),
            "t=2 sample: 1,408 of 1,408 accepted, 2,816 attempts, 50.2 % accepted",
        ),
        (
            POOL,
            Counts(3000, attempts=7000, planned=7000, judged=7000, accepted=2919),
            "t=1 sample: 3,000 of 8,000 observations, 7,000 attempts, 2,919 (41.7 %) accepted",
        ),
        (
            FINETUNE,
            Counts(20, tokens=8000, loss=0.21345, learning_rate=0.00082),
            "t=2 finetune: 20 of 44 steps, loss 0.213, learning rate 0.00082, 2.0 steps/s, 800 tokens/s",
        ),
        (replace(FINETUNE, goal=0), Counts(), "t=2 finetune: 0 steps"),
        (
            Stage(0, "evaluate test", 1000, "answers"),
            Counts(4),
            "t=0 evaluate test: 4 of 1,000 answers, 2.5 s per answer",
        ),
    ],
)
def test_a_stage_in_words(stage: Stage, counts: Counts, said: str) -> None:
    assert stage_text(standing(stage, counts), 10.0) == said


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (41.66, "41.7 steps/s"),
        (1.0, "1.0 steps/s"),
        (0.24, "4.2 s per step"),
        (0.17, "5.9 s per step"),
        (1234.5, "1,234 steps/s"),
    ],
)
def test_a_rate_below_one_a_second_is_seconds_per_step(rate: float, said: str) -> None:
    assert speed(rate, "steps") == said


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (Left(), ""),
        (Left(stage=8), "about 8 s left in this stage"),
        (Left(stage=8, iteration=20), "about 20 s left in t=2"),
        (Left(8, 20, 400), "about 20 s left in t=2, 7 min left in the run"),
        (Left(8, 20, 9000, at_most=True), "about 20 s left in t=2, at most 2.5 h left in the run"),
        (Left(8, 20, 20), "about 20 s left in the run"),  # the last iteration, and no test
    ],
)
def test_the_time_that_is_left_in_words(left: Left, said: str) -> None:
    text = stage_text(standing(SAMPLE, Counts(), left=left), 10.0)
    assert text.partition("; ")[2] == said


def test_the_time_left_runs_on_between_two_counts_and_ends_at_zero() -> None:
    shown = standing(SAMPLE, Counts(), left=Left(8, 20, 400))
    assert stage_text(shown, 14.0).endswith("about 16 s left in t=2, 7 min left in the run")
    assert stage_text(shown, 99.0).endswith("about 5 min left in the run")
    assert stage_text(shown, 999.0) == "t=2 sample: 0 of 1,408 accepted"


def run_through(progress: Progress, stages: RunItinerary, clock: Clock, iteration: int) -> None:
    """Take 2 s per accepted rationale, with two attempts for each in waves of 8; 3 s per step; 1 s per answer."""
    sample, finetune = stages.sample(iteration), stages.finetune(iteration)
    for wave in range(sample.goal // 4):
        done = 4 * wave
        progress.enter(sample, Counts(done, 2 * done, 2 * done + 8, 2 * done, done))
        for _ in range(2):
            clock.now += 4
            progress.add(attempts=4, tokens=40)
        progress.add(4, judged=8, accepted=4)
    progress.enter(finetune)
    for step in range(finetune.goal):
        progress.enter(finetune, Counts(step))
        clock.now += 3
        progress.add(1, tokens=10, loss=1 / (step + 1), learning_rate=1e-3)
    progress.enter(stages.evaluate(iteration, Split.VALIDATION))
    for _ in range(4):
        clock.now += 5
        progress.add(5, tokens=10)


def test_a_run_is_followed_to_its_end_and_nothing_falls_on_the_way() -> None:
    progress, stages, clock, shown = following()
    progress.enter(stages.evaluate(0, Split.VALIDATION))
    clock.now += 20
    progress.add(20)
    run_through(progress, stages, clock, 1)
    run_through(progress, stages, clock, 2)
    for iteration in (0, 2):
        progress.enter(stages.evaluate(iteration, Split.TEST))
        clock.now += 40
        progress.add(40)
    ends = clock.now

    assert [one.of_run for one in shown] == sorted(one.of_run for one in shown)
    assert shown[-1].of_run == 1
    for title in {one.stage.title for one in shown}:
        here = [one for one in shown if one.stage.title == title]
        assert len({one.stage.goal for one in here}) == 1
        for values in ([one.share for one in here], [one.counts.done for one in here]):
            assert values == sorted(values)
            assert values[-1] > 0

    # Nothing is said of the run before one of each kind was measured; from then on it is right, for the pace is even.
    first = [one for one in shown if one.stage.iteration == 1]
    assert {one.left.run for one in first if one.stage.name == "sample"} == {None}
    told = [one for one in shown if one.left.run is not None]
    assert {one.stage.title for one in told} >= {"t=2 sample", "t=2 finetune", "t=2 evaluate validation"}
    assert [one.at + (one.left.run or 0) for one in told] == pytest.approx([ends] * len(told))
    second = [one for one in told if one.stage.iteration == 2 and one.stage.in_an_iteration]
    assert [one.at + (one.left.iteration or 0) for one in second] == pytest.approx([ends - 80] * len(second))


def test_the_last_wave_is_not_the_whole_goal() -> None:
    """Attempts without a verdict move the bar by what such attempts brought so far."""
    progress, stages, clock, shown = following()
    progress.enter(stages.sample(1), Counts(0, 0, 16))
    clock.now += 1
    progress.add(attempts=16)
    assert shown[-1].share == 0  # nobody knows yet
    progress.add(2, judged=8, accepted=2)
    assert shown[-1].share == pytest.approx((2 + 8 * 0.25) / 8)
    progress.add(0, judged=8)
    assert shown[-1].counts.done == 2
    assert shown[-1].share == pytest.approx(0.5)  # it does not fall where hope was wrong


def test_a_pool_that_was_exhausted_takes_as_long_again_whatever_is_wanted_of_it() -> None:
    """The next iteration wants twice as many, and goes through the same observations."""
    progress, stages, clock, shown = following()
    progress.enter(stages.evaluate(0, Split.VALIDATION))
    clock.now += 20
    progress.add(20)
    progress.enter(stages.sample(1))  # wants 8
    clock.now += 40
    progress.add(4, attempts=100, judged=100, accepted=4)
    progress.enter(stages.finetune(1))
    clock.now += 1
    progress.add(1)
    assert shown[-1].left.run == pytest.approx(1 + 20 + (40 + 4 + 20) + 2 * 40)
    clock.now += 1
    progress.add(1)
    progress.enter(stages.evaluate(1, Split.VALIDATION))
    clock.now += 20
    progress.add(20)
    progress.enter(stages.sample(2))  # wants 16
    assert shown[-1].left.stage == pytest.approx(40)
    clock.now += 30
    progress.add(3, attempts=75, judged=75, accepted=3)
    assert shown[-1].left.stage == pytest.approx(10)


def test_what_another_process_did_counts_for_the_goal_and_for_no_speed() -> None:
    progress, stages, clock, shown = following()
    progress.enter(stages.sample(2), Counts(12, 24, 32, 24, 12))
    assert stage_text(shown[-1], clock.now).startswith(
        "t=2 sample: 12 of 16 accepted, 24 of 32 planned attempts"
    )
    clock.now += 4
    progress.add(attempts=4, tokens=100)
    progress.add(2, judged=4, accepted=2)
    assert shown[-1].left.stage == pytest.approx(4)  # 2 s for each of the two that are missing
    assert "25.0 tokens/s" in stage_text(shown[-1], clock.now)


def test_a_training_that_resumes_begins_where_it_stood() -> None:
    progress, stages, clock, shown = following("schedule.visit=all")
    finetune = stages.finetune(1)
    progress.enter(finetune)
    assert stage_text(shown[-1], clock.now) == "t=1 finetune: 0 steps"
    clock.now += 30  # the model is read
    for step in range(8, 10):
        clock.now += 5
        progress.enter(replace(finetune, goal=12), Counts(step))
        progress.add(1, loss=0.5, learning_rate=1e-4)
    assert "10 of 12 steps, loss 0.500" in stage_text(shown[-1], clock.now)
    assert shown[-1].left.stage == pytest.approx(40)


def test_speeds_of_an_earlier_process_are_used_until_a_stage_was_measured() -> None:
    paces = {kind: Pace(seconds, 1) for kind, seconds in (("sample", 2), ("finetune", 3), ("evaluate", 1))}
    progress, stages, _, shown = following(paces=paces)
    progress.enter(stages.sample(2))
    assert shown[-1].left == Left(32, 32 + 12 + 20, 32 + 12 + 20 + 80)


def test_a_budget_or_patience_may_end_a_run_sooner() -> None:
    paces = {kind: Pace(1, 1) for kind in ("sample", "finetune", "evaluate")}
    progress, stages, _, shown = following("patience=1", paces=paces)
    progress.enter(stages.sample(1))
    assert ", at most " in stage_text(shown[-1], 100.0)
    progress, stages, _, shown = following("budget_pflops=1", paces=paces)
    progress.enter(stages.sample(1))
    assert stage_text(shown[-1], 100.0).endswith("left in t=1")


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("evaluation.test_every_iteration=true",),
        ("schedule.visit=all", "attempt_mode=independent", "attempts=4"),
        ("method=b-star",),
        ("method=sft",),
    ],
)
def test_the_stages_of_a_run_follow_each_other(overrides: Sequence[str]) -> None:
    stages = itinerary(*overrides)
    first = stages.evaluate(0, Split.VALIDATION)
    here, rest = stages.after(first)
    assert not here
    plan = [first, *(rest or ())]
    for place, stage in enumerate(plan):
        here, rest = stages.after(stage)
        assert [*here, *(rest or ())] == plan[place + 1 :]
        assert all(one.iteration == stage.iteration for one in here)
        assert stages.place_of(stage) == (place, len(plan))


def test_the_best_checkpoint_is_the_last_one_that_is_tested() -> None:
    stages = itinerary()
    best = stages.evaluate(1, Split.TEST)
    assert stages.after(best) == ((), [])
    place, count = stages.place_of(best)
    assert place == count - 1


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50), st.floats(0, 100)), min_size=1, max_size=20)
)
def test_no_share_falls_whatever_the_verdicts_are(waves: list[tuple[int, int, float]]) -> None:
    progress, stages, clock, shown = following()
    sample, done, judged = stages.sample(1), 0, 0
    for attempts, right, seconds in waves:
        progress.enter(sample, Counts(done, judged, judged + attempts, judged, done))
        clock.now += seconds
        progress.add(attempts=attempts)
        progress.add(min(right, attempts), judged=attempts, accepted=min(right, attempts))
        done, judged = done + min(right, attempts), judged + attempts
        assert stage_text(shown[-1], clock.now)
    shares = [one.share for one in shown]
    assert shares == sorted(shares)
    assert all(0 <= share <= 1 for share in shares)
    assert all((one.left.stage or 0) >= 0 for one in shown)
