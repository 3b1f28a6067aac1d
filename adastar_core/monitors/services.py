"""The services that follow a run, each on its official client, and the environment in which those are quiet."""

from dataclasses import dataclass
from importlib.util import find_spec

from adastar_core.errors import ConfigError

QUIET = {
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PYTHONWARNINGS": "ignore",
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_SILENT": "true",
}
"""No client reports about itself, and none prints."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service by the package of its client and the module and class here that use it."""

    package: str
    module: str
    name: str


SERVICES = {
    service.package: service
    for service in (
        Service("mlflow", "adastar_core.monitors.mlflow", "Mlflow"),
        Service("wandb", "adastar_core.monitors.wandb", "Wandb"),
        Service("tensorboard", "adastar_core.monitors.tensorboard", "TensorBoard"),
        Service("trackio", "adastar_core.monitors.trackio", "Trackio"),
    )
}


def require(name: str, key: str) -> None:
    """Raise :class:`ConfigError` where a service's client is not installed."""
    if find_spec(SERVICES[name].package) is None:
        raise ConfigError(f"{key}: {name} is not installed. pip install 'adastar[{name}]'")
