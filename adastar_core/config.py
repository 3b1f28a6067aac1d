"""The configuration of a run: one frozen model, the same for command line, deployment form and notebook.

Every field belongs to exactly one of three groups, and a test fails when a field belongs to none:

* *identity*: part of what the run is. Continuing a run with another value is refused.
* *may grow*: ``iterations``, ``patience``, ``budget_pflops`` and ``evaluation.test_every_iteration``. A finished run
  goes on when they are raised.
* *run-time only*: where and how fast, never what: ``database_url``, ``home``, ``generator.batch_size``,
  ``trainer.timeout_seconds``, and the engines' own settings, ``generator.vllm`` and ``generator.openai``.

A field that is added later belongs to ``ADDED`` too, so that runs which know nothing of it stay the runs that they are.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import (
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from adastar_core import methods
from adastar_core.errors import ConfigError
from adastar_core.filters import FilterSettings
from adastar_core.methods import MethodName
from adastar_core.problems.catalogue import ProblemSettings
from adastar_core.problems.chat import PromptSettings
from adastar_core.samplers.catalogue import AdaStarSettings, SamplerSettings
from adastar_core.settings import Settings, method_setting, setting

MAY_GROW = ("iterations", "patience", "budget_pflops", "evaluation.test_every_iteration")
RUN_TIME_ONLY = (
    "database_url",
    "home",
    "generator.batch_size",
    "generator.openai.concurrency",
    "generator.openai.key_variable",
    "generator.openai.model",
    "generator.openai.retries",
    "generator.openai.timeout_seconds",
    "generator.openai.url",
    "generator.vllm.data_parallel",
    "generator.vllm.kv_cache_gib",
    "generator.vllm.longest_text",
    "generator.vllm.prefix_caching",
    "generator.vllm.tensor_parallel",
    "generator.vllm.timeout_seconds",
    "generator.vllm.utilization",
    "generator.vllm.while_training",
    "trainer.timeout_seconds",
)
ADDED = (
    "generator.openai.plugins",
    "trainer.lora.rank",
    "trainer.lora.alpha",
    "trainer.lora.dropout",
    "trainer.lora.target_modules",
    "trainer.batching",
    "trainer.gradient_checkpointing",
    "trainer.optimizer_state",
    "trainer.schedule_scope",
    "trainer.processes",
)
"""Fields that came after the first runs: at its default, such a field is left out of a run's identity."""


class ScheduleSettings(Settings):
    """How many accepted rationales an iteration wants: beta_t = floor(first_steps * growth^(t-1)) * batch."""

    first_steps: int = setting(
        40, 0, "First steps", "Training steps of the first iteration (sigma_1 of the paper).", ge=1
    )
    growth: float = setting(1.2, 1, "Growth", "Factor by which the steps grow each iteration.", ge=1, le=10)
    visit: Literal["until_beta", "all"] = method_setting(
        "until_beta",
        2,
        "Visit",
        "Stop at the observation where beta_t rationales are accepted, or visit the whole pool.",
    )
    train_on: Literal["accepted", "beta"] = method_setting(
        "accepted",
        3,
        "Train on",
        "All accepted rationales, or beta_t of them at random; they differ after a visit to the whole pool.",
    )


class VllmSettings(Settings):
    """How vLLM uses the machine; read where ``generator.type`` is, or means, ``vllm``. Nothing here changes results."""

    tensor_parallel: int = setting(1, 0, "Tensor parallel", "GPUs that share one engine's model.", ge=1)
    data_parallel: int = setting(
        1, 1, "Data parallel", "Engines, each with a copy of the model and GPUs of its own.", ge=1
    )
    kv_cache_gib: float | None = setting(
        None,
        2,
        "Cache memory",
        "GiB for keys and values per engine; none takes what utilization leaves of a GPU, and on a CPU an eighth of the free memory, 4 at most.",
        gt=0,
    )
    utilization: float = setting(
        0.9, 3, "Memory utilization", "Share of each GPU's memory that an engine may use.", gt=0, le=1
    )
    longest_text: int | None = setting(
        None,
        4,
        "Longest text",
        "Prompt and rationale in tokens; none takes what model and memory allow.",
        ge=2,
    )
    prefix_caching: bool = setting(
        True, 5, "Prefix caching", "Compute what prompts begin with in common (worked examples) only once."
    )
    while_training: Literal["auto", "keep", "sleep", "end"] = setting(
        "auto",
        6,
        "While training",
        "Keep the engine's memory, let it sleep, or end it; auto keeps it on a CPU, and on a GPU sleeps where vLLM can, else ends.",
    )
    timeout_seconds: float = setting(
        3600.0, 7, "Timeout", "Longest wait for one batch, in seconds; the engine is then built anew.", gt=0
    )


