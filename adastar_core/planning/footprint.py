"""How much memory training and generation need, from the model's configuration, before any is spent.

Weights, gradients and moments are counted as in ZeRO (Rajbhandari et al. 2019, arXiv 1910.02054, section 3), activations
tensor by tensor as in Korthikanti et al. 2022 (arXiv 2205.05198, section 4), for a decoder with RMSNorm and a gated MLP
in transformers' code. Other families differ by up to a third. The process itself comes on top: Python, torch and, on a
GPU, its context. ``bench/memory.py`` compares with what is really held.
"""

from dataclasses import dataclass
from pathlib import Path

from adastar_core.generators.cache import room_for
from adastar_core.generators.settings import GeneratorSettings
from adastar_core.models.source import parameter_count, text_config
from adastar_core.trainers.settings import TrainerSettings

_BYTES = {"float64": 8, "float32": 4, "bfloat16": 2}
_FLOAT32 = _BYTES["float32"]


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """What one process of a training holds at its peak, in bytes: its share of weights and AdamW's moments.

    ``passing`` are gradients and activations of a micro-batch of the longest texts.
    """

    weights: int
    moments: int
    passing: int

    @property
    def total(self) -> int:
        return self.weights + self.moments + self.passing


@dataclass(frozen=True, slots=True)
class GenerationMemory:
    """What the generator on transformers holds at its peak, in bytes, for a batch of the longest texts.

    ``cache`` are keys and values; ``working`` is what reading the prompts or choosing a token adds.
    """

    weights: int
    cache: int
    working: int

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.working


