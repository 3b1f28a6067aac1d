"""How near a tie two attempts parted: the proof that batch sizes differ by rounding and nothing else."""

from collections.abc import Sequence

import torch

from adastar_core.generators import Decoding
from adastar_core.generators.noise import mass_before, noisy_scores
from adastar_core.generators.precision import arithmetic
from adastar_core.generators.prefix import Prefixes
from adastar_core.generators.steps import Start
from adastar_core.generators.transformers import TransformersGenerator
from adastar_core.records import Attempt, GenerationRequest


def divergence_gap(
    generator: TransformersGenerator,
    request: GenerationRequest,
    decoding: Decoding,
    first: Attempt,
    second: Attempt,
) -> float | None:
    """Return the gap between the two best scores where two attempts at one request part, if they do.

    The generator must have the checkpoint and precision that both attempts came from, in two batches. In float32
    every such gap must be below 1e-4.
    """
    pairs = enumerate(zip(first.tokens, second.tokens, strict=False))
    shorter = min(len(first.tokens), len(second.tokens))
    common = next((count for count, (left, right) in pairs if left != right), shorter)
    if common == len(first.tokens) == len(second.tokens):
        return None
    return _gap_after(generator, request, first.tokens[:common], decoding)


@torch.inference_mode()
def _gap_after(
    generator: TransformersGenerator, request: GenerationRequest, tokens: Sequence[int], decoding: Decoding
) -> float:
    """Return how near a tie the choice of the token after ``tokens`` is, run alone."""
    model, prompt = generator._loaded, generator._prompts([request])[0]
    batch = generator._way(model, Start([[*prompt, *tokens]], [request.stream], 0, Prefixes()))
    with arithmetic(model.dtype):
        return tie_gap(batch.forward(), batch.streams, len(tokens), decoding).item()


def tie_gap(logits: torch.Tensor, streams: torch.Tensor, step: int, decoding: Decoding) -> torch.Tensor:
    """Return how near each row's choice was to another: float64, [rows].

    The gap between the two best scores; under top-p also the distance in probability from any token's mass to
    the border of the nucleus, if that is less.
    """
    best = noisy_scores(logits, streams, step, decoding).topk(2, dim=-1).values
    gap = best[:, 0] - best[:, 1]
    if decoding.greedy or decoding.top_p == 1:
        return gap
    mass, _ = mass_before(logits.to(torch.float64) / decoding.temperature)
    return torch.minimum(gap, (mass - decoding.top_p).abs().amin(-1))
