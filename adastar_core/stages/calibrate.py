"""Choose an iteration's temperature, or temperature and K, by the balance score where the configuration asks for it (B-STaR)."""

import time
from dataclasses import replace

from adastar_core.compute import StageTokens
from adastar_core.records import Attempt, GenerationRequest, Outcome
from adastar_core.runs.workspace import Workspace
from adastar_core.selection.exploration import Control, Tried, choose_control
from adastar_core.stages.costs import record_cost, tokens_of
from adastar_core.store.controls import find_control, write_control
from adastar_core.streams import rng, stream_key
from adastar_core.verifiers.batch import verify_all


def calibrate(workspace: Workspace, iteration: int) -> Control | None:
    """Measure every temperature on a few observations and record the best choice; ``None`` where control is fixed.

    The attempts are those of this measurement alone: they are counted as ``generate probe`` and never trained on.
    """
    config, settings = workspace.config, workspace.config.exploration
    if settings.control == "fixed":
        return None
    if found := workspace.read(find_control, iteration):
        return found
    started, tokens = time.monotonic(), StageTokens()
    chosen = rng(config.seed, "probe", iteration).permutation(len(workspace.train))
    positions: list[int] = chosen[: settings.observations].tolist()
    workspace.progress.enter(workspace.itinerary.probe(iteration))
    tried: dict[float, Tried] = {}
    for temperature in settings.temperatures:
        attempts = _attempts(workspace, iteration, positions, temperature)
        tokens = sum(map(tokens_of, attempts), tokens)
        responses = [(workspace.train[made.position], made.response, made.finish_reason) for made in attempts]
        verdicts = verify_all(workspace.problem.verifier, responses)
        right = [
            attempt.response if verdict.outcome is Outcome.RIGHT else None
            for attempt, verdict in zip(attempts, verdicts, strict=True)
        ]
        tried[temperature] = [
            right[start : start + config.attempts] for start in range(0, len(right), config.attempts)
        ]
    least = 1 if settings.control == "balance" else config.attempts
    control = choose_control(tried, range(least, config.attempts + 1), settings.wanted)
    seconds = time.monotonic() - started
    with workspace.lease.transaction() as connection:
        write_control(connection, workspace.run_id, iteration, control)
        record_cost(connection, workspace, iteration, "generate probe", tokens, seconds)
    return control


def _attempts(
    workspace: Workspace, iteration: int, positions: list[int], temperature: float
) -> list[Attempt]:
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
    decoding = replace(workspace.sampling_decoding(iteration), temperature=temperature)
    made: list[Attempt] = []
    for start in range(0, len(requests), size):
        batch = workspace.generator(checkpoint).generate(requests[start : start + size], decoding)
        workspace.progress.add(len(batch), tokens=sum(attempt.generated_tokens for attempt in batch))
        made += batch
    return made
