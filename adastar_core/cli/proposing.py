"""``adastar init``: from a table and a model to a configuration that runs."""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import yaml
from cyclopts import Parameter

from adastar_core.cli.output import print_line
from adastar_core.config import files
from adastar_core.errors import AdaStarError, UserError
from adastar_core.machine.units import counted
from adastar_core.planning.look import (
    NONE,
    RawTable,
    TableLook,
    examples,
    look_at_table,
    read_table,
)
from adastar_core.verifiers.catalogue import VERIFIER_NAMES, VerifierName

if TYPE_CHECKING:
    from adastar_core.planning.proposal import Proposal

_COLUMN = Parameter(metavar="COLUMN")
_ASKED = ("question", "answer", "choices", "context", "id", "verifier")
_YES = ("", "y", "yes")
_SHOWN = 70


def init(
    data: Annotated[str | None, Parameter(metavar="DATA")] = None,
    /,
    *,
    model: Annotated[str | None, Parameter(metavar="MODEL")] = None,
    question: Annotated[str | None, _COLUMN] = None,
    answer: Annotated[str | None, _COLUMN] = None,
    choices: Annotated[str | None, _COLUMN] = None,
    context: Annotated[str | None, _COLUMN] = None,
    id: Annotated[str | None, _COLUMN] = None,
    verifier: VerifierName | None = None,
    yes: Annotated[bool, Parameter(name=("--yes", "-y"), negative=())] = False,
    output: Annotated[Path, Parameter(metavar="FILE.yaml")] = Path("run.yaml"),
) -> int:
    """Look at a table and a model, and write a configuration that fits both and this machine.

    Args:
        data: Your table: a file (.jsonl, .json, .csv, .tsv, .parquet), a folder, or a hub name. Asked for on a terminal.
        model: tiny-adder, a name from `adastar models`, a directory, a .gguf file, or a hub name. Asked for on a terminal.
        question: The column with the question; a.b looks into a nested one. Columns are found by name, else by content.
        answer: The column with the answer, alone or at the end of a worked solution.
        choices: The column with the options of multiple-choice questions; none: there is none.
        context: A column that belongs before the question, such as a passage; none: there is none. The prompt in the file
            may show any other column too, as {column}.
        id: The column with a unique id; none: rows are named by their content.
        verifier: What compares answers (default: the first that can read them).
        yes: Take the columns as they are found. Otherwise a terminal asks, unless question and answer are named.
        output: Where the configuration is written; a file that exists is not overwritten.
    """
    given = {"question": question, "answer": answer, "choices": choices, "context": context, "id": id}
    worked = output.with_suffix(".exemplars.jsonl")
    for path in (output, worked):
        if path.exists():
            raise UserError(f"{path} exists and is not overwritten. Name another file with --output.")
    named = question is not None and answer is not None
    found = read_table(_asked(data, "DATA", "Data file"))
    table = _agreed(found, {**given, "verifier": verifier}, ask=sys.stdin.isatty() and not (yes or named))
    known = _asked(model, "--model MODEL", "Model (a name, a directory, or a .gguf file)")
    _write(_proposed(table, known, worked), output, worked)
    return 0


def _agreed(table: RawTable, given: dict[str, str | None], *, ask: bool) -> TableLook:
    """Show what was found in a table, and return it once the person at the terminal, if any, agrees."""
    while True:
        try:
            columns = {name: column for name, column in given.items() if name != "verifier"}
            found = look_at_table(table, verifier=_verifier(given["verifier"]), **columns)
            for line in _about_table(found):
                print_line(line)
        except UserError as error:
            if not ask:
                raise
            print_line(str(error))
            found = None
        if found is not None and not ask:
            return found
        reply = _answered("Right? Press Enter, or change it, e.g. answer=solution, choices=none").strip()
        if found is not None and reply.lower() in _YES:
            return found
        given = {**given, **_changes(reply)}


def _verifier(name: str | None) -> VerifierName | None:
    return next((known for known in VERIFIER_NAMES if known == name), None)


