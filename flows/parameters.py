"""A flow whose parameters others fill in: they are values, never the server's blocks."""

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from prefect import Flow

from adastar_core.errors import ConfigError
from flows.told import tell_errors_once

P = ParamSpec("P")
R = TypeVar("R")
_REFERENCE = "$ref"


class FormFlow(Flow[P, R]):
    """A flow that refuses references to blocks.

    Prefect puts the block in the place of any ``{"$ref": …}``, however deep, and writes the parameters that it cannot
    validate into the run's log: whoever can start a run could read what blocks hold.
    """

    def validate_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters in their types; raises :class:`ConfigError` for a reference."""
        _refuse_references(parameters, "")
        return super().validate_parameters(parameters)


def form_flow(*, name: str, flow_run_name: str) -> Callable[[Callable[P, R]], FormFlow[P, R]]:
    """Make a function a flow of this name whose result Prefect does not keep, and which tells an error once."""
    tell_errors_once()
    return lambda function: FormFlow(function, name=name, flow_run_name=flow_run_name, persist_result=False)


def _refuse_references(value: object, key: str) -> None:
    if isinstance(value, Mapping):
        if _REFERENCE in value:
            raise ConfigError(
                f"{key or 'The parameters'}: {_REFERENCE} is no key. A value cannot be a block of Prefect's."
            )
        for name, inner in value.items():
            _refuse_references(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_references(inner, key)