@dataclass(frozen=True, slots=True)
class Widths:
    """The widths of a model's tensors, in numbers per token.

    Attributes:
        layers: Blocks; one of a state-space model is taken for attention.
        hidden: The residual stream.
        queries: Attention heads times the width of a head.
        keys: Key heads times the width of a head; values have as many.
        mlp: What a token passes in the MLP, in all of its experts together.
        experts: Experts that a token passes; 0 in a dense model.
        vocabulary: Token ids.
        scores: Attention heads, where no fused kernel computes the scores: 0 in most models.
        trained_scores: The same in training, where dropout on the scores rules a fused kernel out too.
        rms_norm: Whether norms are RMSNorm, which keep a tensor more than LayerNorm.
    """

    layers: int
    hidden: int
    queries: int
    keys: int
    mlp: int
    experts: int
    vocabulary: int
    scores: int
    trained_scores: int
    rms_norm: bool

    @classmethod
    def of(cls, directory: Path) -> "Widths":
        """Read a model directory's configuration, in which families name the same things differently."""
        config = text_config(directory)

        def first(*names: str, default: int = 0) -> int:
            found = (getattr(config, name, None) for name in names)
            return int(next((value for value in found if value), default))

        hidden, heads = config.hidden_size, first("num_attention_heads")  # a model may have no attention
        width = first("head_dim", default=hidden // max(heads, 1))
        dense = first("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", default=4 * hidden)
        experts = first("num_experts_per_tok", "experts_per_token")
        routed = experts * first("moe_intermediate_size", default=dense)
        scores = heads if getattr(config, "attn_logit_softcapping", None) else 0
        dropout = any(getattr(config, name, None) for name in ("attention_dropout", "attn_pdrop"))
        return cls(
            layers=config.num_hidden_layers,
            hidden=hidden,
            queries=heads * width,
            keys=first("num_key_value_heads", default=heads) * width,
            mlp=routed + first("shared_expert_intermediate_size") if experts else dense,
            experts=experts,
            vocabulary=config.vocab_size,
            scores=scores,
            trained_scores=heads if dropout else scores,
            rms_norm=hasattr(config, "rms_norm_eps"),
        )

    def kept(self, length: int, *, bf16: bool, adapter: bool) -> int:
        """Return the bytes per token of texts of ``length`` that one block keeps for its backward pass.

        With ``bf16`` products are in bfloat16 (autocast), and sums, norms and experts are not.
        """
        product = _BYTES["bfloat16"] if bf16 else _FLOAT32
        # The residual stream before either half of the block, and what either norm gives, once for both halves' products
        # in float32. Autocast copies it for each of them: queries, keys, values, gate and up. peft casts its own copies.
        copies = (9 if adapter else 5) if bf16 else 2
        stream = self.hidden * (2 * _FLOAT32 + copies * product)
        if self.rms_norm and (bf16 or not adapter):
            stream += (
                2 * self.hidden * _FLOAT32
            )  # the normalised input, for the gradient of the norm's weights
        attention = (
            4 * self.queries * product
        )  # queries, keys, values as the kernel reads them, and its result
        scores = 3 * self.trained_scores * length * _FLOAT32  # before and after softmax, and after dropout
        # Gate, its activation, up, and the product of the two. Experts also gather their tokens and scatter results.
        mlp = 4 * self.mlp * (_FLOAT32 if self.experts else product)
        routing = 4 * self.experts * self.hidden * _FLOAT32
        return stream + attention + scores + mlp + routing


def training_memory(directory: Path, settings: TrainerSettings, length: int) -> TrainingMemory:
    """Return the memory of training on ``length`` tokens a text.

    Of the model only the configuration and the sizes of its weights are read. The settings' ``dtype`` must name a format.
    """
    model, parameters, adapter = Widths.of(directory), parameter_count(directory), 0
    if settings.lora.rank is not None:
        from adastar_core.trainers.lora import trained_parameters

        adapter = trained_parameters(directory, settings)
    processes = settings.processes
    weights = _FLOAT32 * (parameters + adapter)
    gradients = _FLOAT32 * (adapter or parameters)
    rows = settings.micro_batch_size or -(-settings.batch_size // processes)
    half = settings.dtype == "bfloat16"
    block = rows * length * model.kept(length, bf16=half, adapter=adapter > 0)
    # Scores of the vocabulary, their logarithms and the gradient of either, at most three of them at a time.
    head = 3 * rows * length * model.vocabulary * _FLOAT32
    if settings.gradient_checkpointing:
        # Only the residual stream is kept; one block at a time is computed again, and then its gradients.
        kept = model.layers * rows * length * model.hidden * _FLOAT32
        block += 2 * rows * length * (model.mlp + model.hidden) * (_BYTES["bfloat16"] if half else _FLOAT32)
    else:
        kept, block = model.layers * block, 0
        kept += _BYTES["bfloat16"] * parameters if half else 0  # autocast's copies of the weights
    forward = kept + max(head, block)
    if processes > 1:  # FSDP2 gathers two blocks whole, and the gradients of one
        passing = forward + gradients // processes + 3 * weights // model.layers
        return TrainingMemory(weights // processes, 2 * gradients // processes, passing)
    # In the first backward pass gradients take the place of activations; later ones find them there.
    again = gradients if settings.batch_size > rows else 0
    return TrainingMemory(weights, 2 * gradients, max(forward + again, gradients + block))


def generation_memory(
    directory: Path, settings: GeneratorSettings, prompt: int, *, on_gpu: bool = False
) -> GenerationMemory:
    """Return the memory of generating a full batch after prompts of ``prompt`` tokens that share nothing, as for training."""
    model, number, rows = Widths.of(directory), _BYTES[settings.dtype], settings.batch_size
    token = cache_bytes_per_token(directory, settings)
    cache = rows * room_for(prompt, settings.max_new_tokens) * token
    later = cache - rows * room_for(prompt, 1) * token  # not held yet while prompts are read
    # Nothing is kept for a backward pass, so the largest moment of one block counts: in its MLP, or in eager attention.
    moment = 4 * model.hidden + 3 * model.mlp + 3 * model.experts * model.hidden + 3 * model.scores * prompt
    reading = rows * prompt * (moment * number + prompt)  # and a mask of one byte per pair of tokens
    # Scores in float64, the noise and its integers, which a CPU computes in pieces; the nucleus also sorts.
    numbers = (6 if settings.top_p == 1 else 8) if on_gpu else 4
    choosing = rows * model.vocabulary * _BYTES["float64"] * numbers
    growing = cache // model.layers  # a block's buffers are copied when they grow or are handed to a kernel
    weights = number * parameter_count(directory)
    return GenerationMemory(weights, cache, max(reading - later, choosing, growing))


def cache_bytes_per_token(directory: Path, settings: GeneratorSettings) -> int:
    """Return the bytes of one token's keys and values in all layers."""
    model = Widths.of(directory)
    return 2 * model.layers * model.keys * _BYTES[settings.dtype]
