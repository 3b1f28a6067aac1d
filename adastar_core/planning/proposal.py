"""Proposes a configuration for a table and a model: values that fit their lengths, their size and this machine."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml

from adastar_core.generators.settings import GeneratorSettings
from adastar_core.machine.units import counted, size
from adastar_core.models.formats import Format, auto_format
from adastar_core.models.source import is_packaged
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.planning import footprint
from adastar_core.planning.look import TableLook
from adastar_core.planning.memory import machine_memory
from adastar_core.planning.model_look import ModelLook
from adastar_core.planning.shown import COUNT, exemplar_lines
from adastar_core.planning.texts import longest_of
from adastar_core.problems.chat import in_chat
from adastar_core.problems.template import Template
from adastar_core.records import Split
from adastar_core.trainers.settings import TrainerSettings

_SMALL = 500
"""Rows below which a larger share is measured on: a tenth of them says little."""
_BIG = 5000
_MEASURED = {Split.VALIDATION: 300, Split.TEST: 1000}
_BATCH = 8
_WANTED = 0.6
"""Share of the training questions that the last iteration wants: what it needs must be there, and a choice be left."""
_MOST_STEPS = 40
_GROWTH = 1.2
_NEW_TOKENS = 256
"""After worked examples half: responses are as short as theirs, and none that was right was longer than 60."""
_TEMPERATURE = 0.7
"""At 1.0 half as many responses were right, and four times as many never ended (docs/experiments.md)."""
_FEW_PARAMETERS = 1_000_000_000
"""Below this, a model rarely follows an instruction, and continues worked examples instead (docs/experiments.md)."""
_BATCHES = (256, 128, 64, 32, 16, 8, 4, 2)
_ON_A_CPU = 64
"""Rows at once without a GPU: 128 took a tenth less processor time, and nothing is shown before a batch ends."""
_LORA_RANK, _LORA_RATE, _RATE = 16, 1e-4, 1e-5
_SMALL_RATE = 3e-5
"""For few parameters: SmolLM2 unlearned long stories at 1e-4 (docs/experiments.md), and 1e-5 hardly shows in bfloat16 (docs/training.md)."""
_ROOM = 0.7
"""Share of the memory that generation or training may take: Python, torch and other programs need some."""
_ENDINGS = {
    "number": "the number",
    "choice": "the label of the right option",
    "yes_no": "yes or no",
    "math": "the formula",
    "exact": "the answer itself",
    "expression": "the expression",
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration as lines of YAML, each with what it follows from; ``memory`` is this machine's.

    ``exemplars`` are the lines of the file of worked examples that it names, if any.
    """

    lines: tuple[tuple[str, str], ...]
    memory: str
    exemplars: str = ""

    @property
    def text(self) -> str:
        return "".join(f"{line}{f'  # {why}' if why else ''}\n" for line, why in self.lines)


def instruction(table: TableLook) -> str:
    """Return what tells a model to reason, and how its answer must end for the verifier to find it."""
    ending = f"one of: {', '.join(table.classes)}" if table.classes else _ENDINGS[table.verifier]
    return f'Reason step by step, then end with "The answer is" and {ending}.'


def prompt_for(table: TableLook, model: ModelLook, *, shown: bool = False) -> str:
    """Return the template of prompts: a message where the model takes messages, else text to continue.

    After worked examples that are ``shown`` no instruction is needed. The packaged model was taught one form of questions
    and knows no words.
    """
    options = "\n{choices}" if table.columns.choices else ""
    options += "".join(
        f"\n{f'{label})' if label else '-'} {{{name}}}" for label, name in table.columns.options
    )
    if is_packaged(model.name):
        return f"{{question}}{options}\n"
    context = f"{{{table.columns.context}}}\n\n" if table.columns.context else ""
    braced = instruction(table).replace("{", "{{").replace("}", "}}")
    if shown:
        return f"{context}Q: {{question}}{options}\nA:"
    if model.chats:
        return f"{context}{{question}}{options}\n\n{braced}"
    return f"{braced}\n\n{context}Q: {{question}}{options}\nA:"


