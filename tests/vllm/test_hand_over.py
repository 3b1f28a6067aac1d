"""Other weights for a running engine: taken, proved, and never trusted. One engine serves most of these tests."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from transformers import AutoModelForCausalLM

from adastar_core.config import GeneratorSettings
from adastar_core.errors import EngineError
from adastar_core.generators import Decoding, vllm_processes
from adastar_core.generators.halving import Halving
from adastar_core.generators.transformers import open_transformers
from adastar_core.generators.vllm import VllmGenerator
from adastar_core.models import canary
from adastar_core.models.checkpoints import digest_of
from adastar_core.models.source import resolve_model
from adastar_core.records import GenerationRequest
from tests.support.attempts import SAMPLED, requests
from tests.support.tiny_llama import write_tiny_llama
from tests.vllm.conftest import Recorded, started

DECODING = Decoding(greedy=True, temperature=1.0, top_p=1.0, max_new_tokens=12)
PROMPTS = [f"{n} plus {n}" * (1 + 15 * (n % 2)) for n in range(10, 22)]
REQUESTS = [GenerationRequest(place, 1, False, prompt, 0) for place, prompt in enumerate(PROMPTS)]
"""Half of them are longer than a block of the engine's cache, which is 128 tokens on a CPU."""


class Scene:
    """An engine that can be made faulty, and the checkpoints that it takes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.incidents = folder, Recorded()
        self.one, self.other = self.checkpoint("one", 1), self.checkpoint("other", 2)
        self.want("no fault")
        self.engine = started(self.one, folder, self.incidents)

    def checkpoint(self, name: str, seed: int, *, tied: bool = True, hidden: int = 128) -> Path:
        (self.folder / name).mkdir()
        return write_tiny_llama(self.folder / name, seed=seed, tied=tied, hidden=hidden)

    def want(self, fault: str) -> None:
        (self.folder / "fault").write_text(fault)

    def hand_over(self, model_dir: Path) -> None:
        self.engine.hand_over(model_dir, digest_of(model_dir))
        assert self.engine.weights_sha256 == digest_of(model_dir)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("scene")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vllm_processes, "MODULE", "tests.vllm.faulty_engine")
        patch.setenv("FAULT", str(folder / "fault"))
        scene = Scene(folder)
        yield scene
        scene.engine.close()


@pytest.fixture
def scene(stage: Scene) -> Iterator[Scene]:
    """The engine without a fault and with the first checkpoint, whatever the test before did to it."""
    stage.want("no fault")
    if stage.engine.weights_sha256 != digest_of(stage.one):
        stage.hand_over(stage.one)
    stage.incidents.clear()
    return stage


def texts(generator: VllmGenerator) -> list[str]:
    return [attempt.response for attempt in generator.generate(REQUESTS, DECODING)]


def reference(model_dir: Path) -> list[str]:
    generator = open_transformers(model_dir, GeneratorSettings(dtype="float32"))
    return [attempt.response for attempt in generator.generate(REQUESTS, DECODING)]


def test_a_running_engine_takes_other_weights(scene: Scene) -> None:
    pids = scene.engine.pids
    assert texts(scene.engine) == reference(scene.one) != reference(scene.other)
    for model_dir in (scene.other, scene.one, scene.other):
        scene.hand_over(model_dir)
        assert texts(scene.engine) == reference(model_dir)
    assert (scene.engine.pids, scene.incidents) == (pids, [])


@pytest.mark.parametrize("fault", ["old_output_layer", "old_keys_and_values", "nothing"])
def test_stale_weights_are_found_out_and_the_engine_is_rebuilt(scene: Scene, fault: str) -> None:
    texts(scene.engine)
    pids = scene.engine.pids
    scene.want(fault)
    scene.hand_over(scene.other)
    assert scene.engine.pids != pids
    assert scene.incidents.kinds == ["engine rebuilt"]
    assert "log-probabilities" in scene.incidents[0].detail
    scene.want("no fault")
    assert texts(scene.engine) == reference(scene.other)
    scene.hand_over(scene.one)


def test_on_a_cpu_the_engine_stays_while_a_model_is_trained(scene: Scene) -> None:
    pids = scene.engine.pids
    scene.engine.rest()
    assert scene.engine.pids == pids


def test_an_engine_that_was_killed_is_rebuilt_with_its_weights(scene: Scene) -> None:
    before = scene.engine.generate(REQUESTS, SAMPLED)
    os.kill(scene.engine.pids[0], signal.SIGTERM)
    assert scene.engine.generate(REQUESTS, SAMPLED) == before
    assert scene.incidents.kinds == ["engine rebuilt"]


def test_a_batch_that_does_not_fit_is_halved(scene: Scene) -> None:
    scene.want("out_of_memory")
    attempts = Halving(scene.engine, scene.incidents.append).generate(REQUESTS, DECODING)
    assert [attempt.response for attempt in attempts] == reference(scene.one)
    assert scene.incidents.kinds == ["engine rebuilt", "out of memory"]
    assert "Tried to allocate 2.00 GiB" in scene.incidents[1].detail


def test_an_engine_that_fails_in_the_hand_over_is_rebuilt(scene: Scene) -> None:
    """The new model is wider and its output layer is no longer tied: nothing of it fits into the old one."""
    wider = scene.checkpoint("wider", 2, tied=False, hidden=256)
    scene.hand_over(wider)
    assert scene.incidents.kinds == ["engine rebuilt"]
    assert texts(scene.engine) == reference(wider)
    later = scene.checkpoint("later", 5, tied=False, hidden=256)
    pids = scene.engine.pids
    scene.hand_over(later)
    assert texts(scene.engine) == reference(later)
    assert scene.engine.pids == pids


def test_weights_that_a_new_engine_does_not_prove_either_are_an_error(scene: Scene) -> None:
    wrong = scene.checkpoint("wrong", 3)
    canary.record(canary.canary_of(AutoModelForCausalLM.from_pretrained(scene.one)), wrong)
    with pytest.raises(EngineError, match=r"does not hold the weights of .*wrong.*nats"):
        scene.engine.hand_over(wrong, digest_of(wrong))
    assert scene.incidents.kinds == ["engine rebuilt"]
    assert (scene.engine.weights_sha256, scene.engine.pids) == (None, [])


def test_memory_is_given_back_where_that_is_asked_for(tmp_path: Path) -> None:
    cache = {"kv_cache_gib": 0.125}
    engine = started(resolve_model("tiny-adder"), tmp_path, vllm={**cache, "while_training": "end"})
    before, (pid,) = engine.generate(requests(5), SAMPLED), engine.pids
    engine.rest()
    assert not psutil.pid_exists(pid)
    assert engine.generate(requests(5), SAMPLED) == before
    engine.close()
    assert engine.pids == []
