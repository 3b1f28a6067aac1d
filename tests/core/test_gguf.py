"""A GGUF file as a model: what is converted, what is refused, and what is said of a doubtful one."""

import logging
from collections.abc import Callable
from pathlib import Path

import gguf
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from adastar_core.errors import ConfigError, ModelError
from adastar_core.generators.settings import GeneratorSettings
from adastar_core.generators.transformers import open_transformers
from adastar_core.models.checkpoints import digest_of
from adastar_core.models.source import is_hub_name, resolve_model
from adastar_core.models.vocabulary import Vocabulary
from tests.support.gguf_files import write_gguf
from tests.support.tokenizers import SPECIAL, write_kind

TEXTS = ["Q: How many apples are 12 + 30?\nA:", "<|turn|>user\n7 + 8<|end|>\n", "naïve  1,234"]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_kind(tmp_path_factory.mktemp("original"), "byte-level BPE")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADASTAR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def made_in(home: Path) -> list[str]:
    return sorted(path.name for path in home.glob("models/*") if path.is_dir())


def test_a_file_gives_the_model_that_it_was_written_from(original: Path, tmp_path: Path) -> None:
    file = write_gguf(original, tmp_path / "model.gguf", end_of_turn=SPECIAL.index("<|end|>"))
    found = resolve_model(str(file))
    ids = torch.arange(8, 40)[None]
    theirs, ours = (
        AutoModelForCausalLM.from_pretrained(folder)(input_ids=ids).logits for folder in (original, found)
    )
    torch.testing.assert_close(ours, theirs)
    before, after = Vocabulary(original), Vocabulary(found)
    assert after.prompt_ids(TEXTS) == before.prompt_ids(TEXTS)
    assert (after.eos, after.has_template) == (before.eos, True)
    assert {before.eos, SPECIAL.index("<|end|>")} <= set(after.ends.ends)
    open_transformers(found, GeneratorSettings())


@pytest.mark.parametrize("packing", ["Q4_0", "Q5_0", "Q5_1", "Q8_0"])
def test_packed_weights_are_unpacked_also_where_transformers_cannot(
    original: Path, tmp_path: Path, home: Path, packing: str
) -> None:
    """transformers 5.23 reads Q4_0 and Q8_0 of these; narrow matrices are packed as Q5_0 or Q5_1."""
    found = resolve_model(str(write_gguf(original, tmp_path / "model.gguf", packing=packing)))
    kind, name = gguf.GGMLQuantizationType[packing], "model.embed_tokens.weight"
    before, after = (load_file(folder / "model.safetensors") for folder in (original, found))
    expected = gguf.quants.dequantize(gguf.quants.quantize(before[name].float().numpy(), kind), kind)
    assert torch.equal(after[name], torch.from_numpy(expected).bfloat16())
    for one, weight in before.items():
        alike = torch.cosine_similarity(weight.float().flatten(), after[one].float().flatten(), dim=0)
        assert alike > 0.99, one
    assert made_in(home) == [found.name]


def test_a_file_is_converted_once_and_the_same_everywhere(
    original: Path,
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    file = write_gguf(original, tmp_path / "model.gguf")
    first = resolve_model(str(file))
    said = len(caplog.messages)
    assert resolve_model(str(file.rename(tmp_path / "Renamed.GGUF"))) == first
    assert len(caplog.messages) == said
    assert made_in(home) == [first.name]
    monkeypatch.setenv("ADASTAR_HOME", str(tmp_path / "elsewhere"))
    second = resolve_model(str(tmp_path / "Renamed.GGUF"))
    assert second != first
    assert digest_of(second) == digest_of(first)


def test_broken_weights_and_an_unknown_way_to_split_are_said(
    original: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = resolve_model(str(write_gguf(original, tmp_path / "model.gguf", splitting="nobody-s")))
    doubts = [line for line in caplog.messages if "may be converted wrongly" in line]
    assert len(doubts) == 2
    assert "transformers does not know how nobody-s splits texts" in doubts[0]
    assert "plain English has a mean log-probability of" in doubts[1]  # its weights are random
    noted = (found / "README.md").read_text()
    assert "nobody-s" in noted
    assert "plain English" in noted


def test_digits_are_split_as_smollm_does(original: Path, tmp_path: Path) -> None:
    plain, digits = (
        Vocabulary(resolve_model(str(write_gguf(original, tmp_path / f"{name}.gguf", splitting=name))))
        for name in ("gpt-2", "smollm")
    )
    together, apart = (len(one.prompt_ids(["1000 - 7 = 993"])[0]) for one in (plain, digits))
    assert apart == len("1000 - 7 = 993") - 2  # spaces before signs are in one token with them
    assert together < apart


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _other(file: Path) -> None:
    file.write_bytes(b"PK" + bytes(200))


@pytest.mark.parametrize(
    ("options", "damage", "message"),
    [
        ({}, _other, r"is not a readable GGUF file .*Copy it again"),
        ({}, _cut, r"cannot be read by transformers|is not a readable GGUF file"),
        ({}, Path.unlink, r"there is no file .*model\.gguf"),
        ({"parts": 3}, None, r"one of 3 parts of a model\. Join them"),
        (
            {"without": "blk.1.ffn_up.weight"},
            None,
            r"lacks weights of its model, model\.layers\.1\.mlp\.up_proj",
        ),
    ],
)
def test_what_cannot_be_converted_is_refused_and_leaves_nothing(
    original: Path,
    tmp_path: Path,
    home: Path,
    options: dict[str, object],
    damage: Callable[[Path], None] | None,
    message: str,
) -> None:
    file = write_gguf(original, tmp_path / "model.gguf", **options)  # type: ignore[arg-type]
    if damage:
        damage(file)
    with pytest.raises(ModelError, match=message):
        resolve_model(str(file))
    assert made_in(home) == []


def test_what_a_killed_process_left_is_replaced(original: Path, tmp_path: Path, home: Path) -> None:
    file = write_gguf(original, tmp_path / "model.gguf")
    found = resolve_model(str(file))
    found.rename(found.with_name(f".{found.name}.part"))
    (found.with_name(f".{found.name}.part") / "model.safetensors").write_bytes(b"half")
    resolve_model(str(file))
    assert made_in(home) == [found.name]


def test_a_form_cannot_name_a_file_outside(
    original: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    outside = write_gguf(original, tmp_path / "model.gguf")
    inside = write_gguf(original, home / "model.gguf")
    (home / "link.gguf").symlink_to(outside)
    monkeypatch.setenv("ADASTAR_CONFINED", "1")
    for name in (outside, home / "link.gguf", home / "../model.gguf"):
        with pytest.raises(ConfigError, match="outside the folders that runs may read"):
            resolve_model(str(name))
    assert resolve_model(str(inside)).parent == home / "models"


def test_a_file_is_never_looked_for_on_the_hub() -> None:
    assert not is_hub_name("somebody/model.gguf")
