"""Measure one GPU with this project's own code: its ceilings, generation, training, memory, sharding, rounding, forecasts.

``--model`` is a directory, or a shape of a Llama with random weights (3b, 1b, 92m, 3m). vLLM is measured where it is
installed. A part that fails is reported and does not stop the others, and figures are written as they come:

    PYTHONPATH=bench python bench/gpu/card.py --model 3b --parts generation --parts training --json card-3b.json
    PYTHONPATH=bench python bench/gpu/card.py --model DIRECTORY --gsm8k FOLDER --json card-smollm2.json

Without a GPU everything runs on the processor, which tests the scripts: ``--model 3m --sizes 4 --tokens 8 --longest 64``.
"""

import gc
import platform
import subprocess
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import decoding
import finetuning
import profiling
import rounding
from ceilings import DEVICE, Ceilings, Memory, free_unused, measure_ceilings, memory
from common import arithmetic, gsm8k, run, save, show
from random_llama import SHAPES, write_random_llama

from adastar_core.generators import Decoding
from adastar_core.machine.numerics import library_versions, processor
from adastar_core.machine.quiet import no_progress_bars
from adastar_core.models.source import parameter_count

_VOCABULARY = 49_152
_PROFILED_TOKENS = 16


@dataclass(frozen=True)
class Load:
    """How much is measured: attempts at once, tokens of a response, steps of a training, texts, longest text."""

    sizes: tuple[int, ...]
    tokens: int
    steps: int
    batch_size: int
    micro_batch_size: int
    longest: int


class Card:
    """Measures one model on the device part by part, and writes all figures after each row."""

    def __init__(self, directory: Path, work: Path, load: Load, json: Path | None) -> None:
        self._directory, self._work, self._load, self._json = directory, work, load, json
        self._ceilings: Ceilings | None = None
        self.gsm8k: Path | None = None
        self.trace: Path | None = None
        self.figures: dict[str, Any] = {"seconds": {}}

    @property
    def ceilings(self) -> Ceilings:
        if self._ceilings is None:
            self._ceilings = measure_ceilings()
            free_unused()
        return self._ceilings

    def add(self, part: str, measured: Iterable[Any]) -> None:
        """Measure a part, print it and write everything; what fails is printed and written too."""
        began, rows = time.perf_counter(), []
        try:
            for row in measured:
                rows.append(row)
                self._keep(part, rows, began)
        except Exception as error:  # noqa: BLE001 (the other parts may work)
            traceback.print_exc()
            self.figures[f"{part}: failed"] = f"{type(error).__name__}: {error}"[:2000]
        self._keep(part, rows, began)
        if rows:
            show(f"{part}, {time.perf_counter() - began:.1f} s", rows)

    def _keep(self, part: str, rows: Sequence[Any], began: float) -> None:
        self.figures[part] = list(map(asdict, rows))
        self.figures["seconds"][part] = time.perf_counter() - began
        save(self._json, self.figures)

    def generation(self) -> None:
        moments = [memory("before the generator is opened")]
        generator = decoding.open_endless(self._directory)
        moments.append(memory("generator open"))
        load = self._load
        self.add(
            "generation",
            decoding.speeds(generator, self._directory, load.sizes, load.tokens, self.ceilings),
        )
        moments.append(memory("after the last batch"))
        generator.close()
        self.add("memory of generation", [*moments, memory("generator closed")])

    def profile(self) -> None:
        generator = decoding.open_endless(self._directory)
        rows = max(self._load.sizes)
        self.add(f"profile of {rows} rows", profiling.parts(generator, rows, _PROFILED_TOKENS, self.trace))
        generator.close()

    def training(self) -> None:
        self.add("training", map(self._training_speed, (False, True)))

    def _training_speed(self, lora: bool) -> finetuning.TrainingSpeed:
        load, work = self._load, self._work / f"speed-{lora}"
        settings = finetuning.trainer_settings(load.batch_size, load.micro_batch_size, lora=lora)
        found = finetuning.speed(self._directory, settings, load.steps, load.longest, self.ceilings, work)
        free_unused()
        return found

    def publishing(self) -> None:
        self.add("memory of training", self._publishing())

    def _publishing(self) -> Iterator[Memory]:
        yield memory("before training")
        for lora in (False, True):
            settings = finetuning.trainer_settings(8, 8, lora=lora)
            finetuning.published(
                self._directory, settings, self._load.longest, self._work / f"published-{lora}"
            )
            yield memory(f"{'an adapter' if lora else 'a model'} trained and published")

    def rounding(self) -> None:
        requests = gsm8k(self.gsm8k, 48, exemplars=False) if self.gsm8k else arithmetic(48)
        decodings = [Decoding(False, temperature=1.0, top_p=1.0, max_new_tokens=32)]
        precisions = ("float32", "bfloat16")
        self.add("rounding", rounding.counts(self._directory, requests, precisions, (1, 7, 16), decodings))

    def sharding(self) -> None:
        self.add("sharding", finetuning.shardings(self._directory, 6, 256, self._work / "sharding"))

    def vllm(self) -> None:
        if find_spec("vllm") is None:
            self.figures["vllm"] = "not installed"
            return
        from engine import engine_times

        log, load = self._work / "engine.log", self._load
        self.add("vllm", engine_times(self._directory, log, load.sizes, load.tokens))


