"""Chat templates: a prompt as the message of a user, for models that were tuned to answer messages."""

from collections.abc import Sequence
from typing import Protocol


class ChatTokenizer(Protocol):
    """What a tokenizer needs for it; those of ``transformers`` have it."""

    chat_template: str | dict[str, str] | None

    def apply_chat_template(
        self, conversation: Sequence[dict[str, str]], *, tokenize: bool, add_generation_prompt: bool
    ) -> str:
        """Return the conversation as the text that the model continues."""
        ...


def in_chat(prompt: str, tokenizer: ChatTokenizer) -> str:
    """Return ``prompt`` as a user's message, up to where the assistant's begins; unchanged without a template."""
    if tokenizer.chat_template is None:
        return prompt
    messages = [{"role": "user", "content": prompt}]
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
