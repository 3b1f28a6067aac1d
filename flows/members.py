"""The runs of a comparison: which they are, where their files are, and how each runs in a separate process."""

import hashlib
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from adastar_core import names
from adastar_core.comparison.member import SelectOn
from adastar_core.comparison.rungs import Rung, rungs
from adastar_core.comparison.table import OWN_SAMPLER
from adastar_core.config import RunConfig, files
from adastar_core.config.methods import METHODS, OWN, MethodName
from adastar_core.errors import ConfigError, StageError
from adastar_core.machine.confine import output, readable
from adastar_core.machine.home import usable_home
from adastar_core.machine.parent import tied_to_us
from adastar_core.machine.units import pflops_in
from adastar_core.samplers.custom import CustomSettings
from adastar_core.settings import BaseSource, OutputPath, Settings, SettingText, Text, setting

DEFAULT_PRESET = "arithmetic-hard"
_PLACES = ("home=", "database_url=")
_OF_OWN_SAMPLER = ("sampler", "sampler.type", "sampler.path", "sampler.options")
_SCRIPTS = Path(__file__).parent
_MOST_ITERATIONS = 200
"""Bound of a run that ends by its budget of compute."""


class ComparisonSettings(Settings):
    """Everything that decides what a comparison does."""

    source: Literal["preset", "config", "defaults"] = setting(
        "preset",
        "Source",
        "Where the common values come from: a preset, a configuration file, or the defaults for pre-trained models.",
    )
    base: BaseSource = setting(
        DEFAULT_PRESET,
        "Base",
        "The preset's name, the configuration file's path, or with defaults a name of your own.",
        min_length=1,
    )
    methods: tuple[MethodName, ...] = setting(
        ("adastar", "random-lazy", "star-acc"), "Methods", "Each is a run per seed.", min_length=1
    )
    seeds: tuple[int, ...] = setting((0, 1, 2, 3, 4), "Seeds", "Each is a run per method.", min_length=1)
    overrides: tuple[SettingText, ...] = setting(
        (),
        "Overrides",
        "key=value, applied to every run after its method; sampler.path and its options to the method custom alone.",
    )
    budget: Text | None = setting(
        None,
        "Budget",
        "Iterations (8) or compute (2TFLOPs, 0.5PFLOPs) of each run; default: the preset's own.",
    )
    select_on: SelectOn = setting(
        "validation", "Select on", "What selects checkpoints; test is the paper's protocol."
    )
    drop: bool = setting(
        False,
        "Drop losers",
        "Run a quarter of the budget first, then half of it, and stop methods that cannot win any more on validation.",
    )
    parallel: int = setting(2, "Runs at once", "Each is a separate process.", ge=1)
    threads: int = setting(1, "Threads", "Threads of each run.", ge=1)
    given_output: OutputPath | None = setting(
        None, "Output", "Folder for table, figure and page; default: in the data directory."
    )

    @property
    def name(self) -> str:
        """Return the comparison's name: the preset and a digest of what every run shares.

        Methods and seeds are not in it, so that a comparison can be made in pieces, nor is an own sampler, which may join later;
        nor is whether methods are dropped, so that those that were can be run to their end.
        """
        shared_by_all = (text for text in self.overrides if not self._is_of_own_sampler(text))
        overrides = [text for text in shared_by_all if not text.startswith(_PLACES)]
        shared = [self.source, self.base, overrides, self.budget]
        digest = hashlib.sha256(json.dumps(shared).encode()).hexdigest()[:8]
        return f"compare-{names.named_after(Path(self.base).stem, 60)}-{digest}"

    @property
    def title(self) -> str:
        protocol = ", selected on test (the paper's protocol)" if self.select_on == "test" else ""
        return f"Methods on {Path(self.base).stem}, seeds {', '.join(map(str, self.seeds))}{protocol}"

    @property
    def folder(self) -> Path:
        """Where the summaries and logs of the runs are. It is made if need be."""
        home = usable_home(self.config(self.methods[0], self.seeds[0]).checked_home())
        folder = home / "comparisons" / self.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def output(self) -> Path:
        given = self.given_output
        return output(given, "given_output") if given else self.folder / "results"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """The parts of the budget that runs do one after the other, the whole last; it alone where nothing is dropped.

        Raises:
            ConfigError: Methods are to be dropped, and there is one seed.
        """
        if self.drop and len(set(self.seeds)) < 2:
            raise ConfigError(
                f"drop: one seed ({self.seeds[0]}) does not show that a method is behind. Give at least two seeds, such as 0..2."
            )
        config = self.config(self.methods[0], self.seeds[0])
        found = rungs(config.iterations, config.budget_pflops)
        return found if self.drop else found[-1:]

    def config(self, method: MethodName, seed: int, rung: Rung | None = None) -> RunConfig:
        match self.source:
            case "preset":
                values = files.load_preset(self.base)
            case "config":
                values = files.load_file(readable(self.base, "base"))
            case "defaults":
                values = {}
        config = files.resolve(values, self.settings_of(method, seed, rung))
        meant = METHODS[method].settings["sampler"]
        if isinstance(meant, Mapping) and config.sampler.type != meant["type"]:
            raise ConfigError(
                f"overrides would give the method {method} the sampler {config.sampler.type}, so it would not be that method. Compare "
                "your own sampler as the method custom, with sampler.path, and any other by a method that has it."
            )
        return config

    def settings_of(self, method: MethodName, seed: int, rung: Rung | None = None) -> list[str]:
        """Return what a run sets: method, seed, budget, a test of every checkpoint, and the overrides; up to a rung."""
        mine = (text for text in self.overrides if method == OWN or not self._is_of_own_sampler(text))
        if OWN not in self.methods and "sampler.path" in map(_key, self.overrides):
            raise ConfigError(
                "sampler.path is for the method custom, which is not among the methods. Add it, as in --methods adastar,custom."
            )
        common = ["evaluation.test_every_iteration=true", *budget_settings(self.budget), *mine]
        limited = [] if rung is None or rung.is_last else [rung.setting]
        return [f"method={method}", f"seed={seed}", *common, *limited]

    def _is_of_own_sampler(self, override: str) -> bool:
        """Return whether an override says which sampler the method ``custom`` has, which is nothing to the others."""
        key = _key(override)
        return OWN in self.methods and (key in _OF_OWN_SAMPLER or key.startswith("sampler.options."))

    def as_command(self) -> str:
        """Return the command that starts this comparison, as a person would write it."""
        words = ["python flows/compare.py", *self._source_words()]
        words += [f"--methods {','.join(self.methods)}", f"--seeds {','.join(map(str, self.seeds))}"]
        words += [f"--budget {self.budget}"] if self.budget else []
        words += [f"--set {text}" for text in self.overrides if not text.startswith(_PLACES)]
        words += ["--drop"] if self.drop else []
        return " ".join([*words, *(["--select-on test"] if self.select_on == "test" else [])])

    def run_name(self, method: MethodName, seed: int) -> str:
        """Return the name by which ``flows/adastar.py`` resumes a run. Two samplers of one's own are two runs."""
        which: str = method
        if method == OWN:
            own = self.config(method, seed).sampler.model_dump_json()
            which = f"{method}-{hashlib.sha256(own.encode()).hexdigest()[:8]}"
        return f"{self.name}-{which}-seed-{seed}"

    def summary_path(self, method: MethodName, seed: int, rung: Rung | None = None) -> Path:
        """Return the file that exists once the run has reached the rung. A change of any value gives another file."""
        values = self.config(method, seed, rung).lasting()
        digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]
        return self.folder / f"{method}-seed-{seed}-{digest}.json"

    def command(self, method: MethodName, seed: int, rung: Rung | None = None) -> list[str]:
        sets = [part for text in self.settings_of(method, seed, rung) for part in ("--set", text)]
        partial = self.summary_path(method, seed, rung).with_suffix(".partial")
        run = ["--run", self.run_name(method, seed), "--summary", str(partial)]
        return [*self._source_words(), *sets, *run]

    def _source_words(self) -> list[str]:
        """Return the options that name the source; the defaults need none, because their overrides name another model."""
        return [] if self.source == "defaults" else [f"--{self.source}", self.base]


