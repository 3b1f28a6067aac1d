"""Chat templates, with tokenizers of the real library."""

import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from adastar_core.errors import ConfigError
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


def model(folder: Path, template: str | None, *, bos_prefix: bool = False) -> Path:
    """Write a tokenizer with this chat template."""
    write_tokenizer(folder, bos_prefix=bos_prefix)
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": template}))
    return folder


def tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def test_every_prompt_becomes_the_users_message(tmp_path: Path) -> None:
    problem = prompted(ARITHMETIC, CHAT, model(tmp_path, BODY))
    assert problem.prompt(SUM) == "user: 12+30\n;assistant: "
    assert problem.hinted_prompt(SUM) == "user: 12+30=42\n;assistant: "
    assert problem.training_prompt(SUM) == "user: 12+30\n;assistant: "
    assert (problem.name, problem.verifier, problem.stop) == ("arithmetic", ARITHMETIC.verifier, ())


@pytest.mark.parametrize("bos_prefix", [False, True])
def test_tokens_are_those_of_the_template(tmp_path: Path, bos_prefix: bool) -> None:
    """The template begins with BOS, and so may the tokenizer: there is one."""
    read = tokenizer(model(tmp_path, "{{ bos_token }}" + BODY, bos_prefix=bos_prefix))
    messages = [{"role": "user", "content": "1+1"}]
    whole = read.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=True)
    assert read(in_chat("1+1", read))["input_ids"] == whole["input_ids"]
    assert whole["input_ids"].count(read.bos_token_id) == 1


def test_without_the_switch_nothing_is_read_or_changed(tmp_path: Path) -> None:
    assert prompted(ARITHMETIC, PromptSettings(), tmp_path / "absent") is ARITHMETIC


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (None, "none. Set prompt.chat to false"),
        (BODY.replace("eos_token", "'<turn>'"), "ends a message with '<turn>', but its EOS token is '</s>'"),
        ("{{ raise_exception('no questions') }}", "cannot be rendered .*no questions"),
        ("{% for", "cannot be rendered"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, template: str | None, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        prompted(ARITHMETIC, CHAT, model(tmp_path, template))


def test_a_rationale_is_checked_as_before(tmp_path: Path) -> None:
    problem = ChatProblem(ARITHMETIC, tokenizer(model(tmp_path, BODY)))
    assert problem.rationale_is_correct(SUM, "2+0+0=02\n1+3+0=04\n#### 42")
    assert not problem.rationale_is_correct(SUM, "#### 42")
