"""Which fields decide what a run is, and nested settings as flat ones with dotted keys.

Every field belongs to exactly one of three groups, and a test fails when a field belongs to none:

* *identity*: part of what the run is. Continuing a run with another value is refused, but for ``LIMITS``, which only admit
  more when they are raised: those may grow, and only grow.
* *may grow*: ``iterations``, ``patience``, ``budget_pflops`` and ``evaluation.test_every_iteration``. A finished run
  goes on when they are raised.
* *run-time only*: where and how fast, and what is computed up to rounding (``docs/exactness.md``): ``database_url``, ``home``, ``generator.batch_size``,
  ``trainer.timeout_seconds``, ``compute``, and the engines' own settings, ``generator.vllm`` and ``generator.openai``.

A field that is added later belongs to ``ADDED`` too, so that runs which know nothing of it stay the runs that they are.
"""

MAY_GROW = ("iterations", "patience", "budget_pflops", "evaluation.test_every_iteration")
LIMITS = ("trainer.max_length",)
RUN_TIME_ONLY = (
    "compute.actors",
    "compute.address",
    "compute.backend",
    "compute.cpus",
    "compute.gpus",
    "compute.piece",
    "compute.timeout_seconds",
    "database_url",
    "home",
    "generator.batch_size",
    "generator.openai.concurrency",
    "generator.openai.key_variable",
    "generator.openai.model",
    "generator.openai.retries",
    "generator.openai.timeout_seconds",
    "generator.openai.url",
    "generator.vllm.data_parallel",
    "generator.vllm.kv_cache_gib",
    "generator.vllm.longest_text",
    "generator.vllm.prefix_caching",
    "generator.vllm.tensor_parallel",
    "generator.vllm.timeout_seconds",
    "generator.vllm.utilization",
    "generator.vllm.while_training",
    "trainer.timeout_seconds",
)
ADDED = (
    "generator.openai.plugins",
    "prompt.date",
    "trainer.lora.rank",
    "trainer.lora.alpha",
    "trainer.lora.dropout",
    "trainer.lora.target_modules",
    "trainer.batching",
    "trainer.gradient_checkpointing",
    "trainer.optimizer_state",
    "trainer.schedule_scope",
    "trainer.processes",
)
"""Fields that came after the first runs: at its default, such a field is left out of a run's identity."""

ADDED_TO_PROBLEMS = {"problem.answer_as": "auto"}
"""The same of fields that only some problems have, with their defaults."""


def flatten(values: dict[str, object], prefix: str = "") -> dict[str, object]:
    """Return nested settings with dotted keys: ``{"a": {"b": 1}}`` becomes ``{"a.b": 1}``."""
    flat: dict[str, object] = {}
    for key, value in values.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def nest(flat: dict[str, object]) -> dict[str, object]:
    """Return dotted keys as nested settings, the inverse of :func:`flatten`."""
    nested: dict[str, object] = {}
    for key, value in flat.items():
        head, _, rest = key.partition(".")
        if rest:
            inner = nested.setdefault(head, {})
            assert isinstance(inner, dict)
            inner[rest] = value
        else:
            nested[head] = value
    return {key: nest(value) if isinstance(value, dict) else value for key, value in nested.items()}
