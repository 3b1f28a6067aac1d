"""The main job as a deployment's form starts it: a few fields, and one object for every other key.

``flows/adastar.py`` takes whole configurations; both do the same (``flows/improving.py``).
"""

from flows import environment  # isort: skip  # noqa: F401 (first: Prefect reads the environment when imported)

from typing import Annotated

from pydantic import Field, WithJsonSchema

from adastar_core.config import files
from adastar_core.config.form import NO_PRESET, OF_PRESET, Form
from adastar_core.config.methods import METHODS
from adastar_core.problems.catalogue import PROBLEM_TYPES
from adastar_core.report.records import RunReport
from adastar_core.settings import DataSource, ModelSource, SettingText, SettingValue, Text
from flows.improving import Rerun, improve
from flows.parameters import form_flow


def _one_of(*names: str) -> WithJsonSchema:
    """Show a text as a choice; what it says is checked with all other values."""
    return WithJsonSchema({"type": "string", "enum": list(names)})


Preset = Annotated[Text, _one_of(*files.preset_names(), NO_PRESET)]
Problem = Annotated[Text, _one_of(OF_PRESET, *PROBLEM_TYPES)]
Method = Annotated[Text, _one_of(OF_PRESET, *METHODS)]
Natural = Annotated[int, Field(ge=0)]
Overrides = dict[SettingText, SettingValue]
_NONE: Overrides = {}


@form_flow(name="adastar", flow_run_name="{run}")
def adastar(
    run: Text = "adastar",
    preset: Preset = files.DEFAULT_PRESET,
    problem: Problem = OF_PRESET,
    data: DataSource = "",
    model: ModelSource = "",
    method: Method = OF_PRESET,
    iterations: Natural = 0,
    seed: Natural = 0,
    budget: Text = "",
    rerun: Rerun = "continue",
    overrides: Overrides = _NONE,
) -> RunReport:
    """Improve a model on its own accepted rationales, and resume where an earlier attempt stopped.

    Args:
        run: Name of the run, of up to 128 printable characters. A known name resumes that run, which refuses other values
            than its own.
        preset: A ready-made run, whose values hold where the form says nothing. none: the defaults for pre-trained models.
        problem: What the model is improved on. table: your own data.
        data: A file (.jsonl, .json, .csv, .tsv, .parquet), a folder, or a hub name, on the worker's machine. Empty: that of
            the problem.
        model: tiny-adder, a name from `adastar models`, a directory, a .gguf file, a hub name, or run:NAME, the best
            checkpoint of a finished run. Empty: the preset's.
        method: A named set of settings, which supplies those that nothing else sets.
        iterations: Rounds of sampling and fine-tuning; may be raised later. 0: as many as the preset has.
        seed: Seed of every random stream of the run.
        budget: Compute after which the run ends, such as 2TFLOPs or 0.5PFLOPs. Empty: no limit of its own.
        rerun: What to do with a known name. continue: resume the run. nightly: resume it if it is unfinished, has more
            iterations to do or its data grew; else start a new run, named after the day.
        overrides: Any other key of the configuration, such as {"trainer.batch_size": 16}. They win over the fields above.
    """
    form = Form(
        preset=preset,
        problem=problem,
        data=data,
        model=model,
        method=method,
        iterations=iterations,
        seed=seed,
        budget=budget,
        overrides=overrides,
    )
    config = form.config()
    return improve(config, run, rerun, preset=form.base.source, warning=form.warning(config))
