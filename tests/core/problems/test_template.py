"""Templates of prompts: a closed grammar, one text for generation, training and evaluation."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adastar_core.config import RunConfig, files
from adastar_core.errors import ConfigError, DataError
from adastar_core.problems.arithmetic import Arithmetic, ArithmeticSettings
from adastar_core.problems.catalogue import open_problem
from adastar_core.problems.chat import prompted
from adastar_core.problems.prompts import PLAIN, WITH_OPTIONS, question
from adastar_core.problems.template import Template
from adastar_core.records import Choice, Observation, Split
from adastar_core.settings import TEMPLATE_FIELDS
from adastar_core.verifiers.own import TURN_STARTS
from tests.core.problems.test_chat import BODY, TODAY, model

SUM = Observation("12+30", "12+30", "42")
COLOUR = Observation("", "Which is a colour?", "B", (Choice("A", "run"), Choice("B", "red")))


def table(tmp_path: Path, prompt: object = None, **more: object) -> RunConfig:
    """Return the configuration of a run on a small table of additions or, with choices, of questions."""
    rows = [{"question": f"{i}+{i}", "answer": str(2 * i)} for i in range(10, 60)]
    if "choices" in more:
        options = ["run", "red", "sit"]
        rows = [{"question": f"Word {i}?", "answer": options[i % 3], "options": options} for i in range(60)]  # type: ignore[dict-item]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    problem = {"type": "table", "path": str(path), "prompt": prompt, **more}
    chat = {"chat": "system" in more}
    return files.resolve({"problem": problem, "prompt": chat})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{question!r}", ["unknown field {question!r}"]),
        ("{question:>999999999}", ["unknown field {question:>999999999}"]),
        ("{}{question}", ["unknown field {}"]),
        ("{ } {question}", ["unknown field { }", "{question}, {choices}, {labels}"]),
        ("{question", ["brace without its partner", "{{ and }}"]),
        ("question}", ["brace without its partner"]),
        ("The same for all", ["no {question}"]),
        ("Q: {frage}", ["no {question}", "problem.question"]),
        ("{question}{answer}", ["{answer}", "the answer's column"]),
        ("{question}{Answer}", ["{Answer}", "the answer's column"]),
    ],
)
def test_the_grammar_is_closed(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        table(tmp_path, text)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@given(st.text(), st.text(), st.text())
def test_every_text_is_filled_in_as_it_is(before: str, asked: str, after: str) -> None:
    """Braces of a template's literal text are doubled; what is filled in is never read again."""
    escaped = [text.replace("{", "{{").replace("}", "}}") for text in (before, after)]
    filled = Template("{question}".join(escaped)).fill(Observation("", asked, "1"))
    assert filled == f"{before}{asked}{after}"


def test_the_default_prompts_are_templates_themselves() -> None:
    assert question(SUM) == question(SUM, PLAIN) == "Q: 12+30\nA:"
    assert question(COLOUR) == question(COLOUR, WITH_OPTIONS)
    assert question(COLOUR, hinted=True) == "Q: Which is a colour? (B)\nOptions:\n(A) run\n(B) red\nA:"
    assert PLAIN.fields | WITH_OPTIONS.fields | {"labels"} == set(TEMPLATE_FIELDS)


def test_one_text_serves_generation_training_and_evaluation(tmp_path: Path) -> None:
    shown = tmp_path / "shown.jsonl"
    shown.write_text(json.dumps({"question": "1+1", "answer": "2", "rationale": "One and one."}) + "\n")
    problem = open_problem(table(tmp_path, "Add: {question}\nSum:", exemplars=str(shown)).problem)
    worked = "Add: 1+1\nSum: One and one.\n#### 2\n\n"
    assert problem.prompt(SUM) == f"{worked}Add: 12+30\nSum:"
    assert problem.hinted_prompt(SUM) == "Add: 1+1 (2)\nSum: One and one.\n#### 2\n\nAdd: 12+30 (42)\nSum:"
    assert problem.training_prompt(SUM) == problem.evaluation_prompt(SUM, 0) == "Add: 12+30\nSum:"
    assert problem.evaluation_prompt(SUM, 1) == problem.prompt(SUM)
    assert problem.stop == ("\n\nAdd:", "\nAdd:", *TURN_STARTS)
    off = open_problem(table(tmp_path, "Add: {question}\nSum:", exemplars=str(shown), shots=0).problem)
    assert off.prompt(SUM) == off.training_prompt(SUM)


