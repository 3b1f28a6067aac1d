"""``adastar publish``: a checkpoint and its training data as a model and a data set with their cards.

::

    adastar publish my-run --to folder
    adastar publish my-run --to hub:me/my-model --license apache-2.0
"""

import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from adastar_core.audit import hub
from adastar_core.audit.publish import Licenses
from adastar_core.audit.publish import publish as write
from adastar_core.cli.options import Common, RunName
from adastar_core.cli.output import print_json, print_line
from adastar_core.machine.paths import path_of

_HUB = "hub:"


def publish(
    run: RunName,
    /,
    *,
    to: Annotated[str, Parameter(metavar="FOLDER|hub:NAME")],
    iteration: Annotated[int | None, Parameter(metavar="N")] = None,
    license: Annotated[str, Parameter(metavar="NAME")] = "unknown",
    data_license: Annotated[str, Parameter(metavar="NAME")] = "unknown",
    common: Common = Common(),
) -> int:
    """Write or upload both.

    Args:
        to: A folder, which must not exist, or hub: and a repository's name, as in hub:me/my-model.
        iteration: Its checkpoint (default: the one that validation selected).
        license: The model's license in the hub's words, e.g. apache-2.0.
        data_license: The data set's.
    """
    licenses = Licenses(license, data_license)
    name = hub.check_name(to.removeprefix(_HUB)) if to.startswith(_HUB) else None
    with common.stored_run(run) as stored, tempfile.TemporaryDirectory(prefix="adastar-") as temporary:
        folder = Path(temporary) / "published" if name else path_of(to, "--to").absolute()
        made = write(stored, folder, iteration, licenses, name and name + hub.SUFFIX)
        places = hub.push(folder, name) if name else (str(folder / "model"), str(folder / "dataset"))
    if common.json:
        values = {"run": run, "iteration": made.iteration, "sha256": made.sha256, "examples": made.examples}
        return print_json(values | {"model": places[0], "dataset": places[1]})
    print_line(f"model    {places[0]}  (iteration {made.iteration}, {made.sha256[:16]})")
    print_line(f"dataset  {places[1]}  ({made.examples:,} rationales)")
    if name:
        print_line(
            "Both are private unless they were there before: the hub's settings page makes them public."
        )
    for what, chosen in (("--license", license), ("--data-license", data_license)):
        if chosen == "unknown":
            print_line(f"The card says that the license is unknown: {what} states it.")
    return 0
