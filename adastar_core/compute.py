"""What generating and training cost, in floating-point operations (FLOPs), from token counts alone.

The figures to compare are ``2 P`` FLOPs per token generated or read and ``6 P`` per token trained, with P all
parameters of the model (Kaplan et al. 2020, arXiv 2001.08361, section 2.1), which leaves attention's own
products out. Those grow with the square of the length; they have functions of their own and are reported apart.

The ``6 P`` are 2 P forward, 2 P backward to the activations and 2 P backward to the weights. With frozen weights and an
adapter of A parameters (LoRA) the last part is the adapter's alone: ``4 P + 6 A``, about two thirds (Schulman et al.
2025, *LoRA Without Regret*). What gradient checkpointing computes a second time is not counted: these are the
model's FLOPs, whatever memory the machine has.
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from operator import add


@dataclass(frozen=True, slots=True)
class ModelShape:
    """What the compute of a model follows from.

    ``parameters`` is P: tied weights count once, an adapter does not. ``attention_width`` is heads times
    the width of a head. ``adapter_parameters`` is A, the only parameters that are trained; 0 where all are.
    """

    parameters: int
    layers: int
    attention_width: int
    adapter_parameters: int = 0


@dataclass(frozen=True, slots=True)
class StageTokens:
    """The tokens that a stage put through the model; ``padded`` ones include their batch's padding.

    ``attention_pairs`` counts (query, key) pairs of attention in units of a forward pass, without padding.
    """

    prompt_tokens: int = 0
    padded_prompt_tokens: int = 0
    generated_tokens: int = 0
    padded_generated_tokens: int = 0
    train_tokens: int = 0
    padded_train_tokens: int = 0
    attention_pairs: int = 0

    def __add__(self, other: "StageTokens") -> "StageTokens":
        return StageTokens(*map(add, astuple(self), astuple(other)))

    def flops(self, parameters: int, adapter_parameters: int = 0) -> int:
        """Return the FLOPs of the tokens themselves: 6 P train + 2 P (prompt + generated)."""
        generation = generation_flops(parameters, self.prompt_tokens, self.generated_tokens)
        return generation + training_flops(parameters, self.train_tokens, adapter_parameters)

    def padded_flops(self, parameters: int, adapter_parameters: int = 0) -> int:
        """Return the FLOPs including padding, as the paper's figures count them."""
        generation = generation_flops(parameters, self.padded_prompt_tokens, self.padded_generated_tokens)
        return generation + training_flops(parameters, self.padded_train_tokens, adapter_parameters)


def generation_flops(parameters: int, prompt_tokens: int, generated_tokens: int) -> int:
    """Return 2 P (prompt + generated): one forward pass per token, keys and values being kept."""
    return 2 * parameters * (prompt_tokens + generated_tokens)


def training_flops(parameters: int, train_tokens: int, adapter_parameters: int = 0) -> int:
    """Return 6 P tokens: a forward pass, and a backward pass of twice its cost; (4 P + 6 A) tokens with an adapter."""
    frozen = 4 * parameters if adapter_parameters else 6 * parameters
    return (frozen + 6 * adapter_parameters) * train_tokens


def pflops(flops: float) -> float:
    """Return FLOPs in units of 10^15."""
    return flops / 1e15


def attention_flops(shape: ModelShape, pairs: int) -> int:
    """Return the FLOPs of attention's own products for so many (query, key) pairs.

    Scores and weighted values take 2 * attention_width each per layer and pair. A causal mask is counted in
    full, as a dense kernel computes it.
    """
    return 4 * shape.layers * shape.attention_width * pairs


def generation_pairs(prompt_tokens: int, generated_tokens: int) -> int:
    """Return attention's pairs for one sequence: the prompt at once, then one token at a time.

    The last generated token is not read again, so ``generated_tokens - 1`` steps follow the prompt's.
    """
    steps = max(generated_tokens - 1, 0)
    return prompt_tokens * prompt_tokens + steps * prompt_tokens + steps * (steps + 1) // 2


def training_pairs(lengths: Iterable[int]) -> int:
    """Return attention's pairs for training on rows of these lengths: a forward pass and a backward of twice its cost."""
    return 3 * sum(length * length for length in lengths)
