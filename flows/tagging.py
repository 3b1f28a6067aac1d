"""Tags of flow runs: iterations and the runs of a comparison have those of the run that they belong to.

Tasks have none: of every tag Prefect's server would be asked for a slot, and a run must not need the server that often.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from prefect import tags
from prefect.context import TagsContext
from prefect.runtime import flow_run

_VARIABLE = "ADASTAR_FLOW_RUN_TAGS"


@contextmanager
def tagged_as_here() -> Iterator[None]:
    """Give the flow runs that begin in the block the tags of the one that is at work."""
    with tags(*flow_run.tags):
        yield


@contextmanager
def tasks_untagged() -> Iterator[None]:
    """Begin the tasks of the block without tags."""
    with TagsContext(current_tags=set()):
        yield


def tags_for_a_process() -> dict[str, str]:
    """Return the environment that hands the tags of the flow run at work to a process that it starts."""
    return {_VARIABLE: json.dumps(sorted(flow_run.tags))}


@contextmanager
def tagged_by_the_environment() -> Iterator[None]:
    """Give the flow runs that begin in the block the tags that the process was handed, if any."""
    with tags(*json.loads(os.environ.get(_VARIABLE, "[]"))):
        yield
