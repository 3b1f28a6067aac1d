"""What a deployment's form asks for: the few values that people change, and one object for all others."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from adastar_core.config import RunConfig, files
from adastar_core.config.base import Base
from adastar_core.config.explain import explain
from adastar_core.config.identity import flatten
from adastar_core.config.methods import merge, settings_of
from adastar_core.errors import ConfigError
from adastar_core.machine.units import pflops_in
from adastar_core.problems.catalogue import WITH_DATA

OF_PRESET = "of the preset"
"""A choice that leaves the value to the preset."""
NO_PRESET = "none"


@dataclass(frozen=True, kw_only=True)
class Form:
    """A filled-in form. What is empty, 0 or :data:`OF_PRESET` is left to the preset; ``overrides`` win over all else.

    Attributes:
        overrides: Configuration keys, nested or dotted: ``{"trainer.batch_size": 16, "generator": {"top_p": 0.9}}``.
    """

    preset: str = files.DEFAULT_PRESET
    problem: str = OF_PRESET
    data: str = ""
    model: str = ""
    method: str = OF_PRESET
    iterations: int = 0
    seed: int = 0
    budget: str = ""
    overrides: Mapping[str, object] = field(default_factory=dict)

    @property
    def base(self) -> Base:
        """What the form changes; raises :class:`ConfigError` if there is no such preset."""
        if self.preset == NO_PRESET:
            return Base("", {})
        return Base(self.preset, files.load_preset(self.preset), self.preset)

    def config(self) -> RunConfig:
        """Return the configuration.

        Raises:
            ConfigError: A key is unknown, a value is out of bounds, or two values disagree; nothing has begun.
        """
        changes = merge(self._fields(), nested(self.overrides))
        method = changes.get("method")
        values = merge(self.base.values, settings_of(method)) if method else self.base.values
        try:
            return RunConfig.model_validate(merge(values, changes))
        except ValidationError as error:
            raise ConfigError(explain(error)) from None

    def warning(self, config: RunConfig) -> str | None:
        """Return which values a preset keeps that is tuned for another model or problem, if it is."""
        changes = merge(self._fields(), nested(self.overrides))
        return self.base.remaining(
            config, [f"{key}=" for key in flatten(changes)], f"choose preset {NO_PRESET}"
        )

    def _fields(self) -> dict[str, object]:
        """Return what the fields say, nested as in a configuration file."""
        given = {
            "problem": self._problem(),
            "model": self.model.strip(),
            "method": "" if self.method == OF_PRESET else self.method,
            "iterations": self.iterations,
            "budget_pflops": self._pflops(),
        }
        return {"seed": self.seed, **{key: value for key, value in given.items() if value}}

    def _pflops(self) -> float | None:
        if not self.budget.strip():
            return None
        if (found := pflops_in(self.budget)) is None:
            raise ConfigError(
                f"budget = {self.budget!r} is no amount of compute; write it as 2TFLOPs or 0.5PFLOPs."
            )
        return found

    def _problem(self) -> dict[str, object]:
        """Return the problem's type and data; data of no problem in particular are a table."""
        type_, data = self.problem, self.data.strip()
        if type_ == OF_PRESET:
            below = self.base.values.get("problem", {})
            type_ = str(below.get("type")) if isinstance(below, Mapping) else str(below)
            type_ = "table" if data and type_ not in WITH_DATA else type_
            return {"type": type_, "path": data} if data else {}
        return {"type": type_, "path": data} if data else {"type": type_}


def nested(overrides: Mapping[str, object]) -> dict[str, object]:
    """Return overrides as nested settings, whichever way they are written; a later key replaces an earlier one."""
    settings: dict[str, object] = {}
    for key, value in overrides.items():
        inner = nested(value) if isinstance(value, Mapping) else value
        for part in reversed(str(key).split(".")):
            inner = {part: inner}
        assert isinstance(inner, dict)
        settings = merge(settings, inner)
    return settings
