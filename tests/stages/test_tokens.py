"""Token ids from generation to training through the store, and prompts that ask for the date."""

import datetime
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from transformers.utils import chat_template_utils

from adastar_core import stages
from adastar_core.audit.verify import verify
from adastar_core.generators import Decoding
from adastar_core.models.source import resolve_model
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.records import Attempt, GenerationRequest, Split
from adastar_core.report.build import report_of
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.stored import open_stored
from adastar_core.runs.workspace import Workspace
from adastar_core.stages.finetune import read_examples
from adastar_core.store.rollouts import read_attempts
from adastar_core.trainers.rows import tokenize
from tests.support.runs import run_iteration, small_config
from tests.support.scripted import ScriptedGenerator
from tests.support.tokenizers import write_kind


def sampled(workspace: Workspace) -> dict[tuple[int, int], Attempt]:
    """Sample the first iteration; return its attempts as they are stored."""
    wave = 0
    while not stages.sample(workspace, 1, wave).closed:
        stages.generate(workspace, 1, wave)
        stages.verify(workspace, 1, wave)
        wave += 1
    with workspace.engine.connect() as connection:
        return {(one.position, one.attempt): one for one in read_attempts(connection, workspace.run_id, 1)}


def test_what_is_trained_is_what_is_stored_behind_the_prompt_without_a_hint(
    database: Engine, tmp_path: Path
) -> None:
    config = small_config(database, tmp_path, "rationalize=true", "problem.train=80")
    with open_workspace(config, "hints") as workspace:
        stored = sampled(workspace)
        examples = read_examples(workspace, 1)
        rows = tokenize(examples, workspace.vocabulary, 512)
        places = {one.observation_id: place for place, one in enumerate(workspace.train)}
        trained = []
        for example, row in zip(examples, rows, strict=True):
            name, number = example.name.split(", attempt ")
            attempt = stored[places[name], int(number)]
            trained.append(attempt)
            prompt = workspace.problem.training_prompt(workspace.train[attempt.position])
            assert [list(row.tokens[: row.prompt_tokens])] == workspace.vocabulary.prompt_ids([prompt])
            assert row.tokens[row.prompt_tokens :] == attempt.tokens
            assert len(attempt.tokens) == attempt.generated_tokens
    assert {one.hinted for one in trained} == {True, False}


class Spelling(ScriptedGenerator):
    """Writes the first half of the observations' responses a character at a time, as no tokenizer would; others as text."""

    def __init__(self, vocabulary: Vocabulary, answers: dict[int, str]) -> None:
        super().__init__(lambda one: f"so\n#### {answers[one.position]}")
        self._known = vocabulary._tokenizer.get_vocab()

    def ids(self, response: str) -> tuple[int, ...]:
        return (*(self._known["▁" if letter == " " else letter] for letter in response), 2)

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Attempt]:
        return [
            replace(one, tokens=self.ids(one.response)) if one.position % 2 else one
            for one in super().generate(requests, decoding)
        ]


def test_ids_are_trained_as_they_were_generated_and_text_only_where_there_are_none(
    database: Engine, tmp_path: Path
) -> None:
    model = write_kind(tmp_path / "model", "SentencePiece, first")
    config = small_config(database, tmp_path, f"model={model}", "schedule.first_steps=1")
    with open_workspace(config, "pieces") as workspace:
        vocabulary = workspace.vocabulary
        generator = Spelling(vocabulary, {n: one.answer for n, one in enumerate(workspace.train)})
        workspace.generators.use(generator)
        stored = sampled(workspace)
        examples = read_examples(workspace, 1)
        rows = tokenize(examples, vocabulary, 512)
        stages.finetune(workspace, 1)
    found = {row.tokens[row.prompt_tokens :] for row in rows}
    by_hand = {generator.ids(one.response) for one in stored.values() if one.position % 2}
    by_tokenizer = {
        (*vocabulary.completion_ids(one.response), 2) for one in stored.values() if one.position % 2 == 0
    }
    assert found <= by_hand | by_tokenizer
    assert found & by_hand
    assert found & by_tokenizer
    assert not by_hand & by_tokenizer


TEMPLATE = (
    "{%- if not date_string is defined %}{%- set date_string = strftime_now('%d %b %Y') %}{%- endif %}{{ date_string }} "
    "{% for message in messages %}{{ message['content'] }}{{ eos_token if message['role'] == 'assistant' }}{% endfor %}"
    "{% if add_generation_prompt %}={% endif %}"
)


def days_later(days: int) -> type[datetime.datetime]:
    class Later(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> "Later":
            later = datetime.datetime.now(tz) + datetime.timedelta(days=days)
            return cls.combine(later.date(), later.time(), later.tzinfo)

    return Later


def test_a_template_that_reads_the_clock_gives_the_same_prompts_on_another_day(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "tuned"
    shutil.copytree(resolve_model("tiny-adder"), model)
    path = model / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": TEMPLATE}))
    config = small_config(
        database, tmp_path, f"model={model}", "prompt.chat=true", "schedule.first_steps=1", "iterations=2"
    )
    for iteration in (1, 2):
        monkeypatch.setattr(chat_template_utils, "datetime", days_later(100 * iteration))
        with open_workspace(config, "clock") as workspace:
            answers = {
                workspace.problem.prompt(one): one.answer for part in workspace.data.values() for one in part
            }
            workspace.generators.use(
                ScriptedGenerator(lambda one, known=answers: f"so\n#### {known[one.prompt]}")
            )
            stages.evaluate(workspace, 0, Split.VALIDATION)
            run_iteration(workspace, iteration)
            report = report_of(workspace, 0)
    with database.connect() as connection:
        day = connection.scalar(text("SELECT (created_at AT TIME ZONE 'UTC')::date FROM runs"))
    assert any(f"every prompt has {day}" in note for note in report.notes)
    monkeypatch.setattr(chat_template_utils, "datetime", days_later(1000))
    checks = list(verify(open_stored(database, tmp_path, "clock")))
    assert [one.violation for one in checks] == [None] * len(checks)
