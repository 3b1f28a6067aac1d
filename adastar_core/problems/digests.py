"""Digests of what a model is given and trained on: equal texts have equal digests, whatever run they come from."""

import hashlib

from adastar_core.problems import Problem
from adastar_core.records import Observation


def prompt_sha256(prompt: str) -> str:
    """Return the digest by which a rollout says from which prompt it was made."""
    return hashlib.sha256(prompt.encode()).hexdigest()


def training_text_sha256(problem: Problem, observation: Observation, response: str) -> str:
    """Return the digest by which a training example says what was trained: its prompt and its response."""
    return hashlib.sha256(f"{problem.training_prompt(observation)}\x1f{response}".encode()).hexdigest()
