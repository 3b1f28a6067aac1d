"""The steps of an iteration: each takes the run's workspace, reads the store, works, and writes the store.

Running any of them twice changes nothing: what is stored is read back, and only what is missing is done.
They know nothing of Prefect; ``tasks/`` wraps them.
"""

from adastar_core.stages.advance import advance
from adastar_core.stages.evaluate import evaluate
from adastar_core.stages.finetune import finetune
from adastar_core.stages.sampling import generate, sample, verify

__all__ = ["advance", "evaluate", "finetune", "generate", "sample", "verify"]
