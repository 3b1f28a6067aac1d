"""Generation in the actors of a real Ray cluster: what one process generates, whatever is lost on the way."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Timer

import pytest
import ray
from ray.actor import ActorHandle
from ray.exceptions import RayActorError

from adastar_core.cluster.engine import ClusterEngine
from adastar_core.cluster.generation import RayGenerator, choose_on_cluster
from adastar_core.config import ComputeSettings, GeneratorSettings
from adastar_core.errors import CheckpointError, ConfigError, ModelError
from adastar_core.generators.transformers import open_transformers
from adastar_core.models.checkpoints import digest_of
from adastar_core.models.source import resolve_model
from adastar_core.records import Attempt, Incident
from tests.support.attempts import SAMPLED, in_batches, requests
from tests.support.ray_cluster import SmallCluster

SETTINGS = GeneratorSettings(dtype="float64")
PIECE = 7
TIMEOUT_SECONDS = 900.0
WANTED = requests(60)


@pytest.fixture(scope="module")
def base() -> Path:
    return resolve_model("tiny-adder")


@pytest.fixture(scope="module")
def expected(base: Path) -> list[Attempt]:
    return in_batches(open_transformers(base, SETTINGS), WANTED, SAMPLED, PIECE)


@pytest.fixture(scope="module")
def reported() -> list[Incident]:
    return []


@pytest.fixture
def incidents(reported: list[Incident]) -> list[Incident]:
    """What was reported in this test."""
    reported.clear()
    return reported


@pytest.fixture(scope="module")
def shared(
    cluster: SmallCluster, tmp_path_factory: pytest.TempPathFactory, reported: list[Incident]
) -> Iterator[RayGenerator]:
    """A generator for all tests: every actor that starts loads PyTorch, and none keeps anything but its weights."""
    compute = ComputeSettings(
        backend="ray", address=cluster.address, piece=PIECE, timeout_seconds=TIMEOUT_SECONDS
    )
    logs = tmp_path_factory.mktemp("ray") / "logs"
    found = RayGenerator(SETTINGS, compute, "transformers", 0, logs, reported.append)
    yield found
    found.close()


@pytest.fixture
def generator(shared: RayGenerator, base: Path) -> RayGenerator:
    """The generator, which has proved nothing yet."""
    shared.hand_over(base, digest_of(base))
    return shared


def actors_of(generator: RayGenerator) -> list[ActorHandle[ClusterEngine]]:
    return generator._actors().actors


def place_of(actor: ActorHandle[ClusterEngine]) -> tuple[int, str]:
    """Return an actor's process and node; one that is being started again is waited for."""
    while True:
        asked = actor.__ray_call__.remote(lambda _: (os.getpid(), ray.get_runtime_context().get_node_id()))
        with suppress(RayActorError):
            found: tuple[int, str] = ray.get(asked)
            return found


def test_the_clusters_nodes_choose_the_engine(cluster: SmallCluster) -> None:
    compute = ComputeSettings(backend="ray", address=cluster.address)
    choice = choose_on_cluster(SETTINGS, compute, 10**5)
    assert choice.engine == "transformers"
    assert choice.why.endswith(", on the Ray cluster")


def test_actors_on_two_nodes_generate_what_one_process_generates(
    generator: RayGenerator, expected: list[Attempt], base: Path, incidents: list[Incident]
) -> None:
    assert generator.weights_sha256 is None, "nothing is proved before the first batch"
    assert generator.generate(WANTED, SAMPLED) == expected
    assert len({place_of(actor)[1] for actor in actors_of(generator)}) == 2
    assert generator.weights_sha256 == digest_of(base)
    assert generator.generate([], SAMPLED) == []
    before = [place_of(actor)[0] for actor in actors_of(generator)]
    generator.rest()
    assert generator.generate(WANTED[:PIECE], SAMPLED) == expected[:PIECE]
    assert not {place_of(actor)[0] for actor in actors_of(generator)} & set(before), (
        "training had their cores"
    )
    assert incidents == []


def silence(actor: ActorHandle[ClusterEngine]) -> tuple[int, str]:
    """Stop an actor, which then holds a piece and never answers; return its process and node."""
    process, node = place_of(actor)
    os.kill(process, signal.SIGSTOP)
    return process, node


def test_a_killed_actor_costs_its_piece_which_is_done_again(
    generator: RayGenerator, expected: list[Attempt], incidents: list[Incident]
) -> None:
    process, _ = silence(actors_of(generator)[0])
    killer = Timer(0.3, os.kill, (process, signal.SIGKILL))
    killer.start()
    found = generator.generate(WANTED, SAMPLED)
    killer.join()
    assert found == expected
    assert [one.kind for one in incidents] == ["actor lost"]
    assert generator.generate(WANTED, SAMPLED) == expected, "the lost actor has come back, or nobody needs it"


def test_a_silent_actor_is_ended_and_its_piece_done_again(
    generator: RayGenerator,
    expected: list[Attempt],
    incidents: list[Incident],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert generator.generate(WANTED, SAMPLED) == expected
    pool = generator._actors()
    assert pool._seconds == TIMEOUT_SECONDS
    process, _ = silence(pool.actors[0])
    monkeypatch.setattr(
        pool, "_seconds", 10.0
    )  # all actors have started, and a piece takes less than a second
    assert generator.generate(WANTED, SAMPLED) == expected
    assert [one.kind for one in incidents] == ["actor lost"]
    assert place_of(pool.actors[0])[0] != process


def test_a_removed_node_costs_its_piece_and_a_new_one_is_used(
    cluster: SmallCluster, generator: RayGenerator, expected: list[Attempt], incidents: list[Incident]
) -> None:
    process, node = silence(actors_of(generator)[0])
    killer = Timer(0.3, cluster.remove, (node,))
    killer.start()
    assert generator.generate(WANTED, SAMPLED) == expected
    killer.join()
    with suppress(ProcessLookupError):  # one that is stopped may not have noticed that its node has gone
        os.kill(process, signal.SIGKILL)
    assert {one.kind for one in incidents} == {"actor lost"}
    cluster.add()
    assert generator.generate(WANTED, SAMPLED) == expected
    assert node not in {place_of(actor)[1] for actor in actors_of(generator)}


def test_an_error_in_an_actor_is_raised_as_if_it_were_local(
    generator: RayGenerator, base: Path, tmp_path: Path, expected: list[Attempt]
) -> None:
    too_long = replace(WANTED[0], prompt="1" * 5000)
    with pytest.raises(ConfigError, match="5000 tokens"):
        generator.generate([too_long], SAMPLED)
    generator.hand_over(tmp_path / "elsewhere", "0" * 64)
    with pytest.raises(ModelError, match="every node of the cluster sees"):
        generator.generate(WANTED, SAMPLED)
    generator.hand_over(base, "0" * 64)
    with pytest.raises(CheckpointError):
        generator.generate(WANTED, SAMPLED)
    assert generator.weights_sha256 is None
    generator.hand_over(base, digest_of(base))
    assert generator.generate(WANTED, SAMPLED) == expected, "the actors are still there"
