"""One code path for prompts: generation, evaluation and training see the same chat template."""

import json
import shutil
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core import stages
from adastar_core.audit.export import export
from adastar_core.errors import ConfigError
from adastar_core.models.source import resolve_model
from adastar_core.problems.digests import prompt_sha256
from adastar_core.records import Split
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.stored import StoredRun
from adastar_core.stages.finetune import read_examples
from tests.support.runs import small_config
from tests.support.scripted import ScriptedGenerator

# Characters that the packaged model's tokenizer knows.
TEMPLATE = (
    "{% for message in messages %}{{ message['content'] }}{{ eos_token if message['role'] == 'assistant' }}{% endfor %}"
    "{% if add_generation_prompt %}={% endif %}"
)


def test_all_stages_use_the_template(database: Engine, tmp_path: Path) -> None:
    model = tmp_path / "tuned"
    shutil.copytree(resolve_model("tiny-adder"), model)
    values = json.loads((model / "tokenizer_config.json").read_text())
    (model / "tokenizer_config.json").write_text(json.dumps({**values, "chat_template": TEMPLATE}))
    config = small_config(database, tmp_path, f"model={model}", "prompt.chat=true", "schedule.first_steps=1")
    with open_workspace(config, "chat") as workspace:
        answers = {f"{one.question}\n=": one.answer for part in workspace.data.values() for one in part}
        generator = ScriptedGenerator(lambda one: f"so\n#### {answers[one.prompt]}")
        workspace.generators.use(generator)
        assert stages.evaluate(workspace, 0, Split.VALIDATION).accuracy.share == 1
        stages.sample(workspace, 1, 0)
        stages.generate(workspace, 1, 0)
        stages.verify(workspace, 1, 0)
        assert stages.sample(workspace, 1, 1).closed
        prompts = {one.prompt for batch in generator.batches for one in batch}
        trained = {example.prompt for example in read_examples(workspace, 1)}
        forms = {kind: exported(workspace, kind, tmp_path) for kind in ("trl-sft", "axolotl", "sharegpt")}
        stages.finetune(workspace, 1)
        with database.connect() as connection:
            stored = set(connection.scalars(text("SELECT prompt_sha256 FROM rollouts")))
    assert prompts <= set(answers)
    assert trained <= prompts
    assert len(trained) == 8
    assert stored <= {prompt_sha256(prompt) for prompt in prompts}
    # Messages, without what this model's template makes of them.
    for row in forms["trl-sft"]:
        (asked,), (answered,) = row["prompt"], row["completion"]
        assert (asked["role"], answered["role"]) == ("user", "assistant")
        assert f"{asked['content']}=" in trained
    assert forms["axolotl"] == [
        {"messages": [*row["prompt"], *row["completion"]]} for row in forms["trl-sft"]
    ]
    assert [[one["value"] for one in row["conversations"]] for row in forms["sharegpt"]] == [
        [one["content"] for one in row["messages"]] for row in forms["axolotl"]
    ]


def exported(run: StoredRun, kind: str, folder: Path) -> list[dict[str, list[dict[str, str]]]]:
    assert export(run, kind, folder / kind) == 8
    return [json.loads(line) for line in (folder / kind).read_text().splitlines()]


def test_a_model_without_a_template_is_refused_before_anything_is_written(
    database: Engine, tmp_path: Path
) -> None:
    config = small_config(database, tmp_path / "home", "prompt.chat=true")
    with pytest.raises(ConfigError, match=r"prompt\.chat \(true\) needs a model with a chat template"):
        open_workspace(config, "chat").__enter__()
    assert not (tmp_path / "home").exists()
    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM runs")) == 0