def test_a_table_can_ask_as_the_packaged_model_was_taught(tmp_path: Path) -> None:
    problem, taught = open_problem(table(tmp_path, "{question}\n").problem), Arithmetic(ArithmeticSettings())
    for row in problem.load(Split.TRAIN):
        assert problem.prompt(row) == taught.prompt(row)
        assert problem.training_prompt(row) == taught.training_prompt(row)
    assert problem.stop == TURN_STARTS


@pytest.mark.parametrize(
    ("template", "stop"), [("{question}", ()), ("Be brief.\nTask: {question}\n", ("\n\nTask:", "\nTask:"))]
)
def test_a_response_ends_where_the_next_question_begins(
    tmp_path: Path, template: str, stop: tuple[str, ...]
) -> None:
    assert open_problem(table(tmp_path, template).problem).stop == (*stop, *TURN_STARTS)


def test_options_are_never_left_out_unsaid(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"problem: prompt has no \{choices\}"):
        table(tmp_path, "{question}", choices="options", verifier="choice")
    made = open_problem(
        table(
            tmp_path, "{question}\n{choices}\nOne of {labels}.", choices="options", verifier="choice"
        ).problem
    )
    assert made.prompt(COLOUR) == "Which is a colour?\n(A) run\n(B) red\nOne of A, B."
    without = open_problem(table(tmp_path, "{question} {labels}").problem)
    with pytest.raises(DataError, match=r"problem\.prompt has the field \{labels\}.*'12\+30' has no options"):
        without.prompt(SUM)
    benchmark: Any = {"problem": {"type": "arc_challenge", "path": str(tmp_path), "prompt": "{question}"}}
    with pytest.raises(DataError, match=r"problem\.prompt has no \{choices\}"):
        open_problem(files.resolve(benchmark).problem).prompt(COLOUR)


def test_a_system_message_stands_before_every_prompt(tmp_path: Path) -> None:
    config = table(tmp_path, "{question}", system="Add what {question} says.")
    problem = prompted(open_problem(config.problem), config.prompt, model(tmp_path, BODY), TODAY)
    begin = "system: Add what 12+30 says.;user: "
    assert problem.prompt(SUM) == problem.training_prompt(SUM) == f"{begin}12+30;assistant: "
    assert problem.hinted_prompt(SUM) == f"{begin}12+30 (42);assistant: "
    assert problem.evaluation_prompt(SUM, 0) == problem.prompt(SUM)


@pytest.mark.parametrize(
    "template",
    [
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + BODY,
        BODY.replace(
            "{% for message in messages %}", "{% for message in messages if message['role'] != 'system' %}"
        ),
    ],
)
def test_a_template_that_has_no_place_for_it_is_refused(tmp_path: Path, template: str) -> None:
    config = table(tmp_path, "{question}", system="Add.")
    problem = prompted(open_problem(config.problem), config.prompt, model(tmp_path, template), TODAY)
    with pytest.raises(ConfigError, match=r"problem\.system.*no place.*problem\.prompt instead"):
        problem.prompt(SUM)


def test_a_system_message_needs_a_chat(tmp_path: Path) -> None:
    config = table(tmp_path).model_dump(mode="json")
    config["problem"]["system"] = "Add."
    with pytest.raises(ConfigError, match=r"problem\.system needs prompt\.chat: true"):
        files.resolve(config)


def test_prompts_are_part_of_what_a_run_is(tmp_path: Path) -> None:
    plain, own = table(tmp_path), table(tmp_path, "{question}\n")
    assert plain.sha256() != own.sha256()
    assert own.identity()["problem.prompt"] == "{question}\n"
    assert not {"problem.prompt", "problem.system"} & set(plain.identity())
    assert RunConfig.of_identity(own.identity()).problem == own.problem


NOTES = [
    {
        "passage": f"Note {i}. Ann has {i} pens.",
        "kind": ["a", None][i % 2],
        "question": "How many pens?",
        "answer": str(i),
    }
    for i in range(60)
]


