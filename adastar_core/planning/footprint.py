"""How much memory training and generation need, found before any is spent.

The model's own code runs once on tensors that have sizes and no storage, while what is held at once is added up. So a figure
fits the architecture and the arithmetic, and needs no formula for either. The process itself comes on top: Python, torch
and, on a GPU, its context.
"""

import weakref
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.functional import cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from transformers import AutoConfig, PreTrainedModel

from adastar_core.generators import Decoding
from adastar_core.generators.cache import room_for
from adastar_core.generators.noise import noisy_scores
from adastar_core.generators.precision import number_format
from adastar_core.generators.settings import GeneratorSettings
from adastar_core.generators.steps import Cached
from adastar_core.trainers.loop import checkpoint_activations
from adastar_core.trainers.lora import adapt, unloaded
from adastar_core.trainers.settings import TrainerSettings


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """What one process of a training holds at its peak, in bytes; the last part is at most that.

    Attributes:
        weights: Its share of the weights, in float32.
        moments: Its share of AdamW's two.
        passing: Gradients and activations of a micro-batch of the longest texts.
    """

    weights: int
    moments: int
    passing: int

    @property
    def total(self) -> int:
        """Return the sum."""
        return self.weights + self.moments + self.passing


@dataclass(frozen=True, slots=True)
class GenerationMemory:
    """What the generator on transformers holds at its peak, in bytes, for a batch of the longest texts.

    Attributes:
        weights: All weights in the generator's number format.
        cache: Keys and values of every token.
        working: What reading the prompts or choosing a token adds.
    """

    weights: int
    cache: int
    working: int

    @property
    def total(self) -> int:
        """Return the sum."""
        return self.weights + self.cache + self.working


