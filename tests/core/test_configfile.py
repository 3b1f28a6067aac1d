"""Configuration: every bad input names the key and the fix, and every field is classified."""

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adastar_core.config import ADDED, LIMITS, MAY_GROW, RUN_TIME_ONLY, RunConfig, files, flatten
from adastar_core.config.explain import schema_keys
from adastar_core.config.other_names import OTHER_NAMES
from adastar_core.errors import ConfigError
from adastar_core.problems.arithmetic import ArithmeticSettings


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["atempts=3"], ["'atempts'", "did you mean 'attempts'"]),
        (["trainer.lerning_rate=1"], ["'trainer.lerning_rate'", "did you mean 'trainer.learning_rate'"]),
        (
            ["problem.path=x"],
            [
                "problem=table, which is for data of your own (or ",
                "gsm8k",
                "--set problem=table --set problem.path=",
            ],
        ),
        (["problem.choices=x"], ["problem.choices", "--set problem=table --set problem.choices="]),
        (["problem=table"], ["problem.path is missing"]),
        (["attempts=0"], ["attempts must be at least 1, not 0."]),
        (["attempts=x"], ["attempts must be a whole number, not 'x'."]),
        (["schedule.growth=0.9"], ["schedule.growth must be at least 1, not 0.9."]),
        (["seed=-1"], ["seed must be at least 0, not -1."]),
        (["trainer.learning_rate=fast"], ["trainer.learning_rate must be a number, not 'fast'."]),
        (["prompt.chat=5"], ["prompt.chat must be true or false, not 5."]),
        (["trainer=3"], ["trainer must be a group of keys, not 3."]),
        (["trainer.lr=1"], ["'trainer.lr': here it is trainer.learning_rate."]),
        (
            ["training.batch_size=1"],
            ["'training.batch_size': here it is trainer.batch_size (of a training step;"],
        ),
        (["rationalize=true", "attempts=1"], ["rationalize", "attempts", "at least 2"]),
        (["rationalize=true", "attempt_mode=independent"], ["rationalize", "attempt_mode"]),
        (["trainer.micro_batch_size=3", "trainer.batch_size=8"], ["batch_size (8)", "micro_batch_size (3)"]),
        (["trainer.lora.dropout=0.1"], ["dropout needs a rank"]),
        (
            ["generator.type=vllm", "generator.dtype=float64"],
            ["dtype (float64)", "type transformers, not vllm"],
        ),
        (
            ["generator.openai.key_variable=ADASTAR_DATABASE_URL"],
            ["generator.openai.key_variable", "API_KEY"],
        ),
        (["method=nosuch"], ["method = 'nosuch' is not one of adastar, random-lazy, "]),
        (["method=[star]"], ["method = \"['star']\" is not one of adastar, "]),
        (["sampler=bandd"], ["sampler.type = 'bandd' is not one of adastar, ", "did you mean 'band'?"]),
        (["problem.type=gsmk8"], ["problem.type = 'gsmk8' is not one of ", "did you mean 'gsm8k'?"]),
        (
            ["generator.type=vlm"],
            ["generator.type = 'vlm' is not one of auto, transformers, vllm, openai, custom;"],
        ),
        (
            ["trainer.decay=cosin"],
            ["trainer.decay = 'cosin' is not one of constant, linear, cosine; did you mean 'cosine'?"],
        ),
        (["attempts"], ["--set 'attempts'", "key.path=value"]),
    ],
)
def test_bad_values_name_the_key_and_the_fix(overrides: list[str], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        files.resolve({}, overrides)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("name", sorted(OTHER_NAMES))
def test_names_of_other_trainers_lead_to_a_key_that_there_is(name: str) -> None:
    """The key that is named can be set; the name itself is nothing here, so its advice is always given."""
    meant = OTHER_NAMES[name]
    assert meant.key in known_keys()
    if name in known_keys():
        assert name == meant.key
        return
    with pytest.raises(ConfigError) as caught:
        files.resolve({}, [f"{name}=1"])
    assert str(caught.value) == f"Invalid configuration: unknown configuration key {name!r}: {meant.advice}."


@pytest.mark.parametrize(
    "name", ["lr", "learning_rate", "epochs", "num_epochs", "max_tokens", "max_new_tokens", "batch_size"]
)
def test_the_names_that_everyone_tries_first_are_among_them(name: str) -> None:
    assert name in OTHER_NAMES


@cache
def known_keys() -> set[str]:
    return schema_keys(RunConfig.model_json_schema())


def test_a_password_in_a_server_s_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match=r"generator\.openai\.url.*key_variable") as caught:
        files.resolve({}, ["generator.openai.url=http://me:hunter2@127.0.0.1/v1"])
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "prompt",
    [
        "{question}",
        "Q: {question} A:",
        "{question} {}",
        "- {question}",
        "[{question}",
        "Q\n{question}",
        "Q #1 {question}",
    ],
)
def test_a_template_needs_no_second_quoting(prompt: str) -> None:
    found = files.resolve({}, ["problem=stories", f"problem.prompt={prompt.replace('{}', '')}"])
    assert found.problem.prompt == prompt.replace("{}", "")  # type: ignore[union-attr]
    assert files.overridden({}, [f"a.b={prompt}"]) == {"a": {"b": prompt}}
    assert files.overridden({}, ['a="{question}\\n"', "b=[x]", "c={d: null}"]) == {
        "a": "{question}\n",
        "b": ["x"],
        "c": {"d": None},
    }


