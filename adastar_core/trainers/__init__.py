"""Trainers: fine-tune a model on the accepted rationales of an iteration (D+ of the paper).

``sft.finetune`` trains; these are the records that it takes and returns. Importing them does not import torch.
"""

from dataclasses import dataclass

from adastar_core.models.checkpoints import Checkpoint


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """One accepted rationale, with a name for messages, e.g. ``"gsm8k-17, attempt 2"``.

    The prompt is never hinted and has no exemplars; its tokens are not trained. Every token of the completion
    is, and an end after it. ``tokens`` are the ids that the model generated, with the end; they are trained
    instead of the completion. If they are empty, the completion is tokenised, and EOS is added.
    """

    prompt: str
    completion: str
    name: str
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """A finished step, from 1, of ``steps``: its mean loss in nats, its rows' tokens without padding, its learning rate, its time."""

    step: int
    steps: int
    loss: float
    train_tokens: int
    learning_rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """The result of a training.

    Attributes:
        checkpoint: As it was published.
        loss: Mean cross-entropy over all trained tokens, each as the model was when its step began, in nats.
        token_accuracy: Share of trained tokens that the model ranked first, likewise: ``train_accuracy``.
        steps: Optimizer steps.
        train_tokens: Tokens of all rows that went through the model, prompts included, padding not.
        padded_train_tokens: The same with the padding of each micro-batch.
        attention_pairs: Attention's (query, key) pairs in units of a forward pass (:func:`compute.training_pairs`).
        seconds: Time that the steps took, summed over restarts; loading and saving are not in it.
        adapter_parameters: Parameters of the adapter, where only it was trained (LoRA); 0 = all were trained.
    """

    checkpoint: Checkpoint
    loss: float
    token_accuracy: float
    steps: int
    train_tokens: int
    padded_train_tokens: int
    attention_pairs: int
    seconds: float
    adapter_parameters: int = 0
