"""Choose an iteration's temperature, or temperature and K, by the balance score where the configuration asks for it (B-STaR)."""

import time
from collections.abc import Sequence
from dataclasses import replace

from adastar_core.compute import StageTokens, generation_pairs
from adastar_core.config import RunConfig
from adastar_core.generators import Decoding
from adastar_core.records import Attempt, GenerationRequest, Outcome
from adastar_core.runs.workspace import Workspace
from adastar_core.selection.exploration import Control, Tried, choose_control
from adastar_core.stages.costs import record_cost
from adastar_core.store.controls import find_control, write_control
from adastar_core.streams import rng, stream_key
from adastar_core.verifiers.batch import verify_all


def calibrate(workspace: Workspace, iteration: int) -> Control | None:
    """Measure every temperature on a few observations and record the best choice; ``None`` where control is fixed.

    The attempts are those of this measurement alone: they are counted as ``generate probe`` and never trained on.
    """
    if workspace.config.exploration.control == "fixed":
        return None
    return workspace.read(find_control, iteration) or _choose(workspace, iteration)


def _choose(workspace: Workspace, iteration: int) -> Control:
    config = workspace.config
    started = time.monotonic()
    tokens = StageTokens()
    tried: dict[float, Tried] = {}
    positions = _positions(workspace, iteration)
    for temperature in config.exploration.temperatures:
        attempts = _attempts(workspace, iteration, positions, temperature)
        tokens = sum(map(_tokens, attempts), tokens)
        responses = _right(workspace, attempts)
        tried[temperature] = [
            responses[start : start + config.attempts] for start in range(0, len(responses), config.attempts)
        ]
    control = choose_control(tried, _attempts_to_choose_from(config), config.exploration.wanted)
    seconds = time.monotonic() - started
    with workspace.lease.transaction() as connection:
        write_control(connection, workspace.run_id, iteration, control)
        record_cost(connection, workspace, iteration, "generate probe", tokens, seconds)
    return control


def _attempts_to_choose_from(config: RunConfig) -> Sequence[int]:
    most = config.attempts
    return range(1, most + 1) if config.exploration.control == "balance" else (most,)


def _positions(workspace: Workspace, iteration: int) -> list[int]:
    chosen = rng(workspace.config.seed, "probe", iteration).permutation(len(workspace.train))
    positions: list[int] = chosen[: workspace.config.exploration.observations].tolist()
    return positions


def _attempts(
    workspace: Workspace, iteration: int, positions: list[int], temperature: float
) -> list[Attempt]:
    """Return K attempts at each observation, in order."""
    config = workspace.config
    requests = []
    for position in positions:
        observation = workspace.train[position]
        for attempt in range(1, config.attempts + 1):
            name = (iteration, str(temperature), observation.observation_id, attempt)
            key = stream_key(config.seed, "probe", *name)
            prompt = workspace.problem.prompt(observation)
            requests.append(GenerationRequest(position, attempt, hinted=False, prompt=prompt, stream=key))
    checkpoint, size = workspace.checkpoint(iteration - 1), config.generator.batch_size
    decoding: Decoding = replace(workspace.sampling_decoding(iteration), temperature=temperature)
    return [
        attempt
        for start in range(0, len(requests), size)
        for attempt in workspace.generator(checkpoint).generate(requests[start : start + size], decoding)
    ]


def _right(workspace: Workspace, attempts: Sequence[Attempt]) -> list[str | None]:
    """Return the responses, ``None`` in place of those that are not right."""
    responses = [(workspace.train[one.position], one.response, one.finish_reason) for one in attempts]
    verdicts = verify_all(workspace.problem.verifier, responses)
    return [
        attempt.response if verdict.outcome is Outcome.RIGHT else None
        for attempt, verdict in zip(attempts, verdicts, strict=True)
    ]


def _tokens(attempt: Attempt) -> StageTokens:
    return StageTokens(
        prompt_tokens=attempt.prompt_tokens,
        padded_prompt_tokens=attempt.padded_prompt_tokens,
        generated_tokens=attempt.generated_tokens,
        padded_generated_tokens=attempt.padded_generated_tokens,
        attention_pairs=generation_pairs(attempt.prompt_tokens, attempt.generated_tokens),
    )
