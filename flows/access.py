"""Checks the values of a deployment's form before anything uses them."""

import os

from prefect.runtime import deployment
from pydantic import BaseModel

from adastar_core.config.access import check_access
from adastar_core.machine.confine import CONFINED


def confine_deployed(settings: BaseModel) -> None:
    """Check a flow's parameters. From here on a deployed run is confined, and so is every process that it starts.

    Raises:
        ConfigError: A value leads outside what the operator allows.
    """
    if deployment.id:
        os.environ[CONFINED] = "1"
    check_access(settings)
