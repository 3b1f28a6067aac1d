"""What names a monitor: an object of the user's own that follows a run, for example to log it to a tracker."""

from adastar_core.machine.plugins import PluginSettings


class MonitorSettings(PluginSettings):
    """A monitor of your own, called with the run's name, its configuration and the options."""
