"""Digests of what a model is given and trained on: equal texts have equal digests, whatever run they come from."""

import hashlib

from adastar_core.problems import Problem
from adastar_core.records import Observation


def prompt_sha256(prompt: str) -> str:
    return hashlib.sha256(prompt.encode()).hexdigest()


def training_text_sha256(problem: Problem, observation: Observation, response: str) -> str:
    return hashlib.sha256(f"{problem.training_prompt(observation)}\x1f{response}".encode()).hexdigest()
