"""The prompt that a stored attempt continues, made again from what is recorded.

Prompts are not stored, only their digests. Making one again reads the run's configuration, which in a shared database
may be anybody's: no code of a user's own is run for it, and nothing is fetched.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from adastar_core.errors import AdaStarError
from adastar_core.machine.plugins import PluginSettings
from adastar_core.models import library
from adastar_core.models.source import is_packaged
from adastar_core.problems.digests import prompt_sha256
from adastar_core.runs.stored import StoredRun
from adastar_core.store.checkpoints import read_checkpoint
from adastar_core.ui.attempt import Detail


class Prompt(NamedTuple):
    """A prompt, or ``None``, and a sentence on whether it is the recorded one, or why there is none."""

    text: str | None
    note: str


def prompt_of(find: Callable[[], StoredRun], attempt: Detail) -> Prompt:
    """Return the prompt of an attempt of the run that is found."""
    try:
        stored = find()
        if why := _not_made(stored, attempt):
            return Prompt(None, why)
        make = stored.problem.hinted_prompt if attempt.hinted else stored.problem.prompt
        text = make(attempt.observation)
    except (AdaStarError, OSError, ValueError) as error:
        return Prompt(None, f"The prompt cannot be made again: {error}")
    if prompt_sha256(text) == attempt.prompt_sha256:
        return Prompt(text, "Made again from the configuration; its digest is the recorded one.")
    return Prompt(
        text,
        f"Not the recorded prompt, whose digest is {attempt.prompt_sha256}: this version of the code, or a file that "
        "the configuration names, makes another one.",
    )


def _not_made(stored: StoredRun, attempt: Detail) -> str | None:
    """Return why a prompt is not made again here; ``None`` where it is."""
    if _runs_users_code(stored.config.problem):
        return (
            "The problem is code of your own, which this page does not run. "
            f"adastar lineage {stored.run.name}:{attempt.key.iteration} --json has the prompts of what was trained on."
        )
    if stored.config.prompt.chat and not _is_here(stored):
        return f"The chat template is in the model {stored.run.base_model}, which is not on this machine."
    return None


def _runs_users_code(settings: BaseModel) -> bool:
    values = [getattr(settings, name) for name in type(settings).model_fields]
    return any(isinstance(value, PluginSettings) for value in (settings, *values))


def _is_here(stored: StoredRun) -> bool:
    """Return whether the base model can be opened without the hub."""
    recorded = Path(stored.read(read_checkpoint, 0, stored.folder).path)
    name = stored.run.base_model
    places = (recorded, Path(name).expanduser(), library.place_of(name))
    return is_packaged(name) or any(place.is_dir() for place in places)
