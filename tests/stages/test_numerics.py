"""What decides last digits: resolved number formats, records of each process, and reuse between processes that round alike."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from sqlalchemy import Engine, text
from transformers import AutoModelForCausalLM, PreTrainedModel

from adastar_core import stages
from adastar_core.config import RunConfig
from adastar_core.errors import RunConflictError
from adastar_core.generators import Decoding
from adastar_core.generators.steps import Way
from adastar_core.generators.transformers import TransformersGenerator
from adastar_core.models import formats
from adastar_core.models.source import resolve_model, stored_format
from adastar_core.models.vocabulary import Vocabulary
from adastar_core.planning.plan import plan_of
from adastar_core.records import Attempt, GenerationRequest, Split, Verdict
from adastar_core.report.opening import opening
from adastar_core.runs import judging, numerics
from adastar_core.runs.opening import open_workspace
from adastar_core.runs.workspace import Workspace
from adastar_core.stages.evaluate import content_sha256
from adastar_core.store.incidents import read_incidents
from adastar_core.store.numerics import read_numerics
from adastar_core.streams import rng
from adastar_core.verifiers import Response, Verifier
from tests.support.runs import run_iteration, small_config
from tests.support.scripted import ScriptedGenerator

FLOAT32 = ("generator.dtype=float32", "trainer.dtype=float32")
ONE_STEP = ("schedule.first_steps=1", "generator.max_new_tokens=24")
STAR = ("method=star", "problem.train=24", "generator.max_new_tokens=8")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine be taken for one with a GPU, as far as the meaning of ``auto`` goes."""
    monkeypatch.setattr(numerics, "_has_gpu", lambda *_: (True, True))


def stored_config(engine: Engine) -> dict[str, object]:
    with engine.connect() as connection:
        return dict(connection.execute(text("SELECT config FROM runs")).scalar_one())


def test_a_run_is_what_auto_meant_when_it_started(database: Engine, tmp_path: Path) -> None:
    with open_workspace(small_config(database, tmp_path), "one") as workspace:
        assert workspace.config.generator.dtype == workspace.config.trainer.dtype == "float32"
    assert stored_config(database)["generator.dtype"] == stored_config(database)["trainer.dtype"] == "float32"
    with open_workspace(small_config(database, tmp_path, *FLOAT32), "one"):
        pass


