"""MLflow: an experiment per project, a run per run. Without MLFLOW_TRACKING_URI, an SQLite file beside the run."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from adastar_core.monitors import About, Ending, Point, Row

_UID = "adastar.uid"
_PARAMETERS_AT_ONCE = 100
_METRICS_AT_ONCE = 1000
_STATUS: Mapping[Ending, str] = {"finished": "FINISHED", "failed": "FAILED", "killed": "KILLED"}


class Mlflow:
    """One run of MLflow, found again by the run's uid."""

    def __init__(self, about: About) -> None:
        uri = os.environ.get("MLFLOW_TRACKING_URI")
        self._client = MlflowClient(uri or f"sqlite:///{about.folder}/mlflow.db")
        self._artifacts = None if uri else Path(about.folder, "artifacts").as_uri()
        experiment = self._experiment(about.project)
        found = self._client.search_runs([experiment], f"tags.`{_UID}` = '{about.uid}'")
        if found:
            run = found[0]
            self._client.update_run(run.info.run_id, status="RUNNING")
        else:
            run = self._client.create_run(experiment, run_name=about.run, tags={_UID: about.uid})
        self._run = run.info.run_id
        missing = {key: value for key, value in about.config.items() if key not in run.data.params}
        parameters = [Param(key, str(value)) for key, value in missing.items()]
        for start in range(0, len(parameters), _PARAMETERS_AT_ONCE):
            self._client.log_batch(self._run, params=parameters[start : start + _PARAMETERS_AT_ONCE])

    def _experiment(self, name: str) -> str:
        try:
            return str(self._client.create_experiment(name, artifact_location=self._artifacts))
        except MlflowException:  # it exists, also where another run makes it at this moment
            found = self._client.get_experiment_by_name(name)
            if found is None:
                raise
            return str(found.experiment_id)

    def log(self, points: Sequence[Point]) -> None:
        metrics = [
            Metric(name, value, int(point.at * 1000), point.step)
            for point in points
            for name, value in point.numbers.items()
        ]
        for start in range(0, len(metrics), _METRICS_AT_ONCE):
            self._client.log_batch(self._run, metrics=metrics[start : start + _METRICS_AT_ONCE])

    def table(self, name: str, step: int, rows: Sequence[Row]) -> None:
        columns = {column: [row[column] for row in rows] for column in rows[0]}
        # A file per iteration: to add to one, the client reads it back and takes the text 007 for the number 7.
        self._client.log_table(self._run, columns, f"{name}/iteration-{step:04d}.json")

    def file(self, path: Path) -> None:
        self._client.log_artifact(self._run, str(path))

    def close(self, ending: Ending) -> None:
        self._client.set_terminated(self._run, _STATUS[ending])
