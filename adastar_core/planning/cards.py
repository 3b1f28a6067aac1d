"""GPUs by their makers' figures, and the least time that work takes on them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU by its maker's figures.

    Attributes:
        memory_gib: Its memory.
        tflops: 10^12 floating-point operations per second in dense bfloat16 products.
        gigabytes_per_second: Memory bandwidth, 10^9 bytes per second.
    """

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
        arithmetic, reading = (
            self.flops / (card.tflops * 1e12),
            self.read_bytes / (card.gigabytes_per_second * 1e9),
        )
        return max(arithmetic, reading) / cards

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

    Args:
        flops: Of prompts and generated tokens.
        generated_tokens: Over all rows of all batches.
        rows: Rows that are decoded together.
        weight_bytes: The model's.
        context_tokens: Mean tokens that a row looks back on.
        cache_bytes_per_token: Keys and values of one token.
    """
    steps = generated_tokens / rows
    return Load(flops, steps * (weight_bytes + rows * context_tokens * cache_bytes_per_token))
