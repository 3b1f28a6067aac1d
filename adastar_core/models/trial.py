"""What a converted model must show before it is used: its tokens are those of the file, and it knows English."""

from pathlib import Path
from typing import TYPE_CHECKING

from adastar_core.errors import ModelError
from adastar_core.models.gguf import Header, unknown_splitting

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TEXTS = (
    "Q: A bakery sold 14 boxes of 6 muffins. How many muffins?\nA: 14 * 6 = 84.\n#### 84\n\nQ: Next",
    "The answer is (B).\n\n  Indented,  two spaces; 1,234.5 $18 25% — naïve café 東京 🙂",
    "def f(x):\n\treturn x**2  # tab",
)
"""Texts that become tokens and the same text again."""
ENGLISH = "The quick brown fox jumps over the lazy dog. Paris is the capital of France, and Berlin is the capital of Germany."
_LEAST = -5.0
"""Mean log-probability of a token of ENGLISH: small models have -2.7 and better, a wrong conversion -8 and worse."""
CONTINUATIONS = {"1, 2, 3, 4, 5,": " 6, 7", "The sun rises in the east and sets in the": " west"}
"""How every model of English continues these, by a wide margin."""


def doubts(directory: Path, header: Header, *, english: bool) -> list[str]:
    """Return what speaks against a converted model; with ``english`` also where it does not continue as it must.

    Raises:
        ModelError: Its tokens are not those of the file, so that prompts and responses would be wrong.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from adastar_core.machine.quiet import no_progress_bars

    tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
    _check_tokens(tokenizer, header, directory)
    found = [f"the text {text[:30]!r} changes when it becomes tokens" for text in _changed(tokenizer)]
    if unknown_splitting(header, directory):
        found.append(f"transformers does not know how {header.splitting} splits texts into tokens")
    with no_progress_bars():
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            directory, dtype="auto", use_safetensors=True, local_files_only=True, trust_remote_code=False
        )
    model.train(mode=False)
    mean = log_probability(model, tokenizer)
    if not mean >= _LEAST:  # so that a NaN is a doubt
        found.append(
            f"a token of plain English has a mean log-probability of {mean:.1f}, below {_LEAST:.0f}, as with broken weights"
        )
    if english:
        found += _wrong_continuations(model, tokenizer)
    return found


def log_probability(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> float:
    """Return the mean log-probability of the tokens of plain English."""
    import torch

    ids = tokenizer(ENGLISH, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        return -float(model(input_ids=ids, labels=ids).loss)


def _check_tokens(tokenizer: "PreTrainedTokenizerBase", header: Header, directory: Path) -> None:
    wrong = []
    if tokenizer.eos_token_id != header.eos:
        wrong.append(f"the end token is {tokenizer.eos_token_id} and not {header.eos}")
    if (tokenizer.chat_template or "") != header.template:
        wrong.append("the chat template is another one")
    begun = tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
    if header.begins is not None and begun != header.begins:
        wrong.append(f"texts begin {'with' if begun else 'without'} BOS")
    if wrong:
        raise ModelError(
            f"model: {directory} was converted wrongly: {'; '.join(wrong)}. Take the model's directory from its publisher instead."
        )


def _changed(tokenizer: "PreTrainedTokenizerBase") -> list[str]:
    """Return the texts that are not the same after they became tokens."""
    return [
        text
        for text in TEXTS
        if tokenizer.decode(
            tokenizer(text, add_special_tokens=False)["input_ids"], clean_up_tokenization_spaces=False
        )
        != text
    ]


def _wrong_continuations(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> list[str]:
    import torch

    found = []
    for prompt, wanted in CONTINUATIONS.items():
        given = tokenizer(prompt, return_tensors="pt")
        with torch.inference_mode():
            made = model.generate(  # type: ignore[operator]
                **given, max_new_tokens=8, do_sample=False, pad_token_id=tokenizer.eos_token_id
            )
        text = str(tokenizer.decode(made[0, given["input_ids"].shape[1] :]))
        if not text.startswith(wanted):
            found.append(f"it continues {prompt!r} with {text!r} and not with {wanted!r}")
    return found
