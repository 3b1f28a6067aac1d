"""The help of every command, and of every command line in the documentation, on terminals and without one."""

import fcntl
import json
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App, MissingArgumentError

from adastar_core import cli
from adastar_core.cli.app import new_app
from flows import commandline, compare_commandline

ROOT = Path(__file__).parents[2]
SEPARATOR = "=====8<====="
PRINT_ALL = f"""
import json, sys
from adastar_core import cli
from flows import commandline, compare_commandline
APPS = {{"adastar": cli.build(), "flows/adastar.py": commandline.APP, "flows/compare.py": compare_commandline.APP}}
for program, *words in json.loads(sys.argv[1]):
    print("{SEPARATOR}", program, *words)
    APPS[program](words)
"""
HEAVY = {"torch", "transformers", "prefect", "sqlalchemy", "pydantic", "numpy", "datasets"}


def all_commands(app: App, *above: str) -> Iterator[list[str]]:
    """Yield the words of every command and group of commands."""
    yield list(above)
    for name, command in app.resolved_commands().items():
        if not name.startswith("-"):
            yield from all_commands(command, *above, name)


def documented() -> Iterator[list[str]]:
    """Yield the words of every command line in README and documentation."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    program = r"(?:python )?(adastar|(?<=python )flows/(?:adastar|compare)\.py)"
    pattern = rf"(?m)(?:^[ $]*|; ){program}((?: [^`\n;#]*)?)(?=[\n;#])|`{program}((?:\s[^`]*)?)`"
    for page in pages:
        for found in re.findall(pattern, page.read_text().replace("\\\n", " ")):
            name, words = found[:2] if found[0] else found[2:]
            if not re.search(r"[=…|] | [=…|]", words):
                yield [name, *shlex.split(words)]


APPS = {
    "adastar": cli.build(),
    "flows/adastar.py": commandline.APP,
    "flows/compare.py": compare_commandline.APP,
}
DOCUMENTED = list({tuple(words): words for words in documented()}.values())
COMMANDS = [["adastar", *words] for words in all_commands(APPS["adastar"])]
STARTS_A_FLOW = (["adastar", "run"], ["adastar", "compare"])
HELP = [
    [*words, "--help"]
    for words in [*COMMANDS, ["flows/adastar.py"], ["flows/compare.py"], *DOCUMENTED]
    if words[:2] not in STARTS_A_FLOW
]


def printed(width: int | None) -> str:
    """Return what all the helps print on a terminal of this width, or without one."""
    command = [sys.executable, "-c", PRINT_ALL, json.dumps(HELP)]
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    if width is None:
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        ).stdout
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    process = subprocess.Popen(
        command, cwd=ROOT, env={**environment, "TERM": "xterm-256color"}, stdin=end, stdout=end, stderr=end
    )
    os.close(end)
    pieces = []
    while True:
        try:
            pieces.append(os.read(terminal, 65536))
        except OSError:  # Linux's end of file of a terminal
            break
    os.close(terminal)
    assert process.wait() == 0, b"".join(pieces[-9:]).decode()
    return b"".join(pieces).decode().replace("\r\n", "\n")


@pytest.mark.parametrize("width", [80, 200, None])
def test_every_help_is_printed_whole(width: int | None) -> None:
    text = printed(width)
    assert ("\x1b[" in text) is (width is not None)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "Traceback" not in plain
    pages = plain.split(SEPARATOR)[1:]
    assert len(pages) == len(HELP)
    for page in pages:
        title, _, help_ = page.partition("\n")
        assert help_.startswith("Usage: "), title
        # An example of a command is not wrapped where it would break; everything else fits.
        assert all(len(line) <= (width or 80) for line in help_.splitlines()), title
    words = " ".join(re.sub("[│╭╮╰╯─]", " ", plain).split())
    for text in (
        "[default: 20]",
        "95 % interval",
        '{"row": <row in the data set\'s schema>, "response": text}',
        "a.b=value",
    ):
        assert text in words


def test_documentation_has_command_lines() -> None:
    assert len(DOCUMENTED) > 35
    assert {words[0] for words in DOCUMENTED} == set(APPS)


@pytest.mark.parametrize("words", DOCUMENTED, ids=" ".join)
def test_a_documented_command_line_is_understood(words: list[str]) -> None:
    program, *options = words
    try:
        APPS[program].parse_args(options)
    except MissingArgumentError:
        assert "RUN" not in options, "a mention of a command by its name alone"


def test_brackets_of_a_help_text_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    app = new_app("tool", "Takes [red]a list[/red] such as [4, 4], 100 %.", "Examples:\n  tool [a]")

    @app.default
    def _(*, weights: str = "[1]") -> None:
        """Weigh."""

    app(["--help"])
    page = capsys.readouterr().out
    assert "Takes [red]a list[/red] such as [4, 4], 100 %." in page
    assert "[default: [1]]" in page
    assert "  tool [a]" in page


def test_commands_are_listed_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    listed = capsys.readouterr().out
    assert all(re.search(rf"\b{words[1]}\b", listed) for words in COMMANDS if len(words) == 2)
    assert cli.main(["help"]) == 0
    assert capsys.readouterr().out == listed
    assert cli.main(["help", "gc"]) == 0
    assert "--delete" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert re.fullmatch(r"adastar \d+\.\d+\.\d+\+[0-9a-f]{12}\n", capsys.readouterr().out)


def test_completion_of_commands_options_and_values(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cli.main(["--show-completion", "--shell", "bash"]) == 0
    script = capsys.readouterr().out
    typed = [
        "adastar sh",
        "adastar observations mine --nev",
        "adastar db stat",
        "adastar export mine --to parq",
    ]
    asks = [
        f"COMP_WORDS=({words}); COMP_CWORD={words.count(' ')}; COMPREPLY=(); _adastar; echo ${{COMPREPLY[*]}}"
        for words in typed
    ]
    (tmp_path / "ask.sh").write_text("\n".join([script, *asks]))
    done = subprocess.run(["bash", str(tmp_path / "ask.sh")], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["show", "--never-solved", "status", "parquet"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["shwo"], 'Unknown command "shwo". Did you mean "show"?'),
        (["db", "statsu"], 'Did you mean "status"?'),
        (["runs", "--jsn"], "Unknown option: --jsn. Did you mean --json? See adastar runs --help."),
        (["show"], "RUN requires an argument. See adastar show --help."),
        (["show", "a", "b"], "['b']"),
        (["export", "mine", "--to", "csv"], "parquet"),
        (["observations", "mine", "--limit", "many"], 'unable to convert "many" into int'),
        (["observations", "mine", "--over-trained", "--never-solved"], "--over-trained, --never-solved"),
        (["runs", "--no-json"], "Unknown option: --no-json"),
    ],
)
def test_misuse_is_one_paragraph_and_status_2(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("adastar: ")
    assert complaint in said.err
    assert said.err.count("\n") == 1


def test_with_json_an_error_is_one_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for words in (["show"], ["runs", "--home", str(tmp_path)]):
        assert cli.main(words) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert cli.main([*words, "--json"]) == 2
        out, err = capsys.readouterr()
        assert not out
        assert said == f"adastar: {json.loads(err)['error']}"


def test_the_last_of_an_option_counts_and_a_number_may_be_negative() -> None:
    *_, bound, _ = APPS["adastar"].parse_args(["observations", "mine", "--limit", "3", "--limit=-1"])
    assert bound.kwargs["limit"] == -1
    *_, bound, _ = APPS["flows/adastar.py"].parse_args(
        ["--run", "a", "--set", "a=1", "--run=b", "--set=b=[1, -2]"]
    )
    assert (bound.kwargs["run"], bound.kwargs["overrides"]) == ("b", ("a=1", "b=[1, -2]"))


def test_help_needs_no_heavy_library_and_is_there_at_once() -> None:
    code = "import sys; from adastar_core import cli; cli.main(['--help']); print(sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(re.findall(r"'(\w+)'", done.stderr))
    assert fastest("-m", "adastar_core.cli", "--help") < 25 * fastest("-c", "pass")


def fastest(*arguments: str) -> float:
    """Return the seconds of the fastest of five starts."""
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True, cwd=ROOT)
        seconds.append(time.perf_counter() - started)
    return min(seconds)


@pytest.mark.parametrize(
    "command", [["--help"], ["runs", "--help"], ["run", "--help"], ["run", "--list-presets"]]
)
def test_a_reader_that_has_enough_is_no_error(command: list[str]) -> None:
    words = shlex.join([sys.executable, "-m", "adastar_core.cli", *command])
    script = f"set -o pipefail; {words} | head -c 1; exit $?"
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_full_disk_is_no_traceback(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "adastar_core.cli", "--show-completion", "--shell", "bash"]
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False
        )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
