"""The one cache policy of all cached tasks, and the version of each stage.

A key is the task's name, its stage's version and its inputs: numbers such as the iteration, and the run's reference. The
reference's ``uid`` is new for every run, and its ``config_sha256`` covers every field that decides a result
(:meth:`adastar_core.config.RunConfig.identity`). What may differ between two executions of the same work (batch size,
database address, file store, data directory) is no input, whatever it rounds to (``docs/exactness.md``). Nor is the wave: sampling is
asked for until it is closed, and its last result is kept.

A key cannot tell two copies of one database apart, nor a database from its own past, so a kept result is compared with
the store (:class:`tasks.stages.CachedStage`). Prefect's TASK_SOURCE would see the text of the task function, not the core
that it calls, so each stage has an explicit version: raise it when the stage's results change.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from prefect.cache_policies import NO_CACHE, CachePolicy
from prefect.context import TaskRunContext
from pydantic import BaseModel

STAGE_VERSIONS = {"sample": 7, "finetune": 2, "evaluate": 5, "advance": 1}


@dataclass
class StagePolicy(CachePolicy):
    """Task name, stage version and inputs, as a readable key."""

    def compute_key(
        self,
        task_ctx: TaskRunContext,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],  # noqa: ARG002 (the base class's signature)
        **kwargs: object,  # noqa: ARG002
    ) -> str | None:
        """Return ``adastar-<task>-v<version>-<digest of the inputs>``."""
        name = task_ctx.task.name
        plain = {
            key: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
            for key, value in inputs.items()
            if key != "wave"
        }
        digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:32]
        return f"adastar-{name}-v{STAGE_VERSIONS[name]}-{digest}"


STAGE_POLICY = StagePolicy()
NOT_CACHED = NO_CACHE
"""For tasks that only show what is stored."""
