"""A generator of the user's own: ``docs/extending.md`` has an example, :mod:`adastar_core.machine.plugins` how it is named."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from operator import index
from pathlib import Path
from typing import Protocol, runtime_checkable

from adastar_core.errors import AdaStarError, ConfigError, EngineError
from adastar_core.generators import Decoding
from adastar_core.generators.settings import CustomGeneratorSettings
from adastar_core.machine.plugins import call_plugin, failure, load_plugin
from adastar_core.records import Attempt, FinishReason, GenerationRequest

_KEY = "generator.custom.path"


@runtime_checkable
class Generates(Protocol):
    """All that is asked of a generator of the user's own; a ``close()`` is called if it has one."""

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> Sequence[Attempt]:
        """Return one attempt per request, in order (:func:`adastar_core.generators.attempt_of`)."""


class CustomGenerator:
    """A :class:`~adastar_core.generators.Generator` of the user's own, called with the model's directory and the options.

    Raises:
        ConfigError: It cannot be loaded, runs here may not execute it, or what it makes is no generator.
    """

    def __init__(self, settings: CustomGeneratorSettings, model_dir: Path) -> None:
        made = call_plugin(_path(settings), "generators", _KEY, (model_dir,), settings.options)
        if not isinstance(made, Generates):
            raise ConfigError(
                f"{_KEY}: {settings.path} makes a {type(made).__name__}, which has no generate(requests, decoding). Add that "
                "method; docs/extending.md has an example."
            )
        self._own, self._path = made, settings.path

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Attempt]:
        """Return its attempts.

        Raises:
            EngineError: It fails, or they are not one per request, in order.
        """
        try:
            attempts = list(map(self._checked, self._own.generate(requests, decoding)))
        except AdaStarError:
            raise
        except Exception as error:
            raise EngineError(f"{self._path}.generate failed {failure(error)}.") from error
        made = [(attempt.position, attempt.attempt) for attempt in attempts]
        if made != [(request.position, request.attempt) for request in requests]:
            raise EngineError(
                f"{self._path} returned {len(attempts)} attempts for {len(requests)} requests. Return one per request, in their order."
            )
        return attempts

    def _checked(self, attempt: object) -> Attempt:
        if not isinstance(attempt, Attempt):
            raise EngineError(
                f"{self._path} returned a {type(attempt).__name__} as an attempt. Return adastar_core.generators.attempt_of(...)."
            )
        for name, kind in (("response", str), ("finish_reason", FinishReason)):
            if not isinstance(value := getattr(attempt, name), kind):
                raise EngineError(
                    f"{self._path} returned an attempt whose {name} is {value!r:.60}. Give a {kind.__name__}."
                )
        try:
            return replace(
                attempt,
                prompt_tokens=index(attempt.prompt_tokens),
                padded_prompt_tokens=index(attempt.padded_prompt_tokens),
                generated_tokens=index(attempt.generated_tokens),
                padded_generated_tokens=index(attempt.padded_generated_tokens),
                tokens=tuple(map(index, attempt.tokens)),
            )
        except TypeError as error:
            raise EngineError(
                f"{self._path} returned an attempt with a count that is no whole number ({error})."
            ) from error

    def close(self) -> None:
        close = getattr(self._own, "close", None)
        if callable(close):
            close()


def check_custom(settings: CustomGeneratorSettings) -> None:
    """Load the generator without making one: what is wrong with its name shows before a run begins.

    Raises:
        ConfigError: It cannot be loaded, runs here may not execute it, or it cannot be called.
    """
    part = load_plugin(_path(settings), "generators", _KEY)
    if isinstance(part, type) and not callable(getattr(part, "generate", None)):
        raise ConfigError(
            f"{_KEY}: {settings.path} has no generate(requests, decoding). Add that method; docs/extending.md has an example."
        )


def recorded_name(settings: CustomGeneratorSettings) -> str:
    """Return the generator's name and the digest of its file and options, since results are shared between equal engines."""
    file = Path(_path(settings).rpartition(":")[0])
    source = file.read_bytes() if file.suffix == ".py" and file.is_file() else b""
    options = json.dumps(dict(settings.options), sort_keys=True).encode()
    return f"custom {settings.path} ({hashlib.sha256(source + options).hexdigest()[:12]})"


def _path(settings: CustomGeneratorSettings) -> str:
    if settings.path is None:
        raise ConfigError(f"generator.type is custom, and {_KEY} names no generator. Set it.")
    return settings.path
