"""Measure what new weights cost a running engine: a hand-over with its proof against a new engine, then whole runs of each.

The quickstart also runs on transformers, which ``generator.type: auto`` uses for so small a model.

Run it in the environment of ``make test-vllm``:  OMP_NUM_THREADS=1 python bench/handover.py --json handover.json
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from random_llama import write_random_llama
from rich.console import Console
from sqlalchemy import text

from adastar_core.config import GeneratorSettings
from adastar_core.generators.vllm import VllmGenerator
from adastar_core.models.checkpoints import digest_of
from adastar_core.models.source import parameter_count
from adastar_core.postgres.server import stop_local_postgres
from adastar_core.store.database import open_database

FLOW = Path(__file__).parent.parent / "flows" / "adastar.py"
SECONDS = text("SELECT iteration, seconds FROM iterations ORDER BY iteration")


def main() -> None:
    """Measure, print, and write the figures as JSON where asked to."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--times", type=int, default=5, help="hand-overs and restarts to measure; 0 leaves them out"
    )
    options.add_argument(
        "--iterations", type=int, default=3, help="iterations of each run; 0 leaves runs out"
    )
    options.add_argument("--json", type=Path, help="where to write the figures")
    arguments = options.parse_args()
    figures: dict[str, object] = {"load": os.getloadavg()[0]}
    if arguments.times:
        figures["engine"] = engine(arguments.times)
    if arguments.iterations:
        figures["quickstart_seconds"] = runs(arguments.iterations)
    show(figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


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
                    _seconds(partial(generator.hand_over, models[n], digests[n])) for n in (0, 1, 0)
                )
                taken["new engine"].append(restart)
                taken["hand-over"].append(handed)  # an engine's first one is slower
                generator.close()
        finally:
            generator.close()
        medians = {name: statistics.median(each) for name, each in taken.items()}
        return {"parameters": parameter_count(models[0]), **medians}


def _seconds(act: Callable[[], None]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def runs(iterations: int) -> dict[str, dict[str, object]]:
    """Return the seconds of the quickstart and of its iterations: on transformers, on one engine, on one per iteration."""
    ways = {
        "transformers": {"generator.type": "transformers"},
        "hand-over": {"generator.type": "vllm", "generator.vllm.while_training": "keep"},
        "new engine": {"generator.type": "vllm", "generator.vllm.while_training": "end"},
    }
    return {name: _run(iterations, way) for name, way in ways.items()}


def _run(iterations: int, way: dict[str, str]) -> dict[str, object]:
    home = Path(tempfile.mkdtemp(prefix="adastar-bench-"))
    home.chmod(0o711)
    (home / "prefect").mkdir()
    settings = {"iterations": iterations, "home": home, **way}
    overrides = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    environment = {**os.environ, "PREFECT_HOME": str(home / "prefect")}
    environment.pop("ADASTAR_DATABASE_URL", None)
    try:
        started = time.perf_counter()
        subprocess.run([sys.executable, FLOW, *overrides], env=environment, check=True)
        whole = time.perf_counter() - started
        database = open_database(None, home)
        with database.connect() as connection:
            found = [float(row.seconds) for row in connection.execute(SECONDS)]
        database.dispose()
        return {"whole": whole, "iterations": found}
    finally:
        stop_local_postgres(home)
        shutil.rmtree(home)


def show(figures: dict[str, object]) -> None:
    """Print the figures."""
    Console().print_json(data=figures)


if __name__ == "__main__":
    main()