class OpenAiSettings(Settings):
    """A server with OpenAI's completions interface; read where ``generator.type`` is ``openai``."""

    url: str = setting("http://127.0.0.1:8000/v1", 0, "URL", "Where it is, with the interface's version.")
    model: str | None = setting(
        None, 1, "Model", "Its name for the model; none takes the only one that it has."
    )
    key_variable: str = setting(
        "OPENAI_API_KEY",
        2,
        "Key",
        "Environment variable with the key; it may be absent. Its name ends in API_KEY: a form must not send other secrets.",
        pattern=r"^\w*API_KEY$",
    )
    concurrency: int = setting(64, 3, "Concurrency", "Requests under way at once.", ge=1)
    retries: int = setting(
        6, 4, "Retries", "How often a request is repeated when the server is busy or out of reach.", ge=0
    )
    timeout_seconds: float = setting(600.0, 5, "Timeout", "Longest wait for one answer, in seconds.", gt=0)
    plugins: bool = setting(
        False,
        6,
        "Plug-ins",
        "Whether it is a vLLM with this project's plug-ins, which takes new checkpoints by itself and samples from this project's streams.",
    )

    @field_validator("url")
    @classmethod
    def _without_secrets(cls, url: str) -> str:
        if "@" in urlsplit(url).netloc:
            raise ValueError(
                "has a user or a password in it, which would be stored and shown; put the key into the environment "
                "variable that key_variable names"
            )
        return url


class GeneratorSettings(Settings):
    """The engine that samples rationales, and its decoding."""

    type: Literal["auto", "transformers", "vllm", "openai"] = setting(
        "auto",
        0,
        "Engine",
        "What generates: auto takes vllm where it is installed for this machine's devices and pays for the model's size, else transformers; openai is a server.",
    )
    batch_size: int = setting(
        256, 1, "Batch size", "Attempts generated at once; changes speed and memory, never results.", ge=1
    )
    dtype: Literal["auto", "float64", "float32", "bfloat16"] = setting(
        "auto", 2, "Precision", "Number format of generation: auto is float32 on CPU and bfloat16 on GPU."
    )
    temperature: float = setting(1.0, 3, "Temperature", "Divides the scores before sampling.", gt=0, le=10)
    top_p: float = setting(
        1.0, 4, "Top-p", "Sample from the smallest set of tokens with this probability.", gt=0, le=1
    )
    max_new_tokens: int = setting(
        256, 5, "Longest rationale", "Upper bound of generated tokens per attempt.", ge=1
    )
    vllm: VllmSettings = setting(VllmSettings, 6, "vLLM", "How vLLM uses the machine.")
    openai: OpenAiSettings = setting(OpenAiSettings, 7, "Server", "Where a server is and how it is asked.")

    @model_validator(mode="after")
    def _engine_has_the_precision(self) -> "GeneratorSettings":
        if self.type in ("vllm", "openai") and self.dtype == "float64":
            raise ValueError(
                f"dtype (float64) needs type transformers, not {self.type}, which has no such precision; "
                "choose float32, bfloat16 or auto"
            )
        return self


class LoraSettings(Settings):
    """Low-rank adaptation (arXiv 2106.09685): a small update of frozen weights, merged into every checkpoint."""

    rank: int | None = setting(None, 0, "Rank", "Rank of the update; none trains all parameters.", ge=1)
    alpha: int | None = setting(
        None, 1, "Alpha", "The update is scaled by alpha / rank; none takes twice the rank.", ge=1
    )
    dropout: float = setting(0.0, 2, "Dropout", "Dropout before the update in training.", ge=0, lt=1)
    target_modules: Literal["all-linear"] | tuple[str, ...] = setting(
        "all-linear",
        3,
        "Target modules",
        "Modules that get an update, e.g. [q_proj, v_proj]; all-linear takes every linear one but the head.",
    )

    @property
    def scale(self) -> int:
        """Return alpha, also where none is given."""
        return 2 * (self.rank or 0) if self.alpha is None else self.alpha

    @model_validator(mode="after")
    def _rank_is_given(self) -> "LoraSettings":
        fields = type(self).model_fields
        given = [name for name, field in fields.items() if getattr(self, name) != field.default]
        if self.rank is None and given:
            raise ValueError(
                f"{', '.join(given)} needs a rank, e.g. rank: 32; without one all parameters are trained"
            )
        return self


