"""A model's tokens: texts to ids, the ids at which a response ends, and ids to text.

No other module uses a tokenizer (tested), so generation, training, the plan and the audit agree in every token. What a
tokenizer adds around a text is found on two sample prompts when a model is opened:

* A prompt begins with what the tokenizer puts before a text, once, and nothing is put after it: ids that a tokenizer
  appends (EOS, ``[SEP]``) would tell the model that the text has ended before its answer.
* A response ends at any end token: the tokenizer's EOS, those of ``generation_config``, and the one with which the chat
  template ends a message. Any other id that is no text (padding, BOS, a turn's beginning, an id that the tokenizer lacks)
  breaks it off: what follows is dropped.
"""

import json
import os
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import TemplateError

from adastar_core.errors import DataError, ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FILES = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json", "vocab.txt")
SAMPLES = ("Q: What is 12 + 30?\nA:", "7=")
"""Prompts on which a model's tokenizer and template are tried when it is opened."""
_MARK = "So the answer is 42."
_SOME_DAY = date(2000, 1, 1)
_SIGNS = [f"%{flag}{letter}" for flag in ("", "-") for letter in "aAbBcdDeFHIjmMpSTuUVwWxXyYZz"] + ["%%"]
_CLOCK = (
    "{%- macro strftime_now(format) -%}{%- set told = namespace(text=format) -%}{%- for sign, value in clock.items() -%}"
    "{%- set told.text = told.text | replace(sign, value) -%}{%- endfor -%}{{- told.text -}}{%- endmacro -%}"
)
"""Put before a chat template that asks for the time, since transformers would give it the present one."""

Message = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ends:
    """Where responses end: at ``ends``. An id that is neither an end nor ``text`` breaks a response off."""

    ends: frozenset[int]
    text: Container[int]

    def first(self, tokens: Sequence[int]) -> int:
        """Return the place of the first id that is no text; the number of ``tokens`` if all are."""
        places = (place for place, token in enumerate(tokens) if token in self.ends or token not in self.text)
        return next(places, len(tokens))


