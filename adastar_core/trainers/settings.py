"""How the model is fine-tuned."""

from typing import Literal

from pydantic import model_validator

from adastar_core.settings import Settings, Text, method_setting, setting


class LoraSettings(Settings):
    """Low-rank adaptation (arXiv 2106.09685): a small update of frozen weights, merged into every checkpoint."""

    rank: int | None = setting(None, "Rank", "Rank of the update; default: all parameters are trained.", ge=1)
    alpha: int | None = setting(
        None, "Alpha", "The update is scaled by alpha / rank; default: twice the rank.", ge=1
    )
    dropout: float = setting(0.0, "Dropout", "Dropout before the update in training.", ge=0, lt=1)
    target_modules: Literal["all-linear"] | tuple[Text, ...] = setting(
        "all-linear",
        "Target modules",
        "Modules that get an update, e.g. [q_proj, v_proj]; all-linear is every linear one but the head.",
    )

    @property
    def scale(self) -> int:
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
        "Start from",
        "Continue from the previous checkpoint, or from the base model each iteration.",
    )
    learning_rate: float = setting(1e-5, "Learning rate", "Peak rate of AdamW.", gt=0)
    batch_size: int = setting(8, "Batch size", "Rationales per optimizer step (beta of the paper).", ge=1)
    micro_batch_size: int | None = setting(
        None, "Micro-batch size", "Rationales per forward pass; default: the whole batch at once.", ge=1
    )
    warmup_steps: int = setting(0, "Warm-up", "Steps of linear warm-up in each iteration.", ge=0)
    decay: Literal["constant", "linear", "cosine"] = setting(
        "constant", "Decay", "Learning rate after warm-up."
    )
    weight_decay: float = setting(0.01, "Weight decay", "AdamW's decoupled weight decay.", ge=0)
    max_grad_norm: float = setting(1.0, "Gradient clipping", "Largest gradient norm.", gt=0)
    max_length: int = setting(
        1024,
        "Longest text",
        "Prompt and rationale in tokens; a longer one is not accepted. May be raised later.",
        ge=2,
        limit=True,
    )
    on_exhausted: Literal["shrink", "repeat"] = setting(
        "shrink",
        "When the pool is exhausted",
        "Train fewer steps, or repeat the accepted rationales up to the planned steps.",
    )
    thin: float = method_setting(
        0.0,
        "Thin",
        "Share left out of the accepted rationales that are near-certain: every attempt of this visit and of the one before was right.",
        ge=0,
        lt=1,
        added=True,
    )
    dtype: Literal["auto", "float32", "bfloat16"] = setting(
        "auto",
        "Precision",
        "Number format of training. auto means what it does for generation. A run keeps the format that it started with.",
    )
    save_every: int = setting(
        100, "Save every", "Steps between restart points inside a training stage.", ge=1
    )
    lora: LoraSettings = setting(
        LoraSettings, "LoRA", "Train a low-rank update of frozen weights.", added=True
    )
    batching: Literal["padded", "packed", "length_grouped"] = setting(
        "padded",
        "Batching",
        "Pad a micro-batch's texts, pack short ones into one row (the same batches), or batch texts of similar length.",
        added=True,
    )
    gradient_checkpointing: bool = setting(
        False,
        "Gradient checkpointing",
        "Compute activations twice instead of keeping them: less memory.",
        added=True,
    )
    optimizer_state: Literal["reset", "keep"] = setting(
        "reset",
        "Optimizer state",
        "Start each iteration with AdamW's moments at zero, or keep them in the checkpoint, which is then three times as large.",
        added=True,
    )
    schedule_scope: Literal["iteration", "run"] = setting(
        "iteration",
        "Schedule scope",
        "Warm-up and decay in each iteration, or once across the planned steps of all iterations.",
        added=True,
    )
    processes: int = setting(
        1,
        "Processes",
        "Number of training processes, one per GPU, each with a shard (FSDP2).",
        ge=1,
        added=True,
    )
    timeout_seconds: float = setting(
        600,
        "Timeout",
        "How long processes that train together wait for each other, in seconds.",
        gt=0,
        run_time=True,
    )

    @model_validator(mode="after")
    def _moments_fit(self) -> "TrainerSettings":
        if self.optimizer_state == "keep" and (self.start_from == "reset" or self.lora.rank is not None):
            other = "start_from (reset)" if self.start_from == "reset" else f"lora.rank ({self.lora.rank})"
            raise ValueError(
                f"optimizer_state (keep) cannot be combined with {other}, whose weights are new in each iteration; "
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