class Held(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's class hook
    """Adds up the tensors that operations make: ``peak`` is the most that existed at once, in bytes.

    Args:
        module: The model, whose own tensors and views of them are not counted.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = self.peak = 0
        own = (*module.parameters(), *module.buffers())
        self._known = {one.untyped_storage()._cdata for one in own}

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        """Do the operation and take note of what it made."""
        result = func(*args, **(kwargs or {}))
        for one in tree_iter(result):
            if isinstance(one, torch.Tensor):
                self._note(one.untyped_storage())
        return result

    def _note(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key not in self._known:
            self._known.add(key)
            self.bytes += size
            self.peak = max(self.peak, self.bytes)
            weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.bytes -= size


def training_memory(directory: Path, settings: TrainerSettings, length: int, *, bf16: bool) -> TrainingMemory:
    """Return the memory of training on texts of ``length`` tokens.

    Of several processes (FSDP2) each also holds two of the model's blocks whole, and the gradients of one.

    Args:
        directory: The model's, of which only the configuration is read.
        settings: How it is trained.
        length: Tokens of the longest text.
        bf16: Whether ``dtype: auto`` means bfloat16's arithmetic.
    """
    processes = settings.processes
    rows = settings.micro_batch_size or -(-settings.batch_size // processes)
    passes = 2 if settings.batch_size > rows * processes else 1  # the second meets the first one's gradients
    model = unloaded(directory, torch.float32)
    block = _largest_block(model)
    module = _to_train(model, settings)
    autocast = settings.dtype == "bfloat16" or (settings.dtype == "auto" and bf16)
    with FakeTensorMode():
        _computable(module)
        weights, trained = _bytes(module), _bytes(module, trained=True)
        forward, peak = _pass(module, (rows, length), passes, bf16=autocast)
    if processes == 1:
        return TrainingMemory(weights, 2 * trained, max(peak, trained))
    passing = forward + trained // processes + 3 * block
    return TrainingMemory(weights // processes, 2 * trained // processes, passing)


def generation_memory(
    directory: Path, settings: GeneratorSettings, prompt: int, *, bf16: bool
) -> GenerationMemory:
    """Return the memory of generating a full batch after prompts of ``prompt`` tokens.

    Args:
        directory: The model's, of which only the configuration is read.
        settings: How it generates.
        prompt: Tokens of the longest prompt.
        bf16: Whether ``dtype: auto`` means bfloat16.
    """
    dtype = _number_format(settings, bf16=bf16)
    rows, longest = settings.batch_size, settings.max_new_tokens
    decoding = Decoding(False, settings.temperature, settings.top_p, longest)
    model = unloaded(directory, dtype)
    model.train(mode=False)
    with FakeTensorMode(), torch.no_grad():
        _computable(model)
        batch = Cached(model, [[0] * prompt] * rows, [0] * rows, room=longest)
        with Held(model) as reading:
            logits = batch.forward()
        with Held(model) as choosing:
            noisy_scores(logits, batch.streams, 0, decoding)
    token = cache_bytes_per_token(directory, settings, bf16=bf16)
    cache = rows * room_for(prompt, longest) * token
    # Buffers grow by being copied, one layer's keys or values at a time.
    growing = cache // (2 * model.config.get_text_config().num_hidden_layers)
    working = max(reading.peak - cache, choosing.peak, growing)
    return GenerationMemory(_bytes(model), cache, working)


def cache_bytes_per_token(directory: Path, settings: GeneratorSettings, *, bf16: bool) -> int:
    """Return the bytes of one token's keys and values in all layers; the arguments are those of :func:`generation_memory`."""
    config = AutoConfig.from_pretrained(
        directory, local_files_only=True, trust_remote_code=False
    ).get_text_config()
    queries = getattr(config, "num_attention_heads", None) or 0  # 0: the model has no attention
    heads = getattr(config, "num_key_value_heads", None) or queries
    width = getattr(config, "head_dim", None) or config.hidden_size // max(queries, 1)
    return int(2 * config.num_hidden_layers * heads * width * _number_format(settings, bf16=bf16).itemsize)


def _number_format(settings: GeneratorSettings, *, bf16: bool) -> torch.dtype:
    return number_format(settings.dtype, torch.device("cuda" if bf16 else "cpu"))


def _computable(module: nn.Module) -> None:
    """Make a model's tensors ones that compute as a CPU's would; autocast knows no device without storage."""
    made: dict[int, nn.Parameter] = {}
    for part in module.modules():
        for name, one in part._parameters.items():
            if one is not None:
                fresh = nn.Parameter(torch.empty(one.shape, dtype=one.dtype), requires_grad=one.requires_grad)
                part._parameters[name] = made.setdefault(id(one), fresh)
        for name, buffer in part._buffers.items():
            part._buffers[name] = None if buffer is None else torch.empty(buffer.shape, dtype=buffer.dtype)


def _to_train(model: PreTrainedModel, settings: TrainerSettings) -> nn.Module:
    module = adapt(model, settings.lora, 0) if settings.lora.rank is not None else model
    if settings.gradient_checkpointing:
        checkpoint_activations(module)
    module.train()
    return module


def _pass(module: nn.Module, shape: tuple[int, int], passes: int, *, bf16: bool) -> tuple[int, int]:
    """Return the most bytes that a forward pass holds, and that passes forward and backward hold with all gradients.

    Every token is taken for a trained one. ``shape`` is that of a micro-batch: rows, tokens.
    """
    precision: AbstractContextManager[object] = (
        torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext()
    )
    ids, forward = torch.zeros(shape, dtype=torch.int64), 0
    with Held(module) as held:
        for _ in range(passes):
            with precision:
                scores = module(input_ids=ids, use_cache=False).logits[:, :-1]
            scores = scores.reshape(-1, scores.shape[-1]).float()
            loss = cross_entropy(scores, ids[:, 1:].reshape(-1), reduction="sum")
            del scores
            forward = forward or held.peak
            loss.backward()  # type: ignore[no-untyped-call]
    return forward, held.peak


def _bytes(module: nn.Module, *, trained: bool = False) -> int:
    return sum(one.numel() * one.itemsize for one in module.parameters() if one.requires_grad or not trained)


def _largest_block(model: PreTrainedModel) -> int:
    """Return the bytes of the largest of the blocks that FSDP2 gathers one at a time."""
    names = frozenset(model._no_split_modules or ())
    blocks = [_bytes(one) for one in model.modules() if type(one).__name__ in names]
    return max(blocks, default=_bytes(model))
