"""Chat templates, with a tokenizer of the real library."""

from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from adastar_core.problems.chat import in_chat

TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}</>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def tokenizer(template: str | None) -> PreTrainedTokenizerFast:
    made = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({"a": 0, "<unk>": 1}, unk_token="<unk>"))
    )
    made.chat_template = template
    return made


def test_a_prompt_becomes_the_users_message() -> None:
    assert in_chat("Q: x\nA:", tokenizer(TEMPLATE)) == "<user>Q: x\nA:</><assistant>"


def test_a_model_without_a_template_gets_the_prompt() -> None:
    assert in_chat("Q: x\nA:", tokenizer(None)) == "Q: x\nA:"
