"""What other trainers call things, and which key that is here: TRL, axolotl and transformers have these names."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meant:
    """The key that a name stands for here, and what is different about it, if anything."""

    key: str
    but: str = ""

    @property
    def advice(self) -> str:
        return f"here it is {self.key}" + (f" ({self.but})" if self.but else "")


_ROUNDS = (
    "there are no epochs: each iteration samples rationales anew and trains once on each that is accepted"
)
_STEPS = "the steps of the first iteration; schedule.growth is their growth"
_DATA = "with problem=table for a table of your own"
_SAVED = "checkpoints, reports and the local database are in it"

_KEYS = {
    Meant("trainer.learning_rate"): "lr learning_rate",
    Meant("iterations", _ROUNDS): "epochs epoch num_epochs num_train_epochs n_epochs max_epochs",
    Meant("schedule.first_steps", _STEPS): "max_steps steps num_steps total_steps",
    Meant("generator.max_new_tokens", "of each rationale"): (
        "max_tokens max_new_tokens max_completion_length max_response_length response_length new_tokens"
    ),
    Meant("trainer.batch_size", "of a training step; generator.batch_size is that of generation"): (
        "batch_size train_batch_size per_device_train_batch_size total_batch_size global_batch_size"
    ),
    Meant("trainer.micro_batch_size", "texts in a forward pass"): "micro_batch_size device_batch_size mini_batch_size",
    Meant("trainer.micro_batch_size", "trainer.batch_size divided by the steps to accumulate"): (
        "gradient_accumulation_steps grad_accum accumulation_steps"
    ),
    Meant("trainer.max_length"): "max_length max_seq_length sequence_len max_seq_len cutoff_len context_length",
    Meant("trainer.warmup_steps"): "warmup_steps warmup num_warmup_steps warmup_ratio",
    Meant("trainer.decay"): "lr_scheduler lr_scheduler_type scheduler lr_schedule",
    Meant("trainer.weight_decay"): "weight_decay wd",
    Meant("trainer.max_grad_norm"): "max_grad_norm grad_clip gradient_clipping clip_grad_norm",
    Meant("trainer.gradient_checkpointing"): "gradient_checkpointing activation_checkpointing",
    Meant("trainer.batching", "packed"): "packing sample_packing",
    Meant("trainer.dtype", "float32 or bfloat16; generator.dtype is that of generation"): "bf16 fp16 tf32 torch_dtype precision",
    Meant("trainer.lora.rank"): "lora_r lora_rank r lora use_lora use_peft adapter",
    Meant("trainer.lora.alpha"): "lora_alpha",
    Meant("trainer.lora.dropout"): "lora_dropout",
    Meant("trainer.lora.target_modules"): "lora_target_modules target_modules",
    Meant("model"): "base_model model_name model_name_or_path model_path pretrained model_id",
    Meant("problem.path", _DATA): "dataset datasets dataset_name dataset_path data data_path train_file train_data path",
    Meant("problem.question", _DATA): "question question_column prompt_column input_column",
    Meant("problem.answer", _DATA): "answer answer_column response_column target_column label_column",
    Meant("problem.validation_share", "of the training part"): "val_set_size eval_split test_size val_size",
    Meant("problem.prompt", "a template with {question}"): "prompt_template template prompt_format",
    Meant("problem.system", "it needs prompt.chat=true"): "system system_prompt system_message default_system_message",
    Meant("prompt.chat", "true or false; the template is the model's own"): "chat_template chat",
    Meant("generator.temperature"): "temperature temp",
    Meant("generator.top_p"): "top_p",
    Meant("generator.type", "vllm, transformers, openai or auto"): "use_vllm engine backend",
    Meant("attempts", "with attempt_mode=independent for all of them at once"): (
        "num_generations n_samples num_samples num_return_sequences rollouts_per_example k"
    ),
    Meant("home", _SAVED): "output_dir out_dir save_dir output logging_dir",
    Meant("patience", "iterations without a better validation accuracy"): "early_stopping_patience early_stopping",
    Meant("monitors"): "report_to use_wandb wandb_project",
    Meant("compute.backend", "ray for several machines; trainer.processes for several GPUs"): "num_gpus gpus devices num_processes",
    Meant("seed"): "random_seed data_seed",
}  # fmt: skip
OTHER_NAMES = {name: meant for meant, names in _KEYS.items() for name in names.split()}
"""By name, in small letters and with underscores."""


def meant_by(key: str) -> Meant | None:
    """Return what an unknown key stands for elsewhere, by its last part."""
    name = key.rpartition(".")[2].strip("-").replace("-", "_").lower()
    return OTHER_NAMES.get(name)
