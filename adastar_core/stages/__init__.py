"""The steps of an iteration: each takes the run's workspace, reads the store, works, and writes the store.

Running any of them twice changes nothing: what is stored is read back, and only what is missing is done.
``find_…`` returns what the store holds of a step that is done. They know nothing of Prefect; ``tasks/`` wraps them.
"""

from adastar_core.stages.advance import advance, find_advance
from adastar_core.stages.as_sampled import is_prompted_otherwise, measure_as_sampled
from adastar_core.stages.evaluate import evaluate, find_evaluate
from adastar_core.stages.finetune import find_finetune, finetune
from adastar_core.stages.generate import generate
from adastar_core.stages.sample import find_sample, sample
from adastar_core.stages.verify import verify

__all__ = [
    "advance",
    "evaluate",
    "find_advance",
    "find_evaluate",
    "find_finetune",
    "find_sample",
    "finetune",
    "generate",
    "is_prompted_otherwise",
    "measure_as_sampled",
    "sample",
    "verify",
]
