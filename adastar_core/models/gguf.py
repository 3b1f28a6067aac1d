"""A GGUF file, the single file of llama.cpp, as an ordinary model directory. transformers reads it; nothing in it is run."""

import json
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from adastar_core.errors import ModelError
from adastar_core.models.repack import repacked

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

_PLAIN_SPLITTING = ("default", "gpt-2")
_DIGIT_BY_DIGIT = "smollm"
"""How SmolLM's tokenizer splits texts: as GPT-2's, and every digit by itself. transformers does not know the name."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of its tokens.

    Attributes:
        splitting: The name of the way in which texts are split before they become tokens; empty where it has none.
        eos: The id that ends a text.
        end_of_turn: The id that ends a message, where it is another one.
        begins: Whether a text begins with BOS; ``None`` if the file does not say.
        template: The chat template; empty without one.
    """

    splitting: str
    eos: int | None
    end_of_turn: int | None
    begins: bool | None
    template: str


def read_header(file: Path) -> Header:
    """Return what a GGUF file says of its tokens, without reading its weights.

    Raises:
        ModelError: It is none, is one part of several, or cannot be read by this version of transformers.
    """
    values = _metadata(file)
    if (parts := values.get("split.count", 1)) != 1:
        raise ModelError(
            f"model: {file} is one of {parts} parts of a model. Join them with llama.cpp's llama-gguf-split --merge."
        )
    sentence_piece = values.get("tokenizer.ggml.model") == "llama"
    begins = values.get("tokenizer.ggml.add_bos_token", True if sentence_piece else None)
    eos, end = (values.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot"))
    return Header(
        splitting="" if sentence_piece else str(values.get("tokenizer.ggml.pre", "")),
        eos=eos if isinstance(eos, int) else None,
        end_of_turn=end if isinstance(end, int) and end != eos else None,
        begins=begins if isinstance(begins, bool) else None,
        template=str(values.get("tokenizer.chat_template", "")),
    )


def convert(file: Path, directory: Path) -> Header:
    """Write a GGUF file's model to ``directory``; weights that it holds in blocks are unpacked to bfloat16.

    Raises:
        ModelError: transformers cannot read it, or weights are missing in it.
    """
    from adastar_core.machine.quiet import no_progress_bars

    header = read_header(file)
    # transformers draws one of its bars without asking its own switch.
    with TemporaryDirectory(dir=directory.parent) as folder, no_progress_bars(), redirect_stderr(StringIO()):
        try:
            plain = repacked(file, Path(folder))
            tokenizer, model = (
                _tokenizer(plain or file, header),
                _model(plain or file, packed=plain is not None),
            )
        except ModelError:
            raise
        except Exception as error:  # a file with other contents than its header promises fails anywhere
            reason = " ".join(str(error).split())[:300]
            raise ModelError(
                f"model: {file} cannot be read by transformers ({type(error).__name__}: {reason}). Convert it to a directory with "
                "the tools of its publisher, or take another file."
            ) from error
        ends = [token for token in (header.eos, header.end_of_turn) if token is not None]
        if len(ends) > 1 and model.generation_config is not None:
            model.generation_config.eos_token_id = ends
        model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return header


def unknown_splitting(header: Header, directory: Path) -> bool:
    """Return whether the file names a way to split texts that its converted tokenizer does not have."""
    if header.splitting in ("", _DIGIT_BY_DIGIT, *_PLAIN_SPLITTING):
        return False
    split = json.loads((directory / "tokenizer.json").read_bytes())["pre_tokenizer"]
    return '"Split"' not in json.dumps(split)


def _metadata(file: Path) -> dict[str, object]:
    try:
        from transformers.integrations.gguf.reader import read_gguf_metadata
    except ImportError as error:
        raise ModelError(
            f"model: {file} needs transformers 5.23 or newer and the package gguf ({error}). Install them, or name a directory."
        ) from error
    try:
        values, _ = read_gguf_metadata(str(file))
    except Exception as error:  # whatever stands where a length was expected
        raise ModelError(
            f"model: {file} is not a readable GGUF file ({' '.join(str(error).split())[:200]}). Copy it again."
        ) from error
    return dict(values)


def _tokenizer(file: Path, header: Header) -> "PreTrainedTokenizerFast":
    from tokenizers import pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    made: PreTrainedTokenizerFast = PreTrainedTokenizerFast.from_pretrained(
        file.parent, gguf_file=file.name, local_files_only=True
    )
    if header.splitting == _DIGIT_BY_DIGIT:
        made.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
    return made


def _model(file: Path, *, packed: bool) -> "PreTrainedModel":
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    # Unpacked on request: with packed weights transformers would fetch kernels, which are code, from the hub.
    loaded: tuple[PreTrainedModel, dict[str, set[str]]] = AutoModelForCausalLM.from_pretrained(  # type: ignore[assignment]
        file.parent,
        gguf_file=file.name,
        dtype=torch.bfloat16 if packed else _dtype(file),
        quantization_config=GgufConfig(dequantize=True),
        output_loading_info=True,
        local_files_only=True,
        trust_remote_code=False,
    )
    model, found = loaded
    if missing := sorted(found["missing_keys"]):
        raise ModelError(
            f"model: {file} lacks weights of its model, {missing[0]} and {len(missing) - 1} others. Take a complete file."
        )
    # A model that came from a GGUF counts as quantised, and would not be saved, though its weights are plain numbers.
    model.hf_quantizer = None  # type: ignore[assignment]
    for config in {id(one): one for one in (model.config, model.config.get_text_config())}.values():
        for name in ("quantization_config", "_pre_quantization_dtype"):
            if hasattr(config, name):
                delattr(config, name)
    return model


def _dtype(file: Path) -> "torch.dtype":
    """Return the format to save weights in: the file's own, or for packed ones bfloat16, in which models are published."""
    import torch
    from transformers.integrations.gguf.reader import GgufHeader

    found: torch.dtype | None = GgufHeader.from_file(str(file)).dtype
    return found or torch.bfloat16