def propose(table: TableLook, model: ModelLook, exemplars: Path) -> Proposal:
    """Return a configuration that fits, with worked examples in a file at ``exemplars``; nothing is generated or trained."""
    import torch

    room, whose = machine_memory()
    dtype = auto_format(model.directory, on_gpu=torch.cuda.is_available())
    vocabulary = Vocabulary.of(model.directory)
    shown = _worked_examples(table, model, vocabulary)
    chat = model.chats and not shown
    prompt = prompt_for(table, model, shown=bool(shown))
    longest = _longest_prompt(table, vocabulary, prompt, shown, chat=chat)
    new = _new_tokens(table, model, vocabulary, longest, shown=bool(shown))
    generator = _generator(model, longest, new, _ROOM * room, dtype)
    trained = _longest_prompt(table, vocabulary, prompt, "", chat=chat)
    trainer = _trainer(model, trained + new + 1, _ROOM * room, dtype)
    memory = f"{size(room)} of {whose}"
    count = len(table.observations)
    looked = f"the first {count:,} " if count < sum(table.sizes.values()) else ""
    lines = (
        ("# Written by adastar init. Look at it first: adastar run FILE --dry-run", ""),
        (f"model: {_plain(model.name)}", model.summary),
        *_problem_lines(table, prompt),
        *(_shown_lines(exemplars) if shown else _chat_lines(chat)),
        *_schedule_lines(table),
        (f"generator: {_flow(generator)}", f"{looked}prompts have up to {longest:,} tokens; {memory}"),
        (f"trainer: {_flow(trainer)}", "LoRA" if "lora" in trainer else "all parameters"),
    )
    return Proposal(lines, memory, shown)


def _worked_examples(table: TableLook, model: ModelLook, vocabulary: Vocabulary) -> str:
    """Return the lines of worked examples that a small model is shown; empty for others, and where there is no room."""
    if model.parameters >= _FEW_PARAMETERS or is_packaged(model.name):
        return ""
    shown = exemplar_lines(table)
    prompt = prompt_for(table, model, shown=True)
    longest = _longest_prompt(table, vocabulary, prompt, shown, chat=False)
    room = model.positions is None or longest + _NEW_TOKENS <= model.positions
    return shown if room else ""


def _shown_lines(path: Path) -> Iterator[tuple[str, str]]:
    yield f"  exemplars: {_plain(str(path))}", "worked examples, since the model is small; better: your own"
    yield f"evaluation: {{shots: {COUNT}}}", "with them, so that the base model is measured fairly"


def _chat_lines(chat: bool) -> Iterator[tuple[str, str]]:
    yield f"prompt: {{chat: {str(chat).lower()}}}", "whether prompts are messages in the chat template"


def _problem_lines(table: TableLook, prompt: str) -> Iterator[tuple[str, str]]:
    columns, rows = table.columns, sum(table.sizes.values())
    yield "problem:", ""
    yield "  type: table", ""
    yield f"  path: {_plain(table.path)}", counted(rows, "row")
    for key in ("question", "answer", "choices", "id"):
        if name := getattr(columns, key):
            yield f"  {key}: {_plain(name)}", ""
    read = (
        f"cannot read {counted(len(table.unreadable), 'answer')}: fix these rows"
        if table.unreadable
        else "reads every answer"
    )
    yield f"  verifier: {table.verifier}", read
    yield f"  prompt: {json.dumps(prompt, ensure_ascii=False)}", ""
    missing = [split for split in _MEASURED if split not in table.sizes]
    if rows < _SMALL:
        yield from ((f"  {split}_share: 0.2", "of so few rows") for split in missing)
    elif rows > _BIG:
        yield from (
            (f"  {split}_limit: {_MEASURED[split]}", "questions suffice, and save time")
            for split in _MEASURED
        )


