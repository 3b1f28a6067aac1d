"""The main job: a self-improvement run, as a Prefect flow and as a command.

Run it:  python flows/adastar.py                      the quickstart, on a laptop without a GPU
         python flows/adastar.py --help               every option
"""

import sys  # isort: skip

if (
    __name__ == "__main__"
):  # Python puts this folder on the path; flows and tasks are found from the checkout's root
    sys.path.insert(0, __file__.rpartition("flows")[0] or ".")
from flows import environment  # isort: skip  # noqa: F401 (first: Prefect reads the environment when imported)

from typing import Literal

from adastar_core.config import RunConfig
from adastar_core.report.records import RunReport
from adastar_core.settings import Text
from flows.improving import improve
from flows.parameters import form_flow


@form_flow(name="adastar", flow_run_name="{run}")
def adastar(
    config: RunConfig = RunConfig(), run: Text = "adastar", rerun: Literal["continue", "nightly"] = "continue"
) -> RunReport:
    """Improve a model on its own accepted rationales, and resume where an earlier attempt stopped.

    Args:
        config: What to do. Every field has a default.
        run: Name of the run, of up to 128 printable characters. A known name resumes that run, which refuses other values
            than its own.
        rerun: What to do with a known name. continue: resume the run. nightly: resume it if it is unfinished, has more
            iterations to do or its data grew; else start a new run, named after the day.
    """
    return improve(config, run, rerun)


if __name__ == "__main__":
    from flows.commandline import main

    main(adastar)