def _changes(reply: str) -> dict[str, str | None]:
    """Return what ``answer=solution, choices=none`` changes; a word that is no change is named, and changes nothing."""
    changes: dict[str, str | None] = {}
    for part in re.split(r",\s*(?=\w+\s*=)", reply):
        key, _, value = (word.strip() for word in part.partition("="))
        if key not in _ASKED or not value:
            print_line(
                f"{part!r} is not understood. Write one of {', '.join(_ASKED)}, =, and a column or {NONE}."
            )
        elif key == "verifier" and value not in VERIFIER_NAMES:
            print_line(f"There is no verifier {value!r}. Write one of {', '.join(VERIFIER_NAMES)}.")
        else:
            changes[key] = value
    return changes


def _about_table(table: TableLook) -> Iterator[str]:
    """Yield what was found in a table, a line each."""
    first, columns = table.observations[0], table.columns
    parts = ", ".join(f"{counted(count, 'row')} of {split}" for split, count in table.sizes.items())
    rows = parts if len(table.sizes) > 1 else counted(sum(table.sizes.values()), "row")
    yield f"Data       {table.path}: {rows}"
    yield f"Columns    {', '.join(table.names)}"
    yield f"Question   column {columns.question}, e.g. {first.question[:_SHOWN]!r}"
    if columns.context:
        yield f"Context    column {columns.context}, e.g. {dict(first.context)[columns.context][:_SHOWN]!r}"
    yield f"Answer     column {columns.answer}, e.g. {first.answer[:_SHOWN]!r}"
    if columns.choices:
        options = ", ".join(f"({choice.label}) {choice.text[:20]}" for choice in first.choices)
        yield f"Options    column {columns.choices}, e.g. {options}"
    if columns.id:
        yield f"Id         column {columns.id}, e.g. {first.observation_id[:_SHOWN]!r}"
    looked, cannot = len(table.observations), table.unreadable
    read = f"{looked - len(cannot):,} of {counted(looked, 'answer')}" if cannot else "every answer"
    yield f"Verifier   {table.verifier}: it reads {read}{f', not {examples(cannot)}' if cannot else ''}"
    yield from (f"Note: {note}" for note in table.notes)


def _proposed(table: TableLook, model: str, worked: Path) -> "Proposal":
    """Look at the model, show what was found, and return what fits."""
    from adastar_core.planning.model_look import look_at_model  # slow to load: a table is refused before
    from adastar_core.planning.proposal import propose

    known = look_at_model(model)
    print_line(f"Model      {known.name}: {known.summary}")
    if known.unusable:
        print_line(f"Note: {known.unusable}")
    return propose(table, known, worked)


def _write(proposal: "Proposal", output: Path, worked: Path) -> None:
    """Show the configuration and write the files, and refuse what would be refused when it runs."""
    import torch

    from adastar_core.planning.plan import plan_of
    from adastar_core.planning.text import warning_lines

    print_line(f"Here       {proposal.memory}")
    text = proposal.text.replace("run FILE", f"run {output}")
    written = {worked: proposal.exemplars, output: text} if proposal.exemplars else {output: text}
    for path, content in written.items():
        try:
            path.write_text(content, encoding="utf-8")
        except OSError as error:
            raise UserError(
                f"{path} cannot be written: {error.strerror}. Name another file with --output."
            ) from error
    names = " and ".join(map(str, reversed(written)))
    print_line(f"\n{text}")
    values: Mapping[object, object] = yaml.safe_load(text)
    try:
        config = files.resolve({str(key): value for key, value in values.items()})
        plan = plan_of(config, on_gpu=torch.cuda.is_available())
    except AdaStarError:
        print_line(f"Written to {names}, which cannot run yet:")
        raise
    for line in (*warning_lines(plan, None), *plan.data_notes):
        print_line(line)
    print_line(f"Written to {names}. Next: adastar run {output} --dry-run, then adastar run {output}")


def _asked(given: str | None, option: str, question: str) -> str:
    """Return what was given, or what a person at the terminal answers.

    Raises:
        UserError: There is no one to ask.
    """
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise UserError(f"{question}: not given. Write adastar init DATA --model MODEL; {option} is missing.")
    return _answered(question)


def _answered(question: str) -> str:
    from rich.prompt import Prompt

    try:
        return Prompt.ask(question, default="", show_default=False)
    except EOFError as error:
        raise UserError("The input has ended before everything was answered. Nothing was written.") from error
