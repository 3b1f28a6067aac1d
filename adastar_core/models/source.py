"""Where a model comes from: the package, the list of ``adastar models``, a directory, a GGUF file, or the hub.

It is checked without loading weights.
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from adastar_core.compute import ModelShape
from adastar_core.errors import ModelError
from adastar_core.machine import confine
from adastar_core.machine.paths import path_of
from adastar_core.models.vocabulary import Vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

PACKAGED = Path(__file__).parent
HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
_IMPLEMENTATIONS = ("attn_implementation", "_attn_implementation", "experts_implementation")
_FORMATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_TIED_HEAD = "lm_head.weight"
_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight")


def is_packaged(name: str) -> bool:
    """Return whether a model of this name is part of this package."""
    return name in {config.parent.name for config in PACKAGED.glob("*/config.json")}


def is_own_name(name: str) -> bool:
    """Return whether a name is this project's own, whatever folder or hub model has it too: packaged, listed, or a run's."""
    from adastar_core.models.library import OFFERS
    from adastar_core.names import checkpoint_named

    return is_packaged(name) or name in OFFERS or checkpoint_named(name) is not None


def is_hub_name(name: str) -> bool:
    """Return whether :func:`resolve_model` looks for the model on the hub."""
    local = name.startswith(("/", ".", "~")) or _is_gguf(name)
    return not (is_own_name(name) or local or path_of(name, "model").exists())


def resolve_model(name: str) -> Path:
    """Return the checked directory of a packaged or listed model, a directory, a GGUF file or a hub name.

    Raises:
        ConfigError: Runs here may not read the directory or file, or use the hub.
        ModelError: The directory lacks something, a file cannot be converted, a listed model is not here yet, the hub does
            not have the name or cannot be reached, or it names a run's checkpoint, which only a run can look up.
    """
    from adastar_core.models import library
    from adastar_core.names import checkpoint_named

    if (named := checkpoint_named(name)) is not None:
        raise ModelError(
            f"model: {name} is a checkpoint in a database, which is not read here. Give its directory "
            f"(`adastar show {named.run}` names it)."
        )
    if is_packaged(name):
        return check_model(PACKAGED / name)
    if name in library.OFFERS:
        return check_model(library.existing(name))
    if _is_gguf(name) and not path_of(name, "model").is_dir():
        return check_model(library.converted(confine.readable(name, "model")))
    if not is_hub_name(name):
        return check_model(confine.readable_tree(path_of(name, "model").absolute(), "model"))
    confine.source(name, "model")
    return check_model(_download(name))


def _is_gguf(name: str) -> bool:
    return name.lower().endswith(".gguf")


def check_model(directory: Path) -> Path:
    """Return ``directory`` if it holds a causal language model with a tokenizer that the method can use.

    Raises:
        ModelError: Says what is missing and how to fix it.
    """
    if not directory.is_dir():
        raise ModelError(
            f"model: {directory} is not a directory; give tiny-adder, a name from `adastar models`, a "
            "directory with config.json, safetensors weights and a tokenizer, a .gguf file, or a hub name"
        )
    config = _config(directory)
    if "model_type" not in config:
        raise ModelError(
            f"model: {directory / 'config.json'} has no model_type; save it again with save_pretrained"
        )
    if (directory / "adapter_config.json").exists():
        raise ModelError(
            f"model: {directory} is an adapter, which names another model to load; merge the two and save the result"
        )
    for group in _groups(config):
        for name in _IMPLEMENTATIONS:
            value = str(group.get(name) or "sdpa")
            if not value.replace("_", "").isalnum():
                raise ModelError(
                    f"model: {directory / 'config.json'} has {name} = {value!r}, which would fetch code from the hub; "
                    "remove it"
                )
    for shard in weight_files(directory):
        if not shard.is_file():
            raise ModelError(f"model: {shard} is missing, though the weights' index names it; copy it there")
    Vocabulary.of(directory)
    return directory


def _groups(config: dict[str, object]) -> Iterator[dict[str, object]]:
    yield config
    for inner in config.values():
        if isinstance(inner, dict):
            yield from _groups(inner)


def weight_files(directory: Path) -> list[Path]:
    """Return a model's safetensors files, of which some may be missing; a ModelError if it has none."""
    index = directory / "model.safetensors.index.json"
    if index.is_file():
        shards = _json(index).get("weight_map")
        if not isinstance(shards, dict):
            raise ModelError(f"model: {index} has no weight_map; copy the index of the weights again")
        names = {str(shard) for shard in shards.values()}
        if elsewhere := sorted(name for name in names if Path(name).name != name):
            raise ModelError(
                f"model: {index} names {elsewhere[0]!r}, which is not a file beside it; remove it"
            )
        return sorted(directory / name for name in names)
    if (directory / "model.safetensors").is_file():
        return [directory / "model.safetensors"]
    pickled = sorted(path.name for path in directory.glob("*.bin"))
    fix = f"convert {pickled[0]} to safetensors" if pickled else "copy the model's *.safetensors files there"
    raise ModelError(f"model: {directory} has no weights (model.safetensors); {fix}")