def _schedule_lines(table: TableLook) -> Iterator[tuple[str, str]]:
    share = 0.8 if sum(table.sizes.values()) < _SMALL else 0.9
    missing = sum(split not in table.sizes for split in _MEASURED)
    pool = int(table.sizes[Split.TRAIN] * share**missing)
    iterations = 3 if pool < 1000 else 5
    steps = int(_WANTED * pool / _BATCH / _GROWTH ** (iterations - 1))
    steps = min(max(steps, 1), _MOST_STEPS)
    yield f"iterations: {iterations}", "rounds of sampling and training"
    wants = f"{steps * _BATCH:,} accepted rationales in iteration 1, of about {pool:,} training questions"
    yield f"schedule: {{first_steps: {steps}}}", wants


def _longest_prompt(table: TableLook, vocabulary: Vocabulary, prompt: str, shown: str, *, chat: bool) -> int:
    template = Template(prompt)
    prompts = [shown + template.fill(observation) for observation in table.observations]
    if chat:
        prompts = [in_chat(prompt, vocabulary, date.today()) for prompt in prompts]
    return longest_of(vocabulary, prompts)


def _new_tokens(
    table: TableLook, model: ModelLook, vocabulary: Vocabulary, prompt: int, *, shown: bool
) -> int:
    """Return the longest rationale: half as long again as nearly all worked solutions, where the table has them."""
    wanted = _NEW_TOKENS // 2 if shown else _NEW_TOKENS
    if table.solutions:
        lengths = sorted(len(vocabulary.completion_ids(text)) for text in table.solutions)
        wanted = max(64, 32 * math.ceil(1.5 * lengths[int(0.95 * (len(lengths) - 1))] / 32))
    return wanted if model.positions is None else max(min(wanted, model.positions - prompt - 1), 1)


def _generator(model: ModelLook, prompt: int, new: int, room: float, dtype: Format) -> dict[str, object]:
    """Return the generator's values, with the largest batch that fits and still shows progress."""
    import torch

    for rows in _BATCHES if torch.cuda.is_available() else (rows for rows in _BATCHES if rows <= _ON_A_CPU):
        settings = GeneratorSettings(batch_size=rows, max_new_tokens=new, dtype=dtype)
        if footprint.generation_memory(model.directory, settings, prompt).total <= room:
            break
    return {"temperature": _TEMPERATURE, "batch_size": rows, "max_new_tokens": new}


def _trainer(model: ModelLook, text: int, room: float, dtype: Format) -> dict[str, object]:
    """Return the trainer's values: all parameters with the largest micro-batch that fits, else LoRA."""
    longest = text if model.positions is None else min(text, model.positions)
    own = {"max_length": longest} if longest > TrainerSettings().max_length else {}
    rate = _SMALL_RATE if model.parameters < _FEW_PARAMETERS else _RATE
    values: dict[str, object] = {}
    for lora in (None, {"rank": _LORA_RANK}):
        for saving in (False, True):
            for rows in (8, 4, 2, 1):
                values = {"learning_rate": rate if lora is None else _LORA_RATE, "batch_size": _BATCH, **own}
                values |= {"micro_batch_size": rows} if rows < _BATCH else {}
                values |= {"gradient_checkpointing": True} if saving else {}
                values |= {"lora": lora} if lora else {}
                settings = TrainerSettings.model_validate({**values, "dtype": dtype})
                if footprint.training_memory(model.directory, settings, longest).total <= room:
                    return values
    return values


def _plain(text: str) -> str:
    return yaml.safe_dump(text, allow_unicode=True, width=10**6).removesuffix("...\n").strip()


def _flow(values: dict[str, object]) -> str:
    return yaml.safe_dump(values, default_flow_style=True, sort_keys=False, width=10**6).strip()
