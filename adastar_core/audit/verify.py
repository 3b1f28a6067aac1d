"""Checks a run's records against each other: digests, statistics from events, training examples from verdicts.

Each check yields its violations as sentences; :func:`verify` stops at the first.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from adastar_core.audit.collect import was_removed
from adastar_core.audit.snapshot import Record, record_of
from adastar_core.errors import CheckpointError, DataError, ModelError
from adastar_core.models import checkpoints
from adastar_core.models.filestore import by_folder
from adastar_core.problems.digests import prompt_sha256, training_text_sha256
from adastar_core.runs.opening import load_data
from adastar_core.runs.stored import StoredRun
from adastar_core.store.bulk import storable
from adastar_core.store.checkpoints import CheckpointRow
from adastar_core.store.items import find_items
from adastar_core.store.observations import content_sha256
from adastar_core.streams import rationale_key


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of one check: how many records it read, and the first violation; ``None`` if there is none."""

    name: str
    count: int
    violation: str | None


@dataclass
class _Counter:
    count: int = 0
    """Records that a check has read."""


Check = Callable[[Record, _Counter], Iterator[str]]


def verify(stored: StoredRun) -> Iterator[Checked]:
    """Yield the result of every check, up to and including the first that fails.

    The record is read in one snapshot first; no transaction is open while files are hashed.
    """
    with record_of(stored) as record:
        for name, check in CHECKS.items():
            counter = _Counter()
            violation = next(check(record, counter), None)
            yield Checked(name, counter.count, violation)
            if violation is not None:
                return


def _configuration(record: Record, counter: _Counter) -> Iterator[str]:
    # The stored fields are hashed as they are: a newer version of the code may have more fields.
    counter.count = len(record.configuration)
    digest = hashlib.sha256(json.dumps(record.configuration, sort_keys=True).encode()).hexdigest()
    if digest != record.stored.run.config_sha256:
        yield f"the stored configuration has digest {digest}, recorded is {record.stored.run.config_sha256}"


def _checkpoints(record: Record, counter: _Counter) -> Iterator[str]:
    """Hash every file of every checkpoint, except those that ``adastar gc`` removed."""
    there = _files_in_store(record.stored)
    for row in map(record.stored.located, record.checkpoints):
        counter.count += 1
        try:
            _require_files(record.stored, row, there)
        except CheckpointError as error:
            yield f"iteration {row.iteration}: {error}"


def _files_in_store(stored: StoredRun) -> dict[str, dict[str, int]]:
    """Return what the file store has of each checkpoint, by the last part of its key."""
    store = stored.file_store
    return by_folder(store.sizes(f"{stored.store_key}/checkpoints")) if store else {}


def _require_files(stored: StoredRun, row: CheckpointRow, there: dict[str, dict[str, int]]) -> None:
    """Read every file once, here or else in the file store; of what is here too, compare names and sizes in the store."""
    key = stored.key_of(row)
    kept, here = there.get(key.rpartition("/")[2], {}), Path(row.path).is_dir()
    removed = was_removed(Path(row.path), row.sha256) or (not here and kept.keys() == {checkpoints.REMOVED})
    if here and not removed:
        checkpoints.verify(Path(row.path), row.sha256)
    if stored.file_store and checkpoints.MANIFEST in kept:
        stored.file_store.verify(key, row.sha256, contents=not here)
    elif not here and not removed:
        stored.require_store()
        checkpoints.verify(Path(row.path), row.sha256)  # says that it is missing


def _rollouts(record: Record, counter: _Counter) -> Iterator[str]:
    """Compute every attempt's random stream and prompt digest again, and compare its checkpoint."""
    problem, train = record.stored.problem, record.stored.train
    prompts: dict[tuple[int, bool], str] = {}  # by position and hint: attempts share their prompt
    for row in record.rollouts:
        counter.count += 1
        what = f"iteration {row.iteration}, observation {row.position}, attempt {row.attempt}"
        if row.position >= len(train):
            yield f"{what}: there is no such observation"
            return
        observation = train[row.position]
        stream = rationale_key(
            record.stored.config.seed, row.iteration, observation.observation_id, row.attempt
        )
        stored = row.stream % 2**64  # the database has no unsigned integers
        if stored != stream:
            yield f"{what}: its random stream is {stored}, expected {stream}"
        key = (row.position, row.hinted)
        if key not in prompts:
            render = problem.hinted_prompt if row.hinted else problem.prompt
            prompts[key] = prompt_sha256(render(observation))
        if row.prompt_sha256 != prompts[key]:
            yield f"{what}: its prompt has digest {row.prompt_sha256}, expected {prompts[key]}"
        if row.checkpoint_sha256 != row.recorded_sha256:
            yield f"{what}: generated by checkpoint {row.checkpoint_sha256}, recorded is {row.recorded_sha256}"


