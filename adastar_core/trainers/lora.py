"""LoRA (Hu et al. 2021, arXiv 2106.09685) through peft: low-rank updates of frozen weights, merged when trained.

Every training begins with an adapter of its own on the checkpoint that it starts from; the merged checkpoint is an
ordinary model directory, and the adapter is kept in ``adapter/`` beside its weights.
"""

import json
import warnings
from pathlib import Path
from typing import cast

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from peft.utils import CONFIG_NAME, SAFETENSORS_WEIGHTS_NAME
from transformers import PreTrainedModel

from adastar_core.config import LoraSettings
from adastar_core.errors import ModelError

ADAPTER = "adapter"


def adapt(model: PreTrainedModel, settings: LoraSettings, torch_seed: int) -> PeftModel:
    """Freeze ``model`` and return it with a new adapter, which changes nothing until it is trained.

    Args:
        model: The model to adapt, in place.
        settings: Rank and so on; the rank is given.
        torch_seed: Seeds the adapter's first weights.

    Raises:
        ModelError: A target module is not one of the model's.
    """
    assert settings.rank is not None, "LoRA has a rank"
    targets = settings.target_modules
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
        torch.manual_seed(torch_seed)
        try:
            adapted = get_peft_model(model, config)
        except ValueError as error:
            raise ModelError(
                f"trainer.lora.target_modules ({targets}) does not fit the model ({error}); name linear modules of it, "
                "e.g. [q_proj, v_proj], or all-linear"
            ) from error
    return cast(PeftModel, adapted)


def save_adapter(model: PeftModel, directory: Path) -> None:
    """Write the adapter's weights and configuration: the same bytes wherever its base lies."""
    model.save_pretrained(str(directory))
    (directory / "README.md").unlink()  # peft's model card names the base model's path
    path = directory / CONFIG_NAME
    values = json.loads(path.read_text())
    values["base_model_name_or_path"] = None
    values["target_modules"] = sorted(values["target_modules"])  # peft keeps them as a set
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")


def merge(model: PeftModel) -> PreTrainedModel:
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
