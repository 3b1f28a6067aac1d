"""vLLM in the actors of a Ray cluster: what one engine generates, and an engine that ends with its actor."""

import os
import signal
from pathlib import Path
from threading import Timer

import pytest

pytest.importorskip("ray")

from adastar_core.cluster.generation import RayGenerator, choose_on_cluster
from adastar_core.config import ComputeSettings, GeneratorSettings
from adastar_core.models.checkpoints import digest_of
from adastar_core.models.source import resolve_model
from adastar_core.records import Incident
from tests.support.attempts import GREEDY, in_batches, requests
from tests.support.ray_cluster import small_cluster
from tests.vllm.conftest import started

VLLM = {"type": "vllm", "dtype": "float32", "vllm": {"kv_cache_gib": 0.125}}
PIECE = 10


@pytest.mark.slow
def test_engines_in_two_actors_generate_what_one_generates_also_when_one_is_killed(tmp_path: Path) -> None:
    base, wanted = resolve_model("tiny-adder"), requests(60)
    alone = started(base, tmp_path / "alone")
    expected = in_batches(alone, wanted, GREEDY, PIECE)
    alone.close()
    incidents: list[Incident] = []
    settings = GeneratorSettings.model_validate(VLLM)
    with small_cluster(nodes=2, cores=1) as cluster:
        compute = ComputeSettings(backend="ray", address=cluster.address, piece=PIECE, timeout_seconds=900)
        assert choose_on_cluster(settings, compute, 10**8).engine == "vllm"
        generator = RayGenerator(settings, compute, "vllm", 10**6, tmp_path, incidents.append)
        generator.hand_over(base, digest_of(base))
        assert generator.generate(wanted, GREEDY) == expected
        actor = generator._actors().actors[0]
        import ray

        pid = ray.get(actor.__ray_call__.remote(lambda _: os.getpid()))
        killer = Timer(0.1, os.kill, (pid, signal.SIGKILL))
        killer.start()
        assert generator.generate(wanted, GREEDY) == expected
        killer.join()
        assert generator.weights_sha256 == digest_of(base)
        generator.close()
