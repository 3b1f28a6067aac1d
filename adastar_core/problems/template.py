"""Templates of prompts, filled in for an observation. What is filled in is never read as a template again."""

from dataclasses import dataclass
from functools import cached_property

from adastar_core.errors import DataError
from adastar_core.records import Observation
from adastar_core.settings import parts_of

_OF_OPTIONS = ("choices", "labels")


@dataclass(frozen=True)
class Template:
    """A template whose grammar has been checked, and the configuration key that it is the value of."""

    text: str
    key: str = "problem.prompt"

    @cached_property
    def _parts(self) -> tuple[tuple[str, str | None], ...]:
        return parts_of(self.text)

    @property
    def fields(self) -> frozenset[str]:
        return frozenset(field for _, field in self._parts if field is not None)

    @property
    def beginning(self) -> str:
        """What stands before the question on its own line, such as ``Q:``; empty if nothing does."""
        literal = next((literal for literal, field in self._parts if field == "question"), "")
        return literal.rpartition("\n")[2].strip()

    def fill(self, observation: Observation, *, after: str = "") -> str:
        """Return the text for an observation; ``after`` follows its question.

        Raises:
            DataError: The template shows options that there are none of.
        """
        if not observation.choices and (lacking := self.fields.intersection(_OF_OPTIONS)):
            raise DataError(
                f"{self.key} has the field {{{min(lacking)}}}, and the question {observation.question[:60]!r} has no options. "
                "Remove the field, or name the options' column in problem.choices."
            )
        values = {
            "question": observation.question + after,
            "choices": "\n".join(f"({choice.label}) {choice.text}" for choice in observation.choices),
            "labels": ", ".join(choice.label for choice in observation.choices),
        }
        values |= {name: text for name, text in observation.context if name not in values}
        return "".join(literal + (values[field] if field else "") for literal, field in self._parts)
