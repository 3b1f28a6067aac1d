"""Chat templates: a prompt as a user's message, for models that were tuned to answer messages.

Generation, training, evaluation and the plan all take their prompts from the one problem that :func:`prompted`
returns, so that they cannot disagree.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import TemplateError

from adastar_core.errors import ConfigError
from adastar_core.problems import Problem
from adastar_core.records import Observation, Split
from adastar_core.settings import Settings, setting
from adastar_core.verifiers import Verifier

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MARK = "So the answer is 42."


class PromptSettings(Settings):
    """How prompts are put to the model: as text to continue, or as messages."""

    chat: bool = setting(
        False, 0, "Chat", "Put every prompt into the model's chat template, as a user's message."
    )


def prompted(problem: Problem, settings: PromptSettings, model: Path) -> Problem:
    """Return ``problem`` with its prompts as ``model`` is to see them.

    Args:
        problem: Any problem.
        settings: Whether the chat template is used.
        model: The model's directory; read only for a chat template.

    Raises:
        ConfigError: The model has no chat template, or none that a response can end in.
    """
    if not settings.chat:
        return problem
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True, trust_remote_code=False)
    check_template(tokenizer, model)
    return ChatProblem(problem, tokenizer)


class ChatProblem:
    """A problem whose prompts are messages to the model; all else is the problem's own."""

    def __init__(self, problem: Problem, tokenizer: "PreTrainedTokenizerBase") -> None:
        self._problem = problem
        self._tokenizer = tokenizer

    @property
    def name(self) -> str:
        """The problem's ``type`` in the configuration."""
        return self._problem.name

    @property
    def verifier(self) -> Verifier:
        """What decides whether a response is right."""
        return self._problem.verifier

    @property
    def stop(self) -> tuple[str, ...]:
        """Strings at which a response ends, besides EOS."""
        return self._problem.stop

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the data."""
        return self._problem.notes

    def load(self, split: Split) -> Sequence[Observation]:
        """Return a split's observations in a stable order."""
        return self._problem.load(split)

    def everything(self) -> Sequence[Observation]:
        """Return the observations of all splits and beyond."""
        return self._problem.everything()

    def prompt(self, observation: Observation) -> str:
        """Return the prompt as a user's message, up to where the model's begins."""
        return in_chat(self._problem.prompt(observation), self._tokenizer)

    def hinted_prompt(self, observation: Observation) -> str:
        """Return the same with the reference answer shown."""
        return in_chat(self._problem.hinted_prompt(observation), self._tokenizer)

    def training_prompt(self, observation: Observation) -> str:
        """Return the prompt of the training text as a user's message."""
        return in_chat(self._problem.training_prompt(observation), self._tokenizer)

    def evaluation_prompt(self, observation: Observation, shots: int) -> str:
        """Return the evaluation prompt as a user's message."""
        return in_chat(self._problem.evaluation_prompt(observation, shots), self._tokenizer)

    def reference(self, observation: Observation) -> str:
        """Return the reference answer as a response without a rationale."""
        return self._problem.reference(observation)

    def rationale_is_correct(self, observation: Observation, response: str) -> bool | None:
        """Return whether every step of the rationale is right, where that can be checked."""
        return self._problem.rationale_is_correct(observation, response)


def in_chat(prompt: str, tokenizer: "PreTrainedTokenizerBase") -> str:
    """Return ``prompt`` as a user's message, up to where the model's message begins.

    A template's BOS is left out where the tokenizer puts one before every text: there would be two.
    """
    text = _render([{"role": "user", "content": prompt}], tokenizer, open_ended=True)
    bos = tokenizer.bos_token
    if bos and tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id:
        return text.removeprefix(str(bos))
    return text


def check_template(tokenizer: "PreTrainedTokenizerBase", model: Path) -> None:
    """Refuse a model that cannot be addressed by a chat template.

    Raises:
        ConfigError: There is no template, it cannot be rendered, or it ends a message with another token than EOS,
            so that responses would run on to the length limit.
    """
    if not tokenizer.chat_template:
        raise ConfigError(
            f"prompt.chat (true) needs a model with a chat template, and the tokenizer in {model} has none. Set "
            "prompt.chat to false, or take the variant of the model that was tuned to follow instructions."
        )
    try:
        messages = [{"role": "user", "content": "6 * 7?"}, {"role": "assistant", "content": _MARK}]
        ending = _render(messages, tokenizer, open_ended=False).rpartition(_MARK)[2].strip()
    except (TemplateError, ValueError) as error:
        raise ConfigError(
            f"prompt.chat (true): the chat template in {model} cannot be rendered for a question and its answer "
            f"({error}). Mend the template, or set prompt.chat to false."
        ) from error
    eos = str(tokenizer.eos_token)
    if ending and not ending.startswith(eos):
        raise ConfigError(
            f"prompt.chat (true): the chat template in {model} ends a message with {ending!r}, but its EOS token is "
            f"{eos!r}, so responses would never end. Set eos_token in a copy of its tokenizer_config.json to the token "
            "that ends a message, or set prompt.chat to false."
        )


def _render(messages: list[dict[str, str]], tokenizer: "PreTrainedTokenizerBase", *, open_ended: bool) -> str:
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=open_ended))