class Vocabulary:
    """The tokens of the model in a directory, whose code is never run.

    Raises:
        ModelError: There is no tokenizer, or none that prompts and responses can be told apart with.
    """

    @classmethod
    def of(cls, directory: Path) -> "Vocabulary":
        """Return the one in a directory, loaded once as long as no file there changes: a large one takes seconds."""
        inside = os.scandir(directory) if directory.is_dir() else ()
        files = [(entry.name, entry.stat()) for entry in inside if entry.is_file()]
        return _opened(
            directory, frozenset((name, found.st_size, found.st_mtime_ns) for name, found in files)
        )

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        if not any((directory / name).is_file() for name in FILES):
            raise ModelError(
                f"model: {directory} has no tokenizer (tokenizer.json); copy the tokenizer's files there"
            )
        self._tokenizer = _load(directory)
        if self._tokenizer.eos_token_id is None:
            raise ModelError(
                f"model: the tokenizer in {directory} has no EOS token, so no rationale could ever end; "
                "set eos_token in tokenizer_config.json to a token of its vocabulary"
            )
        self.eos: int = self._tokenizer.eos_token_id
        added = self._tokenizer.added_tokens_decoder
        special = {*self._tokenizer.all_special_ids, *(id_ for id_, token in added.items() if token.special)}
        known = frozenset(self._tokenizer.get_vocab().values())
        ends = {self.eos, *self._configured_ends(known - special)}
        self._prefix = self._put_before()
        if self.message_end is not None:
            ends.add(self.message_end)
        self.ends = Ends(frozenset(ends), known - special - ends)

    @property
    def stops(self) -> list[int]:
        """The ids at which another project's engine should stop: all ends, and the tokenizer's named special tokens."""
        return sorted({*self.ends.ends, *self._tokenizer.all_special_ids})

    @property
    def has_template(self) -> bool:
        return bool(self._tokenizer.chat_template)

    @property
    def bos(self) -> str:
        """Return BOS as the chat template writes it, where the tokenizer puts one before every text; empty elsewhere."""
        return str(self._tokenizer.bos_token) if self._tokenizer.bos_token_id in self._prefix else ""

    @cached_property
    def message_end(self) -> int | None:
        """The token with which the chat template ends a message; ``None`` where that is no token, or there is no template."""
        try:
            tail = self.message_tail()
        except (TemplateError, ValueError):
            return None
        first = self._body(tail)[:1] if tail else []
        added = self._tokenizer.added_tokens_decoder
        kept = [token for token in first if token == self.eos or token in added]
        spelt = str(self._tokenizer.convert_ids_to_tokens(kept[0])) if kept else ""
        return kept[0] if spelt and tail.startswith(spelt) else None

    def prompt_ids(self, prompts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each prompt, as the model is given them."""
        if not prompts:
            return []
        bodies: list[list[int]] = self._tokenizer(list(prompts), add_special_tokens=False)["input_ids"]
        return [self._begun(body) for body in bodies]

    def completion_ids(self, text: str) -> list[int]:
        """Return the ids of a response that is known as text only, without an end.

        What looks like a special token is text: a model cannot write control tokens this way.

        Raises:
            DataError: Plain text of it is an end token.
        """
        encoded = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        tokens: list[int] = encoded["input_ids"]
        if found := self.ends.ends.intersection(tokens):
            spelt = self._tokenizer.convert_ids_to_tokens(min(found))
            raise DataError(
                f"The text {text[:80]!r} holds {spelt!r}, at which this model's responses end, so it cannot be trained as one. "
                f"Set eos_token in {self._directory / 'tokenizer_config.json'} to a special token, or change the text."
            )
        return tokens

    def completed(self, text: str, tokens: Sequence[int], *, chat: bool) -> tuple[int, ...]:
        """Return the ids to train for a response: those that were generated, if known, else its text's.

        Where they have no end, the template's is added in a chat, else EOS.
        """
        ids = tokens or self.completion_ids(text)
        if ids and ids[-1] in self.ends.ends:
            return tuple(ids)
        return (*ids, self.message_end if chat and self.message_end is not None else self.eos)

    def decode(self, tokens: Sequence[int]) -> str:
        """Return ids as text, up to the first that is no text."""
        kept = list(tokens[: self.ends.first(tokens)])
        text = self._tokenizer.decode(kept, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        assert isinstance(text, str)
        return text

    def spelt(self, tokens: Sequence[int]) -> str:
        """Return ids as text with every special token spelled out: what the model reads, for people."""
        text = self._tokenizer.decode(
            list(tokens), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        assert isinstance(text, str)
        return text

    def first_special(self, text: str) -> int | None:
        """Return where in a text the first special token is spelt that its ids contain; ``None`` without one."""
        ids = self._body(text)
        place = self.ends.first(ids)
        if place == len(ids):
            return None
        found = text.find(str(self._tokenizer.convert_ids_to_tokens(ids[place])))
        return found if found >= 0 else None

    def render(self, messages: Sequence[Message], day: date, *, open_ended: bool) -> str:
        """Return messages (``role`` and ``content``) in the chat template; its clock shows midnight of ``day``.

        With ``open_ended`` the model's message is started.

        Raises:
            TemplateError, ValueError: The template cannot be rendered for them, or there is none.
        """
        template = str(self._tokenizer.get_chat_template())
        text = self._tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            chat_template=f"{_CLOCK}{template}" if "strftime_now" in template else template,
            tokenize=False,
            add_generation_prompt=open_ended,
            clock={sign: day.strftime(sign) for sign in _SIGNS},
        )
        return str(text)

    def message_tail(self) -> str:
        """Return what the chat template writes after the model's message, stripped.

        Raises:
            TemplateError, ValueError: The template cannot be rendered, or there is none.
        """
        messages = ({"role": "user", "content": "6 * 7?"}, {"role": "assistant", "content": _MARK})
        return self.render(messages, _SOME_DAY, open_ended=False).rpartition(_MARK)[2].strip()

    def begins_twice(self, prompt: str) -> bool:
        """Return whether a prompt has a BOS after its beginning, where the tokenizer puts one before every text."""
        ids = self.prompt_ids([prompt])[0]
        return bool(self.bos) and self._tokenizer.bos_token_id in ids[len(self._prefix) :]

    def save(self, directory: Path) -> list[Path]:
        return [Path(path) for path in self._tokenizer.save_pretrained(directory)]

    def _body(self, text: str) -> list[int]:
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens

    def _begun(self, body: list[int]) -> list[int]:
        """Return a text's ids after the tokenizer's prefix, which is there once; a text that brings its own BOS loses that."""
        bos = self._tokenizer.bos_token_id
        if bos in self._prefix and bos in body:
            place = body.index(bos)
            before = body[:place]
            if self.ends.first(before) == place and not self.decode(before).strip():
                return [*self._prefix, *body[place + 1 :]]
        return [*self._prefix, *body]

    def _put_before(self) -> list[int]:
        """Return the ids that the tokenizer puts before every text."""
        found: set[tuple[int, ...] | None] = set()
        for sample in SAMPLES:
            whole: list[int] = self._tokenizer(sample)["input_ids"]
            body = self._body(sample)
            places = range(len(whole) - len(body) + 1)
            prefixes = (tuple(whole[:place]) for place in places if whole[place : place + len(body)] == body)
            found.add(next(prefixes, None))
        prefix = found.pop()
        if found or prefix is None:
            raise ModelError(
                f"model: the tokenizer in {self._directory} changes a text's own tokens when it adds special ones, so prompts and "
                "responses cannot be joined; take the model's tokenizer.json from its publisher again"
            )
        return list(prefix)

    def _configured_ends(self, text: frozenset[int]) -> Iterable[int]:
        """Return the end tokens of ``generation_config``, or of the configuration where there is none.

        Raises:
            ModelError: One is plain text in this tokenizer.
        """
        for name in ("generation_config.json", "config.json"):
            path = self._directory / name
            if path.is_file():
                break
        else:
            return ()
        values = json.loads(path.read_bytes())
        given = values.get("eos_token_id", (values.get("text_config") or {}).get("eos_token_id"))
        ids = [] if given is None else list(given) if isinstance(given, list) else [given]
        if plain := sorted(text.intersection(ids)):
            spelt = self._tokenizer.convert_ids_to_tokens(plain[0])
            raise ModelError(
                f"model: eos_token_id in {path} is {given}, and to the tokenizer beside it {plain[0]} is the text {spelt!r}, at "
                "which every response would end; set eos_token_id to the id of a special token"
            )
        return ids


@lru_cache(maxsize=2)
def _opened(directory: Path, _: frozenset[tuple[str, int, int]]) -> Vocabulary:
    return Vocabulary(directory)


def _load(directory: Path) -> "PreTrainedTokenizerBase":
    from transformers import AutoTokenizer

    try:
        loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            directory, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # tokenizers raises bare Exception for a broken file
        raise ModelError(
            f"model: the tokenizer in {directory} cannot be loaded ({error}); copy its files again"
        ) from error
    return loaded
