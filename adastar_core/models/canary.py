"""The canary: log-probabilities of a few fixed tokens, by which an engine proves which weights it holds.

They are recorded when a checkpoint is saved, in a hidden file outside its digest. After every hand-over the engine measures
them on the path that generation uses, also for prompts longer than a block of its cache: keys and values left from
other weights show as well.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from adastar_core.streams import rng

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FILE = ".canary.json"
_CONTEXTS = (1, 2, 3, 5, 8, 13, 21, 141)
_EXACT, _ROUGH = 5e-4, 0.25
"""Largest difference in nats that rounding explains: in float32 throughout, and in 16-bit formats."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the log-probability of each ``tokens[n]`` after ``tokens[:n]``, for every n in ``contexts``."""

    tokens: tuple[int, ...]
    contexts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Canary:
    """The answer of certain weights: one log-probability per context in nats, and the model's number format."""

    question: Question
    logprobs: tuple[float, ...]
    dtype: str


def question_for(vocabulary: int, positions: int | None) -> Question:
    """Return the question for a model with so many token ids and positions (``None``: no limit)."""
    tokens = rng(0, "canary", vocabulary).integers(0, vocabulary, max(_CONTEXTS) + 1).tolist()
    contexts = tuple(context for context in _CONTEXTS if positions is None or context < positions)
    return Question(tuple(tokens), contexts)


def canary_of(model: "PreTrainedModel") -> Canary:
    """Return the answer of a loaded model; its training mode does not change."""
    import torch

    text = model.config.get_text_config()
    question = question_for(text.vocab_size, getattr(text, "max_position_embeddings", None))
    training = model.training
    model.train(mode=False)
    tokens = torch.tensor([question.tokens[: max(question.contexts) + 1]], device=model.device)
    with torch.inference_mode():
        scores = model(input_ids=tokens).logits[0].double().log_softmax(-1)
    model.train(mode=training)
    logprobs = tuple(scores[context - 1, question.tokens[context]].item() for context in question.contexts)
    return Canary(question, logprobs, str(model.dtype).removeprefix("torch."))


def record(canary: Canary, model_dir: Path) -> None:
    """Write the canary into its checkpoint's directory."""
    (model_dir / FILE).write_text(json.dumps(asdict(canary)) + "\n")


def canary_at(model_dir: Path) -> Canary:
    """Return the canary that was recorded with a checkpoint, or compute it where there is none."""
    path = model_dir / FILE
    if not path.is_file():
        from transformers import AutoModelForCausalLM

        from adastar_core.machine.quiet import no_progress_bars

        with no_progress_bars():
            model = AutoModelForCausalLM.from_pretrained(
                model_dir, dtype="auto", use_safetensors=True, trust_remote_code=False, local_files_only=True
            )
        return canary_of(model)
    values = json.loads(path.read_bytes())
    question = Question(*(tuple(values["question"][name]) for name in ("tokens", "contexts")))
    return Canary(question, tuple(values["logprobs"]), values["dtype"])


def disagreement(
    expected: Canary, measured: tuple[float, ...], dtype: str, before: Canary | None = None
) -> str | None:
    """Return why an engine's answer is not that of the expected weights; ``None`` if it is.

    Args:
        expected: The checkpoint's own.
        measured: The engine's log-probabilities.
        dtype: The engine's number format.
        before: The canary of the weights that the engine held until now. In 16-bit formats rounding can exceed what an
            iteration changes, so the answer must also be nearer to ``expected`` than to these.
    """
    gap = _distance(expected.logprobs, measured)
    allowed = _EXACT if {dtype, expected.dtype} <= {"float32", "float64"} else _ROUGH
    if not gap <= allowed:
        return f"its log-probabilities differ from the checkpoint's by {gap:.2g} nats, and rounding explains {allowed:g}"
    if before is not None and _distance(before.logprobs, measured) < gap:
        return f"its log-probabilities are nearer to those of the weights before ({gap:.2g} nats from the checkpoint's)"
    return None


def _distance(left: tuple[float, ...], right: tuple[float, ...]) -> float:
    """Return the root of the mean squared difference; not a number if there is none to compare."""
    if len(left) != len(right):
        return math.nan
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(left, right, strict=True)) / len(left))
