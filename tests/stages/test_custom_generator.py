"""A generator of the user's own, by file and by entry point: a run on it, and what is refused at the door."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from adastar_core.config import RunConfig
from adastar_core.config.access import check_access
from adastar_core.config.files import resolve
from adastar_core.errors import ConfigError, EngineError
from adastar_core.generators import Decoding
from adastar_core.generators.catalogue import LocalEngines, check_engine, recorded_name
from adastar_core.generators.custom import CustomGenerator
from adastar_core.generators.settings import GeneratorSettings
from adastar_core.records import GenerationRequest
from adastar_core.runs.opening import open_workspace
from tests.support.runs import outcome_of, run_iteration, small_config

OWN = """
from adastar_core.generators import attempt_of
from adastar_core.generators.settings import GeneratorSettings
from adastar_core.generators.transformers import open_transformers


class Own:
    def __init__(self, model_dir, mark=""):
        self.model, self.mark = open_transformers(model_dir, GeneratorSettings(dtype="float32")), mark

    def generate(self, requests, decoding):
        attempts = self.model.generate(requests, decoding)
        return [
            attempt_of(request, self.mark + attempt.response, attempt.finish_reason, generated_tokens=attempt.generated_tokens)
            for request, attempt in zip(requests, attempts)
        ]


class Few:
    def __init__(self, model_dir): ...
    def generate(self, requests, decoding):
        return [attempt_of(request, "4") for request in requests][1:]


class Texts(Few):
    def generate(self, requests, decoding):
        return ["4" for request in requests]


class Fails(Few):
    def generate(self, requests, decoding):
        raise KeyError("boom")


class NoText(Few):
    def generate(self, requests, decoding):
        return [attempt_of(request, None) for request in requests]


class Halves(Few):
    def generate(self, requests, decoding):
        return [attempt_of(request, "4", generated_tokens=0.5) for request in requests]


class Plain(Few):
    def generate(self, requests, decoding):
        import numpy
        for request in requests:
            yield attempt_of(request, "4", generated_tokens=numpy.int64(2), tokens=numpy.arange(2))


class Nothing:
    def __init__(self, model_dir): ...


def makes_nothing(model_dir):
    return Nothing(model_dir)

number = 3
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the module, and install it as a package's entry point would be."""
    folder = tmp_path / "site"
    metadata = folder / "own_generator-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "own_generator_module.py").write_text(OWN)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: own-generator\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[adastar.generators]\nown = own_generator_module:Own\n")
    monkeypatch.syspath_prepend(str(folder))
    return folder / "own_generator_module.py"


def custom(path: str, **options: object) -> GeneratorSettings:
    return GeneratorSettings.model_validate({"type": "custom", "custom": {"path": path, "options": options}})


@pytest.mark.parametrize("named", ["file", "entry point"])
def test_a_run_on_it_selects_what_its_model_answers(
    database: Engine, tmp_path: Path, own: Path, named: str
) -> None:
    path = f"{own}:Own" if named == "file" else "own"
    overrides = ("generator.type=custom", f"generator.custom.path={path}")
    names = ("accepted rollouts", "iterations", "evaluations")
    with open_workspace(small_config(database, tmp_path, *overrides), "own") as workspace:
        run_iteration(workspace, 1)
        found = outcome_of(database, workspace.run_id, *names)
        assert workspace.numerics.engine.startswith(f"custom {path} (")
        assert workspace.config.generator.dtype == "auto", "it computes in a format of its own"
        run_iteration(workspace, 2)
    with open_workspace(small_config(database, tmp_path, "generator.type=transformers"), "ours") as workspace:
        run_iteration(workspace, 1)
        assert outcome_of(database, workspace.run_id, *names) == found


def test_path_and_options_are_part_of_what_a_run_is(own: Path) -> None:
    runs = [
        RunConfig(generator=settings)
        for settings in (GeneratorSettings(), custom("own"), custom(f"{own}:Own"), custom("own", mark="> "))
    ]
    assert len({run.sha256() for run in runs}) == len(runs)
    assert not any("custom" in key for key in runs[0].identity())
    assert RunConfig.of_identity(runs[3].identity()).generator == runs[3].generator
    names = {recorded_name(run.generator, "custom") for run in runs[1:]}
    own.write_text(OWN + "\n")
    assert recorded_name(runs[2].generator, "custom") not in names, "another file may answer otherwise"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("{own}:Nothing", r"has no generate\(requests, decoding\)"),
        ("{own}:number", "is a int. Name a class"),
        ("{own}:Missing", "has no 'Missing'"),
        ("{own}.gone.py:Own", "cannot be imported"),
        ("owns", r"no entry point of adastar\.generators \(installed: .*\bown\b"),
        (None, "Set it"),
    ],
)
def test_what_is_no_generator_is_refused_at_the_door(
    database: Engine, tmp_path: Path, own: Path, path: str | None, reason: str
) -> None:
    overrides = ["generator.type=custom"] + (
        [f"generator.custom.path={path.format(own=own)}"] if path else []
    )
    config = small_config(database, tmp_path, *overrides)
    with (
        pytest.raises(ConfigError, match=rf"generator\.custom\.path.*{reason}"),
        open_workspace(config, "none"),
    ):
        pytest.fail("it opened")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("name", "error", "reason"),
    [
        ("Few", EngineError, "2 attempts for 3 requests"),
        ("Texts", EngineError, "a str as an attempt"),
        ("Fails", EngineError, r"generate failed \(KeyError: 'boom'\) at .*, line \d+"),
        ("NoText", EngineError, "whose response is None. Give a str"),
        ("Halves", EngineError, "a count that is no whole number"),
        ("makes_nothing", ConfigError, r"makes a Nothing, which has no generate"),
    ],
)
def test_what_it_returns_is_checked(
    own: Path, tmp_path: Path, name: str, error: type[Exception], reason: str
) -> None:
    settings = custom(f"{own}:{name}")
    check_engine(settings)
    generator = LocalEngines(settings, 1, tmp_path / "log", None).open("custom", lambda _: None)
    requests = [GenerationRequest(n, 1, False, "2+2", n) for n in range(3)]

    def use() -> None:
        generator.hand_over(tmp_path, "0")
        generator.generate(requests, Decoding(True, 1.0, 1.0, 4))

    with pytest.raises(error, match=reason):
        use()


def test_a_worker_executes_only_what_the_operator_names(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADASTAR_CONFINED", "1")
    config = resolve({"generator": custom(f"{own}:Own").model_dump()})
    for check in (lambda: check_access(config), lambda: check_engine(config.generator)):
        with pytest.raises(ConfigError, match=r"generator\.custom\.path.*ADASTAR_USER_CODE"):
            check()
    check_engine(custom("own"))  # the operator has installed it
    monkeypatch.setenv("ADASTAR_USER_CODE", f"{own}:Own")
    check_access(config)
    check_engine(config.generator)


def test_numbers_of_numpy_become_whole_numbers(own: Path, tmp_path: Path) -> None:
    generator = CustomGenerator(custom(f"{own}:Plain").custom, tmp_path)
    (attempt,) = generator.generate([GenerationRequest(0, 1, False, "2+2", 0)], Decoding(True, 1.0, 1.0, 4))
    assert (
        repr((attempt.generated_tokens, attempt.padded_generated_tokens, attempt.tokens)) == "(2, 2, (0, 1))"
    )
