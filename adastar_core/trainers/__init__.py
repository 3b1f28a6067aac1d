"""Trainers: fine-tune a model on the accepted rationales of an iteration (D+ of the paper).

``sft.finetune`` trains; these are the records that it takes and returns. Importing them does not import torch.
"""

from dataclasses import dataclass

from adastar_core.models.checkpoints import Checkpoint


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """One accepted rationale.

    Attributes:
        prompt: The training prompt: never hinted, without exemplars. Its tokens are not trained.
        completion: The rationale with its answer; every token of it, and an end after it, is trained.
        name: Its name in error messages, e.g. ``"gsm8k-17, attempt 2"``.
        tokens: The ids that the model generated, with the end, trained instead of the completion. If empty, the
            completion is tokenised, and EOS is added.
    """

    prompt: str
    completion: str
    name: str
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """One finished optimizer step.

    Attributes:
        step: Its number, from 1.
        steps: How many there will be.
        loss: Mean cross-entropy of the step's trained tokens, in nats.
        train_tokens: Tokens of the step's rows, without padding.
    """

    step: int
    steps: int
    loss: float
    train_tokens: int


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """The result of a training.

    Attributes:
        checkpoint: The published checkpoint.
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