class TrainerSettings(Settings):
    """How the model is fine-tuned on accepted rationales."""

    start_from: Literal["accumulate", "reset"] = method_setting(
        "accumulate",
        0,
        "Start from",
        "Continue from the previous checkpoint, or from the base model each iteration.",
    )
    learning_rate: float = setting(1e-5, 1, "Learning rate", "Peak rate of AdamW.", gt=0)
    batch_size: int = setting(8, 2, "Batch size", "Rationales per optimizer step (beta of the paper).", ge=1)
    micro_batch_size: int | None = setting(
        None, 3, "Micro-batch size", "Rationales per forward pass; none means the whole batch at once.", ge=1
    )
    warmup_steps: int = setting(0, 4, "Warm-up", "Steps of linear warm-up in each iteration.", ge=0)
    decay: Literal["constant", "linear", "cosine"] = setting(
        "constant", 5, "Decay", "Learning rate after warm-up."
    )
    weight_decay: float = setting(0.01, 6, "Weight decay", "AdamW's decoupled weight decay.", ge=0)
    max_grad_norm: float = setting(1.0, 7, "Gradient clipping", "Largest gradient norm.", gt=0)
    max_length: int = setting(
        1024, 8, "Longest text", "Prompt and rationale in tokens; longer rows are refused by name.", ge=2
    )
    on_exhausted: Literal["shrink", "repeat"] = setting(
        "shrink",
        9,
        "When the pool is exhausted",
        "Train fewer steps, or repeat the accepted rationales up to the planned steps.",
    )
    dtype: Literal["auto", "float32", "bfloat16"] = setting(
        "auto", 10, "Precision", "Number format of training: auto is float32 on CPU and bfloat16 on GPU."
    )
    save_every: int = setting(
        100, 11, "Save every", "Steps between restart points inside a training stage.", ge=1
    )
    lora: LoraSettings = setting(LoraSettings, 12, "LoRA", "Train a low-rank update of frozen weights.")
    batching: Literal["padded", "packed", "length_grouped"] = setting(
        "padded",
        13,
        "Batching",
        "Pad a micro-batch's texts, pack short ones into one row (the same batches), or batch texts of similar length.",
    )
    gradient_checkpointing: bool = setting(
        False, 14, "Gradient checkpointing", "Compute activations twice instead of keeping them: less memory."
    )
    optimizer_state: Literal["reset", "keep"] = setting(
        "reset",
        15,
        "Optimizer state",
        "Begin each iteration with AdamW's moments at zero, or keep them in the checkpoint, three times as large.",
    )
    schedule_scope: Literal["iteration", "run"] = setting(
        "iteration",
        16,
        "Schedule scope",
        "Warm-up and decay in each iteration, or once across the planned steps of all iterations.",
    )
    processes: int = setting(
        1, 17, "Processes", "Processes that train together, one per GPU, each with a shard (FSDP2).", ge=1
    )
    timeout_seconds: float = setting(
        600, 18, "Timeout", "How long processes that train together wait for each other, in seconds.", gt=0
    )

    @model_validator(mode="after")
    def _moments_fit(self) -> "TrainerSettings":
        if self.optimizer_state == "keep" and (self.start_from == "reset" or self.lora.rank is not None):
            other = "start_from (reset)" if self.start_from == "reset" else f"lora.rank ({self.lora.rank})"
            raise ValueError(
                f"optimizer_state (keep) does not go with {other}, whose weights are new in each iteration; "
                "set optimizer_state: reset"
            )
        return self

    @model_validator(mode="after")
    def _micro_batch_divides(self) -> "TrainerSettings":
        micro = self.micro_batch_size
        if micro is not None and self.batch_size % micro:
            raise ValueError(
                f"batch_size ({self.batch_size}) is not a multiple of micro_batch_size ({micro}); "
                "choose a micro-batch that divides the batch"
            )
        return self


class ExplorationSettings(Settings):
    """Whether temperature and K are fixed, or chosen in each iteration by B-STaR's balance score.

    The score of a setting is the mean over observations of min(n' / n*, 1) n' / n, with n' distinct right responses
    among n (arXiv 2412.17256, section 3). It is measured on a few observations before each iteration.
    """

    control: Literal["fixed", "balance"] = method_setting(
        "fixed", 0, "Control", "Keep temperature and K, or choose them by the balance score each iteration."
    )
    temperatures: tuple[float, ...] = setting(
        (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1), 1, "Temperatures", "The ones to choose from.", min_length=1
    )
    wanted: int = setting(6, 2, "Wanted (n*)", "Distinct right responses that are enough.", ge=1)
    observations: int = setting(32, 3, "Observations", "How many the score is measured on.", ge=1)


