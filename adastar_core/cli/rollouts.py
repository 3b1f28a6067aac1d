"""``adastar rollouts``: what the model said, and what the verifier made of it.

::

    adastar rollouts my-run --wrong
    adastar rollouts my-run --observation train-17 --limit 50
    adastar rollouts my-run --iteration 2 --search "therefore"
"""

from dataclasses import asdict
from typing import Annotated

from cyclopts import Group, Parameter
from cyclopts.validators import Number, mutually_exclusive

from adastar_core.cli.app import OPTIONS
from adastar_core.cli.options import Common, RunName
from adastar_core.cli.output import print_json, print_line
from adastar_core.errors import DataError, UserError
from adastar_core.runs.stored import StoredRun
from adastar_core.store.browse import (
    Condition,
    RolloutKey,
    ShownRollout,
    Wanted,
    find_position,
    read_rollouts,
)

_KIND = Parameter(group=(OPTIONS, Group(validator=mutually_exclusive)), show_default=False)
_INDENT = 12


def rollouts(
    run: RunName,
    /,
    *,
    iteration: Annotated[int | None, Parameter(metavar="N")] = None,
    right: Annotated[bool, _KIND] = False,
    wrong: Annotated[bool, _KIND] = False,
    undecided: Annotated[bool, _KIND] = False,
    rejected: Annotated[bool, _KIND] = False,
    observation: Annotated[str | None, Parameter(metavar="ID")] = None,
    search: Annotated[str | None, Parameter(metavar="TEXT")] = None,
    limit: Annotated[int, Parameter(metavar="N", validator=Number(gte=1))] = 10,
    after: Annotated[str | None, Parameter(metavar="KEY")] = None,
    common: Common = Common(),
) -> int:
    """Print rollouts, the newest iteration first.

    Args:
        iteration: Of this iteration only.
        right: Those with a right answer.
        wrong: Those with a wrong answer.
        undecided: Those that the verifier could not decide.
        rejected: Those with a right answer that the rationale filter kept out of training.
        observation: Attempts at this observation.
        search: Those whose response contains this text, in upper or lower case.
        limit: Largest number of rollouts.
        after: Begin after this one, e.g. 3:17:1, as the last line of the page before says.
    """
    wanted: Wanted = "all"
    if right or wrong or undecided or rejected:
        wanted = "right" if right else "wrong" if wrong else "undecided" if undecided else "rejected"
    with common.stored_run(run) as stored:
        position = None if observation is None else _position(stored, observation)
        condition = Condition(wanted, iteration, position, search)
        start = None if after is None else _key(after)
        found = stored.read(read_rollouts, stored.run.dataset_id, condition, limit + 1, start)
    shown, more = found[:limit], len(found) > limit
    if common.json:
        rows = [{**asdict(rollout), "stream": str(rollout.stream)} for rollout in shown]
        return print_json({"run": run, "rollouts": rows, "next": str(shown[-1].key) if more else None})
    for rollout in shown:
        print_line(as_text(rollout))
    if not shown:
        print_line("No rollout of this run is like that." if after is None else "There are no more.")
    if more:
        print_line(f"There are more: the same command with --after {shown[-1].key}")
    return 0


def as_text(rollout: ShownRollout) -> str:
    """Return a rollout as lines of a name and a value; what the model wrote is indented under its name."""
    hinted = "with a hint" if rollout.hinted else "without a hint"
    place = f"iteration {rollout.iteration}, observation {rollout.observation_id}, attempt {rollout.attempt}"
    options = "".join(f"\n({choice.label}) {choice.text}" for choice in rollout.choices)
    parts = (
        ("question", rollout.question + options),
        *rollout.context,
        ("rationale", rollout.response),
        ("answer", f"{_answer(rollout)}; the reference is {rollout.reference}"),
        ("verdict", _verdict(rollout)),
        ("made by", _origin(rollout)),
    )
    lines = (f"{name:{_INDENT}}" + value.replace("\n", "\n" + " " * _INDENT) for name, value in parts)
    return (
        f"── {rollout.key}  {rollout.outcome or 'not judged'} · {place}, {hinted}\n" + "\n".join(lines) + "\n"
    )


def _answer(rollout: ShownRollout) -> str:
    if rollout.extracted is None:
        return "none found"
    return f"{rollout.extracted} (found by {rollout.found_by})" if rollout.found_by else rollout.extracted


def _verdict(rollout: ShownRollout) -> str:
    if rollout.outcome is None:
        return "not judged yet"
    steps = {None: "", True: "; every step is right", False: "; a step is wrong"}[rollout.rationale_correct]
    rejected = (
        f"; kept out of training: {rollout.rejected_by}, {rollout.rejected_because}"
        if rollout.rejected_by
        else ""
    )
    trained = "; trained on" if rollout.trained else ""
    return f"{rollout.outcome}, {rollout.reason}{steps}{rejected}{trained} ({rollout.verifier})"


def _origin(rollout: ShownRollout) -> str:
    t = rollout.checkpoint_iteration
    made_by = f"checkpoint {t}" if t else "the base model"
    return (
        f"{made_by} ({rollout.checkpoint_sha256[:16]}), stream {rollout.stream:016x}, "
        f"{rollout.generated_tokens:,} tokens, ended by {rollout.finish_reason}"
    )


def _position(stored: StoredRun, observation: str) -> int:
    with stored.engine.connect() as connection:
        position = find_position(connection, stored.run.dataset_id, observation)
    if position is None:
        raise DataError(
            f"Run {stored.run.name!r} has no observation {observation!r} in its training data. "
            f"`adastar observations` lists their ids."
        )
    return position


def _key(text: str) -> RolloutKey:
    parts = text.split(":")
    if len(parts) != len(RolloutKey._fields) or not all(
        part.isdecimal() and len(part) < 10 for part in parts
    ):
        raise UserError(
            f"--after {text} is not a rollout's key. Write ITERATION:POSITION:ATTEMPT, such as 3:17:1."
        )
    return RolloutKey(*map(int, parts))
