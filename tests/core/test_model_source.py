import json
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from adastar_core.errors import ModelError
from adastar_core.machine import hub
from adastar_core.models import source as model_source
from tests.support.tiny_llama import write_model, write_tiny_llama, write_tokenizer


def test_a_complete_directory_is_its_own_source(tmp_path: Path) -> None:
    assert model_source.resolve_model(str(write_tiny_llama(tmp_path))) == tmp_path


def test_a_packaged_model_is_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny_llama(tmp_path / "tiny-adder")
    monkeypatch.setattr(model_source, "PACKAGED", tmp_path)
    assert model_source.resolve_model("tiny-adder") == tmp_path / "tiny-adder"


def _remove_weights(directory: Path) -> None:
    (directory / "model.safetensors").unlink()


def _pickled_weights(directory: Path) -> None:
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")


def _remove_tokenizer(directory: Path) -> None:
    for path in directory.glob("tokenizer*"):
        path.unlink()


def _no_model_type(directory: Path) -> None:
    (directory / "config.json").write_text("{}")


def _lose_a_shard(directory: Path) -> None:
    _remove_weights(directory)
    write_model(directory, shard_size="20KB")
    model_source.weight_files(directory)[1].unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_remove_weights, r"no weights \(model\.safetensors\); copy"),
        (_pickled_weights, r"no weights .*convert pytorch_model\.bin to safetensors"),
        (_lose_a_shard, r"model-00002-of-\d+\.safetensors is missing, though the weights' index names it"),
        (_remove_tokenizer, r"no tokenizer \(tokenizer\.json\)"),
        (
            lambda directory: (directory / "tokenizer.json").write_text("{"),
            r"tokenizer in .* cannot be loaded",
        ),
        (lambda directory: write_tokenizer(directory, eos=False), r"no EOS token.*set eos_token"),
        (lambda directory: (directory / "config.json").unlink(), r"no config\.json"),
        (
            lambda directory: (directory / "config.json").write_text("{"),
            r"config\.json cannot be read as JSON",
        ),
        (lambda directory: (directory / "config.json").write_text("[]"), r"config\.json holds a list"),
        (_no_model_type, r"no model_type"),
    ],
)
def test_what_is_missing_is_named_with_its_fix(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(write_tiny_llama(tmp_path))
    with pytest.raises(ModelError, match=message):
        model_source.resolve_model(str(tmp_path))


@pytest.mark.parametrize("name", ["/nowhere/model", "./nowhere", "~/nowhere-at-all"])
def test_a_path_that_does_not_exist_is_not_looked_for_on_the_hub(name: str) -> None:
    with pytest.raises(ModelError, match="is not a directory"):
        model_source.resolve_model(name)


def test_a_file_is_not_a_model(tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("")
    with pytest.raises(ModelError, match="is not a directory"):
        model_source.resolve_model(str(tmp_path / "weights"))


@pytest.mark.parametrize("name", ["nobody/none-such", "bad//name", "tiny adder"])
def test_an_unreachable_hub_is_one_clear_error(name: str) -> None:
    script = f"""
from adastar_core.errors import ModelError
from adastar_core.models.source import resolve_model
try:
    resolve_model({name!r})
except ModelError as error:
    assert {name!r} in str(error) and "give the path of a local copy" in str(error), error
    assert "\\n" not in str(error)
else:
    raise SystemExit("no error")
"""
    subprocess.run(
        [sys.executable, "-c", script], check=True, env={"HF_HUB_OFFLINE": "1", "PATH": ""}, timeout=60
    )


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("shard_size", ["1GB", "20KB"])
def test_parameters_are_counted_as_torch_counts_them(tmp_path: Path, tied: bool, shard_size: str) -> None:
    from transformers import AutoModelForCausalLM

    write_model(tmp_path, tied=tied, shard_size=shard_size)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert model_source.parameter_count(tmp_path) == sum(weight.numel() for weight in model.parameters())


def test_tied_weights_that_are_stored_twice_count_once(tmp_path: Path) -> None:
    write_model(tmp_path, tied=False)
    twice = model_source.parameter_count(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": True}))
    assert twice - model_source.parameter_count(tmp_path) == config["vocab_size"] * config["hidden_size"]


def test_the_shape_is_read_without_the_weights(tmp_path: Path) -> None:
    write_model(tmp_path, hidden=48)
    shape = model_source.model_shape(tmp_path)
    assert (shape.layers, shape.attention_width) == (2, 48)
    assert shape.parameters == model_source.parameter_count(tmp_path)


def test_broken_weights_are_named(tmp_path: Path) -> None:
    write_model(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(ModelError, match=r"model\.safetensors is not a readable safetensors file"):
        model_source.parameter_count(tmp_path)


def test_importing_and_counting_need_no_torch(tmp_path: Path) -> None:
    write_model(tmp_path)
    script = f"""
import sys
from pathlib import Path
from adastar_core.models.source import parameter_count
assert parameter_count(Path({str(tmp_path)!r})) > 0
assert "torch" not in sys.modules and "transformers" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_hub_that_does_not_answer_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was downloaded before is used then; a network that drops packets holds nobody up."""
    cached = tmp_path / "models--a--b"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("f" * 40)
    write_tiny_llama(cached / "snapshots" / ("f" * 40))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(hub, "SECONDS", 0.1)
        assert model_source.resolve_model("a/b").parent == cached / "snapshots"
        with pytest.raises(ModelError, match=r"does not answer within .* and it was not downloaded before"):
            model_source.resolve_model("nobody/nothing")
        for _ in range(2):
            silent.accept()[0].close()
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.accept()
    assert constants.HF_HUB_OFFLINE is False


def test_a_gated_model_says_which_token_it_needs_and_never_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    got: list[str | None] = []

    class Gated(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            got.append(self.headers.get("authorization"))
            self.send_response(401)
            self.send_header("X-Error-Code", "GatedRepo")
            self.end_headers()

        do_GET = do_HEAD

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Gated) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        with pytest.raises(ModelError, match="accept its terms there and set HF_TOKEN") as raised:
            model_source.resolve_model("google/gated")
        server.shutdown()
    assert "Bearer hf_secret" in got
    whole = "".join(traceback.format_exception(raised.value))
    assert "hf_secret" not in whole
