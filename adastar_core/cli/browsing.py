"""``adastar ui``: the runs of a database in a browser.

::

    adastar ui
    adastar ui --port 8642        for a forwarded port: ssh -L 8642:127.0.0.1:8642 MACHINE
"""

import sys
from typing import Annotated

from cyclopts import Parameter
from cyclopts.types import Port

from adastar_core.cli.options import Common
from adastar_core.cli.output import print_json, print_line


def ui(*, port: Annotated[Port | None, Parameter(metavar="N")] = None, common: Common = Common()) -> int:
    """Serve the pages until Ctrl-C.

    Args:
        port: Port of 127.0.0.1 (default: any that is free).
    """
    from adastar_core.ui.serving import serve  # slow to load, and no other command needs it
    from adastar_core.ui.site import Site

    def say(address: str) -> None:
        if common.json:
            print_json({"url": address})
        else:
            print_line(
                f"Open {address}\nOnly browsers on this machine reach it; nothing can be changed there. Ctrl-C ends it."
            )
        sys.stdout.flush()

    with common.database() as engine:
        try:
            serve(Site(engine, common.directory()), port or 0, say)
        except KeyboardInterrupt:
            return 0
    return 0
