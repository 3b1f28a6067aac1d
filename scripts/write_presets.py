"""Write the benchmarks' presets: a smoke run for each with rows of our own, and a run for each data set and model of the paper's tables.

Run it after changing a number here. A test compares the files with what this writes::

    python scripts/write_presets.py
"""

import json
from dataclasses import dataclass
from pathlib import Path

PRESETS = Path(__file__).resolve().parents[1] / "adastar_core" / "presets"
TITLES = {
    "arc_challenge": "ARC-Challenge",
    "commonsense_qa": "CommonsenseQA",
    "cladder": "CLadder 1.5",
    "anli_r1": "ANLI round 1",
    "gsm8k": "GSM8K",
    "svamp": "SVAMP",
}
MODELS = {
    "llama": ("meta-llama/Llama-3.2-3B", "Llama 3.2 3B"),
    "qwen": ("Qwen/Qwen2.5-3B", "Qwen 2.5 3B"),
    "gemma": ("google/gemma-7b", "Gemma 7B"),
}
LORA = """\
  lora:  # rank from the paper; alpha and dropout from the authors' code; the modules are PEFT's default there
    rank: 32
    alpha: 64
    dropout: 0.1
    target_modules: [q_proj, v_proj]
"""
ROWS = 120
RATIONALIZED = ("arc_challenge", "commonsense_qa", "cladder", "anli_r1")


@dataclass(frozen=True, slots=True)
class PaperRun:
    """A pair of data set and model in Table 1, 5 or 6: AdaSTaR's percentage there at its best iteration on test.

    ``new_tokens`` is the longest rationale in the authors' configuration, for this pair or the closest one.
    """

    problem: str
    model: str
    table: int
    accuracy: float
    iterations: int
    new_tokens: int


PAPER_RUNS = (
    PaperRun("arc_challenge", "llama", 1, 73.8, 10, 381),
    PaperRun("commonsense_qa", "llama", 1, 78.0, 20, 159),
    PaperRun("cladder", "llama", 1, 95.6, 23, 300),
    PaperRun("anli_r1", "llama", 1, 66.8, 21, 128),
    PaperRun("svamp", "llama", 1, 75.5, 9, 130),
    PaperRun("gsm8k", "qwen", 1, 77.0, 2, 440),
    PaperRun("arc_challenge", "qwen", 5, 85.0, 12, 381),
    PaperRun("svamp", "qwen", 5, 94.5, 8, 256),
    PaperRun("arc_challenge", "gemma", 6, 85.4, 14, 127),
    PaperRun("anli_r1", "gemma", 6, 65.2, 20, 150),
    PaperRun("svamp", "gemma", 6, 89.5, 14, 256),
)


def paper_preset(run: PaperRun) -> str:
    name, title = MODELS[run.model]
    lora = LORA if run.model == "gemma" else ""
    return f"""\
# {TITLES[run.problem]} with {title}, near the AdaSTaR row of the paper's Table {run.table} ({run.accuracy} % at iteration {run.iterations}, chosen on test)
# From the paper: rates, batch, warm-up, decay, temperature, hints. From the authors' code: alpha, early stop of attempts, top-p, rationale length.
# Ours: exemplars, verdicts, no top-k, clipping, AdamW, order of training, selection on validation (docs/methods.md).
iterations: {run.iterations}
problem:
  type: {run.problem}
model: {name}
method: adastar
attempts: 2
attempt_mode: until_correct
rationalize: {str(run.problem in RATIONALIZED).lower()}
schedule:
  first_steps: 40
  growth: 1.2
generator:
  batch_size: 64
  temperature: 1.0
  top_p: 0.9
  max_new_tokens: {run.new_tokens}
filter:
  truncated: false
  empty: false
  hint_echo: false
  exact_duplicates: false
trainer:
  start_from: accumulate
  learning_rate: 1.0e-5
  batch_size: 8
  micro_batch_size: 2
  warmup_steps: 100
  decay: constant
  weight_decay: 0.01
{lora}"""