def _key(override: str) -> str:
    return override.partition("=")[0].strip()


def budget_settings(budget: str | None) -> list[str]:
    """Return the configuration of a budget such as ``8`` (iterations) or ``2TFLOPs``."""
    if budget is None:
        return []
    if found := re.fullmatch(r"\s*(\d*[1-9]\d*)\s*(?:iterations)?\s*", budget.lower()):
        return [f"iterations={found[1]}", "budget_pflops=null"]
    if pflops := pflops_in(budget):
        return [f"iterations={_MOST_ITERATIONS}", f"budget_pflops={pflops!r}"]
    raise ConfigError(
        f"--budget {budget!r} is neither a number of iterations, such as 8, nor compute, such as 0.002PFLOPs or 2TFLOPs."
    )


_END_SECONDS = 6.0
"""Less than ``flows.stopping.END_SECONDS``, after which this process ends too. How a run ended is stored at once."""
_running: "set[subprocess.Popen[bytes]]" = set()
_over = threading.Event()


@contextmanager
def ending_members() -> Iterator[None]:
    """End the runs that are still active when an error or a signal leaves the block, because threads wait for them."""
    _over.clear()
    try:
        yield
    except BaseException:
        _over.set()
        for process in list(_running):
            process.terminate()
        end = time.monotonic() + _END_SECONDS
        while _running and time.monotonic() < end:
            time.sleep(0.1)
        for process in list(_running):
            process.kill()
        raise


def run_in_a_process(
    settings: ComparisonSettings, method: MethodName, seed: int, rung: Rung, handed: Mapping[str, str]
) -> None:
    """Run one member to a rung's end, with more environment. Its summary appears under its name only then.

    Raises:
        StageError: The run failed; the message names its log.
    """
    command = settings.command(method, seed, rung)
    log = settings.folder / f"{method}-seed-{seed}.log"
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(settings.threads),
        **handed,
        "PYTHONPATH": os.pathsep.join([str(_SCRIPTS.parent), os.environ.get("PYTHONPATH", "")]),
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            tied_to_us([str(_SCRIPTS / "adastar.py"), *command]),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
        )
        _running.add(process)
        try:
            if _over.is_set():  # it was started while the others were being ended
                process.terminate()
            status = process.wait()
        finally:
            _running.discard(process)
    if status:
        last = log.read_text("utf-8", errors="replace").strip().rpartition("\n")[2]
        raise StageError(f"the run ended with status {status}: {last} (log: {log})")
    summary = settings.summary_path(method, seed, rung)
    summary.with_suffix(".partial").replace(summary)


def facts_of(settings: ComparisonSettings) -> list[tuple[str, str]]:
    """Return what all runs of a comparison share, as the end of its table says."""
    config = settings.config(settings.methods[0], settings.seeds[0])
    budget = (
        f"{config.budget_pflops:.6g} PFLOPs" if config.budget_pflops else f"{config.iterations} iterations"
    )
    own = settings.config(OWN, settings.seeds[0]).sampler if OWN in settings.methods else None
    return [
        ("command", settings.as_command()),
        ("budget of each run", budget),
        ("problem", config.problem.type),
        ("base model", config.model),
        *([(OWN_SAMPLER, own.path)] if isinstance(own, CustomSettings) else []),
    ]
