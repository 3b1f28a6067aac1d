"""Rewrites a GGUF file whose weights are packed in a way that transformers cannot read: those weights become float32.

llama.cpp takes such packings (Q5_0, Q5_1, ...) where a matrix is too narrow for the usual ones, so small models have them.
"""

from pathlib import Path

_PLAIN = ("F32", "F16", "BF16")
_WRITTEN_ANYWAY = ("GGUF.", "general.architecture")
"""The header's own fields, and the one that the writer is made with."""


def repacked(file: Path, folder: Path) -> Path | None:
    """Write the file to ``folder`` with weights that transformers can read, and return its place; ``None`` if it can now.

    Raises:
        ValueError: A packing is unknown to the package gguf as well, or the file is damaged.
    """
    from gguf import GGUFReader, GGUFWriter
    from gguf.quants import dequantize
    from transformers.integrations.gguf.dequant import GGML_BLOCK

    source = GGUFReader(file)
    unknown = {
        tensor.name
        for tensor in source.tensors
        if tensor.tensor_type.name not in _PLAIN and tensor.tensor_type.value not in GGML_BLOCK
    }
    if not unknown:
        return None
    architecture = source.fields["general.architecture"].contents()
    writer = GGUFWriter(folder / file.name, architecture, use_temp_file=True)
    for field in source.fields.values():
        if not field.name.startswith(_WRITTEN_ANYWAY):
            inner = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(field.name, field.contents(), field.types[0], inner)
    for tensor in source.tensors:
        if tensor.name in unknown:
            writer.add_tensor(tensor.name, dequantize(tensor.data, tensor.tensor_type))
        else:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return folder / file.name
