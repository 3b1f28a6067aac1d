"""Measure what new weights cost a running engine: a hand-over with its proof against a new engine, then whole runs of each.

The quickstart also runs on transformers, which ``generator.type: auto`` uses for so small a model.

Run it in the environment of ``make test-vllm``:  OMP_NUM_THREADS=1 python bench/handover.py --json handover.json
"""

import os
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

from common import run, save, timed
from main_job import main_job
from random_llama import write_random_llama
from rich.console import Console
from sqlalchemy import text

from adastar_core.config import GeneratorSettings
from adastar_core.generators.vllm import VllmGenerator
from adastar_core.models.checkpoints import digest_of
from adastar_core.models.source import parameter_count

SECONDS = text("SELECT iteration, seconds FROM iterations ORDER BY iteration")


def main(*, times: int = 5, iterations: int = 3, json: Path | None = None) -> None:
    """Measure, print, and write the figures as JSON where asked to.

    Args:
        times: Hand-overs and restarts to measure; 0 leaves them out.
        iterations: Iterations of each run; 0 leaves runs out.
        json: Where to write the figures.
    """
    figures: dict[str, object] = {"load": os.getloadavg()[0]}
    if times:
        figures["engine"] = engine(times)
    if iterations:
        figures["quickstart_seconds"] = runs(iterations)
    Console().print_json(data=figures)
    save(json, figures)


def engine(times: int) -> dict[str, float]:
    """Return median seconds of a hand-over to a model of 92 million parameters, and of a new engine; they take turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = [write_random_llama(folder / str(seed), seed=seed) for seed in (0, 1)]
        digests = [digest_of(model) for model in models]
        generator = VllmGenerator(GeneratorSettings(dtype="float32"), folder / "engine.log")
        taken: dict[str, list[float]] = {"hand-over": [], "new engine": []}
        try:
            for _ in range(times):
                restart, _, handed = (
                    timed(partial(generator.hand_over, models[n], digests[n])) for n in (0, 1, 0)
                )
                taken["new engine"].append(restart)
                taken["hand-over"].append(handed)  # an engine's first one is slower
                generator.close()
        finally:
            generator.close()
        medians = {name: statistics.median(each) for name, each in taken.items()}
        return {"parameters": parameter_count(models[0]), **medians}


def runs(iterations: int) -> dict[str, dict[str, object]]:
    """Return the seconds of the quickstart and of its iterations: on transformers, on one engine, on one per iteration."""
    ways = {
        "transformers": {"generator.type": "transformers"},
        "hand-over": {"generator.type": "vllm", "generator.vllm.while_training": "keep"},
        "new engine": {"generator.type": "vllm", "generator.vllm.while_training": "end"},
    }
    found: dict[str, dict[str, object]] = {}
    for name, way in ways.items():
        started = time.perf_counter()
        with main_job(iterations=iterations, **way) as database, database.connect() as connection:
            whole = time.perf_counter() - started
            seconds = [float(row.seconds) for row in connection.execute(SECONDS)]
        found[name] = {"whole": whole, "iterations": seconds}
    return found


if __name__ == "__main__":
    run(main, __doc__)
