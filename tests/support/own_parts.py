"""A problem and a verifier as a user writes them, in a file or in an installed package."""

from pathlib import Path

PARTS = '''
from adastar_core.problems.arithmetic import additions
from adastar_core.problems.custom import OwnProblem
from adastar_core.records import Split


class LastLine:
    """Compares what follows the last ####."""

    version = "last-line/1"

    def __init__(self, marker="####"):
        self.marker = marker

    def verify(self, observation, response, finish_reason):
        if "boom" in response:
            raise ArithmeticError("boom")
        return response.rpartition(self.marker)[2].strip() == observation.answer


class Sums(OwnProblem):
    verifier = LastLine()

    def __init__(self, count=100):
        self.count = count

    def rows(self):
        for one, _ in zip(additions(Split.TRAIN, 3, seed=7), range(self.count)):
            yield {"question": one.question, "answer": one.a + one.b, "difficulty": one.digits}

    def prompt(self, observation):
        return observation.question + "\\n"
'''


def write_parts(folder: Path, text: str = PARTS) -> Path:
    """Write the parts into a file; return its path."""
    file = folder / "own_parts_of_a_user.py"
    file.write_text(text, "utf-8")
    return file


def install_parts(folder: Path) -> None:
    """Lay the parts out as pip does, with entry points; ``folder`` is to be on the path."""
    write_parts(folder)
    info = folder / "own_parts_of_a_user-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-parts-of-a-user\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[adastar.problems]\nown-sums = own_parts_of_a_user:Sums\n"
        "[adastar.verifiers]\nown-last-line = own_parts_of_a_user:LastLine\n"
    )
