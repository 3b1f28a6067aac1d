"""The main job on a Ray cluster: what one process does, in any batch size, with the flow killed and continued."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from adastar_core.report.opening import opening
from adastar_core.runs.opening import open_workspace
from tests.support.engine_runs import POINTS, outcome_named, run_until
from tests.support.ray_cluster import SmallCluster
from tests.support.runs import run_iteration, small_config

EXACT = ("generator.dtype=float64", "problem.train=60")
"""In float64 no two tokens tie nearly enough for the size of a piece to matter."""
ENGINE = "ClusterEngine"
GENERATED = text(
    "SELECT DISTINCT iteration, checkpoint_sha256 FROM rollouts WHERE run_id = :run ORDER BY iteration"
)


@pytest.mark.slow
def test_a_run_on_a_cluster_is_the_run_of_one_process_also_when_it_is_killed(
    cluster: SmallCluster, database: Engine, tmp_path: Path
) -> None:
    ray = (
        *EXACT,
        "compute.backend=ray",
        f"compute.address={cluster.address}",
        "compute.timeout_seconds=900",
        "generator.vllm.while_training=keep",
    )
    local = small_config(database, tmp_path, *EXACT)
    with open_workspace(local, "here") as workspace:
        for iteration in (1, 2, 3):
            run_iteration(workspace, iteration)

    run_until(POINTS[0], database, tmp_path, *ray, "generator.batch_size=512")
    assert cluster.left(ENGINE) == [], "actors end with the flow, also when it is killed"
    config = small_config(database, tmp_path, *ray, "compute.piece=5", "generator.batch_size=17")
    with open_workspace(config, "killed") as workspace:
        assert "on the Ray cluster" in opening(workspace)
        for iteration in (1, 2):
            run_iteration(workspace, iteration)
        with database.connect() as connection:
            generated = connection.execute(GENERATED, {"run": workspace.run_id}).all()
        assert generated == [(1, workspace.checkpoint(0).sha256), (2, workspace.checkpoint(1).sha256)]
        assert len(cluster.processes(ENGINE)) == 2
    assert cluster.left(ENGINE) == []
    # A run is what it is wherever it is computed: its third iteration is made here.
    with open_workspace(local, "killed") as workspace:
        run_iteration(workspace, 3)
    assert outcome_named(database, "killed") == outcome_named(database, "here")
