"""Generated problems with wrong references: which they are, what they look like, and what they leave alone."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adastar_core.config import files
from adastar_core.problems.arithmetic import Arithmetic, ArithmeticSettings, parse_question
from adastar_core.problems.generated import GeneratedSettings
from adastar_core.problems.stories import Stories, StoriesSettings
from adastar_core.records import FinishReason, Observation, Outcome, Split

Opened = tuple[Arithmetic | Stories, GeneratedSettings]
shares = st.floats(0.05, 0.5)
seeds = st.integers(0, 2**40)


def additions(**values: float) -> Opened:
    chosen = ArithmeticSettings.model_validate({"train": 300, "validation": 100, "test": 100, **values})
    return Arithmetic(chosen), chosen


def stories(**values: float) -> Opened:
    chosen = StoriesSettings.model_validate({"train": 300, "validation": 60, "test": 60, **values})
    return Stories(chosen), chosen


KINDS = pytest.mark.parametrize("opened", [additions, stories])


@KINDS
@settings(max_examples=8, deadline=None)
@given(share=shares, seed=seeds)
def test_a_wrong_reference_is_of_the_form_of_the_right_one_and_never_equal(
    opened: Callable[..., Opened], share: float, seed: int
) -> None:
    noisy, chosen = opened(wrong_references=share, seed=seed)
    right, _ = opened(seed=seed)
    pairs = list(zip(noisy.load(Split.TRAIN), right.load(Split.TRAIN), strict=True))
    for given_one, true in pairs:
        assert (given_one.observation_id, given_one.question) == (true.observation_id, true.question)
        assert (given_one.answer != true.answer) == chosen.is_mislabelled(given_one)
        assert len(given_one.answer) == len(true.answer)
        assert str(int(given_one.answer)) == given_one.answer
    wrong = [changed for changed, true in pairs if changed.answer != true.answer]
    assert abs(len(wrong) / len(pairs) - share) < 0.15


@KINDS
@pytest.mark.parametrize("split", [Split.VALIDATION, Split.TEST])
def test_validation_and_test_are_right_in_any_case(opened: Callable[..., Opened], split: Split) -> None:
    assert opened(wrong_references=0.5)[0].load(split) == opened()[0].load(split)


@KINDS
def test_a_larger_share_and_a_larger_pool_keep_what_was_wrong(opened: Callable[..., Opened]) -> None:
    def answers(**values: float) -> dict[str, str]:
        noisy, chosen = opened(**values)
        train = noisy.load(Split.TRAIN)
        return {one.observation_id: one.answer for one in train if chosen.is_mislabelled(one)}

    few = answers(wrong_references=0.1)
    assert 10 < len(few) < 60
    assert few.items() < answers(wrong_references=0.3).items()
    assert few.items() < answers(wrong_references=0.1, train=600).items()


@KINDS
def test_the_reference_of_a_mislabelled_observation_leads_to_its_answer_and_no_true_rationale_does(
    opened: Callable[..., Opened],
) -> None:
    noisy, chosen = opened(wrong_references=0.3)
    for one in filter(chosen.is_mislabelled, noisy.load(Split.TRAIN)):
        reference = noisy.reference(one)
        assert noisy.verifier.verify(one, reference, FinishReason.EOS).outcome is Outcome.RIGHT
        assert noisy.rationale_is_correct(one, reference) is False
        assert f"= {one.answer}." in reference or reference == f"#### {one.answer}"
        assert one.answer in noisy.hinted_prompt(one)


def test_true_steps_to_another_answer_than_a_wrong_reference_are_not_correct() -> None:
    wrong = Observation("train-0:12+7-5", "", "18")
    assert (
        Stories(StoriesSettings()).rationale_is_correct(wrong, "12 + 7 = 19. 19 - 5 = 14.\n#### 18") is False
    )


def test_worked_examples_in_a_prompt_stay_right() -> None:
    noisy, _ = additions(wrong_references=0.5)
    prompt = noisy.evaluation_prompt(noisy.load(Split.VALIDATION)[0], 8)
    shown = [line for line in prompt.splitlines() if "=" not in line]
    for asked, answer in zip(shown[:-1:2], shown[1::2], strict=True):
        addition = parse_question(asked)
        assert answer == f"#### {addition.a + addition.b}"


@pytest.mark.parametrize("kind", ["arithmetic", "stories"])
def test_only_another_share_makes_other_data(kind: str) -> None:
    plain = files.resolve({"problem": kind}, [])
    assert "problem.wrong_references" not in plain.identity()
    assert files.resolve({"problem": kind}, ["problem.wrong_references=0"]).sha256() == plain.sha256()
    noisy = files.resolve({"problem": kind}, ["problem.wrong_references=0.1"])
    assert noisy.identity()["problem.wrong_references"] == 0.1
    assert noisy.sha256() != plain.sha256()


def test_the_noisy_preset_is_the_hard_one_with_a_tenth_of_the_references_wrong() -> None:
    hard, noisy = (files.resolve(files.load_preset(f"arithmetic-{name}")) for name in ("hard", "noisy"))
    assert noisy.identity() == {**hard.identity(), "problem.wrong_references": 0.1}
