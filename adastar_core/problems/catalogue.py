"""Every problem that a configuration can name, and how to open it."""

from typing import Annotated, get_args

from pydantic import Field

from adastar_core.problems import Problem, anli_r1, arc_challenge, cladder, commonsense_qa, gsm8k, svamp
from adastar_core.problems.anli_r1 import ANLIR1Settings
from adastar_core.problems.arc_challenge import ARCChallengeSettings
from adastar_core.problems.arithmetic import Arithmetic, ArithmeticSettings
from adastar_core.problems.cladder import CLadderSettings
from adastar_core.problems.commonsense_qa import CommonsenseQASettings
from adastar_core.problems.countdown import Countdown, CountdownSettings
from adastar_core.problems.custom import CustomProblem, CustomProblemSettings
from adastar_core.problems.few_shot import Benchmark, FewShotProblem
from adastar_core.problems.gsm8k import GSM8KSettings
from adastar_core.problems.stories import Stories, StoriesSettings
from adastar_core.problems.svamp import SVAMPSettings
from adastar_core.problems.table import Table, TableSettings

BenchmarkSettings = (
    ARCChallengeSettings
    | CommonsenseQASettings
    | CLadderSettings
    | ANLIR1Settings
    | GSM8KSettings
    | SVAMPSettings
)
AnyProblemSettings = (
    ArithmeticSettings
    | StoriesSettings
    | CountdownSettings
    | TableSettings
    | BenchmarkSettings
    | CustomProblemSettings
)
ProblemSettings = Annotated[AnyProblemSettings, Field(discriminator="type")]
_TYPES = {settings.model_fields["type"].default: settings for settings in get_args(AnyProblemSettings)}
PROBLEM_TYPES: tuple[str, ...] = tuple(_TYPES)
WITH_DATA: tuple[str, ...] = tuple(
    name for name, settings in _TYPES.items() if "path" in settings.model_fields
)
"""Those that read their questions from somewhere; the others make them up."""


_BENCHMARKS: dict[type[BenchmarkSettings], Benchmark] = {
    ARCChallengeSettings: arc_challenge.BENCHMARK,
    CommonsenseQASettings: commonsense_qa.BENCHMARK,
    CLadderSettings: cladder.BENCHMARK,
    ANLIR1Settings: anli_r1.BENCHMARK,
    GSM8KSettings: gsm8k.BENCHMARK,
    SVAMPSettings: svamp.BENCHMARK,
}


def open_problem(settings: AnyProblemSettings) -> Problem:
    """Return the problem that ``settings`` describes; its data is read by ``load``.

    Raises:
        ConfigError: A problem or a verifier of the user's own cannot be used.
    """
    match settings:
        case ArithmeticSettings():
            return Arithmetic(settings)
        case StoriesSettings():
            return Stories(settings)
        case CountdownSettings():
            return Countdown(settings)
        case TableSettings():
            return Table(settings)
        case CustomProblemSettings():
            return CustomProblem(settings)
        case _:
            return open_benchmark(settings)


def open_benchmark(settings: BenchmarkSettings) -> FewShotProblem:
    """Return the benchmark of these settings."""
    return FewShotProblem(settings, _BENCHMARKS[type(settings)])
