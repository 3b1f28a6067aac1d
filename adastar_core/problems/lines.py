"""The lines of a text file with their numbers: UTF-8, or UTF-16 where the file begins with its mark."""

import codecs
import io
from collections.abc import Iterator
from pathlib import Path

from adastar_core.problems.rows import BrokenRow, Row

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_AROUND = 20


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines from 1 on, without their ends; blank ones after the last row are no rows and are left out.

    Raises:
        DataError: A line is not text in the file's encoding.
    """
    blank: list[tuple[int, str]] = []
    with path.open("rb") as file:
        wide = file.peek(2)[:2] in _UTF_16
        for number, line in enumerate(_as_utf_8(path, file.read()) if wide else file, start=1):
            numbered = number, _text(path, number, line)
            blank.append(numbered)
            if numbered[1].strip():
                yield from blank
                blank.clear()


def _as_utf_8(path: Path, content: bytes) -> io.BytesIO:
    try:
        return io.BytesIO(content.decode("utf-16").encode())
    except UnicodeDecodeError as error:
        raise Row(str(path), 1, {}).broken(f"not UTF-16 ({error.reason}). Save the file as UTF-8.") from error


def _text(path: Path, number: int, line: bytes) -> str:
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise _not_utf_8(Row(str(path), number, {}), line, error) from error


def _not_utf_8(row: Row, line: bytes, error: UnicodeDecodeError) -> BrokenRow:
    """Return what to do: text that a program for Windows wrote is shown, so that a reader can see whether it is that."""
    if b"\0" in line:
        return row.broken("not text. Save the table as CSV in UTF-8.")
    around = line[max(error.start - _AROUND, 0) : error.start + _AROUND]
    guess = around.decode("cp1252", errors="replace").strip()
    return row.broken(
        f"not UTF-8 ({error.reason}). Save the file as UTF-8; if this is right: {guess!r}, it is Windows-1252, and "
        f"iconv -f WINDOWS-1252 -t UTF-8 converts it."
    )