def test_overrides_reach_into_groups() -> None:
    config = files.resolve(
        {"problem": "arithmetic"},
        ["problem.max_digits=3", "sampler=random", "trainer.learning_rate=3e-4", "iterations=2"],
    )
    assert isinstance(config.problem, ArithmeticSettings)
    assert (config.problem.max_digits, config.sampler.type, config.trainer.learning_rate) == (
        3,
        "random",
        3e-4,
    )


def test_another_type_drops_the_keys_of_the_old_one_only_where_types_have_keys_of_their_own() -> None:
    given = {
        "problem": {"type": "arithmetic", "max_digits": 3},
        "generator": {"temperature": 0.7, "max_new_tokens": 80},
    }
    config = files.resolve(given, ["problem.type=gsm8k", "problem.path=x", "generator.type=vllm"])
    assert config.problem.type == "gsm8k"
    generator = config.generator
    assert (generator.type, generator.temperature, generator.max_new_tokens) == ("vllm", 0.7, 80)


def test_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="quickstart"):
        files.load_preset("quikstart")


def test_every_preset_resolves_and_says_what_it_is() -> None:
    assert files.preset_names()[0] == files.DEFAULT_PRESET
    for name in files.preset_names():
        files.resolve(files.load_preset(name))
        assert len(files.preset_summary(name)) > 10


