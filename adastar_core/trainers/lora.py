"""LoRA (Hu et al. 2021, arXiv 2106.09685) through peft: low-rank updates of frozen weights, merged when trained.

Every training begins with a new adapter on the checkpoint that it starts from. The merged checkpoint is an ordinary model
directory that keeps the adapter in ``adapter/``.
"""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from peft.utils import CONFIG_NAME, SAFETENSORS_WEIGHTS_NAME
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from adastar_core.errors import ModelError, StageError
from adastar_core.models.scores import distance, plain_scores, random_texts
from adastar_core.trainers.settings import LoraSettings, TrainerSettings

ADAPTER = "adapter"
_PROBE_LENGTHS = (3, 12)
_OF_THE_UPDATE, _OF_THE_SPREAD = 0.05, 2e-4
"""What rounding explains between an adapter and its merge: shares of the update's effect and of the scores' spread."""


def adapt(model: PreTrainedModel, settings: LoraSettings, torch_seed: int) -> PeftModel:
    """Freeze ``model`` in place and return it with a new adapter, which changes nothing until it is trained.

    Raises:
        ModelError: A target module is not one of the model's, or shares its weights with another module.
    """
    assert settings.rank is not None, "LoRA has a rank"
    targets = settings.target_modules
    holders: dict[int, list[str]] = {}  # by parameter: the modules that hold it, found before peft wraps them
    for name, module in model.named_modules():
        for parameter in module.parameters(recurse=False):
            holders.setdefault(id(parameter), []).append(name)
    tied = {name: names for names in holders.values() if len(names) > 1 for name in names}
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=settings.rank,
        lora_alpha=settings.scale,
        lora_dropout=settings.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
    )
    with torch.random.fork_rng(), warnings.catch_warnings():
        # peft asks transformers for a property by its old name.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        # Refused below.
        warnings.filterwarnings("ignore", "Model has `tie_word_embeddings=True`", UserWarning)
        torch.manual_seed(torch_seed)
        try:
            adapted = get_peft_model(model, config)
        except ValueError as error:
            raise ModelError(
                f"trainer.lora.target_modules ({targets}) does not fit the model ({error}); name linear modules of it, "
                "e.g. [q_proj, v_proj], or all-linear"
            ) from error
    _require_own_weights(cast(PeftModel, adapted).targeted_module_names, tied)
    return cast(PeftModel, adapted)


def _require_own_weights(targeted: list[str], tied: Mapping[str, list[str]]) -> None:
    """Refuse a module that shares its weights: the adapter would change one of the two, and its merge both."""
    for name in targeted:
        if name in tied:
            other = next(other for other in tied[name] if other != name)
            raise ModelError(
                f"trainer.lora.target_modules names {name}, whose weights are also those of {other} (tied): the "
                "published checkpoint would not be the trained model. Name modules with weights of their own."
            )


@dataclass(frozen=True, slots=True)
class Trained:
    """The scores of a model with its adapter, before it is merged: of each text, and how far the merged model's may differ."""

    texts: list[list[int]]
    scores: list[torch.Tensor]
    allowed: float

    @classmethod
    @torch.no_grad()
    def of(cls, model: PeftModel) -> "Trained":
        """Score texts with and without the adapter. The model is left in evaluation mode."""
        model.train(mode=False)
        plain = cast(PreTrainedModel, model.get_base_model())
        texts = random_texts(plain, _PROBE_LENGTHS)
        scores = [plain_scores(plain, text).float().cpu() for text in texts]
        with model.disable_adapter():
            before = [plain_scores(plain, text).float().cpu() for text in texts]
        update = max(distance(*pair).max().item() for pair in zip(scores, before, strict=True))
        spread = max(distance(score, torch.zeros_like(score)).max().item() for score in scores)
        return cls(texts, scores, _OF_THE_UPDATE * update + _OF_THE_SPREAD * spread)

    @torch.no_grad()
    def require(self, published: PreTrainedModel) -> None:
        """Compare the scores of the model that was read back from disk.

        Raises:
            StageError: It is another model.
        """
        published.train(mode=False)
        found = [plain_scores(published, text).float().cpu() for text in self.texts]
        furthest = max(distance(*pair).max().item() for pair in zip(found, self.scores, strict=True))
        if not furthest <= self.allowed:
            raise StageError(
                f"the merged checkpoint is not the trained model: its scores are off by {furthest:.2g}, and rounding "
                f"explains {self.allowed:.2g}. It was not published; name fewer trainer.lora.target_modules, or train "
                "without LoRA"
            )


def save_adapter(model: PeftModel, directory: Path) -> None:
    """Write the adapter's weights and configuration: the same bytes wherever its base is."""
    model.save_pretrained(str(directory), save_embedding_layers=False)  # the base has those
    (directory / "README.md").unlink()  # peft's model card names the base model's path
    path = directory / CONFIG_NAME
    values = json.loads(path.read_text())
    values["base_model_name_or_path"] = None
    values["target_modules"] = sorted(values["target_modules"])  # peft keeps them as a set
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")


def merge_adapter(model: PeftModel) -> PreTrainedModel:
    """Return the model with the adapter added to its weights, without the adapter's layers.

    Raises:
        ModelError: A merged weight is not finite.
    """
    try:
        return cast(PreTrainedModel, model.merge_and_unload(safe_merge=True))
    except ValueError as error:
        raise ModelError(
            f"the trained adapter cannot be merged: {error}; lower trainer.learning_rate"
        ) from error


def adapter_parameters(checkpoint: Path) -> int:
    """Return the parameters of the adapter that a checkpoint was trained with; 0 for full fine-tuning."""
    from safetensors import safe_open

    path = checkpoint / ADAPTER / SAFETENSORS_WEIGHTS_NAME
    if not path.is_file():
        return 0
    with safe_open(path, framework="pt") as tensors:
        return sum(tensors.get_tensor(name).numel() for name in tensors.keys())  # noqa: SIM118 (not a mapping)


def trained_parameters(directory: Path, settings: TrainerSettings) -> int:
    """Return how many parameters training changes: the adapter's, or all.

    Raises:
        ModelError: An adapter's target module is not one of the model's, or shares its weights with another module.
    """
    model: torch.nn.Module = unloaded(directory, torch.float32)
    if settings.lora.rank is not None:
        model = adapt(cast(PreTrainedModel, model), settings.lora, 0)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def unloaded(directory: Path, dtype: torch.dtype) -> PreTrainedModel:
    """Return a model directory's model with shapes alone, on torch's ``meta`` device; no weight is read."""
    config = AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, trust_remote_code=False)  # type: ignore[no-untyped-call]
    return cast(PreTrainedModel, model)