def with_columns(tmp_path: Path, prompt: str, **more: object) -> RunConfig:
    """Return the configuration of a run on notes that all are asked the same question."""
    (tmp_path / "notes.json").write_text(json.dumps(NOTES))
    problem = {"type": "table", "path": str(tmp_path / "notes.json"), "prompt": prompt, **more}
    return files.resolve({"problem": problem, "prompt": {"chat": "system" in more}})


def test_a_table_s_prompt_shows_any_of_its_columns(tmp_path: Path) -> None:
    """Empty cells fill in nothing. The hint stays with the question; exemplars show their own columns."""
    shown = tmp_path / "shown.jsonl"
    shown.write_text(json.dumps({**NOTES[7], "rationale": "Read it."}) + "\n")
    config = with_columns(tmp_path, "{Passage} [{kind}]\nQ: {question}\nA:", exemplars=str(shown))
    problem = open_problem(config.problem)
    rows = {row.answer: row for row in problem.everything()}
    worked = "Note 7. Ann has 7 pens. []\nQ: How many pens?{}\nA: Read it.\n#### 7\n\n"
    asked = "Note 8. Ann has 8 pens. [a]\nQ: How many pens?{}\nA:"
    assert problem.prompt(rows["8"]) == worked.format("") + asked.format("")
    assert problem.hinted_prompt(rows["8"]) == worked.format(" (7)") + asked.format(" (8)")
    assert problem.training_prompt(rows["8"]) == problem.evaluation_prompt(rows["8"], 0) == asked.format("")


def test_a_system_message_shows_columns_too(tmp_path: Path) -> None:
    config = with_columns(tmp_path, "{question}", system="You know: {passage}")
    problem = open_problem(config.problem)
    row = problem.load(Split.TRAIN)[0]
    assert problem.system(row) == f"You know: {dict(row.context)['passage']}"


def test_one_question_about_two_texts_is_two_questions(tmp_path: Path) -> None:
    """So nothing is repeated, contradictory or in two splits; the same rows without the text are all of this."""
    problem = open_problem(with_columns(tmp_path, "{passage}\n{question}").problem)
    everything = problem.everything()
    assert len({row.observation_id for row in everything}) == len(NOTES)
    assert not any("-" in row.observation_id for row in everything)
    assert problem.notes == ()
    bare = open_problem(with_columns(tmp_path, "{question}").problem)
    with pytest.raises(DataError, match="has no observations"):
        bare.everything()


@pytest.mark.parametrize(
    ("prompt", "more", "words"),
    [
        ("{text}\n{question}", {}, "no column 'text' (problem.prompt), only passage, kind, question, answer"),
        ("{question}", {"system": "{passage.x}"}, "no column 'passage.x' (problem.system), only passage"),
        ("{question[0]}{question}", {}, "no column 'question[0]' (problem.prompt)"),
        ("{0} {question}", {}, "no column '0' (problem.prompt)"),
    ],
)
def test_a_column_that_does_not_exist_is_refused_with_those_that_do(
    tmp_path: Path, prompt: str, more: dict[str, object], words: str
) -> None:
    with pytest.raises(DataError) as caught:
        open_problem(with_columns(tmp_path, prompt, **more).problem).everything()
    assert words in str(caught.value)


def test_every_file_must_have_the_column(tmp_path: Path) -> None:
    """Also that of the worked examples: an empty text in all of its prompts would be noticed by nobody."""
    bare = tmp_path / "bare.jsonl"
    bare.write_text(json.dumps({"question": "How many?", "answer": "1", "rationale": "One."}) + "\n")
    for file in ({"test": "bare.jsonl"}, {"exemplars": str(bare)}):
        with pytest.raises(DataError, match=r"bare.jsonl: there is no column 'passage'"):
            open_problem(with_columns(tmp_path, "{passage}\n{question}", **file).problem).everything()


def test_a_column_must_hold_text(tmp_path: Path) -> None:
    listed = [{**row, "passage": ["a", "b"]} for row in NOTES]
    config = with_columns(tmp_path, "{passage}\n{question}")
    (tmp_path / "notes.json").write_text(json.dumps(listed))
    with pytest.raises(DataError, match=r"row 1: the field 'passage' is a list, not text or a number"):
        open_problem(config.problem).everything()


def test_benchmarks_have_no_columns_of_the_users_own(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"problem\.prompt: has the unknown field \{body\}.*of a table"):
        files.resolve({"problem": {"type": "svamp", "path": str(tmp_path), "prompt": "{body} {question}"}})
