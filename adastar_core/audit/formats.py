"""Accepted rationales and preference pairs in the forms that other trainers read, one JSON object per line.

======== =====================================================================================================
trl-sft  TRL's prompt-completion: ``prompt`` and ``completion``, texts as they were trained, or lists of messages
trl-dpo  TRL's preference: ``prompt``, ``chosen`` and ``rejected``, in the same two forms
sharegpt ``conversations``, a list of ``{"from": "human" or "gpt", "value": text}``
axolotl  ``messages``, a list of ``{"role": ..., "content": ...}``, for ``type: chat_template``
======== =====================================================================================================

TRL's are messages where the run put its prompts into a chat template, and else texts. The other two are always
messages, since their trainers put them into a template of their own.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from adastar_core.problems.chat import ChatProblem
from adastar_core.records import Observation
from adastar_core.runs.stored import StoredRun
from adastar_core.store.iterations import read_iterations
from adastar_core.store.pairs import read_pairs
from adastar_core.store.provenance import read_provenance

Message = dict[str, str]
Row = Mapping[str, str | list[Message]]
_SPEAKERS = {"system": "system", "user": "human", "assistant": "gpt"}


def _trl_sft(stored: StoredRun) -> Iterator[Row]:
    for observation, response in _accepted(stored):
        yield {"prompt": _prompt(stored, observation), "completion": _completion(stored, response)}


def _trl_dpo(stored: StoredRun) -> Iterator[Row]:
    for pair in read_pairs(stored.engine, stored.run_id, _iterations(stored)):
        prompt = _prompt(stored, stored.train[pair.position])
        chosen, rejected = _completion(stored, pair.chosen), _completion(stored, pair.rejected)
        yield {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def _sharegpt(stored: StoredRun) -> Iterator[Row]:
    for row in _axolotl(stored):
        told = [message for message in row["messages"] if isinstance(message, dict)]
        yield {"conversations": [{"from": _SPEAKERS[one["role"]], "value": one["content"]} for one in told]}


def _axolotl(stored: StoredRun) -> Iterator[Row]:
    for observation, response in _accepted(stored):
        answer = {"role": "assistant", "content": response.strip()}
        yield {"messages": [*_messages(stored, observation), answer]}


def _accepted(stored: StoredRun) -> Iterator[tuple[Observation, str]]:
    """Yield every rationale that was trained on, in the order of training."""
    for row in read_provenance(stored.engine, stored.run_id, stored.run.dataset_id, _iterations(stored)):
        yield stored.train[row.position], row.response


def _iterations(stored: StoredRun) -> list[int]:
    return [row.iteration for row in stored.read(read_iterations)]


def _prompt(stored: StoredRun, observation: Observation) -> str | list[Message]:
    if isinstance(stored.problem, ChatProblem):
        return _messages(stored, observation)
    return stored.problem.training_prompt(observation)


def _completion(stored: StoredRun, response: str) -> str | list[Message]:
    if isinstance(stored.problem, ChatProblem):
        return [{"role": "assistant", "content": response}]
    return response


def _messages(stored: StoredRun, observation: Observation) -> list[Message]:
    """Return what precedes the answer: the prompt as a user's message, after the system's if there is one."""
    problem = stored.problem.plain if isinstance(stored.problem, ChatProblem) else stored.problem
    system = problem.system(observation)
    before = [] if system is None else [{"role": "system", "content": system}]
    return [*before, {"role": "user", "content": problem.training_prompt(observation)}]


def _writer(rows_of: Callable[[StoredRun], Iterator[Row]]) -> Callable[[StoredRun, Path], int]:
    def write(stored: StoredRun, path: Path) -> int:
        count = 0
        with path.open("w", encoding="utf-8") as file:
            for row in rows_of(stored):
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                count += 1
        return count

    return write


TRAINERS: Mapping[str, Callable[[StoredRun, Path], int]] = {
    "trl-sft": _writer(_trl_sft),
    "trl-dpo": _writer(_trl_dpo),
    "sharegpt": _writer(_sharegpt),
    "axolotl": _writer(_axolotl),
}
"""What writes each form to a file and returns the number of its lines."""
