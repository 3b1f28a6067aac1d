"""GPUs by their makers' figures, and the least time that work takes on them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU: its memory, 10^12 FLOPs per second in dense bfloat16 products, and its memory's bandwidth."""

    memory_gib: float
    tflops: float
    gigabytes_per_second: float


CARDS = {
    "l4": Card(24, 121, 300),
    "a10": Card(24, 125, 600),
    "rtx-4090": Card(24, 165, 1008),
    "l40s": Card(48, 362, 864),
    "a100-40gb": Card(40, 312, 1555),
    "a100-80gb": Card(80, 312, 2039),
    "h100": Card(80, 989, 3350),
    "h200": Card(141, 989, 4800),
}


@dataclass(frozen=True, slots=True)
class Load:
    """Work for a card: floating-point operations, and bytes read from its memory."""

    flops: float
    read_bytes: float

    def seconds(self, card: Card, cards: int) -> float:
        """Return the least time it takes, spread evenly over so many cards."""
        arithmetic = self.flops / (card.tflops * 1e12)
        return max(arithmetic, self.read_bytes / (card.gigabytes_per_second * 1e9)) / cards

    def bound_by(self, card: Card) -> str:
        arithmetic, reading = self.flops / card.tflops, self.read_bytes / card.gigabytes_per_second * 1e3
        return "arithmetic" if arithmetic > reading else "memory"


def decoding_load(
    flops: float,
    generated_tokens: int,
    rows: int,
    weight_bytes: int,
    context_tokens: float,
    cache_bytes_per_token: int,
) -> Load:
    """Return the load of generation: a step reads all weights, and the keys and values of every row.

    ``generated_tokens`` are those of all batches; ``rows`` are decoded together, and each looks back on
    ``context_tokens`` in the mean.
    """
    steps = generated_tokens / rows
    return Load(flops, steps * (weight_bytes + rows * context_tokens * cache_bytes_per_token))
