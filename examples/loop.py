"""The whole of AdaSTaR as one flat script: no database, no Prefect, no resuming. Read it top to bottom.

It makes exactly the selections that the flow makes for the same configuration (a test compares them).

Run it:  python examples/loop.py --preset quickstart --set iterations=2
"""

import argparse
import tempfile
from datetime import date
from pathlib import Path

from adastar_core.config import RunConfig, files
from adastar_core.config.base import base_of
from adastar_core.generators import Decoding, Generator
from adastar_core.generators.transformers import open_transformers
from adastar_core.models.source import resolve_model
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.problems import Problem
from adastar_core.problems.catalogue import open_problem
from adastar_core.problems.chat import prompted
from adastar_core.records import GenerationRequest, Observation, Outcome, Split
from adastar_core.samplers import Statistics
from adastar_core.samplers.catalogue import open_sampler
from adastar_core.selection import Judged, Selection, close, next_attempts
from adastar_core.streams import rationale_key
from adastar_core.trainers import TrainingExample
from adastar_core.trainers.sft import finetune
from adastar_core.verifiers.filters import screen


def main() -> None:
    """Run the loop for a preset and print a line per iteration."""
    options = argparse.ArgumentParser(description="AdaSTaR as one flat script.")
    options.add_argument("--preset", help="default: quickstart, or the defaults where another model is set")
    options.add_argument("--set", action="append", default=[], dest="overrides", metavar="a.b=value")
    arguments = options.parse_args()
    base = base_of(arguments.preset, None, arguments.overrides, files.DEFAULT_PRESET)
    config = base.resolve(arguments.overrides)
    with tempfile.TemporaryDirectory() as folder:
        for iteration, (selection, stamped, accuracy) in enumerate(loop(config, Path(folder)), start=1):
            print(
                f"t={iteration} m={selection.m} accepted={len(selection.accepted)} "
                f"alpha={float(selection.acceptance):.3f} stamped={stamped} validation={accuracy:.3f}"
            )


def loop(config: RunConfig, folder: Path) -> list[tuple[Selection, int, float]]:
    """Run every iteration; return what each selected, how many it stamped, and its validation accuracy."""
    base = model = resolve_model(config.model)
    problem = prompted(open_problem(config.problem), config.prompt, base, date.today())
    pool, validation = problem.load(Split.TRAIN), problem.load(Split.VALIDATION)
    ids = [observation.observation_id for observation in pool]
    sampler = open_sampler(config.sampler, config.seed, pool, Statistics.empty(len(pool)))
    rules, vocabulary = config.rules(), Vocabulary(base)
    history = []

    for iteration in range(1, config.iterations + 1):
        # Visit observations in the sampler's order until beta_t rationales are accepted.
        beta, results, made = config.beta(iteration), {}, {}
        generator = open_transformers(model, config.generator)
        while planned := next_attempts(
            sampler.order(iteration), results, rules, beta, config.generator.batch_size
        ):
            for start in range(0, len(planned), config.generator.batch_size):
                batch = planned[start : start + config.generator.batch_size]
                requests = [
                    GenerationRequest(
                        wanted.position, wanted.attempt, wanted.hinted,
                        (problem.hinted_prompt if wanted.hinted else problem.prompt)(pool[wanted.position]),
                        rationale_key(config.seed, iteration, ids[wanted.position], wanted.attempt),
                    )
                    for wanted in batch
                ]  # fmt: skip
                for attempt in generator.generate(requests, decoding(config, problem, greedy=False)):
                    place, observation = attempt.position, pool[attempt.position]
                    verdict = problem.verifier.verify(observation, attempt.response, attempt.finish_reason)
                    right, earlier = verdict.outcome is Outcome.RIGHT, results.setdefault(place, [])
                    kept = [made[place, judged.attempt].response for judged in earlier if judged.accepted]
                    rejected = right and screen(observation, attempt, kept, config.filter) is not None
                    earlier.append(Judged(attempt.attempt, attempt.hinted, right, rejected))
                    made[place, attempt.attempt] = attempt
        generator.close()
        selection = close(sampler.order(iteration), results, rules, beta)

        # Train on the accepted rationales, D+: on the very tokens that were generated.
        examples = [
            TrainingExample(
                problem.training_prompt(pool[kept.position]),
                kept.response,
                ids[kept.position],
                vocabulary.completed(kept.response, kept.tokens, chat=config.prompt.chat),
            )
            for kept in (made[key] for key in selection.accepted)
        ]
        outcome = finetune(
            base if config.trainer.start_from == "reset" else model, examples, config.trainer,
            planned_steps=config.steps(iteration), seed=config.seed, iteration=iteration,
            output=folder / f"iteration-{iteration}", work=folder / "work",
        )  # fmt: skip
        model = outcome.checkpoint.path

        # Stamp the first u visits: u = floor(m alpha^p) for AdaSTaR.
        strength = {
            "acceptance": selection.acceptance,
            "first_try": selection.first_try,
            "train_accuracy": outcome.token_accuracy,
        }[config.alpha]
        stamped = sampler.observe(iteration, selection.visits, strength)
        history.append((selection, stamped, accuracy(config, problem, model, validation)))
    return history


def accuracy(config: RunConfig, problem: Problem, model: Path, observations: "list[Observation]") -> float:
    """Return greedy accuracy on ``observations``."""
    generator: Generator = open_transformers(model, config.generator)
    right = 0
    for start in range(0, len(observations), config.generator.batch_size):
        batch = observations[start : start + config.generator.batch_size]
        requests = [
            GenerationRequest(place, 1, False, problem.evaluation_prompt(item, config.evaluation.shots), 0)
            for place, item in enumerate(batch)
        ]
        attempts = generator.generate(requests, decoding(config, problem, greedy=True))
        for item, attempt in zip(batch, attempts, strict=True):
            verdict = problem.verifier.verify(item, attempt.response, attempt.finish_reason)
            right += verdict.outcome is Outcome.RIGHT
    generator.close()
    return right / len(observations)


def decoding(config: RunConfig, problem: Problem, *, greedy: bool) -> Decoding:
    """Return how text is decoded."""
    settings = config.generator
    longest = (config.evaluation.max_new_tokens if greedy else None) or settings.max_new_tokens
    return Decoding(greedy, settings.temperature, settings.top_p, longest, problem.stop)


if __name__ == "__main__":
    main()
