"""How near a tie two runs parted: the proof that a difference between batch sizes is rounding and nothing else."""

from adastar_core.generators import Decoding
from adastar_core.generators.transformers import TransformersGenerator
from adastar_core.records import Attempt, GenerationRequest


def divergence_gap(
    generator: TransformersGenerator,
    request: GenerationRequest,
    decoding: Decoding,
    first: Attempt,
    second: Attempt,
) -> float | None:
    """Return the gap between the two best scores where two attempts at one request part; ``None`` if they do not.

    Issue 2 asks of float32 that every such gap is below 1e-4.

    Args:
        generator: The generator that both attempts came from, or one with the same checkpoint and precision.
        request: What both attempts answer.
        decoding: How both were decoded.
        first: One attempt.
        second: The same attempt from another batch.
    """
    pairs = enumerate(zip(first.tokens, second.tokens, strict=False))
    shorter = min(len(first.tokens), len(second.tokens))
    common = next((count for count, (left, right) in pairs if left != right), shorter)
    if common == len(first.tokens) == len(second.tokens):
        return None
    return generator.tie_gap(request, first.tokens[:common], decoding)
