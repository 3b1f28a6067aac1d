"""Whether a run's responses end once they have declared their answer."""

from adastar_core.config import RunConfig
from adastar_core.errors import ConfigError
from adastar_core.problems import Problem
from adastar_core.verifiers.finished import KINDS


def answer_kind(config: RunConfig, problem: Problem) -> str:
    """Return the kind of answer after which a response ends, for ``Decoding.answer``; empty where none ends it.

    Raises:
        ConfigError: ``generator.end_at_answer`` is on, and the verifier does not read an answer by itself.
    """
    if not config.generator.end_at_answer:
        return ""
    kind = problem.verifier.version.partition("/")[0]
    if kind not in KINDS:
        raise ConfigError(
            f"generator.end_at_answer (true) needs a verifier of {', '.join(KINDS)}, not {kind}, which reads an answer only with its "
            "question. Set it to false."
        )
    return kind