class EvaluationSettings(Settings):
    """How checkpoints are evaluated: on validation each iteration and on test once."""

    max_new_tokens: int | None = setting(
        None, 0, "Longest answer", "Upper bound of generated tokens; none takes the generator's.", ge=1
    )
    shots: int = method_setting(
        0, 1, "Exemplars", "Worked examples before each question; at most those that the problem has.", ge=0
    )
    samples: int = method_setting(
        1,
        2,
        "Samples",
        "1 decodes greedily; more take the majority of so many samples (self-consistency).",
        ge=1,
    )
    temperature: float = setting(
        0.7, 3, "Temperature", "Divides the scores of those samples; greedy decoding has none.", gt=0, le=10
    )
    test_every_iteration: bool = setting(
        False,
        4,
        "Test every iteration",
        "Measure every checkpoint on test at the end, not only the selected one. May be changed later.",
    )


class RunConfig(Settings):
    """Everything that decides what a self-improvement run does."""

    seed: int = setting(0, 0, "Seed", "Names every random stream of the run.", ge=0)
    iterations: int = setting(
        6, 1, "Iterations", "Rounds of sampling and fine-tuning. May be raised later.", ge=1
    )
    patience: int | None = setting(
        None,
        2,
        "Patience",
        "Stop after this many iterations without a better validation accuracy; none never stops. May be changed later.",
        ge=1,
    )
    problem: ProblemSettings = setting(
        lambda: {"type": "arithmetic"}, 3, "Problem", "What the model teaches itself."
    )
    model: str = setting(
        "tiny-adder", 4, "Model", "tiny-adder, a local directory, or a hub name of a causal LM.", min_length=1
    )
    method: MethodName = setting(
        "adastar", 5, "Method", "A named set of settings; it fills in those that are not given."
    )
    sampler: SamplerSettings = setting(AdaStarSettings, 6, "Sampler", "Which observations are visited first.")
    alpha: Literal["acceptance", "first_try", "train_accuracy"] = setting(
        "acceptance",
        7,
        "Strength signal",
        "What measures the model's strength: share of visited observations accepted, share right at first try, or token accuracy of training.",
    )
    attempts: int = method_setting(2, 8, "Attempts (K)", "Rationales sampled per observation at most.", ge=1)
    attempt_mode: Literal["until_correct", "independent"] = method_setting(
        "until_correct",
        9,
        "Attempt mode",
        "Stop an observation at its first success, or make all K attempts and accept every right one.",
    )
    rationalize: bool = method_setting(
        False, 10, "Rationalize", "Show the answer as a hint in attempts after the first."
    )
    count_hinted_wins: bool = setting(
        True, 11, "Count hinted wins", "Whether a success with a hint counts in the win rate."
    )
    cut_off: int | None = method_setting(
        None,
        12,
        "Cut-off",
        "Accepted rationales per observation at most; none accepts every right one.",
        ge=1,
    )
    rationales: Literal["model", "reference"] = method_setting(
        "model",
        13,
        "Rationales",
        "What is trained on: the model's own, or the data's reference answers (supervised fine-tuning).",
    )
    exploration: ExplorationSettings = setting(
        ExplorationSettings,
        14,
        "Exploration",
        "Whether temperature and K are fixed or chosen each iteration.",
    )
    schedule: ScheduleSettings = setting(
        ScheduleSettings, 15, "Schedule", "How many accepted rationales each iteration wants."
    )
    generator: GeneratorSettings = setting(GeneratorSettings, 16, "Generator", "How rationales are sampled.")
    trainer: TrainerSettings = setting(TrainerSettings, 17, "Trainer", "How the model is fine-tuned.")
    evaluation: EvaluationSettings = setting(
        EvaluationSettings, 18, "Evaluation", "How checkpoints are evaluated."
    )
    budget_pflops: float | None = setting(
        None,
        19,
        "Budget",
        "Stop after the iteration in which so many PFLOPs are spent, evaluation not counted; none never stops. May be changed later.",
        gt=0,
    )
    prompt: PromptSettings = setting(PromptSettings, 20, "Prompt", "How prompts are put to the model.")
    filter: FilterSettings = setting(
        FilterSettings, 21, "Rationale filter", "Which right rationales are kept out of training."
    )
    database_url: SecretStr | None = setting(
        None, 22, "Database", "PostgreSQL URL; none takes ADASTAR_DATABASE_URL or starts a local server."
    )
    home: Path | None = setting(
        None, 23, "Data directory", "Where checkpoints, reports and the local database live."
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

    @model_validator(mode="after")
    def _modes_agree(self) -> "RunConfig":
        if self.rationalize and self.attempt_mode == "independent":
            raise ValueError(
                "rationalize (true) needs attempt_mode until_correct, not independent: "
                "a hint is given only after a wrong attempt"
            )
        if self.rationalize and self.attempts < 2:
            raise ValueError(
                "rationalize (true) needs attempts of at least 2, not 1: the first attempt is never hinted"
            )
        if self.rationalize and self.sampler.type in ("dart", "boundary"):
            raise ValueError(
                f"rationalize (true) does not go with sampler {self.sampler.type}, which allots unhinted attempts; "
                "set rationalize: false"
            )
        if self.exploration.control == "balance" and self.attempt_mode == "until_correct":
            raise ValueError(
                "exploration.control (balance) needs attempt_mode independent, not until_correct: it chooses how many "
                "attempts every observation gets"
            )
        return self

    @field_serializer("database_url", when_used="json")
    def _hide_password(self, value: SecretStr | None) -> str | None:
        return None if value is None else "**********"

    def beta(self, iteration: int) -> int:
        """Return beta_t, the accepted rationales wanted in iteration ``iteration`` >= 1 (paper section 2.1)."""
        return self.steps(iteration) * self.trainer.batch_size

    def steps(self, iteration: int) -> int:
        """Return sigma_t, the planned training steps of iteration ``iteration`` >= 1."""
        return int(self.schedule.first_steps * self.schedule.growth ** (iteration - 1))

    def schedule_steps(self) -> int:
        """Return the planned training steps of all iterations together."""
        return sum(self.steps(iteration) for iteration in range(1, self.iterations + 1))

    def method_changes(self) -> dict[str, object]:
        """Return the settings, by dotted key, in which the run differs from what its method says."""
        own = flatten(self.model_dump(mode="json"))
        defined = flatten(dict(methods.settings_of(self.method)))
        return {key: own[key] for key, value in defined.items() if key in own and own[key] != value}

    def method_title(self) -> str:
        """Return the method's name, with the settings that differ from its definition: ``rest-em (attempts=32)``."""
        changes = ", ".join(f"{key}={value}" for key, value in self.method_changes().items())
        return f"{self.method} ({changes})" if changes else self.method

    def identity(self) -> dict[str, object]:
        """Return the fields that decide what the run is, as plain JSON values with dotted keys."""
        return {key: value for key, value in self.lasting().items() if key not in MAY_GROW}

    def lasting(self) -> dict[str, object]:
        """Return all fields but the run-time ones, and but ``ADDED`` ones at their defaults."""
        flat = flatten(self.model_dump(mode="json"))
        left_out = {*RUN_TIME_ONLY, *(key for key in ADDED if flat[key] == _defaults()[key])}
        return {key: value for key, value in flat.items() if key not in left_out}

    @classmethod
    def of_identity(cls, identity: dict[str, object]) -> "RunConfig":
        """Return the configuration that :meth:`identity` came from; fields that it lacks have their defaults.

        Raises:
            ConfigError: This version of the code does not know the fields or their values.
        """
        try:
            return cls.model_validate(_nested(identity))
        except ValidationError as error:
            raise ConfigError(
                f"The stored configuration cannot be read by this version of adastar: {error}. Use the version that wrote it."
            ) from error

    def sha256(self) -> str:
        """Return the digest of :meth:`identity`."""
        return hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()


@cache
def _defaults() -> dict[str, object]:
    return flatten(RunConfig().model_dump(mode="json"))


def _nested(flat: dict[str, object]) -> dict[str, object]:
    """Return dotted keys as nested settings, the inverse of :func:`flatten`."""
    nested: dict[str, object] = {}
    for key, value in flat.items():
        head, _, rest = key.partition(".")
        if rest:
            inner = nested.setdefault(head, {})
            assert isinstance(inner, dict)
            inner[rest] = value
        else:
            nested[head] = value
    return {key: _nested(value) if isinstance(value, dict) else value for key, value in nested.items()}


def flatten(values: dict[str, object], prefix: str = "") -> dict[str, object]:
    """Return nested settings with dotted keys: ``{"a": {"b": 1}}`` becomes ``{"a.b": 1}``."""
    flat: dict[str, object] = {}
    for key, value in values.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
