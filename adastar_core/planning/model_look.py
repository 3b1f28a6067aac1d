"""Looks at a model that a user names, without loading its weights."""

import datetime
from dataclasses import dataclass
from pathlib import Path

from adastar_core.errors import ConfigError
from adastar_core.models.source import parameter_count, positions_of, resolve_model
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.problems.chat import check_template


@dataclass(frozen=True, slots=True)
class ModelLook:
    """A model as it was found; ``unusable`` says why its chat template cannot be used, if it has one and that is so."""

    name: str
    directory: Path
    parameters: int
    positions: int | None
    has_template: bool
    unusable: str | None

    @property
    def chats(self) -> bool:
        return self.has_template and self.unusable is None

    @property
    def summary(self) -> str:
        positions = "any length" if self.positions is None else f"{self.positions:,} positions"
        unusable = "an unusable" if self.has_template else "no"
        return f"{self.parameters:,} parameters, {positions}, {'a' if self.chats else unusable} chat template"


def look_at_model(name: str) -> ModelLook:
    """Return what is known of a model.

    Raises:
        ModelError: There is none of this name, or it lacks something.
    """
    directory = resolve_model(name)
    vocabulary, unusable = Vocabulary.of(directory), None
    if vocabulary.has_template:
        try:
            check_template(vocabulary, directory, datetime.date.today())
        except ConfigError as error:
            unusable = str(error)
    return ModelLook(
        name,
        directory,
        parameter_count(directory),
        positions_of(directory),
        vocabulary.has_template,
        unusable,
    )
