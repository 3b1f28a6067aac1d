"""``adastar init``: from a table and a model to a configuration that runs."""

import sys
from pathlib import Path
from typing import Annotated

import yaml
from cyclopts import Parameter

from adastar_core.cli.output import print_line
from adastar_core.config import files
from adastar_core.errors import UserError


def init(
    data: Annotated[str | None, Parameter(metavar="DATA")] = None,
    /,
    *,
    model: Annotated[str | None, Parameter(metavar="MODEL")] = None,
    question: Annotated[str | None, Parameter(metavar="COLUMN")] = None,
    answer: Annotated[str | None, Parameter(metavar="COLUMN")] = None,
    choices: Annotated[str | None, Parameter(metavar="COLUMN")] = None,
    output: Annotated[Path, Parameter(metavar="FILE.yaml")] = Path("run.yaml"),
) -> int:
    """Look at a table and a model, and write a configuration that fits both and this machine.

    Args:
        data: Your table: a file (.jsonl, .json, .csv, .parquet), a folder, or a hub name. Asked for on a terminal.
        model: tiny-adder, a name from `adastar models`, a directory, a .gguf file, or a hub name. Asked for on a terminal.
        question: The column with the question (default: found by name, else by what is in it).
        answer: The column with the answer, alone or at the end of a worked solution.
        choices: The column with the options of multiple-choice questions.
        output: Where the configuration is written; a file that exists is not overwritten.
    """
    from adastar_core.planning.look import look_at_model, look_at_table
    from adastar_core.planning.proposal import propose

    if output.exists():
        raise UserError(f"{output} exists and is not overwritten. Name another file with --output.")
    table = look_at_table(
        _asked(data, "DATA", "Data file"), question=question, answer=answer, choices=choices
    )
    first, columns = table.observations[0], table.columns
    parts = ", ".join(f"{count:,} rows of {split}" for split, count in table.sizes.items())
    print_line(
        f"Data       {table.path}: {parts if len(table.sizes) > 1 else f'{sum(table.sizes.values()):,} rows'}"
    )
    print_line(f"Question   column {columns.question}, e.g. {first.question[:70]!r}")
    print_line(f"Answer     column {columns.answer}, e.g. {first.answer[:70]!r}")
    if columns.choices:
        options = ", ".join(f"({choice.label}) {choice.text[:20]}" for choice in first.choices)
        print_line(f"Options    column {columns.choices}, e.g. {options}")
    looked = len(table.observations)
    read = f"{looked - table.unreadable:,} of {looked:,}" if table.unreadable else f"all {looked:,}"
    print_line(f"Verifier   {table.verifier}: it reads {read} answers")
    found = look_at_model(_asked(model, "--model MODEL", "Model (a name, a directory, or a .gguf file)"))
    chat = (
        "with a chat template"
        if found.no_chat is None
        else f"without chat ({found.no_chat.partition('. ')[0]})"
    )
    positions = "any length" if found.positions is None else f"{found.positions:,} positions"
    print_line(f"Model      {found.name}: {found.parameters:,} parameters, {positions}, {chat}")
    proposal = propose(table, found)
    print_line(f"Here       {proposal.memory}; the longest prompt has {proposal.longest_prompt:,} tokens")
    text = proposal.text.replace("run FILE", f"run {output}")
    config = files.resolve({str(key): value for key, value in yaml.safe_load(text).items()})
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{output} cannot be written: {error.strerror}. Name another file with --output."
        ) from error
    print_line(
        f"\n{text}\nWritten to {output}. Next: adastar run {output} --dry-run, then adastar run {output}"
    )
    from adastar_core.planning.plan import plan_of
    from adastar_core.planning.text import warning_lines

    plan = plan_of(config)  # refuses what would be refused when it runs
    for line in (*warning_lines(plan, None), *plan.data_notes):
        print_line(line)
    return 0


def _asked(given: str | None, option: str, question: str) -> str:
    """Return what was given, or what a person at the terminal answers.

    Raises:
        UserError: There is no one to ask.
    """
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise UserError(f"{question}: not given. Write adastar init DATA --model MODEL; {option} is missing.")
    from rich.prompt import Prompt

    return Prompt.ask(question)
