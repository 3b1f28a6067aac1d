"""What names a monitor: an object of the user's own that follows a run, for example to log it to a tracker."""

from collections.abc import Mapping

from adastar_core.machine.plugins import PLUGIN_PATTERN
from adastar_core.settings import CodePath, Settings, Text, setting


class MonitorSettings(Settings):
    """A monitor of your own, called with the run's name, its configuration and the options."""

    path: CodePath = setting(
        ...,
        "Import path",
        "Where it is: package.module:Name, /path/to/file.py:Name, or an entry point of adastar.monitors.",
        pattern=PLUGIN_PATTERN,
    )
    options: Mapping[Text, Text | int | float | bool | None] = setting(
        dict, "Options", "Passed to it by name."
    )