@pytest.mark.parametrize("content", ["- a\n- b\n", "a: [1", ""])
def test_files_that_are_no_configuration(tmp_path: Path, content: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        files.load_file(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        files.load_file(tmp_path / "absent.yaml")


def test_the_flags_of_fields_give_the_lists_that_stored_runs_rely_on() -> None:
    assert MAY_GROW == ("iterations", "patience", "evaluation.test_every_iteration", "budget_pflops")
    assert LIMITS == ("trainer.max_length",)
    assert set(RUN_TIME_ONLY) == {
        "compute.actors", "compute.address", "compute.backend", "compute.cpus", "compute.gpus", "compute.piece",
        "compute.timeout_seconds", "database_url", "home", "generator.batch_size", "generator.openai.concurrency",
        "generator.openai.key_variable", "generator.openai.model", "generator.openai.retries",
        "generator.openai.timeout_seconds", "generator.openai.url", "generator.vllm.data_parallel",
        "generator.vllm.kv_cache_gib", "generator.vllm.longest_text", "generator.vllm.prefix_caching",
        "generator.vllm.tensor_parallel", "generator.vllm.timeout_seconds", "generator.vllm.utilization",
        "generator.vllm.while_training", "monitors", "trainer.timeout_seconds",
    }  # fmt: skip
    assert ADDED == {
        "generator.openai.plugins": False, "generator.custom.path": None, "generator.end_at_answer": False, "prompt.date": None, "schedule.balance_classes": False, "problem.answer_as": "auto", "problem.wrong_references": 0.0,
        "problem.prompt": None, "problem.system": None, "filter.run_on": True, "filter.guessing": None,
        "filter.consistent": False, "filter.needed": False,
        "trainer.lora.rank": None, "trainer.lora.alpha": None, "trainer.lora.dropout": 0.0,
        "trainer.lora.target_modules": "all-linear", "trainer.batching": "padded",
        "trainer.gradient_checkpointing": False, "trainer.optimizer_state": "reset",
        "trainer.schedule_scope": "iteration", "trainer.processes": 1, "trainer.thin": 0.0,
    }  # fmt: skip


def test_a_digest_covers_every_field_without_a_flag() -> None:
    flat = flatten(RunConfig().model_dump(mode="json"))
    tables = {"problem.answer_as", "problem.prompt", "problem.system"}
    assert set(MAY_GROW) | set(RUN_TIME_ONLY) | set(ADDED) <= {*flat, *tables}
    assert set(LIMITS) <= set(RunConfig().identity())
    assert set(RunConfig().identity()) == set(flat) - set(MAY_GROW) - set(RUN_TIME_ONLY) - set(ADDED)


def test_a_field_added_to_one_problem_counts_once_it_is_not_at_its_default() -> None:
    table = {"problem": {"type": "table", "path": "x.csv"}}
    old, new = files.resolve(table, []), files.resolve(table, ["problem.answer_as=text"])
    assert new.identity().keys() - old.identity().keys() == {"problem.answer_as"}
    assert RunConfig.of_identity(old.identity()) == old


def test_an_added_field_counts_once_it_is_not_at_its_default() -> None:
    changed = files.resolve({}, ["trainer.lora.rank=8"])
    assert changed.sha256() != RunConfig().sha256()
    assert changed.identity().keys() - RunConfig().identity().keys() == {"trainer.lora.rank"}
    assert RunConfig.of_identity(changed.identity()) == changed
    assert RunConfig().sha256().startswith("967fa5d8b18fe9b6"), (
        "runs of earlier versions are no longer continued"
    )


@pytest.mark.parametrize(
    ("override", "same"),
    [("generator.batch_size=7", True), ("iterations=99", True), ("patience=1", True), ("home=/elsewhere", True),
     ("generator.vllm.while_training=end", True), ("generator.openai.concurrency=2", True), ("generator.type=vllm", False),
     ("generator.dtype=float64", False), ("seed=1", False), ("sampler.power=1", False), ("problem.max_digits=4", False)],
)  # fmt: skip
def test_what_makes_another_run(override: str, same: bool) -> None:
    assert (files.resolve({}, [override]).sha256() == RunConfig().sha256()) == same


def test_the_database_password_is_never_shown() -> None:
    config = RunConfig(database_url="postgresql://me:hunter2@host/db")  # type: ignore[arg-type]
    assert "hunter2" not in config.model_dump_json() + repr(config) + str(config.model_dump(mode="json"))


@given(st.integers(1, 500), st.floats(1, 3), st.integers(1, 30), st.integers(1, 64))
def test_beta_is_the_paper_s(first: int, growth: float, iteration: int, batch: int) -> None:
    config = RunConfig.model_validate(
        {"schedule": {"first_steps": first, "growth": growth}, "trainer": {"batch_size": batch}}
    )
    assert config.beta(iteration) == int(first * growth ** (iteration - 1)) * batch


def test_paper_schedule() -> None:
    betas = [RunConfig().beta(iteration) for iteration in range(1, 9)]
    assert betas == [320, 384, 456, 552, 656, 792, 952, 1144]


def test_every_field_has_a_title_a_description_and_its_own_position() -> None:
    schema = RunConfig.model_json_schema()
    for definition in [schema, *schema["$defs"].values()]:
        fields = {name: field for name, field in definition.get("properties", {}).items() if name != "type"}
        positions = [field.get("position") for field in fields.values()]
        assert None not in positions, definition["title"]
        assert len(set(positions)) == len(positions), definition["title"]
        assert all(field.get("description") and field.get("title") for field in fields.values()), definition[
            "title"
        ]
