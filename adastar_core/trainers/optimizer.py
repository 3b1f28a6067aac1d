"""Fused AdamW over a model's trainable parameters, its learning rate, and its state as safetensors."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers.trainer_pt_utils import get_parameter_names

from adastar_core.trainers.settings import TrainerSettings
from adastar_core.trainers.world import World, shard_like, whole

STATE = "optimizer.safetensors"
_UNDECAYED = [r"bias", r"layernorm", r"rmsnorm", r"(?:^|\.)norm(?:$|\.)", r"_norm(?:$|\.)"]
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True, slots=True)
class Schedule:
    """A training's place in the learning rate's schedule of ``steps``, of which ``before`` count as done."""

    before: int
    steps: int


def adamw(model: nn.Module, settings: TrainerSettings) -> torch.optim.AdamW:
    """Return the optimizer; biases and norms have no weight decay, as transformers' ``Trainer`` has it."""
    decayed = frozenset(get_parameter_names(model, [nn.LayerNorm], _UNDECAYED))  # type: ignore[no-untyped-call]
    trained = _trained(model)
    groups = [
        {"params": [weight for name, weight in trained if (name in decayed) == decays], "weight_decay": decay}
        for decays, decay in ((True, settings.weight_decay), (False, 0.0))
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)


def learning_rate_factor(step: int, steps: int, settings: TrainerSettings) -> float:
    """Return the share of the peak learning rate that step ``step`` (from 0) of ``steps`` uses.

    Warm-up starts at ``1 / warmup_steps``, not at 0: the first batch of an iteration trains too. A warm-up
    longer than the iteration never reaches the peak, as in the paper's first iterations.
    """
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    share_done = min((step - settings.warmup_steps) / max(steps - settings.warmup_steps, 1), 1.0)
    match settings.decay:
        case "linear":
            return 1 - share_done
        case "cosine":
            return (1 + math.cos(math.pi * share_done)) / 2
        case _:
            return 1.0


def save_state(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, world: World, *, weights: bool
) -> None:
    """Write AdamW's moments, and with ``weights`` the trained weights, whole; every process must call it."""
    found: dict[str, torch.Tensor] = {}
    for name, parameter in _trained(model):
        parts = {key: optimizer.state[parameter][key] for key in _MOMENTS if parameter in optimizer.state}
        if weights:
            parts["weight"] = parameter
        for key, tensor in parts.items():
            full = whole(tensor)
            if world.writes:
                found[f"{key}/{name}"] = full.cpu().contiguous().clone()
    if world.writes:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(found, path)


def load_state(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Restore trained weights and AdamW's moments from a restart point, each process its own shard."""
    found = load_file(path)
    for name, parameter in _trained(model):
        if f"weight/{name}" in found:
            with torch.no_grad():
                parameter.copy_(shard_like(found[f"weight/{name}"], parameter))
        if f"exp_avg/{name}" in found:
            optimizer.state[parameter] = {
                "step": found[f"step/{name}"].to(parameter.device),
                "exp_avg": shard_like(found[f"exp_avg/{name}"], parameter),
                "exp_avg_sq": shard_like(found[f"exp_avg_sq/{name}"], parameter),
            }


def _trained(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
