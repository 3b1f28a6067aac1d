"""Write the benchmarks' presets: a smoke run for each, and a run for each data set and model of the paper's tables.

Run it after changing a number here. A test compares the files with what this writes::

    python scripts/write_presets.py
"""

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
# Smoke test of {TITLES[problem]}: the whole loop on 64 observations from --set problem.path=FOLDER, on a CPU
# The tiny model solves none of these, so the run ends after sampling. Use a better one with --set model=FOLDER.
iterations: 1
problem:
  type: {problem}
  path: ./data/{problem}
  train_limit: 64
  validation_limit: 16
  test_limit: 16
  shots: 0
model: tiny-adder
rationalize: {str(problem in RATIONALIZED).lower()}
schedule:
  first_steps: 2
generator:
  max_new_tokens: 24
trainer:
  batch_size: 4
  max_length: 4096
"""


def presets() -> dict[str, str]:
    smoke = {f"smoke-{problem}": smoke_preset(problem) for problem in TITLES}
    return smoke | {f"paper-{run.problem}-{run.model}": paper_preset(run) for run in PAPER_RUNS}


if __name__ == "__main__":
    for preset, text in presets().items():
        (PRESETS / f"{preset}.yaml").write_text(text, encoding="utf-8")
