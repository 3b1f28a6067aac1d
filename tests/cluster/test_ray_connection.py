"""What is said where there is no cluster, and what the configuration refuses."""

from pathlib import Path

import pytest
import ray
from pydantic import ValidationError
from sqlalchemy import Engine

from adastar_core.config import ComputeSettings, RunConfig
from adastar_core.errors import ConfigError
from adastar_core.report.opening import opening
from adastar_core.runs.opening import open_workspace
from tests.support.runs import small_config


def test_a_cluster_out_of_reach_is_named(database: Engine, tmp_path: Path) -> None:
    assert not ray.is_initialized()
    config = small_config(database, tmp_path, "compute.backend=ray", "compute.address=127.0.0.1:9")
    with (
        pytest.raises(ConfigError, match=r"compute\.address is '127\.0\.0\.1:9', but no Ray cluster answers"),
        open_workspace(config, "nowhere") as workspace,
    ):
        opening(workspace)


def test_ray_client_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"Ray Client.*ray start --address"):
        ComputeSettings(backend="ray", address="ray://head:10001")


def test_engines_are_counted_once() -> None:
    generator = {"vllm": {"data_parallel": 2}}
    with pytest.raises(ValidationError, match=r"compute\.actors.*data_parallel \(2\)"):
        RunConfig.model_validate({"compute": {"backend": "ray"}, "generator": generator})
