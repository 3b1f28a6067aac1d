"""No verifier, problem or tool around them evaluates text as code."""

import ast
from pathlib import Path

import adastar_core

FORBIDDEN = {
    "eval",
    "exec",
    "compile",
    "parse_expr",
    "sympify",
    "literal_eval",
    "__import__",
    "loads_pickle",
    "lambdify",
    "S",
}
FOLDERS = ("verifiers", "problems")
FILES = ("audit/responses.py", "cli/judging.py", "shingles.py")


def test_no_call_turns_text_into_code() -> None:
    root = Path(adastar_core.__file__).parent
    sources = [path for folder in FOLDERS for path in (root / folder).glob("*.py")] + [
        root / name for name in FILES
    ]
    assert len(sources) > 30
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in FORBIDDEN, f"{source.name}:{node.lineno}"
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                assert not names & {"pickle", "marshal", "parse_expr", "sympify"}, (
                    f"{source.name}:{node.lineno}"
                )