PARTS = tuple(name for name in vars(Card) if not name.startswith("_") and name not in ("add", "ceilings"))


def main(
    *,
    model: str = "3b",
    parts: Sequence[str] = PARTS,
    sizes: Sequence[int] = (16, 64, 256),
    tokens: int = 96,
    steps: int = 10,
    batch_size: int = 32,
    micro_batch_size: int = 16,
    longest: int = 512,
    gsm8k: Path | None = None,
    trace: Path | None = None,
    json: Path | None = None,
) -> None:
    """Measure, print tables, and write the figures as JSON where asked to.

    Args:
        model: A model directory, or the shape of a random Llama.
        parts: What to measure.
        sizes: Attempts generated at once.
        tokens: Tokens of each response.
        steps: Steps of each training.
        batch_size: Texts per step.
        micro_batch_size: Texts per forward pass.
        longest: Tokens of the longest training text.
        gsm8k: Folder with GSM8K's files, for the rounding part; arithmetic without it.
        trace: Where to write the profiler's trace (.json.gz).
        json: Where to write the figures.
    """
    load = Load(tuple(sizes), tokens, steps, batch_size, micro_batch_size, longest)
    with tempfile.TemporaryDirectory() as folder, no_progress_bars():
        directory = _random(Path(folder) / "model", model) if model in SHAPES else Path(model)
        card = Card(directory, Path(folder), load, json)
        card.gsm8k, card.trace = gsm8k, trace
        card.figures |= _about(model, directory)
        card.add("ceilings", [card.ceilings])
        for part in parts:
            getattr(card, part)()
            gc.collect()
    print("seconds:", {part: round(took, 1) for part, took in card.figures["seconds"].items()})


def _random(directory: Path, shape: str) -> Path:
    """Write a random Llama with the heads of Llama 3: 128 wide, 8 for keys and values."""
    heads = max(SHAPES[shape][0] // 128, 1)
    values = {"num_attention_heads": heads, "num_key_value_heads": 8 if heads >= 8 else heads}
    write_random_llama(
        directory, shape, vocabulary=_VOCABULARY, device=DEVICE.type, dtype="bfloat16", **values
    )
    free_unused()
    return directory


def _about(model: str, directory: Path) -> dict[str, Any]:
    command = ["nvidia-smi", "--query-gpu=driver_version,memory.total", "--format=csv,noheader"]
    driver = None
    with suppress(OSError):
        driver = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": processor(),
        "driver_and_memory": driver,
        "python": platform.python_version(),
        "versions": library_versions(),
        "model": model,
        "parameters": parameter_count(directory),
    }


if __name__ == "__main__":
    run(main, __doc__)
