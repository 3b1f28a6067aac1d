"""``adastar lineage``, ``export``, ``verify``: where training data comes from, and whether the record is sound.

::

    adastar lineage my-run:3
    adastar export my-run --to parquet --output rationales.parquet
    adastar verify my-run
"""

import argparse
from pathlib import Path

from adastar_core.audit import export, verify
from adastar_core.audit.lineage import Lineage, trace
from adastar_core.cli.options import Commands, add_command, database, home_of, stored_run
from adastar_core.cli.output import print_json, print_line, print_table, shortened, wants_json
from adastar_core.machine.units import NONE
from adastar_core.store.provenance import Provenance

_SHOWN_EXAMPLES = 20
_SUFFIXES = {"jsonl": ".jsonl", "parquet": ".parquet", "hub-dataset": ""}


def add(commands: Commands) -> None:
    """Add the commands' parsers."""
    lineage = add_command(
        commands,
        "lineage",
        "show what a checkpoint was trained on",
        "Show a checkpoint's ancestors and every training example of each, with its rollout, random stream, prompt, "
        f"verdicts and versions. Text shows {_SHOWN_EXAMPLES} examples; --json has them all.",
    )
    lineage.add_argument(
        "checkpoint",
        metavar="CHECKPOINT",
        help="RUN:ITERATION, a directory, or the beginning of a digest",
    )
    lineage.set_defaults(action=_lineage)

    exporting = add_command(commands, "export", "write accepted rationales as a data set for fine-tuning")
    exporting.add_argument("run", metavar="RUN", help="name of the run")
    exporting.add_argument("--to", choices=list(export.WRITERS), required=True, help="the form")
    exporting.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help="file or folder; it must not exist (default: RUN and a suffix)",
    )
    exporting.set_defaults(action=_export)

    verifying = add_command(
        commands,
        "verify",
        "check a run's records against each other",
        "Compute every digest anew, rebuild the statistics from the events, and check that every training example was "
        "accepted by a verdict and that stamps are a prefix of the visits. Ends with status 1 at the first violation.",
    )
    verifying.add_argument("run", metavar="RUN", help="name of the run")
    verifying.set_defaults(action=_verify)


def _lineage(options: argparse.Namespace) -> int:
    with database(options) as engine:
        found = trace(engine, home_of(options), options.checkpoint)
        examples = list(found.examples())
    if wants_json(options):
        print_json(_lineage_json(found, examples))
        return 0
    run = found.stored.run
    print_line(f"run {run.name}, uid {run.uid}, configuration {run.config_sha256}")
    versions = dict.fromkeys([run.code_version, *(one.code_version for one in found.owners)])
    print_line(f"made by adastar {', then '.join(versions)}")
    rounded = dict.fromkeys(map(str, found.numerics.values()))
    print_line(f"computed with {', then with '.join(rounded) or 'what was not recorded yet'}\n")
    print_table(
        ("checkpoint", "digest", "directory", "steps", "examples"),
        [
            (
                f"{run.name}:{one.iteration}",
                one.sha256[:16],
                one.path,
                str(one.training.steps) if one.training else NONE,
                str(one.training.examples) if one.training else NONE,
            )
            for one in found.chain
        ],
        left=3,
    )
    print_line(f"\n{len(examples):,} training examples, of which {len(examples[:_SHOWN_EXAMPLES])} follow.")
    headings = ("observation", "verdict", "rationale", "t", "place", "attempt", "stream")
    print_table(headings, [_example_cells(one) for one in examples[:_SHOWN_EXAMPLES]], left=3)
    return 0


def _lineage_json(found: Lineage, examples: list[Provenance]) -> dict[str, object]:
    stored = found.stored
    return {
        "run": stored.run.name,
        "run_uid": stored.run.uid,
        "config_sha256": stored.run.config_sha256,
        "code_version": stored.run.code_version,
        "owners": found.owners,
        "numerics": found.numerics,
        "seed": stored.config.seed,
        "checkpoints": found.chain,
        "examples": [_example_json(found, one) for one in examples],
    }


def _example_json(found: Lineage, one: Provenance) -> dict[str, object]:
    problem, observation = found.stored.problem, found.stored.train[one.position]
    prompt = problem.hinted_prompt(observation) if one.hinted else problem.prompt(observation)
    fields = {name: getattr(one, name) for name in Provenance.__slots__}
    return {**fields, "prompt": prompt, "training_prompt": problem.training_prompt(observation)}


def _example_cells(one: Provenance) -> tuple[str, ...]:
    said = ", ".join(f"{verdict.verifier}: {verdict.outcome}" for verdict in one.verdicts)
    return (
        one.observation_id,
        said,
        shortened(one.response, 50),
        str(one.iteration),
        str(one.place),
        str(one.attempt) + (" (hinted)" if one.hinted else ""),
        f"{one.stream:016x}",
    )


def _export(options: argparse.Namespace) -> int:
    output: Path = options.output or Path(_file_name(options.run) + _SUFFIXES[options.to])
    with stored_run(options) as stored:
        count = export.export(stored, options.to, output)
    if wants_json(options):
        print_json({"run": options.run, "examples": count, "output": output.absolute()})
    else:
        print_line(f"{count:,} training examples: {output}")
    return 0


def _file_name(run: str) -> str:
    return "".join(one if one.isalnum() or one in "._-" else "-" for one in run).lstrip(".") or "run"


def _verify(options: argparse.Namespace) -> int:
    with stored_run(options) as stored:
        checks = []
        for one in verify.verify(stored):
            checks.append(one)
            if not wants_json(options):
                state = "ok" if one.violation is None else f"VIOLATED: {one.violation}"
                print_line(f"{one.name} ({one.count:,}): {state}")
    sound = all(one.violation is None for one in checks)
    if wants_json(options):
        print_json({"run": options.run, "sound": sound, "checks": checks})
    return 0 if sound else 1
