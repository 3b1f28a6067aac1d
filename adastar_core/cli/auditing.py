"""``adastar lineage``, ``export``, ``verify``, ``reverify``: where training data comes from, and whether the record is sound.

::

    adastar lineage my-run:3
    adastar export my-run --to parquet --output rationales.parquet
    adastar verify my-run
    adastar reverify my-run --verifier number
"""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from adastar_core.audit.disagreements import as_json, print_disagreements
from adastar_core.audit.export import WRITERS
from adastar_core.audit.export import export as write_export
from adastar_core.audit.lineage import Lineage, trace
from adastar_core.audit.reverify import reverify as judge_again
from adastar_core.audit.verify import verify as checks_of
from adastar_core.cli.app import Flag
from adastar_core.cli.options import Common, RunName
from adastar_core.cli.output import console, print_json, print_line, print_table, shortened
from adastar_core.machine.units import NONE
from adastar_core.store.provenance import Provenance
from adastar_core.verifiers.catalogue import parse_verifier

_SHOWN_EXAMPLES = 20
_SUFFIXES = {"jsonl": ".jsonl", "parquet": ".parquet", "hub-dataset": ""}


def lineage(checkpoint: str, /, *, common: Common = Common()) -> int:
    """Print a checkpoint's ancestors and their training examples.

    Args:
        checkpoint: RUN:ITERATION, a directory, or the beginning of a digest.
    """
    with common.database() as engine:
        found = trace(engine, common.directory(), checkpoint)
        if common.json:
            return print_json(_lineage_json(found))
        _print_lineage(found)
    return 0


def _lineage_json(found: Lineage) -> dict[str, object]:
    run = found.stored.run
    return {
        "run": run.name,
        "run_uid": run.uid,
        "config_sha256": run.config_sha256,
        "code_version": run.code_version,
        "owners": found.owners,
        "numerics": found.numerics,
        "seed": found.stored.config.seed,
        "checkpoints": found.chain,
        "examples": [_example_json(found, example) for example in found.examples()],
        "origin": found.origin and _lineage_json(found.origin),
    }


def _print_lineage(found: Lineage) -> None:
    run, examples = found.stored.run, list(found.examples())
    versions = dict.fromkeys([run.code_version, *(owner.code_version for owner in found.owners)])
    numerics = dict.fromkeys(map(str, found.numerics.values()))
    print_line(f"run {run.name}, uid {run.uid}, configuration {run.config_sha256}")
    print_line(f"made by adastar {', then '.join(versions)}")
    print_line(f"computed with {', then with '.join(numerics) or 'an unrecorded environment'}\n")
    ancestors = []
    for ancestor in found.chain:
        made = ancestor.training
        counts = (str(made.steps), str(made.examples)) if made else (NONE, NONE)
        ancestors.append((f"{run.name}:{ancestor.iteration}", ancestor.sha256[:16], ancestor.path, *counts))
    print_table(("checkpoint", "digest", "directory", "steps", "examples"), ancestors, left=3)
    shown = examples[:_SHOWN_EXAMPLES]
    print_line(f"\n{len(examples):,} training examples; the first {len(shown)}:")
    headings = ("observation", "verdict", "rationale", "t", "place", "attempt", "stream")
    print_table(headings, map(_example_cells, shown), left=3)
    if found.origin is not None:
        print_line(f"\nThe base model is a checkpoint of another run, {found.origin.stored.run.name}:\n")
        _print_lineage(found.origin)


def _example_json(found: Lineage, example: Provenance) -> dict[str, object]:
    problem, observation = found.stored.problem, found.stored.train[example.position]
    prompt = problem.hinted_prompt(observation) if example.hinted else problem.prompt(observation)
    fields = {name: getattr(example, name) for name in Provenance.__slots__}
    return {**fields, "prompt": prompt, "training_prompt": problem.training_prompt(observation)}


def _example_cells(example: Provenance) -> tuple[str, ...]:
    return (
        example.observation_id,
        ", ".join(f"{verdict.verifier}: {verdict.outcome}" for verdict in example.verdicts),
        shortened(example.response, 50),
        str(example.iteration),
        str(example.place),
        str(example.attempt) + (" (hinted)" if example.hinted else ""),
        f"{example.stream:016x}",
    )


def export(
    run: RunName,
    /,
    *,
    to: Annotated[str, Parameter(name=("--to", "--format"), choices=tuple(WRITERS))],
    output: str | None = None,
    common: Common = Common(),
) -> int:
    """Write a run's accepted rationales, or pairs of right and wrong attempts.

    Args:
        to: The format: rationales with their provenance (jsonl, parquet, hub-dataset), rationales for another trainer
            (trl-sft, sharegpt, axolotl), or pairs (trl-dpo).
        output: File or folder, here or as a URL (s3://BUCKET/FILE); it must not exist (default: RUN, the format and a suffix).
    """
    file_name = "".join(sign if sign.isalnum() or sign in "._-" else "-" for sign in run).lstrip(".") or "run"
    target = output or file_name + _SUFFIXES.get(to, f".{to}.jsonl")
    with common.stored_run(run) as stored:
        count = write_export(stored, to, target)
    if common.json:
        return print_json(
            {"run": run, "examples": count, "output": target if "://" in target else Path(target).absolute()}
        )
    print_line(f"{count:,} {'preference pairs' if to == 'trl-dpo' else 'training examples'}: {target}")
    return 0


def verify(run: RunName, /, *, common: Common = Common()) -> int:
    """Print every check of a run's records; the status is 1 where one is violated."""
    with common.stored_run(run) as stored:
        checks = []
        for check in checks_of(stored):
            checks.append(check)
            if not common.json:
                state = "ok" if check.violation is None else f"VIOLATED: {check.violation}"
                print_line(f"{check.name} ({check.count:,}): {state}")
    sound = all(check.violation is None for check in checks)
    if common.json:
        print_json({"run": run, "sound": sound, "checks": checks})
    return 0 if sound else 1


def reverify(
    run: RunName,
    /,
    *,
    verifier: Annotated[str | None, Parameter(metavar="NAME")] = None,
    fall_back: Annotated[bool, Flag] = False,
    examples: Annotated[int, Parameter(metavar="N")] = 3,
    common: Common = Common(),
) -> int:
    """Print disagreements, and on standard error how far it is.

    Args:
        verifier: number, choice, yes_no, label, math, exact, expression, or the import path of your own (default: the problem's).
        fall_back: Take the last number, letter, or yes or no where none is declared.
        examples: Examples of every kind of disagreement.
    """

    def say(iteration: int, judged: int | None) -> None:
        done = "left out, it is being sampled" if judged is None else f"{judged:,} rollouts judged"
        print(f"iteration {iteration}: {done}", file=sys.stderr)

    with common.database() as engine:
        named = parse_verifier(verifier) if verifier else None
        result = judge_again(engine, run, named, fall_back=fall_back, examples=examples, on_iteration=say)
    if common.json:
        print(as_json(result))
    else:
        print_disagreements(result, console())
    return 0