def _training_examples(record: Record, counter: _Counter) -> Iterator[str]:
    """Hash every training text again, decode its token ids, and look for the verdict that accepted it."""
    vocabulary = None
    with suppress(ModelError):  # the checkpoints' check reports a base model that is missing
        vocabulary = record.stored.vocabulary
    for example in record.examples:
        counter.count += 1
        what = (
            f"iteration {example.iteration}, training example {example.place} ({example.observation_id}, "
            f"attempt {example.attempt})"
        )
        observation = record.stored.train[example.position]
        digest = training_text_sha256(record.stored.problem, observation, example.response)
        if digest != example.text_sha256:
            yield f"{what}: its text has digest {digest}, recorded is {example.text_sha256}"
        if example.tokens and vocabulary:
            decoded = vocabulary.decode(example.tokens)
            if not storable(decoded).startswith(example.response):
                yield f"{what}: its token ids decode to {decoded!r}, its text is {example.response!r}"
        if example.accepting is None:
            verdicts = ", ".join(
                f"{verdict.verifier}: {verdict.rejected_by or verdict.outcome}"
                for verdict in example.verdicts
            )
            yield f"{what}: {example.selected_by or 'no verifier'} did not accept it ({verdicts or 'no verdict'})"


def _stamps(record: Record, counter: _Counter) -> Iterator[str]:
    """Check that visits have ranks 0 to m - 1, that the stamped ones are the first u, and that D+ has their rationales."""
    for row in record.visits:
        counter.count += row.visits
        what = f"iteration {row.iteration}"
        if (row.visits, row.lowest, row.highest) != (row.m, 0, row.m - 1):
            yield f"{what}: {row.visits} visits with ranks {row.lowest} to {row.highest}, but m is {row.m}"
        if (row.stamped_visits, row.last_stamped) != (row.stamped, row.stamped - 1):
            yield (
                f"{what}: {row.stamped_visits} visits are stamped and the last has rank {row.last_stamped}; the stamped "
                f"visits must be the first {row.stamped}"
            )
        expected, schedule = row.accepted - row.left_out, record.stored.config.schedule
        narrowed = schedule.balance_classes or schedule.train_on == "beta"
        if row.accepted_visits != row.examples or not (
            row.examples == expected or (row.examples < expected and narrowed)
        ):
            yield (
                f"{what}: {row.accepted} rationales are recorded as accepted and {row.left_out} of them as left out, its visits "
                f"have {row.accepted_visits}, and D+ has {row.examples}"
            )
        if row.wrongly_left_out:
            yield f"{what}: {row.wrongly_left_out} of the rationales that training left out are in D+ or were never accepted"


def _statistics(record: Record, counter: _Counter) -> Iterator[str]:
    counter.count = len(record.stored.train)
    for row in record.differences:
        yield f"observation {row.position}: its statistics are {row.stored}, its events give {row.rebuilt}"


def _evaluations(record: Record, counter: _Counter) -> Iterator[str]:
    for row in record.evaluations:
        counter.count += row.total
        if (row.correct, row.total) != (row.right_answers, row.answers):
            yield (
                f"iteration {row.iteration} on {row.split}: {row.correct} of {row.total} recorded, but its answers have "
                f"{row.right_answers} of {row.answers}"
            )


def _items(record: Record, counter: _Counter) -> Iterator[str]:
    """Hash every pinned item again, and check that evaluations answered exactly these items."""
    for item in record.items:
        counter.count += 1
        if (digest := content_sha256(item.observation)) != item.sha256:
            what = f"{item.split} item {item.position} ({item.observation.observation_id})"
            yield f"{what} has digest {digest}, recorded is {item.sha256}"
    for row in record.unpinned:
        yield (
            f"iteration {row.iteration} on {row.split}: the answer at position {row.position} is for {row.observation_id}, "
            f"pinned is {row.pinned or 'nothing'}"
        )


def _data(record: Record, counter: _Counter) -> Iterator[str]:
    """Check that the data still have every pinned item, unchanged."""
    if not record.items:
        return
    try:
        found = find_items(record.items, record.stored.run.name, load_data(record.stored.problem))
        counter.count = sum(map(len, found.values()))
    except DataError as error:
        yield f"the data have changed since the run started: {error}"


CHECKS: dict[str, Check] = {
    "configuration": _configuration,
    "visits and stamps": _stamps,
    "statistics": _statistics,
    "evaluations": _evaluations,
    "validation and test items": _items,
    "rollouts": _rollouts,
    "training examples": _training_examples,
    "checkpoints": _checkpoints,
    "validation and test in the data": _data,
}
"""By name: quick checks first, and last the one that reads outside the run."""
