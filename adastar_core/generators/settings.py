"""How rationales are sampled: the engine, its decoding, and what each engine needs to know."""

from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from adastar_core.settings import (
    OWN_KEY,
    PLUGIN_PATTERN,
    CodePath,
    KeyVariable,
    OptionText,
    SentName,
    ServerUrl,
    Settings,
    setting,
)

EngineName = Literal["transformers", "vllm", "openai", "custom"]
"""The engines of :data:`adastar_core.generators.catalogue.ENGINES`."""


class VllmSettings(Settings):
    """How vLLM uses the machine; used where ``generator.type`` is ``vllm``, or ``auto`` chooses it. Not part of what a run is, but it may change rounding."""

    tensor_parallel: int = setting(1, "Tensor parallel", "GPUs that share one engine's model.", ge=1)
    data_parallel: int = setting(
        1, "Data parallel", "Engines, each with its own copy of the model and its own GPUs.", ge=1
    )
    kv_cache_gib: float | None = setting(
        None,
        "Cache memory",
        "GiB for keys and values per engine. Default: what utilization leaves of a GPU; on a CPU an eighth of the free memory, at most 4.",
        gt=0,
    )
    utilization: float = setting(
        0.9, "Memory utilization", "Share of each GPU's memory that an engine may use.", gt=0, le=1
    )
    longest_text: int | None = setting(
        None,
        "Longest text",
        "Most tokens of prompt and rationale. Default: what model and memory allow.",
        ge=2,
    )
    prefix_caching: bool = setting(
        True, "Prefix caching", "Compute the common beginning of prompts (worked examples) only once."
    )
    while_training: Literal["auto", "keep", "sleep", "end"] = setting(
        "auto",
        "While training",
        "Keep the engine's memory, let the engine sleep, or end it. auto: keep on a CPU; on a GPU sleep if vLLM can, else end. On a cluster, all but keep end the actors.",
    )
    timeout_seconds: float = setting(
        3600.0, "Timeout", "Longest wait for one batch, in seconds; after that the engine is rebuilt.", gt=0
    )


class OpenAiSettings(Settings):
    """A server with OpenAI's completions interface; used where ``generator.type`` is ``openai``."""

    url: ServerUrl = setting(
        "http://127.0.0.1:8000/v1", "URL", "URL of the server, with the API version.", run_time=True
    )
    model: SentName | None = setting(
        None, "Model", "The server's name for the model. Default: its only one.", run_time=True
    )
    key_variable: KeyVariable = setting(
        OWN_KEY,
        "Key",
        "Environment variable with the API key, which may be unset. Any other variable or machine must be listed in ADASTAR_SERVERS.",
        pattern=r"^\w*API_KEY$",
        run_time=True,
    )
    concurrency: int = setting(64, "Concurrency", "Requests sent at once.", ge=1, run_time=True)
    retries: int = setting(
        6,
        "Retries",
        "How often a request is retried when the server is busy or unreachable.",
        ge=0,
        run_time=True,
    )
    timeout_seconds: float = setting(
        600.0, "Timeout", "Longest wait for one answer, in seconds.", gt=0, run_time=True
    )
    plugins: bool = setting(
        False,
        "Plug-ins",
        "The server is a vLLM with this project's plug-ins: it loads new checkpoints itself and samples from this project's random streams.",
        added=True,
    )

    @field_validator("url")
    @classmethod
    def _without_secrets(cls, url: str) -> str:
        if "@" in urlsplit(url).netloc:
            raise ValueError(
                "contains a user or a password, which would be stored and shown; put the key into the environment variable "
                "that key_variable names"
            )
        return url


class CustomGeneratorSettings(Settings):
    """A generator of your own, called with the directory of a checkpoint and the options; used where ``generator.type`` is ``custom``."""

    path: CodePath | None = setting(
        None,
        "Import path",
        "Where it is: package.module:Name, /path/to/file.py:Name, or an entry point of adastar.generators.",
        pattern=PLUGIN_PATTERN,
        added=True,
    )
    options: Mapping[OptionText, OptionText | int | float | bool | None] = setting(
        dict, "Options", "Passed to it by name."
    )


class GeneratorSettings(Settings):
    """The engine that samples rationales, and its decoding."""

    type: Literal["auto"] | EngineName = setting(
        "auto",
        "Engine",
        "What generates. auto: vllm if it is installed for this machine's devices and faster for this model's size, else transformers. openai: a server. custom: a generator of your own.",
    )
    batch_size: int = setting(
        256,
        "Batch size",
        "Attempts generated at once, for speed and memory. Another size changes no response in float64, few in float32, many in bfloat16.",
        ge=1,
        run_time=True,
    )
    dtype: Literal["auto", "float64", "float32", "bfloat16"] = setting(
        "auto",
        "Precision",
        "Number format of generation. auto: bfloat16 on a GPU, and for a model stored in 16 bits on a processor with units for it; else float32. A run keeps the format that it started with.",
    )
    temperature: float = setting(1.0, "Temperature", "Sampling temperature.", gt=0, le=10)
    top_p: float = setting(
        1.0, "Top-p", "Sample from the smallest set of tokens with this probability.", gt=0, le=1
    )
    max_new_tokens: int = setting(
        256, "Longest rationale", "Largest number of generated tokens per attempt.", ge=1
    )
    end_at_answer: bool = setting(
        False,
        "End at the answer",
        "End a response with the line that declares its answer, so that nothing after it is generated. With the verifiers number and yes_no.",
        added=True,
    )
    vllm: VllmSettings = setting(VllmSettings, "vLLM", "How vLLM uses the machine.", run_time=True)
    openai: OpenAiSettings = setting(OpenAiSettings, "Server", "Where a server is and how it is asked.")
    custom: CustomGeneratorSettings = setting(CustomGeneratorSettings, "Custom", "A generator of your own.")

    @model_validator(mode="after")
    def _engine_has_the_precision(self) -> "GeneratorSettings":
        if self.dtype == "float64" and self.type not in ("auto", "transformers"):
            raise ValueError(
                f"dtype (float64) requires type transformers, not {self.type}; choose float32, bfloat16 or auto"
            )
        return self
