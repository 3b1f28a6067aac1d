"""The configuration of a run: one frozen model, the same for command line, deployment form and notebook."""

import hashlib
import json
from pathlib import Path
from typing import Literal

from pydantic import (
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from adastar_core.cluster.settings import ComputeSettings
from adastar_core.config import methods
from adastar_core.config.identity import flatten, keys_with, nest
from adastar_core.config.iteration import EvaluationSettings, ScheduleSettings
from adastar_core.config.methods import MethodName
from adastar_core.errors import ConfigError
from adastar_core.generators.settings import GeneratorSettings
from adastar_core.machine.confine import writable
from adastar_core.machine.plugins import PluginSettings
from adastar_core.problems.catalogue import ProblemSettings
from adastar_core.problems.chat import PromptSettings
from adastar_core.samplers.adastar import AdaStarSettings
from adastar_core.samplers.catalogue import SamplerSettings
from adastar_core.selection.exploration import ExplorationSettings
from adastar_core.selection.rules import Rules
from adastar_core.settings import DatabaseUrl, HomePath, ModelSource, Role, Settings, method_setting, setting
from adastar_core.trainers.settings import TrainerSettings
from adastar_core.verifiers.filters import FilterSettings


class RunConfig(Settings):
    """Everything that decides what a self-improvement run does."""

    seed: int = setting(0, "Seed", "Seed of every random stream of the run.", ge=0)
    iterations: int = setting(
        6, "Iterations", "Rounds of sampling and fine-tuning; may be raised later.", ge=1, may_grow=True
    )
    patience: int | None = setting(
        None,
        "Patience",
        "Iterations without a better validation accuracy to stop after; default: never.",
        ge=1,
        may_grow=True,
    )
    problem: ProblemSettings = setting(
        lambda: {"type": "arithmetic"}, "Problem", "The problem to improve on."
    )
    model: ModelSource = setting(
        "tiny-adder",
        "Model",
        "tiny-adder, a name from `adastar models`, a directory, a .gguf file, a hub name of a causal LM, or run:NAME, the best checkpoint of a finished run.",
        min_length=1,
    )
    method: MethodName = setting(
        "adastar", "Method", "A named set of settings; it supplies those that you do not set."
    )
    sampler: SamplerSettings = setting(AdaStarSettings, "Sampler", "Which observations are visited first.")
    alpha: Literal["acceptance", "first_try", "train_accuracy"] = setting(
        "acceptance",
        "Strength signal",
        "The model's strength: the share of visits accepted, the share right at first try, or training's token accuracy.",
    )
    attempts: int = method_setting(
        2, "Attempts (K)", "Largest number of rationales sampled per observation (K).", ge=1
    )
    attempt_mode: Literal["until_correct", "independent"] = method_setting(
        "until_correct",
        "Attempt mode",
        "End an observation's attempts at its first success, or make all K and accept every right one.",
    )
    rationalize: bool = method_setting(
        False, "Rationalize", "Show the answer as a hint in attempts after the first."
    )
    count_hinted_wins: bool = setting(
        True, "Count hinted wins", "Whether a success with a hint counts in the win rate."
    )
    cut_off: int | None = method_setting(
        None, "Cut-off", "Accepted rationales per observation at most; default: every right one.", ge=1
    )
    rationales: Literal["model", "reference"] = method_setting(
        "model", "Rationales", "Train on the model's own, or on the data's reference answers (supervised)."
    )
    exploration: ExplorationSettings = setting(
        ExplorationSettings, "Exploration", "Whether temperature and K are fixed or chosen each iteration."
    )
    schedule: ScheduleSettings = setting(
        ScheduleSettings, "Schedule", "How many accepted rationales each iteration needs."
    )
    generator: GeneratorSettings = setting(GeneratorSettings, "Generator", "How rationales are sampled.")
    trainer: TrainerSettings = setting(TrainerSettings, "Trainer", "How the model is fine-tuned.")
    evaluation: EvaluationSettings = setting(
        EvaluationSettings, "Evaluation", "How checkpoints are evaluated."
    )
    budget_pflops: float | None = setting(
        None, "Budget", "PFLOPs to stop after, without evaluation; default: no limit.", gt=0, may_grow=True
    )
    prompt: PromptSettings = setting(PromptSettings, "Prompt", "How prompts are given to the model.")
    filter: FilterSettings = setting(
        FilterSettings, "Rationale filter", "Which right rationales are kept out of training."
    )
    compute: ComputeSettings = setting(
        ComputeSettings, "Compute", "Where generation and training are computed.", run_time=True
    )
    database_url: DatabaseUrl | None = setting(
        None, "Database", "PostgreSQL URL; default: ADASTAR_DATABASE_URL, or a local server.", run_time=True
    )
    home: HomePath | None = setting(
        None, "Data directory", "Directory of checkpoints, reports and the local database.", run_time=True
    )
    monitors: tuple[PluginSettings, ...] = setting(
        (),
        "Monitors",
        "What follows the run: mlflow, wandb, tensorboard, trackio, or your own, with a path and options.",
        run_time=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in_the_method(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        return methods.merge(methods.settings_of(values.get("method", "adastar")), values)

    @field_validator("problem", "sampler", mode="before")
    @classmethod
    def _name_alone(cls, value: object, info: ValidationInfo) -> object:
        """Accept ``problem: arithmetic`` for ``problem: {type: arithmetic}``, and no type for the default one."""
        default = {"problem": "arithmetic", "sampler": "adastar"}[str(info.field_name)]
        if isinstance(value, dict):
            return {"type": default, **value}
        return {"type": value} if isinstance(value, str) else value

    @field_validator("monitors", mode="before")
    @classmethod
    def _services_by_name(cls, value: object) -> object:
        """Accept ``mlflow`` and ``{type: mlflow, project: mine}`` for ``{path: mlflow, options: {project: mine}}``."""
        listed = value if isinstance(value, list | tuple) else [value]
        found: list[object] = []
        for monitor in listed:
            if isinstance(monitor, str):
                found.append({"path": monitor})
            elif isinstance(monitor, dict) and "type" in monitor:
                options = {key: inner for key, inner in monitor.items() if key != "type"}
                found.append({"path": monitor["type"], "options": options})
            else:
                found.append(monitor)
        return found

    @model_validator(mode="after")
    def _modes_agree(self) -> "RunConfig":
        if self.rationalize and self.attempt_mode == "independent":
            raise ValueError(
                "rationalize (true) needs attempt_mode until_correct, not independent: a hint follows a wrong attempt"
            )
        if self.rationalize and self.attempts < 2:
            raise ValueError(
                "rationalize (true) needs attempts of at least 2, not 1: the first attempt is never hinted"
            )
        if self.rationalize and self.sampler.most_attempts is not None:
            raise ValueError(
                f"rationalize (true) cannot be combined with sampler {self.sampler.type}, which allots unhinted attempts; "
                "set rationalize: false"
            )
        if self.exploration.control != "fixed" and self.attempt_mode == "until_correct":
            raise ValueError(
                f"exploration.control ({self.exploration.control}) needs attempt_mode independent, not until_correct: the "
                "balance score is that of all K attempts"
            )
        self._guesses_can_be_told()
        if self.filter.asks and self.rationales != "model":
            raise ValueError(
                f"filter.consistent and filter.needed ask the model about its own rationales, and rationales is {self.rationales}; set "
                "them to false"
            )
        if self.trainer.thin and self.rationales != "model":
            raise ValueError(
                f"trainer.thin ({self.trainer.thin:g}) needs rationales model, not {self.rationales}: what the model solves cannot be "
                "told from the data's own answers"
            )
        if getattr(self.problem, "system", None) is not None and not self.prompt.chat:
            raise ValueError(
                "problem.system needs prompt.chat: true, because only a chat has a system message; else put its text at the "
                "beginning of problem.prompt"
            )
        engines = self.generator.vllm.data_parallel
        if self.compute.backend == "ray" and engines > 1:
            raise ValueError(
                f"compute.backend (ray) starts compute.actors engines, so generator.vllm.data_parallel ({engines}) must be 1"
            )
        return self

    def _guesses_can_be_told(self) -> None:
        """Raise ``ValueError`` where ``filter.guessing`` would not see all attempts of every observation."""
        if (level := self.filter.guessing) is None:
            return
        mode, control, kept = self.attempt_mode, self.exploration.control, self.rationales
        for field, value, wanted, met in (
            ("attempt_mode", mode, "independent", mode == "independent"),
            ("exploration.control", control, "fixed or temperature", control != "balance"),
            ("rationales", kept, "model", kept == "model"),
            ("sampler", self.sampler.type, "one that allots no attempts", self.sampler.most_attempts is None),
        ):
            if not met:
                raise ValueError(
                    f"filter.guessing ({level:g}) needs {field} {wanted}, not {value}: it counts how many of all K attempts at an "
                    "observation are right"
                )

    @field_serializer("database_url", when_used="json")
    def _hide_password(self, value: SecretStr | None) -> str | None:
        return None if value is None else "**********"

    def checked_home(self) -> Path | None:
        """Return the data directory, if any; raises :class:`ConfigError` if runs may not write there."""
        return None if self.home is None else writable(self.home, "home")

    def beta(self, iteration: int) -> int:
        """Return beta_t, the accepted rationales wanted in iteration ``iteration`` >= 1 (paper section 2.1)."""
        return self.steps(iteration) * self.trainer.batch_size

    def steps(self, iteration: int) -> int:
        """Return sigma_t, the planned training steps of iteration ``iteration`` >= 1."""
        return int(self.schedule.first_steps * self.schedule.growth ** (iteration - 1))

    def rules(self) -> Rules:
        """Return what one visit does and when visits end."""
        return Rules(
            attempts=self.attempts,
            until_correct=self.attempt_mode == "until_correct",
            rationalize=self.rationalize,
            count_hinted_wins=self.count_hinted_wins,
            cut_off=self.cut_off,
            stop=self.schedule.stop,
        )

    def attempts_at_most(self) -> int:
        """Return the most attempts that one observation gets in an iteration."""
        return self.sampler.most_attempts or self.attempts

    def trains_up_to_beta(self) -> bool:
        """Return whether beta_t bounds what is trained on: visits end there, or what they found is thinned to it."""
        return self.schedule.stop.by_acceptance or self.schedule.train_on == "beta"

    def schedule_steps(self) -> int:
        return sum(self.steps(iteration) for iteration in range(1, self.iterations + 1))

    def method_title(self) -> str:
        """Return the method's name, with the settings that differ from its definition: ``rest-em (attempts=32)``."""
        own = flatten(self.model_dump(mode="json"))
        defined = flatten(dict(methods.settings_of(self.method)))
        changed = [key for key, value in defined.items() if key in own and own[key] != value]
        changes = ", ".join(f"{key}={own[key]}" for key in changed)
        return f"{self.method} ({changes})" if changes else self.method

    def identity(self) -> dict[str, object]:
        """Return the fields that decide what the run is, as plain JSON values with dotted keys."""
        return {key: value for key, value in self.lasting().items() if key not in MAY_GROW}

    def lasting(self) -> dict[str, object]:
        """Return all fields but the run-time ones, and but ``ADDED`` ones at their defaults."""
        flat = flatten(self.model_dump(mode="json"))
        left_out = {*RUN_TIME_ONLY, *(key for key, default in ADDED.items() if flat.get(key) == default)}
        return {key: value for key, value in flat.items() if key not in left_out}

    @classmethod
    def of_identity(cls, identity: dict[str, object]) -> "RunConfig":
        """Return the configuration that :meth:`identity` came from; fields that it lacks have their defaults.

        Raises:
            ConfigError: This version of the code does not know the fields or their values.
        """
        try:
            return cls.model_validate(nest(identity))
        except ValidationError as error:
            raise ConfigError(
                f"The stored configuration cannot be read by this version of adastar: {error}. Use the version that wrote it."
            ) from error

    def sha256(self) -> str:
        return hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()


RUN_TIME_ONLY, MAY_GROW, LIMITS = (
    tuple(keys_with(role, RunConfig)) for role in (Role.RUN_TIME, Role.MAY_GROW, Role.LIMIT)
)
ADDED = keys_with(Role.ADDED, RunConfig)
"""With their defaults."""
