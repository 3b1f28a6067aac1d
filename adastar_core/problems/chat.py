"""Chat templates: a prompt as a user's message, for models that were tuned to answer messages.

Generation, training, evaluation and the plan all take their prompts from the one problem that :func:`prompted`
returns, so that they cannot disagree.
"""

import datetime
from collections.abc import Sequence
from pathlib import Path

from jinja2 import TemplateError

from adastar_core.errors import ConfigError
from adastar_core.models.vocabulary import SAMPLES, Vocabulary
from adastar_core.problems import Problem
from adastar_core.records import Observation, Split
from adastar_core.settings import Settings, setting
from adastar_core.verifiers import Verifier


class PromptSettings(Settings):
    """How prompts are put to the model: as text to continue, or as messages."""

    chat: bool = setting(
        False, "Chat", "Put every prompt into the model's chat template, as a user's message."
    )
    date: datetime.date | None = setting(
        None,
        "Date",
        "The date for chat templates that show one, e.g. 2026-11-29. Default: the day on which the run was created.",
        added=True,
    )


def prompted(problem: Problem, settings: PromptSettings, model: Path, day: datetime.date) -> Problem:
    """Return ``problem`` with its prompts as the model in the directory ``model`` is to see them.

    A template reads the settings' date, or ``day`` on which the run was created, for the clock: a prompt is the same
    whenever it is rendered.

    Raises:
        ConfigError: The model has no chat template, or none that a response can end in.
    """
    if not settings.chat:
        return problem
    vocabulary, day = Vocabulary.of(model), settings.date or day
    check_template(vocabulary, model, day)
    return ChatProblem(problem, vocabulary, day)


class ChatProblem:
    """A problem whose prompts are messages to the model; all else is the problem's own."""

    def __init__(self, problem: Problem, vocabulary: Vocabulary, day: datetime.date) -> None:
        self._problem = problem
        self._vocabulary, self._day = vocabulary, day

    @property
    def plain(self) -> Problem:
        """The problem as it is without a template."""
        return self._problem

    @property
    def name(self) -> str:
        return self._problem.name

    @property
    def verifier(self) -> Verifier:
        return self._problem.verifier

    @property
    def date_told(self) -> datetime.date | None:
        """The date that the template shows; ``None`` if it shows none."""
        days = (self._day + datetime.timedelta(days=later) for later in (0, 33, 401))
        texts = {in_chat("1", self._vocabulary, day) for day in days}
        return self._day if len(texts) > 1 else None

    @property
    def stop(self) -> tuple[str, ...]:
        return self._problem.stop

    @property
    def notes(self) -> tuple[str, ...]:
        return self._problem.notes

    def load(self, split: Split) -> Sequence[Observation]:
        return self._problem.load(split)

    def everything(self) -> Sequence[Observation]:
        return self._problem.everything()

    def prompt(self, observation: Observation) -> str:
        return self._message(observation, self._problem.prompt(observation))

    def hinted_prompt(self, observation: Observation) -> str:
        return self._message(observation, self._problem.hinted_prompt(observation))

    def training_prompt(self, observation: Observation) -> str:
        return self._message(observation, self._problem.training_prompt(observation))

    def evaluation_prompt(self, observation: Observation, shots: int) -> str:
        return self._message(observation, self._problem.evaluation_prompt(observation, shots))

    def system(self, observation: Observation) -> str | None:
        return self._problem.system(observation)

    def reference(self, observation: Observation) -> str:
        """Return the problem's own, which may begin with the space after a prompt that is text: a message has none."""
        return self._problem.reference(observation).lstrip()

    def rationale_is_correct(self, observation: Observation, response: str) -> bool | None:
        return self._problem.rationale_is_correct(observation, response)

    def _message(self, observation: Observation, prompt: str) -> str:
        system = self._problem.system(observation)
        try:
            text = in_chat(prompt, self._vocabulary, self._day, system)
            shows = system is None or system.strip() in text
        except (TemplateError, ValueError):
            if system is None:
                raise
            shows = False
        if not shows:
            raise ConfigError(
                "problem.system: the model's chat template has no place for a system message. Put its text at the beginning of "
                "problem.prompt instead."
            )
        return text


def in_chat(prompt: str, vocabulary: Vocabulary, day: datetime.date, system: str | None = None) -> str:
    """Return ``prompt`` as a user's message after ``system``, if any, up to where the model's message begins.

    A template's BOS is left out where the tokenizer puts one before every text: there would be two.
    """
    before = [] if system is None else [{"role": "system", "content": system}]
    text = vocabulary.render([*before, {"role": "user", "content": prompt}], day, open_ended=True)
    return text.removeprefix(vocabulary.bos)


def check_template(vocabulary: Vocabulary, model: Path, day: datetime.date) -> None:
    """Refuse a model that cannot be addressed by a chat template, by trying it on two prompts.

    Raises:
        ConfigError: There is no template, it cannot be rendered, writes something else each time, writes text before BOS, or
            ends a message with text that is no token, so that responses would run on to the length limit.
    """
    if not vocabulary.has_template:
        raise ConfigError(
            f"prompt.chat (true) needs a model with a chat template, and the tokenizer in {model} has none. Set "
            "prompt.chat to false, or use the model's instruction-tuned variant."
        )
    try:
        ending = vocabulary.message_tail()
        texts, again = ([in_chat(sample, vocabulary, day) for sample in SAMPLES] for _ in range(2))
    except (TemplateError, ValueError) as error:
        raise ConfigError(
            f"prompt.chat (true): the chat template in {model} cannot be rendered for a question and its answer "
            f"({error}). Fix the template, or set prompt.chat to false."
        ) from error
    if wrong := _wrong(vocabulary, ending, texts, again):
        raise ConfigError(
            f"prompt.chat (true): the chat template in {model} {wrong}. Change it in a copy of the model, or set prompt.chat to "
            "false."
        )


def _wrong(vocabulary: Vocabulary, ending: str, texts: list[str], again: list[str]) -> str | None:
    """Return what a template does that prompts cannot be made with; ``None`` if there is nothing."""
    if texts != again:
        return "writes another text each time it is rendered, so no prompt could be checked later"
    if any(map(vocabulary.begins_twice, texts)):
        return "writes text before its BOS token, or BOS more than once"
    if ending and vocabulary.message_end is None:
        return f"ends a message with {ending!r}, which is no token of the tokenizer, so responses would never end"
    return None
