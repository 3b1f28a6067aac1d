"""GGUF files as llama.cpp writes them: of a tiny Llama with a byte-level tokenizer."""

import json
import re
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import load_file

_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
_OUTSIDE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}


def write_gguf(
    model: Path,
    file: Path,
    *,
    splitting: str = "gpt-2",
    end_of_turn: int | None = None,
    without: str = "",
    parts: int = 1,
    packing: str | None = None,
) -> Path:
    """Write the Llama in a directory, its byte-level tokenizer and its chat template to one file.

    ``without`` is the name of a tensor that is left out, ``packing`` that of a ggml type for the matrices.
    """
    config = json.loads((model / "config.json").read_text())
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    if parts > 1:
        writer.add_uint16("split.count", parts)
    _add_tokens(writer, model, config["vocab_size"], splitting)
    if end_of_turn is not None:
        writer.add_eot_token_id(end_of_turn)
    for name, weight in load_file(model / "model.safetensors").items():
        if (there := _name_of(name)) != without:
            values = _as_stored(name, weight, config)
            if packing and values.ndim > 1:
                kind = gguf.GGMLQuantizationType[packing]
                writer.add_tensor(there, gguf.quants.quantize(values, kind), raw_dtype=kind)
            else:
                writer.add_tensor(there, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _add_tokens(writer: gguf.GGUFWriter, model: Path, size: int, splitting: str) -> None:
    values = json.loads((model / "tokenizer.json").read_text())
    ids = values["model"]["vocab"] | {token["content"]: token["id"] for token in values["added_tokens"]}
    tokens = sorted(ids, key=ids.__getitem__)
    special = {token["content"] for token in values["added_tokens"]}
    types = [gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token in tokens]
    unused = [f"<unused{number}>" for number in range(size - len(tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(splitting)
    writer.add_token_list([*tokens, *unused])
    writer.add_token_types([*types, *(gguf.TokenType.UNUSED for _ in unused)])
    writer.add_token_merges([" ".join(pair) for pair in values["model"]["merges"]])
    writer.add_bos_token_id(ids["<s>"])
    writer.add_eos_token_id(ids["</s>"])
    writer.add_unk_token_id(ids["<unk>"])
    writer.add_pad_token_id(ids["<pad>"])
    writer.add_add_bos_token(False)
    writer.add_chat_template(json.loads((model / "tokenizer_config.json").read_text())["chat_template"])


def _name_of(name: str) -> str:
    if name in _OUTSIDE:
        return _OUTSIDE[name]
    found = re.fullmatch(r"model\.layers\.(\d+)\.(.+)\.weight", name)
    assert found
    return f"blk.{found[1]}.{_NAMES[found[2]]}.weight"


def _as_stored(
    name: str, weight: torch.Tensor, config: dict[str, int]
) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    """Return a weight as llama.cpp has it, which orders the rows of queries and keys in another way."""
    values = weight.float().numpy()
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for part, count in heads.items():
        if part in name:
            rows, columns = values.shape
            values = (
                values.reshape(count, 2, rows // count // 2, columns).swapaxes(1, 2).reshape(rows, columns)
            )
    return np.ascontiguousarray(values)