def smoke_preset(problem: str) -> str:
    return f"""\
# Smoke test of {TITLES[problem]}: data, references, evaluation, training and report, in a minute on a CPU
# The rows are our own, in the benchmark's schema; --set problem.path=FOLDER takes real ones. The packaged model solves
# none of them, so the run trains on the reference answers: it shows that all parts work, not that a model improves.
iterations: 1
problem:
  type: {problem}
  path: smoke/{problem}.jsonl
  train_limit: 64
  validation_share: 0.15
  validation_limit: 16
  test_share: 0.15
  test_limit: 16
  shots: 0
model: tiny-adder
method: sft
schedule:
  first_steps: 2
generator:
  max_new_tokens: 24
trainer:
  batch_size: 4
  max_length: 2048
"""


def presets() -> dict[str, str]:
    smoke = {f"smoke-{problem}": smoke_preset(problem) for problem in TITLES}
    return smoke | {f"paper-{run.problem}-{run.model}": paper_preset(run) for run in PAPER_RUNS}


def smoke_rows(problem: str) -> list[dict[str, object]]:
    """Return rows of our own in a benchmark's schema, each a small fact about its number."""
    make = {
        "gsm8k": _gsm8k,
        "svamp": _svamp,
        "arc_challenge": _shortest,
        "commonsense_qa": _shortest,
        "cladder": _cladder,
        "anli_r1": _anli,
    }[problem]
    return [make(number) for number in range(ROWS)]


def _gsm8k(number: int) -> dict[str, object]:
    each, shelves, floor = 3 + number % 17, 2 + number % 5, 1 + number % 7
    held, total = each * shelves, each * shelves + floor
    asked = f"A cellar has {shelves} shelves with {each} jars each, and {floor} jars on the floor. How many jars are there?"
    shown = f"<<{shelves}*{each}={held}>>{held} jars. With the floor there are {held} + {floor} = <<{held}+{floor}={total}>>"
    return {
        "question": asked,
        "answer": f"The shelves hold {shelves} * {each} = {shown}{total}.\n#### {total}",
    }


def _svamp(number: int) -> dict[str, object]:
    had, lost = 40 + number, 3 + number % 11
    return {
        "ID": f"smoke-{number}",
        "Body": f"A farmer had {had} hens and sold {lost} of them.",
        "Question": "How many hens are left?",
        "Answer": had - lost,
        "Type": "Subtraction",
    }


def _shortest(number: int) -> dict[str, object]:
    lengths = [20 + number % 9 + 10 * place for place in range(4)]
    lengths[number % 4] = 3 + number % 15
    return {
        "id": f"smoke-{number}",
        "question": f"Four sticks are numbered {number} to {number + 3}. Which length is that of the shortest?",
        "choices": {"text": [f"{length} cm" for length in lengths], "label": list("ABCD")},
        "answerKey": "ABCD"[number % 4],
    }


def _cladder(number: int) -> dict[str, object]:
    walk, sit = 20 + number % 61, 20 + number * 7 % 59
    asked = (
        f"In town {number}, {walk} % of those who walk sleep well, and {sit} % of those who do not. Do those who walk sleep "
        "well more often?"
    )
    return {"id": number, "prompt": asked, "label": "yes" if walk > sit else "no", "rung": 1 + number % 3}


def _anli(number: int) -> dict[str, object]:
    opens = 7 + number % 4
    said = (f"opens at {opens}", "has a blue door", f"opens at {opens + 2}")[number % 3]
    return {
        "uid": f"smoke-{number}",
        "premise": f"The shop in street {number} sells bread and opens at {opens}.",
        "hypothesis": f"The shop in street {number} {said}.",
        "label": number % 3,
    }


def smoke_files() -> dict[str, str]:
    """Return the rows of every smoke test as JSON lines, by the name of their file."""
    return {
        f"{problem}.jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in smoke_rows(problem))
        for problem in TITLES
    }


if __name__ == "__main__":
    (PRESETS / "smoke").mkdir(exist_ok=True)
    for name, text in smoke_files().items():
        (PRESETS / "smoke" / name).write_text(text, encoding="utf-8")
    for preset, text in presets().items():
        (PRESETS / f"{preset}.yaml").write_text(text, encoding="utf-8")
