"""Chat templates, with tokenizers of the real library."""

import json
from datetime import date
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from adastar_core.errors import ConfigError
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.problems.arithmetic import Arithmetic, ArithmeticSettings
from adastar_core.problems.chat import ChatProblem, PromptSettings, in_chat, prompted
from adastar_core.records import Observation
from tests.support.tiny_llama import write_tokenizer

BODY = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}"
    "{{ eos_token if message['role'] == 'assistant' else ';' }}{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
CHAT = PromptSettings(chat=True)
SUM = Observation("12+30", "12+30", "42")
ARITHMETIC = Arithmetic(ArithmeticSettings())
TODAY = date(2026, 11, 29)


def model(folder: Path, template: str | None, *, bos_prefix: bool = False) -> Path:
    """Write a tokenizer with this chat template."""
    write_tokenizer(folder, bos_prefix=bos_prefix)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": template}))
    return folder


def test_every_prompt_becomes_the_users_message(tmp_path: Path) -> None:
    problem = prompted(ARITHMETIC, CHAT, model(tmp_path, BODY), TODAY)
    assert problem.prompt(SUM) == "user: 12+30\n;assistant: "
    assert problem.hinted_prompt(SUM) == "user: 12+30=42\n;assistant: "
    assert problem.training_prompt(SUM) == "user: 12+30\n;assistant: "
    assert (problem.name, problem.verifier, problem.stop) == ("arithmetic", ARITHMETIC.verifier, ())


@pytest.mark.parametrize("bos_prefix", [False, True])
def test_tokens_are_those_of_the_template(tmp_path: Path, bos_prefix: bool) -> None:
    """The template begins with BOS, and so may the tokenizer: there is one."""
    folder = model(tmp_path, "{{ bos_token }}" + BODY, bos_prefix=bos_prefix)
    read, vocabulary = AutoTokenizer.from_pretrained(folder), Vocabulary(folder)
    messages = [{"role": "user", "content": "1+1"}]
    whole = read.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=True)
    assert vocabulary.prompt_ids([in_chat("1+1", vocabulary, TODAY)]) == [whole["input_ids"]]
    assert whole["input_ids"].count(read.bos_token_id) == 1


@pytest.mark.parametrize("before", ["\n", " \n ", "{{ bos_token }}"])
def test_what_a_template_writes_before_bos_doubles_it_no_more(tmp_path: Path, before: str) -> None:
    folder = model(tmp_path, before + "{{ bos_token }}" + BODY, bos_prefix=True)
    problem = prompted(ARITHMETIC, CHAT, folder, TODAY)
    ids = Vocabulary(folder).prompt_ids([problem.prompt(SUM)])[0]
    plain = Vocabulary(folder).prompt_ids(["user: 12+30\n;assistant: "])[0]
    assert ids == plain
    assert ids.count(AutoTokenizer.from_pretrained(folder).bos_token_id) == 1


def test_a_question_that_spells_bos_loses_nothing(tmp_path: Path) -> None:
    folder = model(tmp_path, BODY, bos_prefix=True)
    ids = Vocabulary(folder).prompt_ids(["<pad>user: 1<s>2"])[0]
    assert AutoTokenizer.from_pretrained(folder).decode(ids) == "<s><pad>user: 1<s>2"


def test_without_the_switch_nothing_is_read_or_changed(tmp_path: Path) -> None:
    assert prompted(ARITHMETIC, PromptSettings(), tmp_path / "absent", TODAY) is ARITHMETIC


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (None, "none. Set prompt.chat to false"),
        (BODY.replace("eos_token", "'<turn>'"), "ends a message with '<turn>', which is no token"),
        ("hello{{ bos_token }}" + BODY, "writes text before its BOS token"),
        (BODY + "{{ range(9999) | random }}", "writes another text each time"),
        ("{{ raise_exception('no questions') }}", "cannot be rendered .*no questions"),
        ("{% for", "cannot be rendered"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, template: str | None, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        prompted(ARITHMETIC, CHAT, model(tmp_path, template, bos_prefix=True), TODAY)


def test_a_rationale_is_checked_as_before(tmp_path: Path) -> None:
    problem = ChatProblem(ARITHMETIC, Vocabulary(model(tmp_path, BODY)), TODAY)
    assert problem.rationale_is_correct(SUM, "2+0+0=02\n1+3+0=04\n#### 42")
    assert not problem.rationale_is_correct(SUM, "#### 42")


def test_a_template_that_asks_for_the_date_gets_the_day_of_the_run(tmp_path: Path) -> None:
    folder = model(tmp_path, "{{ strftime_now('%d %b %Y %H:%M') }};" + BODY)
    problem = prompted(ARITHMETIC, CHAT, folder, TODAY)
    assert problem.prompt(SUM) == "29 Nov 2026 00:00;user: 12+30\n;assistant: "
    assert isinstance(problem, ChatProblem)
    assert problem.date_told == TODAY
    chosen = prompted(ARITHMETIC, PromptSettings(chat=True, date=date(2024, 7, 26)), folder, TODAY)
    assert chosen.prompt(SUM).startswith("26 Jul 2024")
    plain = prompted(ARITHMETIC, CHAT, model(tmp_path / "plain", BODY), TODAY)
    assert isinstance(plain, ChatProblem)
    assert plain.date_told is None