@pytest.mark.usefixtures("gpu")
def test_a_run_keeps_its_formats_where_auto_would_mean_others(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config(database, tmp_path)
    with open_workspace(config, "one") as first, open_workspace(config, "one") as same:
        assert same is first
    monkeypatch.setattr(numerics, "_has_gpu", lambda *_: (False, False))
    with open_workspace(config, "one") as again:
        assert again.config.generator.dtype == again.config.trainer.dtype == "bfloat16"
        assert again.ref == first.ref
    with open_workspace(small_config(database, tmp_path), "another") as other:
        assert other.config.generator.dtype == "float32"


@pytest.mark.usefixtures("gpu")
def test_a_named_format_that_is_not_the_run_s_is_refused(database: Engine, tmp_path: Path) -> None:
    with open_workspace(small_config(database, tmp_path), "one"):
        pass
    with (
        pytest.raises(
            RunConflictError, match=r'generator\.dtype was "bfloat16", is now "float32"; trainer\.dtype was'
        ),
        open_workspace(small_config(database, tmp_path, *FLOAT32), "one"),
    ):
        pass


def test_a_model_in_16_bits_is_computed_in_them_through_all_iterations(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checkpoints are stored in float32, so a format decided for each of them would change after the first."""
    monkeypatch.setattr(formats, "has_bfloat16_units", lambda: True)
    opened, made = list[torch.dtype](), TransformersGenerator.__init__

    def noting(self: TransformersGenerator, model: PreTrainedModel, vocabulary: Vocabulary, way: Way) -> None:
        opened.append(model.dtype)
        made(self, model, vocabulary, way)

    monkeypatch.setattr(TransformersGenerator, "__init__", noting)
    config = small_config(database, tmp_path, f"model={half_adder(tmp_path)}", "problem.train=24", *ONE_STEP)
    with open_workspace(config, "half") as workspace:
        why = "the model is stored in bfloat16, and this processor has units for bfloat16"
        assert f"Generates and trains in bfloat16: {why}." in opening(workspace)
        run_iteration(workspace, 1)
        assert stored_format(Path(workspace.checkpoint(1).path)) == "float32"
        assert workspace.numerics.generation_dtype == workspace.numerics.training_dtype == "bfloat16"
    assert opened == [torch.bfloat16] * 2
    assert plan_of(config).formats == f"Generates and trains in bfloat16: {why}."


def half_adder(folder: Path) -> Path:
    """Write the packaged model as one that was published in bfloat16."""
    source, base = resolve_model("tiny-adder"), folder / "half"
    AutoModelForCausalLM.from_pretrained(source, dtype=torch.bfloat16).save_pretrained(base)
    for file in source.glob("tokenizer*"):
        shutil.copy(file, base)
    return base


def test_a_run_stored_with_auto_resumes_with_the_recorded_formats(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config(database, tmp_path)
    with open_workspace(config, "old"):
        pass
    old = json.dumps(config.identity())
    with database.begin() as connection:
        connection.execute(text("DELETE FROM numerics"))
        connection.execute(
            text("UPDATE runs SET config = CAST(:old AS jsonb), config_sha256 = :sha"),
            {"old": old, "sha": config.sha256()},
        )
    for again in (config, small_config(database, tmp_path, *FLOAT32)):
        with open_workspace(again, "old"):
            pass
    monkeypatch.setattr(numerics, "_has_gpu", lambda *_: (True, True))
    with open_workspace(config, "old") as workspace:
        assert workspace.config.generator.dtype == "float32"


@pytest.mark.parametrize(("dtype", "said"), [("float32", 1), ("bfloat16", 1), ("float64", 0)])
def test_each_process_is_recorded_and_another_batch_size_is_reported_where_it_may_matter(
    database: Engine, tmp_path: Path, dtype: str, said: int
) -> None:
    for size in (16, 16, 8):
        config = small_config(database, tmp_path, f"generator.dtype={dtype}", f"generator.batch_size={size}")
        with open_workspace(config, "one") as workspace:
            run_id = workspace.run_id
    with database.connect() as connection:
        recorded = list(read_numerics(connection, run_id).values())
        incidents = read_incidents(connection, run_id)
    assert [one.batch_size for one in recorded] == [16, 16, 8]
    assert {one.generation_dtype for one in recorded} == {dtype}
    assert all(one.processor and one.threads and one.versions["torch"] for one in recorded)
    assert {one.versions["decoding"] for one in recorded} == {numerics.DECODING}
    assert len(incidents) == said
    assert all("batch_size was 16, is now 8" in one.detail for one in incidents)


def generate_once(engine: Engine, home: Path, name: str, *overrides: str) -> int:
    """Open a run, generate its first wave, and return how many of its rationales were copied."""
    with open_workspace(small_config(engine, home, *STAR, *overrides), name) as workspace:
        stages.sample(workspace, 1, 0)
        stages.generate(workspace, 1, 0)
        with engine.connect() as connection:
            copied = text("SELECT count(*) FROM rollouts WHERE run_id = :run AND seconds = 0")
            return int(connection.execute(copied, {"run": workspace.run_id}).scalar_one())


def test_rationales_are_copied_only_where_another_batch_would_not_change_them(
    database: Engine, tmp_path: Path
) -> None:
    eight, sixteen = "generator.batch_size=8", "generator.batch_size=16"
    assert generate_once(database, tmp_path, "a", sixteen, "generator.dtype=float32") == 0
    assert generate_once(database, tmp_path, "b", eight, "generator.dtype=float32") == 0
    assert generate_once(database, tmp_path, "c", eight, "generator.dtype=float32") == 24
    assert generate_once(database, tmp_path, "d", sixteen, "generator.dtype=float64") == 0
    assert generate_once(database, tmp_path, "e", eight, "generator.dtype=float64") == 24


def test_rationales_of_a_disturbed_run_are_not_copied(database: Engine, tmp_path: Path) -> None:
    assert generate_once(database, tmp_path, "a", "generator.dtype=float32") == 0
    halved = "INSERT INTO incidents (run_id, iteration, kind, times, detail) SELECT run_id, 0, 'out of memory', 1, '' FROM runs"
    with database.begin() as connection:
        connection.execute(text(halved))
    assert generate_once(database, tmp_path, "b", "generator.dtype=float32") == 0


def content(engine: Engine, home: Path, name: str, *overrides: str) -> str:
    with open_workspace(small_config(engine, home, *overrides), name) as workspace:
        return content_sha256(workspace, 0, Split.VALIDATION)


def test_evaluations_are_equal_only_where_they_round_alike(database: Engine, tmp_path: Path) -> None:
    def digest(name: str, *overrides: str) -> str:
        return content(database, tmp_path, name, *overrides)

    assert digest("auto") == digest("named", "generator.dtype=float32")
    assert digest("auto") != digest("other", "generator.batch_size=8")
    exact = digest("exact", "generator.dtype=float64")
    assert exact == digest("exact, other", "generator.dtype=float64", "generator.batch_size=8")
    assert exact != digest("auto")


def batches_of(workspace: Workspace, made: list[tuple[tuple[int, int], ...]]) -> ScriptedGenerator:
    """Return a generator that is right in a third of its attempts and notes every batch."""

    def script(one: GenerationRequest) -> str:
        answer = workspace.train[one.position].answer
        return f"so\n#### {answer}" if rng(one.stream, "right").random() < 0.33 else "#### -1"

    class Noting(ScriptedGenerator):
        def generate(self, requests: Sequence[GenerationRequest], decoding: Decoding) -> list[Attempt]:
            made.append(tuple((one.position, one.attempt) for one in requests))
            return super().generate(requests, decoding)

    return Noting(script)


class Killed(BaseException):
    """Plays a process that ends."""


def sample_in(config: RunConfig, name: str, made: list[tuple[tuple[int, int], ...]]) -> None:
    """Sample a run's first iteration from where it is, noting every batch."""
    with open_workspace(config, name) as workspace:
        workspace.generators.use(batches_of(workspace, made))
        wave = 0
        while not stages.sample(workspace, 1, wave).closed:
            stages.generate(workspace, 1, wave)
            stages.verify(workspace, 1, wave)
            wave += 1


@pytest.mark.parametrize("parts", range(1, 9))
def test_a_wave_killed_while_it_is_judged_changes_no_later_batch(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    """A plan made of half a wave's verdicts would put the next attempts into other batches, where they may round otherwise."""
    monkeypatch.setattr(judging, "_PER_TRANSACTION", 10)
    config = small_config(database, tmp_path, "generator.batch_size=12", "attempts=3", "problem.train=60")
    whole: list[tuple[tuple[int, int], ...]] = []
    sample_in(config, "whole", whole)

    made: list[tuple[tuple[int, int], ...]] = []
    real, left = judging.verify_all, iter([True] * parts)

    def dying(verifier: Verifier, responses: Sequence[Response]) -> list[Verdict]:
        if next(left, None) is None:
            raise Killed
        return real(verifier, responses)

    with monkeypatch.context() as patched:
        patched.setattr(judging, "verify_all", dying)
        with pytest.raises(Killed):
            sample_in(config, "killed", made)
    sample_in(config, "killed", made)
    # A batch whose predecessor was being judged when the process ended was not stored, and is made twice.
    assert list(dict.fromkeys(made)) == whole