def parameter_count(directory: Path) -> int:
    """Return P, all parameters of a model, read from the headers of its weights; tied weights count once.

    Raises:
        ModelError: There are no safetensors weights, or one is unreadable.
    """
    sizes = dict(_tensor_sizes(directory))
    if _config(directory).get("tie_word_embeddings") and any(key.endswith(_EMBEDDINGS) for key in sizes):
        sizes.pop(_TIED_HEAD, None)
    return sum(sizes.values())


def model_shape(directory: Path) -> ModelShape:
    """Return what a model's FLOPs follow from, without its weights."""
    config = text_config(directory)
    heads = getattr(config, "num_attention_heads", None) or 0  # 0: the model has no attention
    head_width = getattr(config, "head_dim", None) or config.hidden_size // max(heads, 1)
    return ModelShape(parameter_count(directory), config.num_hidden_layers, heads * head_width)


def positions_of(directory: Path) -> int | None:
    """Return the longest text that a model's position embeddings allow; ``None`` where nothing limits it."""
    positions: int | None = getattr(text_config(directory), "max_position_embeddings", None)
    return positions or None


def text_config(directory: Path) -> "PreTrainedConfig":
    """Return the configuration of a model's language part; a :class:`ModelError` if it cannot be understood."""
    from transformers import AutoConfig

    try:
        loaded = AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
        config: PreTrainedConfig = loaded.get_text_config()
    except (ValueError, OSError) as error:
        raise ModelError(f"model: {directory / 'config.json'} cannot be understood ({error})") from error
    return config


def stored_format(directory: Path) -> str:
    """Return the number format that a model was published in: its configuration says it, else its weights show it.

    Raises:
        ModelError: It has no safetensors weights, or a file is unreadable.
    """
    groups = _groups(_config(directory))
    named = (group.get(key) for group in groups for key in ("dtype", "torch_dtype"))
    if (found := next((name for name in named if isinstance(name, str)), None)) is not None:
        return found
    counts = Counter(dtype for _, dtype, _ in _tensors(directory))
    most = counts.most_common(1)[0][0]
    return _FORMATS.get(most, most)


def _tensor_sizes(directory: Path) -> Iterator[tuple[str, int]]:
    import numpy as np

    for name, _, shape in _tensors(directory):
        yield name, int(np.prod(shape, dtype=np.int64))


def _tensors(directory: Path) -> Iterator[tuple[str, str, list[int]]]:
    """Yield name, number format and shape of a model's weights, from the headers of their files."""
    from safetensors import SafetensorError, safe_open

    for path in weight_files(directory):
        try:
            with safe_open(path, framework="np") as tensors:
                for name in tensors.keys():  # noqa: SIM118 (not a mapping)
                    part = tensors.get_slice(name)
                    yield name, part.get_dtype(), part.get_shape()
        except (SafetensorError, OSError) as error:
            raise ModelError(
                f"model: {path} is not a readable safetensors file ({error}); copy it again"
            ) from error


def _config(directory: Path) -> dict[str, object]:
    path = directory / "config.json"
    if not path.is_file():
        raise ModelError(
            f"model: {directory} has no config.json; give the directory that save_pretrained wrote"
        )
    return _json(path)


def _json(path: Path) -> dict[str, object]:
    try:
        values = json.loads(path.read_bytes())
    except (ValueError, OSError) as error:
        raise ModelError(f"model: {path} cannot be read as JSON ({error}); copy it again") from error
    if not isinstance(values, dict):
        raise ModelError(f"model: {path} holds a {type(values).__name__}, not an object; copy it again")
    return values


def _download(name: str) -> Path:
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    from adastar_core.machine.hub import hub_or_cache

    with hub_or_cache() as missing:
        try:
            return Path(snapshot_download(name, allow_patterns=list(HUB_FILES)))
        except (HfHubHTTPError, HFValidationError, httpx.HTTPError, OSError) as error:
            reason = missing or str(error).strip().splitlines()[0]
            fix = "check the spelling and the network"
            if isinstance(error, RepositoryNotFoundError):  # a gated one too
                fix = "check the spelling; if it is gated or private, accept its terms there and set HF_TOKEN to a token that may read it"
            raise ModelError(
                f"model: {name!r} is neither a packaged model nor a directory, and could not be fetched from the hub "
                f"({reason}); {fix}, or give the path of a local copy"
            ) from error
