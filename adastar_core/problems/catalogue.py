"""Every problem that a configuration can name, and how to open it."""

from typing import Annotated

from pydantic import Field

from adastar_core.problems import Problem
from adastar_core.problems.arithmetic import Arithmetic, ArithmeticSettings
from adastar_core.problems.table import Table, TableSettings

ProblemSettings = Annotated[ArithmeticSettings | TableSettings, Field(discriminator="type")]


def open_problem(settings: ArithmeticSettings | TableSettings) -> Problem:
    """Return the problem that ``settings`` describes; its data is read by ``load``."""
    match settings:
        case ArithmeticSettings():
            return Arithmetic(settings)
        case TableSettings():
            return Table(settings)
