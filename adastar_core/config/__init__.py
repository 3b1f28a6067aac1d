"""The configuration of a run and its groups of settings."""

from adastar_core.cluster.settings import ComputeSettings
from adastar_core.config.identity import flatten
from adastar_core.config.iteration import EvaluationSettings, ScheduleSettings
from adastar_core.config.run import ADDED, LIMITS, MAY_GROW, RUN_TIME_ONLY, RunConfig
from adastar_core.generators.settings import GeneratorSettings, OpenAiSettings, VllmSettings
from adastar_core.selection.exploration import ExplorationSettings
from adastar_core.trainers.settings import LoraSettings, TrainerSettings

__all__ = [
    "ADDED", "LIMITS", "MAY_GROW", "RUN_TIME_ONLY", "ComputeSettings", "EvaluationSettings",
    "ExplorationSettings", "GeneratorSettings", "LoraSettings", "OpenAiSettings", "RunConfig",
    "ScheduleSettings", "TrainerSettings", "VllmSettings", "flatten",
]  # fmt: skip
