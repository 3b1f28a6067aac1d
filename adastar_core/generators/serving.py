"""Whether a model can be decoded with our cache, tested on the model itself: a wrong way would show only in its answers.

Three texts of different lengths, which begin alike, are decoded together, and one of them leaves in between. The scores of every step must
equal those of a plain forward pass over each text alone. Models that keep their state outside the cache that our loop
passes (Mamba, RWKV, RecurrentGemma) are decoded by reading the whole text in every step.
"""

import copy
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from adastar_core.errors import ModelError
from adastar_core.generators.cache import roomy_cache
from adastar_core.generators.precision import arithmetic
from adastar_core.generators.prefix import ALIGNED, Prefixes, is_shareable
from adastar_core.generators.shared import Shared, can_share
from adastar_core.generators.steps import Cached, Reread, Start, Way
from adastar_core.machine.memory import is_memory_error, memory_errors
from adastar_core.models import scores as model_scores
from adastar_core.models.attention import changing_lengths
from adastar_core.models.scores import FAULTS

_PROMPTS, _STEPS = (2, 9, 5), 5
_LEAVES_AFTER, _STAY = 2, (2, 0)
_HALF = (torch.bfloat16, torch.float16)


@dataclass(frozen=True, slots=True)
class Serving:
    """How a model's steps are computed, and why in the slower way; ``None`` if it is the faster one."""

    way: Way
    why: str | None


class SharedAlways(Shared):
    """Shares even the few tokens of a probe."""

    fewest = 0


_known: dict[tuple[str, torch.dtype, str], Serving] = {}


@changing_lengths()
def serving(model: PreTrainedModel) -> tuple[Serving, bool]:
    """Return how a model is decoded, and whether that was tested just now.

    Each architecture is tested once per process: its later checkpoints differ in their weights alone.

    Raises:
        ModelError: It cannot be decoded.
        OutOfMemory: A few tokens do not fit.
    """
    key = (model.config.to_json_string(use_diff=False), model.dtype, model.device.type)
    if key in _known:
        return _known[key], False
    with torch.no_grad(), model_scores.audible(model), arithmetic(model.dtype), memory_errors():
        found, certain = _find(model)
    if certain:
        _known[key] = found
    return found, True


def _find(model: PreTrainedModel) -> tuple[Serving, bool]:
    """Return how a model is decoded, and whether its weights allowed a test. A fault in 16 bits is checked in float32."""
    name = type(model).__name__
    try:
        probe = Probe(model)
    except FAULTS as error:
        if is_memory_error(error):
            raise
        raise ModelError(
            f"model: {name} cannot read a few tokens in {model.dtype} ({error}); choose another generator.dtype or model"
        ) from error
    if can_share(model) and probe.fault(SharedAlways) is None:
        return Serving(Shared, None), True
    fault = probe.fault(Cached)
    if fault is None:
        return Serving(Cached, None), True
    if model.dtype in _HALF:
        return _find(torch.nn.Module.to(copy.deepcopy(model), torch.float32))
    if probe.effect is None:
        return Serving(Reread, "its weights do not show yet whether a cache serves it"), False
    if again := probe.fault(Reread):
        raise ModelError(
            f"model: {name} cannot be decoded: with a cache {fault}, and reading whole texts {again}; "
            "choose another model, or another engine (generator.type)"
        )
    return Serving(Reread, f"with a cache {fault}"), True


class Probe:
    """A few texts, and the scores that a model gives them in a plain forward pass over each.

    ``effect`` is what the text before does to a token's scores; ``None`` if too little to judge by.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        # Elsewhere nothing is shared, and a window could pass over a fault by the time that the shared tokens are read.
        shared = ALIGNED if is_shareable(roomy_cache(model.config)) else 0
        self._prompts = [shared + length for length in _PROMPTS]
        texts = model_scores.random_texts(
            model, [*(length + _STEPS for length in self._prompts), self._prompts[-1] - 1]
        )
        begun, instead = texts[0][:shared], texts[-1]
        self._texts = [begun + text[shared:] for text in texts[:-1]]
        self._plain = [model_scores.plain_scores(model, text) for text in self._texts]
        self.effect = model_scores.text_effect(model, self._texts[-1], instead)

    def fault(self, way: Way) -> str | None:
        """Return what is wrong with a way to decode the model; ``None`` if nothing is."""
        if self.effect is None:
            return "its scores hardly depend on the text"
        try:
            furthest = self._furthest(way)
        except FAULTS as error:
            if is_memory_error(error):
                raise
            return f"it fails ({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''})"
        if furthest <= model_scores.tolerance(self._model) * self.effect:
            return None
        share = furthest / self.effect
        return f"its scores are off by {share:.2g} of what the text before a token does to them"

    def _furthest(self, way: Way) -> float:
        """Return the largest distance of any row's scores from the plain ones, over all steps."""
        prompts = [text[:length] for text, length in zip(self._texts, self._prompts, strict=True)]
        rows = way(self._model, Start(prompts, [0] * len(prompts), _STEPS, Prefixes()))
        distances = []
        for step in range(_STEPS):
            scores, places = rows.forward(), rows.places.tolist()
            ends = [self._prompts[place] + step for place in places]
            plain = torch.stack(
                [self._plain[place][end - 1] for place, end in zip(places, ends, strict=True)]
            )
            distances.append(model_scores.distance(scores, plain).max())
            tokens = [self._texts[place][end] for place, end in zip(places, ends, strict=True)]
            rows.append(torch.tensor(tokens, device=scores.device))
            if step == _LEAVES_AFTER:
                rows.keep(torch.tensor(_STAY, device=scores.device))
        return torch.stack(distances).max().item()
