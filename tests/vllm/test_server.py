"""Generation on a server: a real ``vllm serve`` with this project's plug-ins, on a CPU."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from adastar_core.config import GeneratorSettings
from adastar_core.errors import ConfigError, DataError, EngineError
from adastar_core.generators.openai import OpenAiGenerator
from adastar_core.generators.transformers import open_transformers
from adastar_core.models.checkpoints import digest_of
from adastar_core.records import FinishReason, GenerationRequest
from tests.support.attempts import GREEDY, SAMPLED
from tests.support.tiny_llama import write_tiny_llama
from tests.vllm.serving import Server

SHORT = replace(SAMPLED, max_new_tokens=12)
REQUESTS = [GenerationRequest(n, 1, False, f"{n} plus {n}", 1000 + n) for n in range(20)]


class Pair:
    """A server and two checkpoints, the first of which it has."""

    def __init__(self, folder: Path) -> None:
        self.one, self.other = (folder / name for name in ("one", "other"))
        for seed, path in enumerate((self.one, self.other)):
            path.mkdir()
            write_tiny_llama(path, seed=seed, hidden=128)
        self.server = Server(self.one, folder / "server.log")
        self.open: list[OpenAiGenerator] = []

    def generator(self, **openai: object) -> OpenAiGenerator:
        values = {
            "type": "openai",
            "dtype": "float32",
            "openai": {"url": self.server.url, "plugins": True, **openai},
        }
        self.open.append(OpenAiGenerator(GeneratorSettings.model_validate(values)))
        return self.open[-1]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    pair = Pair(tmp_path_factory.mktemp("server"))
    with pair.server:
        yield pair


@pytest.fixture
def server(running: Pair) -> Iterator[Pair]:
    """The server; generators that a test opened are closed after it."""
    yield running
    while running.open:
        running.open.pop().close()


def test_a_server_with_the_plug_ins_takes_checkpoints_and_samples_our_streams(server: Pair) -> None:
    generator = server.generator()
    for model_dir in (server.other, server.one):
        generator.hand_over(model_dir, digest_of(model_dir))
        assert generator.weights_sha256 == digest_of(model_dir)
        reference = open_transformers(model_dir, GeneratorSettings(dtype="float32"))
        for decoding in (SHORT, replace(SHORT, greedy=True), replace(SHORT, temperature=0.5, top_p=0.8)):
            ours, theirs = (one.generate(REQUESTS, decoding) for one in (generator, reference))
            assert [(one.response, one.finish_reason, one.generated_tokens) for one in ours] == [
                (one.response, one.finish_reason, one.generated_tokens) for one in theirs
            ]
            assert {one.padded_prompt_tokens - one.prompt_tokens for one in ours} == {0}


def test_without_them_seeds_decide_and_another_checkpoint_is_refused(server: Pair) -> None:
    generator = server.generator(plugins=False, concurrency=3)
    with pytest.raises(EngineError, match=r"does not have the recorded checkpoint \(other\).*nats"):
        generator.hand_over(server.other, digest_of(server.other))
    assert generator.weights_sha256 is None
    generator.hand_over(server.one, digest_of(server.one))
    first = generator.generate(REQUESTS, SHORT)
    assert generator.generate(REQUESTS[::-1], SHORT) == first[::-1]
    assert generator.generate([replace(one, stream=one.stream + 7) for one in REQUESTS], SHORT) != first
    stopped = generator.generate(REQUESTS, replace(SHORT, stop=(first[0].response[3:5],)))
    assert stopped[0].finish_reason is FinishReason.STOP
    assert stopped[0].response == first[0].response[: len(stopped[0].response)]
    with pytest.raises(DataError, match="observation 0 is empty"):
        generator.generate([replace(REQUESTS[0], prompt="")], SHORT)


def test_a_server_that_changes_under_way_is_refused_and_nothing_is_returned(server: Pair) -> None:
    generator, other = server.generator(plugins=False), server.generator()
    generator.hand_over(server.one, digest_of(server.one))
    other.hand_over(server.other, digest_of(server.other))
    with pytest.raises(EngineError, match="does not have the recorded checkpoint"):
        generator.generate(REQUESTS, SHORT)
    other.hand_over(server.one, digest_of(server.one))


def test_an_unknown_model_and_a_refused_request_are_named(server: Pair) -> None:
    with pytest.raises(ConfigError, match=r"generator\.openai\.model is 'large'.*'tiny'"):
        server.generator(model="large").hand_over(server.one, digest_of(server.one))
    generator = server.generator()
    generator.hand_over(server.one, digest_of(server.one))
    with pytest.raises(EngineError, match="status 400"):
        generator.generate([replace(REQUESTS[0], prompt="0123456789" * 300)], GREEDY)


def test_a_busy_server_is_asked_again(server: Pair) -> None:
    """A door in front of the server turns every third request away."""
    turned_away = []
    lock = threading.Lock()

    class Door(BaseHTTPRequestHandler):
        count = 0

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            with lock:
                Door.count += 1
                busy = Door.count % 3 == 0
            if busy:
                turned_away.append(self.path)
                self.send_response(503)
                self.send_header("content-length", "0")
                self.end_headers()
                return
            answer = httpx.request(
                self.command,
                f"http://127.0.0.1:{server.server.port}{self.path}",
                content=body,
                headers={"content-type": "application/json"},
                timeout=60,
            )
            self.send_response(answer.status_code)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = _pass

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as door:
        threading.Thread(target=door.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{door.server_address[1]}/v1"
        generator = server.generator(url=url, plugins=False)
        generator.hand_over(server.one, digest_of(server.one))
        attempts = generator.generate(REQUESTS[:6], SHORT)
        stubborn = server.generator(url=url.replace("/v1", "/nowhere/v1"), retries=0, plugins=False)
        with pytest.raises(EngineError, match=r"status (404|503)"):
            stubborn.hand_over(server.one, digest_of(server.one))
        door.shutdown()
    assert turned_away
    direct = server.generator(plugins=False)
    direct.hand_over(server.one, digest_of(server.one))
    assert attempts == direct.generate(REQUESTS[:6], SHORT)


def test_a_server_out_of_reach_is_named(tmp_path: Path) -> None:
    write_tiny_llama(tmp_path)
    values = {"type": "openai", "openai": {"url": "http://127.0.0.1:9/v1", "retries": 1}}
    generator = OpenAiGenerator(GeneratorSettings.model_validate(values))
    with pytest.raises(EngineError, match=r"127\.0\.0\.1:9/v1/models failed.*generator\.openai\.url"):
        generator.hand_over(tmp_path, digest_of(tmp_path))
    generator.close()
