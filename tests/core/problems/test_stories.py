"""Stories: disjoint, seeded, growing splits, unseen scenes measured apart, and an exact checker."""

import re
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adastar_core.config.files import resolve
from adastar_core.errors import DataError
from adastar_core.problems import stories as stories_module
from adastar_core.problems.catalogue import open_problem
from adastar_core.problems.scenes import KNOWN, UNSEEN
from adastar_core.problems.stories import Stories, StoriesSettings, Story
from adastar_core.records import FinishReason, Observation, Outcome, Split

ITEMS = st.sampled_from(Split).flatmap(lambda split: st.sampled_from(pool(split)))


@cache
def pool(split: Split, seed: int = 0) -> tuple[Observation, ...]:
    return problem(train=400, validation=100, test=200, max_steps=3, max_digits=3, seed=seed).load(split)


def problem(**values: int) -> Stories:
    return Stories(StoriesSettings(**values))


def numbers(observation: Observation) -> str:
    """Return the numbers of a story in the order of its words."""
    return " ".join(re.findall(r"\d+", observation.question))


@pytest.mark.parametrize("seed", [0, 1, 99])
def test_no_numbers_are_in_two_splits_whatever_the_words_and_the_data_seed(seed: int) -> None:
    found = {split: {numbers(item) for item in pool(split, seed)} for split in Split}
    train = {numbers(item) for item in pool(Split.TRAIN)}
    assert not train & found[Split.VALIDATION]
    assert not train & found[Split.TEST]
    assert not found[Split.VALIDATION] & found[Split.TEST]


@settings(max_examples=15)
@given(
    size=st.integers(1, 60),
    growth=st.integers(1, 60),
    split=st.sampled_from(Split),
    seed=st.integers(0, 2**40),
)
def test_a_larger_split_begins_with_the_smaller_one(size: int, growth: int, split: Split, seed: int) -> None:
    small = problem(**{split.value: size, "seed": seed}).load(split)
    assert problem(**{split.value: size + growth, "seed": seed}).load(split)[:size] == small
    assert len({item.question for item in small}) == size


def test_half_of_the_test_questions_are_of_scenes_that_nothing_else_has() -> None:
    def of_unseen(item: Observation) -> bool:
        return any(scene.asked.partition("{")[0] in item.question for scene in UNSEEN)

    assert not any(map(of_unseen, (*pool(Split.TRAIN), *pool(Split.VALIDATION))))
    new = [item for item in pool(Split.TEST) if str(item.difficulty).endswith("new story")]
    assert [item for item in pool(Split.TEST) if of_unseen(item)] == new
    assert len(new) in range(95, 106)
    assert len({scene.opening for scene in KNOWN + UNSEEN}) == len(KNOWN) + len(UNSEEN)


@given(item=ITEMS)
def test_the_reference_is_right_and_every_number_is_in_the_story(item: Observation) -> None:
    stories = problem()
    reference = stories.reference(item)
    assert stories.verifier.verify(item, reference, FinishReason.EOS).outcome is Outcome.RIGHT
    assert stories.rationale_is_correct(item, reference) is True
    told = list(map(int, re.findall(r"\d+", item.question)))
    written = [int(number) for number in re.findall(r"\d+", item.observation_id.partition(":")[2])]
    assert told == written
    assert int(item.answer) >= 1


@given(item=ITEMS, off=st.integers(1, 9))
def test_a_wrong_step_is_found_and_other_ways_of_writing_are_accepted(item: Observation, off: int) -> None:
    stories = problem()
    rationale = stories.reference(item)
    first = re.search(r"= (\d+)", rationale)
    assert first is not None
    wrong = rationale.replace(first[0], f"= {int(first[1]) + off}", 1)
    assert stories.rationale_is_correct(item, wrong) is False
    spaced = rationale.replace(" * ", " × ").replace(" = ", "=").replace(". ", ".\nThen ")
    assert stories.rationale_is_correct(item, spaced) is True
    assert stories.rationale_is_correct(item, f"So it is {item.answer}.\n#### {item.answer}") is None


def test_the_result_by_other_numbers_is_a_false_positive() -> None:
    item = Observation("train-0:12+7-5", "", "14")
    assert problem().rationale_is_correct(item, "7 + 7 = 14.\n#### 14") is False
    assert problem().rationale_is_correct(item, "12 + 7 = 19. 19 - 5 = 14.\n#### 14") is True


def test_exemplars_come_before_generation_and_training_has_none() -> None:
    stories, item = problem(shots=3), pool(Split.TRAIN)[0]
    assert stories.training_prompt(item) == f"Q: {item.question}\nA:"
    assert stories.prompt(item).endswith(stories.training_prompt(item))
    assert stories.prompt(item).count("Q: ") == 4
    assert stories.evaluation_prompt(item, 0) == stories.training_prompt(item)
    assert f"({item.answer})" in stories.hinted_prompt(item)


def test_the_exemplars_are_no_question_of_validation_or_test() -> None:
    shown = problem(shots=8).prompt(pool(Split.TRAIN)[0])
    for split in (Split.VALIDATION, Split.TEST):
        assert not any(item.question in shown for item in pool(split))


def test_more_than_there_are_is_refused_with_the_number_that_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stories_module, "_DRAWS_BEFORE_GIVING_UP", 200)
    with pytest.raises(DataError, match=r"problem\.validation: there are no more than \d+ stories"):
        problem(validation=20_000, max_steps=1, max_digits=1).load(Split.VALIDATION)


def test_a_configuration_names_it() -> None:
    config = resolve({"problem": {"type": "stories", "max_steps": 3}}, [])
    assert isinstance(open_problem(config.problem), Stories)


def test_a_story_says_what_it_is() -> None:
    story = Story(24, ())
    assert (story.key, story.values, story.rationale) == ("24", [24], "")
