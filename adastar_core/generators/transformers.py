"""The generator on transformers: any causal language model, on CPU or GPU, with one random stream per attempt.

The decoding loop is our own, over transformers' model and cache classes, instead of ``model.generate``: rows that have
ended leave the batch, the cache grows without a copy at every step, and the checkpoint's ``generation_config`` has no
effect. ``bench/generation.py`` measures the gain. ``serving.py`` checks each architecture when it is opened.

In exact arithmetic a batch changes no response. ``float64`` keeps this in practice. In ``float32`` an attempt can differ
where two tokens nearly tie (``tests/support/ties.py``), in ``bfloat16`` many do (``docs/exactness.md``).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, PreTrainedModel

from adastar_core.errors import ConfigError, DataError, ModelError
from adastar_core.generators import Decoding, OnIncident
from adastar_core.generators.endings import end
from adastar_core.generators.noise import choose
from adastar_core.generators.precision import arithmetic, number_format
from adastar_core.generators.prefix import Prefixes
from adastar_core.generators.serving import serving
from adastar_core.generators.settings import GeneratorSettings
from adastar_core.generators.steps import Cached, Start, Way
from adastar_core.machine.memory import memory_errors
from adastar_core.machine.quiet import no_progress_bars
from adastar_core.models.attention import changing_lengths
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.records import Attempt, GenerationRequest, Incident

_STEPS_BETWEEN_STOP_CHECKS = 8
_ENDED_SHARE = 8
"""Ended rows leave the batch once they are one in so many: each time, the whole cache is copied."""


def open_transformers(
    model_dir: Path, settings: GeneratorSettings, report: OnIncident = lambda _: None
) -> "TransformersGenerator":
    """Load a checkpoint, on the GPU if there is one; code in its directory is never run.

    Of the settings only ``dtype`` is used. ``report`` is called where the model can only be decoded slowly.

    Raises:
        ModelError: The directory cannot be loaded, lacks weights, its tokenizer cannot be used, or the model cannot be
            decoded.
        OutOfMemory: A few tokens do not fit.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = number_format(settings.dtype, model_dir, device)
    vocabulary = Vocabulary.of(model_dir)
    try:
        with no_progress_bars(), arithmetic(dtype):
            loaded: object = AutoModelForCausalLM.from_pretrained(
                model_dir,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(f"model: {model_dir} cannot be loaded ({error}); copy its files again") from error
    model, info = cast(tuple[PreTrainedModel, dict[str, set[str]]], loaded)
    if missing := sorted(info["missing_keys"]):  # transformers would fill them at random
        weights = ", ".join(missing[:3])
        raise ModelError(f"model: {model_dir} lacks the weights {weights}; copy its files again")
    model.to(device)  # type: ignore[arg-type]  # transformers wraps the method without its types
    model.train(mode=False)
    served, new = serving(model)
    if new and served.why:
        detail = f"{type(model).__name__} is decoded by reading whole texts in every step, since {served.why}"
        report(Incident("slow decoding", detail))
    return TransformersGenerator(model, vocabulary, served.way)


class TransformersGenerator:
    """Samples attempts from one loaded model: a :class:`~adastar_core.generators.Generator`."""

    def __init__(self, model: PreTrainedModel, vocabulary: Vocabulary, way: Way = Cached) -> None:
        self._model: PreTrainedModel | None = model
        self._way = way
        self._vocabulary = vocabulary
        self._prefixes = Prefixes()
        self._text: torch.Tensor | None = None
        self._positions: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)

    def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Attempt]:
        """Return one attempt per request, in order, run as a single batch padded on the left.

        Raises:
            DataError: A prompt has no tokens.
            ConfigError: A prompt leaves no position for an answer.
            OutOfMemory: The batch does not fit.
        """
        if not requests:
            return []
        prompts, known = self._prompts(requests), self._vocabulary
        attempts: dict[int, Attempt] = {}
        for room, places in self._by_room(prompts, decoding):
            batch = [prompts[place] for place in places]
            streams = [requests[place].stream for place in places]
            with memory_errors():
                rows = self._continue(batch, streams, replace(decoding, max_new_tokens=room))
            endings = [end(tokens, known.ends, decoding, known.decode) for tokens in rows]
            width = self._way.width(self._loaded, batch)
            steps = max(ending.generated_tokens for ending in endings)
            for place, ending in zip(places, endings, strict=True):
                length = len(prompts[place])
                attempts[place] = ending.attempt(requests[place], decoding, length, width, steps)
        return [attempts[place] for place in range(len(requests))]

    def _by_room(self, prompts: list[list[int]], decoding: Decoding) -> Iterable[tuple[int, list[int]]]:
        """Return which prompts run together, and how many tokens each of them may get.

        A prompt with less room than the longest rationale runs with prompts of its own length only: padded to a longer
        one, its last tokens would lie beyond the model's positions.
        """
        together = defaultdict[tuple[int, int], list[int]](list)
        for place, prompt in enumerate(prompts):
            room = decoding.room(len(prompt), self._positions)
            together[room, 0 if room == decoding.max_new_tokens else len(prompt)].append(place)
        return [(room, places) for (room, _), places in together.items()]

    def close(self) -> None:
        self._model = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    @property
    def _loaded(self) -> PreTrainedModel:
        if self._model is None:
            raise ValueError("the generator is closed; open another one")
        return self._model

    def _prompts(self, requests: Sequence[GenerationRequest]) -> list[list[int]]:
        prompts = self._vocabulary.prompt_ids([request.prompt for request in requests])
        for request, prompt in zip(requests, prompts, strict=True):
            if not prompt:
                raise DataError(f"the prompt of observation {request.position} is empty; give it a question")
            if self._positions is not None and len(prompt) >= self._positions:
                raise ConfigError(
                    f"the prompt of observation {request.position} has {len(prompt)} tokens, and the model has only "
                    f"{self._positions} positions; shorten the question or the examples before it"
                )
        return prompts

    @torch.inference_mode()
    @changing_lengths()
    def _continue(self, prompts: list[list[int]], streams: list[int], decoding: Decoding) -> list[list[int]]:
        """Return each row's generated tokens, up to its end or a little further: what follows it is ignored later."""
        model, limit = self._loaded, decoding.max_new_tokens
        batch = self._way(model, Start(prompts, streams, limit, self._prefixes))
        generated = torch.full((len(prompts), limit), self._vocabulary.eos, device=model.device)
        lengths = torch.full((len(prompts),), limit, device=model.device)
        ended = torch.zeros(len(prompts), dtype=torch.bool, device=model.device)
        for step in range(limit):
            # Noise belongs to (stream, step, token), so neither the batch nor the rows that left it change a choice.
            with arithmetic(model.dtype):
                logits = batch.forward()
                chosen = choose(logits, batch.streams, step, decoding)
            generated[batch.places, step] = chosen
            batch.append(chosen)
            ended |= ~self._is_text(logits.shape[-1])[chosen]
            # Stop strings and answers show in decoded text alone, which is slow to make; a late check costs a few steps, and
            # ``endings.end`` finds the exact place afterwards.
            if (decoding.stop or decoding.answer) and step % _STEPS_BETWEEN_STOP_CHECKS == 0:
                texts = map(self._vocabulary.decode, generated[batch.places, : step + 1].tolist())
                found = [decoding.ends(text) is not None for text in texts]
                stopped = torch.tensor(found, device=model.device) & ~ended
                lengths[batch.places[stopped]] = step + 1
                ended |= stopped
            count = int(ended.sum())
            if count == len(ended):
                break
            if count * _ENDED_SHARE >= len(ended):
                batch.keep((~ended).nonzero().squeeze(-1))
                ended = ended[~ended]
        rows: list[list[int]] = generated.tolist()
        return [row[:length] for row, length in zip(rows, lengths.tolist(), strict=True)]

    def _is_text(self, size: int) -> torch.Tensor:
        """Return which of the model's ids are text, bool, [size]; any other ends its row."""
        if self._text is None:
            text = self._vocabulary.ends.text
            self._text = torch.tensor([token in text for token in range(size)], device=self._loaded.device)
        return self._text
