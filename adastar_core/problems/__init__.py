"""Problems: data, prompts and verifier bound together, so that training and evaluation agree."""

from collections.abc import Sequence
from typing import Protocol

from adastar_core.records import Observation, Split
from adastar_core.verifiers import Verifier


class Problem(Protocol):
    """A task that a model can teach itself."""

    @property
    def name(self) -> str:
        """The problem's ``type`` in the configuration, e.g. ``"arithmetic"``."""
        ...

    @property
    def verifier(self) -> Verifier:
        """What decides whether a response is right."""
        ...

    @property
    def stop(self) -> tuple[str, ...]:
        """Strings at which a response ends, besides EOS."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on the data, a sentence each, e.g. that they repeat questions."""
        ...

    def load(self, split: Split) -> Sequence[Observation]:
        """Return a split's observations in a stable order.

        Raises:
            DataError: A file is missing, a row is broken (named by its number), or two ids are equal.
        """
        ...

    def everything(self) -> Sequence[Observation]:
        """Return the observations of all splits, and those that limits keep out of them."""
        ...

    def prompt(self, observation: Observation) -> str:
        """Return the text that the model continues with its rationale and answer."""
        ...

    def hinted_prompt(self, observation: Observation) -> str:
        """Return the prompt that also shows the reference answer (rationalization)."""
        ...

    def training_prompt(self, observation: Observation) -> str:
        """Return the prompt of the training text: never hinted, without few-shot exemplars."""
        ...

    def evaluation_prompt(self, observation: Observation, shots: int) -> str:
        """Return the prompt of an evaluation: the training prompt after ``shots`` exemplars, or all that there are."""
        ...

    def system(self, observation: Observation) -> str | None:
        """Return the system message before every prompt of the observation in a chat; ``None`` for the template's own."""
        ...

    def reference(self, observation: Observation) -> str:
        """Return the reference answer as a response without a rationale, which the verifier finds right."""
        ...

    def rationale_is_correct(self, observation: Observation, response: str) -> bool | None:
        """Return whether every step of the rationale is right; ``None`` where that cannot be checked.

        A right answer with a wrong rationale is a false positive.
        """
        ...
