"""The monitors of a run: services and the user's own. One that fails is reported as a line, and the run continues."""

import difflib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from adastar_core.config import RunConfig
from adastar_core.errors import ConfigError
from adastar_core.machine.plugins import PluginSettings, load_plugin, plugin_names
from adastar_core.monitors import About, Ending, Row
from adastar_core.monitors.process import MonitorFailure, ServiceProcess
from adastar_core.monitors.services import SERVICES, require

PROJECT = "adastar"
_PROJECT = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)
_METHODS = ("iteration", "finished", "log", "table", "file")
_Make = Callable[[str, str, Path], object]


class Monitors:
    """Makes the monitors that a configuration names, and calls those of their methods that they have.

    Raises:
        ConfigError: One cannot be imported, does not take its options, or may not be executed here.
    """

    def __init__(self, config: RunConfig, tell: Callable[[str], None]) -> None:
        self._config, self._tell = config, tell
        self._parts = [_loaded(config, place, named) for place, named in enumerate(config.monitors)]
        self._made: list[tuple[str, object]] = []
        self._told: set[str] = set()

    def open(self, run: str, uid: str, folder: Path) -> None:
        """Make the monitors, once the run is this process's: nothing is opened elsewhere for a run that is refused."""
        for named, part in zip(self._config.monitors, self._parts, strict=True):
            made = self._tried(named.path, partial(part, run, uid, folder))
            if made is not None:
                self._made.append((named.path, made))
                if not any(hasattr(made, name) for name in _METHODS):
                    self._tell(f"Monitor {named.path} has none of the methods {', '.join(_METHODS)}.")

    def log(self, axis: str, step: int, numbers: Mapping[str, float]) -> None:
        """Pass numbers on, as :meth:`adastar_core.monitors.Monitor.log` describes."""
        self._report("log", axis, step, numbers)

    def table(self, name: str, step: int, rows: Callable[[], Sequence[Row]]) -> None:
        """Pass a table on; its rows are read only where a monitor takes tables."""
        if any(hasattr(monitor, "table") for _, monitor in self._made) and (found := rows()):
            self._report("table", name, step, found)

    def file(self, path: Path) -> None:
        self._report("file", path)

    def iteration(self, record: object) -> None:
        """Report a closed iteration, an :class:`adastar_core.report.records.IterationSummary`."""
        self._report("iteration", record)

    def finished(self, report: object) -> None:
        """Report the run's end with its :class:`adastar_core.report.records.RunReport`."""
        self._report("finished", report)

    def close(self, ending: Ending) -> None:
        self._report("close", ending)
        self._made.clear()

    def _report(self, method: str, *arguments: object) -> None:
        for path, monitor in self._made:
            if hasattr(monitor, method):
                what = path if path in SERVICES else f"{path}, {method}"
                self._tried(what, partial(_called, monitor, method, arguments))

    def _tried(self, what: str, call: Callable[[], object]) -> object:
        try:
            return call()
        except (Exception, SystemExit) as error:  # noqa: BLE001  (code of others, which may raise anything)
            kind = "" if isinstance(error, MonitorFailure) else f"{type(error).__name__}: "
            line = f"Monitor {what} failed: {kind}{error}. The run continues."
            if line not in self._told:
                self._told.add(line)
                self._tell(line)
            return None


def _called(monitor: object, method: str, arguments: Sequence[object]) -> object:
    return getattr(monitor, method)(*arguments)  # inside the caller's try: it may be no method


def _loaded(config: RunConfig, place: int, named: PluginSettings) -> _Make:
    """Return what makes a monitor, with its options; called with the run's name, its uid and its directory."""
    key = f"monitors.{place}"
    if named.path in SERVICES:
        require(named.path, key)
        return partial(_service, config, named.path, _project(key, named))
    near = difflib.get_close_matches(named.path, SERVICES, n=1)
    if near and ":" not in named.path and named.path not in plugin_names("monitors"):
        raise ConfigError(f"{key} = {named.path!r} is unknown; did you mean {near[0]!r}?")
    part = load_plugin(named.path, "monitors", f"{key}.path")
    try:
        inspect.signature(part).bind("", config, **named.options)
    except TypeError as error:
        raise ConfigError(
            f"{key}: {named.path} cannot be called with the run's name, its configuration and these options ({error})."
        ) from error
    return lambda run, _uid, _folder: part(run, config, **named.options)


def _project(key: str, named: PluginSettings) -> str:
    """Return the option of a service. Where it stores and sends is for its environment, not for a configuration, to say."""
    if unknown := sorted(set(named.options) - {"project"}):
        raise ConfigError(f"{key}: {named.path} has the option project alone, not {unknown[0]}.")
    project = str(named.options.get("project", PROJECT))
    if not _PROJECT.fullmatch(project):
        raise ConfigError(
            f"{key}.options.project = {project!r} is no name of a project. Use up to 64 letters, digits, dots, dashes and underscores."
        )
    return project


def _service(config: RunConfig, name: str, project: str, run: str, uid: str, folder: Path) -> ServiceProcess:
    about = About(run, uid, str(folder / "monitors" / name), project, config.identity())
    return ServiceProcess(name, about, folder / "work" / f"monitor-{name}.log")
