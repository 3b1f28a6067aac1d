"""The check of what a deployment's form may have sent, before anything of it is used."""

import os

from prefect.runtime import deployment
from pydantic import BaseModel

from adastar_core.config.access import check_access
from adastar_core.machine.confine import CONFINED


def confine_deployed(settings: BaseModel) -> None:
    """Check a flow's parameters. A run of a deployment is confined from here on, and so is every process that it starts.

    Raises:
        ConfigError: A value leads where it may not.
    """
    if deployment.id:
        os.environ[CONFINED] = "1"
    check_access(settings)
