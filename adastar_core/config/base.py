"""Where the values come from that nobody set: a preset, a file, or the defaults, which are meant for pre-trained models.

A preset is tuned for one model on one problem. So none is taken by itself for another model, and one that is asked for by
name says which of its values remain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adastar_core.config import RunConfig, files
from adastar_core.config.identity import flatten
from adastar_core.config.methods import decided
from adastar_core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Base:
    """The values under ``--set``.

    Attributes:
        source: Name of the preset or stem of the file; empty for the defaults.
        values: Nested, as in a YAML file; what they leave open has its default.
        preset: Name of the preset, if they are one's.
        named: Whether the user named it.
    """

    source: str
    values: Mapping[str, object]
    preset: str | None = None
    named: bool = True

    def resolve(self, overrides: Sequence[str]) -> RunConfig:
        """Return the configuration; raises :class:`ConfigError` as :func:`files.resolve` does."""
        return files.resolve(self.values, overrides)

    def remaining(self, config: RunConfig, overrides: Sequence[str], instead: str = "") -> str | None:
        """Return which of the preset's values a run on another model or problem keeps; ``None`` where it is neither.

        ``instead`` says how to start from the defaults; by default on the command line.
        """
        if self.preset is None:
            return None
        meant, wanted = _subject(self.values), (config.model, config.problem.type)
        kept = self._kept(config, overrides)
        if meant == wanted or not kept:
            return None
        values = ", ".join(f"{key}={value}" for key, value in kept.items())
        instead = instead or ("leave --preset out" if self.named else "set model too")
        return (
            f"WARNING: preset {self.preset} is tuned for {meant[0]} on {meant[1]}, and this run is {wanted[0]} on {wanted[1]}. "
            f"These of its values remain: {values}. Set those that do not fit, or {instead} to start from the defaults for "
            "pre-trained models."
        )

    def _kept(self, config: RunConfig, overrides: Sequence[str]) -> dict[str, object]:
        ours, defaults = (flatten(one.model_dump(mode="json")) for one in (config, RunConfig()))
        set_ = {text.partition("=")[0].strip() for text in overrides}
        return {
            key: value
            for key, value in flatten(dict(self.values)).items()
            if key not in set_ | decided() | {"model"} and not key.startswith("problem.")
            if value == ours.get(key) != defaults.get(key)
        }


def base_of(preset: str | None, file: Path | None, overrides: Sequence[str], default: str) -> Base:
    """Return where the values come from; without a preset and a file from ``default``, unless the model is another one.

    Raises:
        ConfigError: There is no such preset or file.
    """
    if file is not None:
        if not file.exists() and str(file) in files.preset_names():
            raise ConfigError(f"There is no file {file}. For the preset of this name: --preset {file}.")
        if not file.exists() and "=" in file.name:
            raise ConfigError(f"There is no file {file}. To set a key of the configuration: --set {file}.")
        return Base(file.stem, files.load_file(file))
    values = files.load_preset(preset or default)
    if preset is None and _subject(files.overridden(values, overrides))[0] != _subject(values)[0]:
        return Base("", {})
    return Base(preset or default, values, preset or default, named=preset is not None)


def _subject(values: Mapping[str, object]) -> tuple[object, object]:
    """Return model and problem type that values name, as far as they are there."""
    problem = values.get("problem", "arithmetic")
    type_ = problem.get("type", "arithmetic") if isinstance(problem, Mapping) else problem
    return values.get("model", "tiny-adder"), type_
