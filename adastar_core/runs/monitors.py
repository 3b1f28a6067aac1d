"""The user's own monitors of a run. One that fails is reported as a line, and the run continues."""

import inspect
from collections.abc import Callable
from functools import partial

from adastar_core.config import RunConfig
from adastar_core.errors import ConfigError
from adastar_core.machine.plugins import PluginSettings, load_plugin

_METHODS = ("iteration", "finished")


class Monitors:
    """Makes the monitors that a configuration names, and calls those of their methods that they have.

    Raises:
        ConfigError: One cannot be imported, does not take its options, or may not be executed here.
    """

    def __init__(self, config: RunConfig, tell: Callable[[str], None]) -> None:
        self._config, self._tell = config, tell
        self._parts = [_loaded(config, place, named) for place, named in enumerate(config.monitors)]
        self._made: list[tuple[str, object]] = []

    def open(self, run: str) -> None:
        """Make the monitors, once the run is this process's: nothing is opened elsewhere for a run that is refused."""
        for named, part in zip(self._config.monitors, self._parts, strict=True):
            made = self._tried(named.path, partial(part, run, self._config))
            if made is not None:
                self._made.append((named.path, made))
                if not any(hasattr(made, name) for name in _METHODS):
                    self._tell(f"Monitor {named.path} has neither iteration(record) nor finished(report).")

    def iteration(self, record: object) -> None:
        """Report a closed iteration, an :class:`adastar_core.report.records.IterationSummary`."""
        self._report("iteration", record)

    def finished(self, report: object) -> None:
        """Report the run's end with its :class:`adastar_core.report.records.RunReport`."""
        self._report("finished", report)

    def _report(self, method: str, record: object) -> None:
        for path, monitor in self._made:
            if hasattr(monitor, method):
                self._tried(f"{path}, {method}", partial(_called, monitor, method, record))

    def _tried(self, what: str, call: Callable[[], object]) -> object:
        try:
            return call()
        except (Exception, SystemExit) as error:  # noqa: BLE001  (code of others, which may raise anything)
            self._tell(f"Monitor {what} failed: {type(error).__name__}: {error}. The run continues.")
            return None


def _called(monitor: object, method: str, record: object) -> object:
    return getattr(monitor, method)(record)  # inside the caller's try: it may be no method


def _loaded(config: RunConfig, place: int, named: PluginSettings) -> Callable[..., object]:
    """Return what makes a monitor, with its options; called with the run's name and configuration."""
    key = f"monitors.{place}"
    part = load_plugin(named.path, "monitors", f"{key}.path")
    try:
        inspect.signature(part).bind("", config, **named.options)
    except TypeError as error:
        raise ConfigError(
            f"{key}: {named.path} cannot be called with the run's name, its configuration and these options ({error})."
        ) from error
    return partial(part, **named.options)
