"""A deployment's form: a few fields and one object of overrides, checked before anything begins."""

import pytest

from adastar_core.config import RunConfig
from adastar_core.config.files import load_preset
from adastar_core.config.form import NO_PRESET, Form, nested
from adastar_core.errors import ConfigError


def test_an_empty_form_is_the_quickstart_and_without_a_preset_the_defaults() -> None:
    assert Form().config() == RunConfig.model_validate(load_preset("quickstart"))
    assert Form(preset=NO_PRESET).config() == RunConfig()


def test_fields_replace_the_preset_and_overrides_replace_both() -> None:
    form = Form(
        method="star",
        iterations=3,
        budget="2 TFLOPs",
        seed=4,
        overrides={"trainer.batch_size": 16, "generator": {"top_p": 0.9}, "attempts": 5, "iterations": 7},
    )
    config = form.config()
    assert (config.method, config.seed, config.budget_pflops) == ("star", 4, 0.002)
    assert (config.trainer.batch_size, config.generator.top_p, config.attempts) == (16, 0.9, 5)
    assert config.iterations == 7
    assert config.trainer.learning_rate == Form().config().trainer.learning_rate  # the preset's
    assert config.alpha == RunConfig.model_validate({"method": "star"}).alpha


def test_a_method_in_the_overrides_supplies_its_settings_too() -> None:
    assert Form(overrides={"method": "star"}).config() == Form(method="star").config()


def test_data_alone_are_a_table_and_belong_to_a_problem_that_has_data() -> None:
    assert Form(data="rows.csv").config().problem.type == "table"
    gsm8k = Form(problem="gsm8k", data="/data/gsm8k").config().problem
    assert (gsm8k.type, getattr(gsm8k, "path", None)) == ("gsm8k", "/data/gsm8k")
    kept = Form(preset="paper-gsm8k-qwen", data="/data/gsm8k").config().problem
    assert (kept.type, getattr(kept, "path", None)) == ("gsm8k", "/data/gsm8k")


def test_a_preset_for_another_model_says_what_remains_of_it() -> None:
    form = Form(model="smollm2-135m", overrides={"trainer.learning_rate": 1e-5})
    warning = form.warning(form.config())
    assert warning is not None
    assert "is tuned for tiny-adder" in warning
    assert "choose preset none" in warning
    assert "learning_rate" not in warning
    assert Form(iterations=2).warning(Form(iterations=2).config()) is None


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (Form(preset="quikstart"), "There is no preset 'quikstart'; nearest: quickstart"),
        (Form(problem="gsm9k"), "problem.type = 'gsm9k' is not one of"),
        (Form(method="stra"), "method = 'stra' is not one of"),
        (Form(budget="lots"), "budget = 'lots' is no amount of compute"),
        (Form(problem="stories", data="rows.csv"), "unknown configuration key 'problem.path'"),
        (Form(overrides={"trainer.lerning_rate": 1}), "did you mean 'trainer.learning_rate'"),
        (Form(overrides={"trainer": {"batch_size": 0}}), "trainer.batch_size must be at least 1, not 0"),
        (Form(overrides={"trainer.batch_size": "many"}), "trainer.batch_size must be a whole number"),
        (Form(overrides={"trainer": 3}), "trainer must be a group of keys"),
    ],
)
def test_what_is_wrong_is_said_by_its_key(form: Form, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        form.config()


def test_overrides_may_mix_dots_and_groups() -> None:
    mixed = {"generator.vllm.a": 1, "generator": {"vllm": {"b": 2}, "top_p": 0.5}, "seed": 3}
    assert nested(mixed) == {"generator": {"vllm": {"a": 1, "b": 2}, "top_p": 0.5}, "seed": 3}
