"""Where a problem's data comes from: a file, a folder, or a name on the Hugging Face hub."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from adastar_core.errors import DataError
from adastar_core.machine import confine
from adastar_core.machine.paths import path_of
from adastar_core.problems.files import SUFFIXES, read_rows
from adastar_core.problems.rows import Row
from adastar_core.records import Split

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

_WORDS = {
    Split.TRAIN: {"train"},
    Split.TEST: {"test"},
    Split.VALIDATION: {"validation", "valid", "val", "dev"},
}
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.\-]*(/[A-Za-z0-9][\w.\-]*)?")
_SHOWN = 5
_BESIDE = re.compile(r"(?!\.)[^/\\:\x00]+")
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")


@dataclass(frozen=True, slots=True)
class HubSource:
    """A data set on the hub: its name, its configuration, and what its splits are called."""

    name: str
    subset: str | None = None
    splits: tuple[tuple[Split, str], ...] = tuple((split, split.value) for split in Split)


@dataclass(frozen=True, slots=True)
class Source:
    """What to read; ``parts`` names the file or hub split of a part that is not found by its name."""

    path: str
    subset: str | None
    parts: tuple[tuple[Split, str], ...]

    def read(self) -> dict[Split, list[Row]]:
        """Return the rows of every part that is there; the training part always is.

        Raises:
            DataError: Nothing is at the path, a part is missing, or a file is broken.
        """
        path = path_of(self.path, "problem.path")
        if path.exists():
            confine.readable(path, "problem.path")
        saved = ("dataset_dict.json", "dataset_info.json")
        if path.is_dir() and any((path / name).exists() for name in saved):
            return self._from_datasets(saved=path)
        if path.is_dir():
            return self._from_folder(path)
        if path.exists():
            return self._from_file(path)
        if _HUB_NAME.fullmatch(self.path) and path.suffix.lower() not in SUFFIXES:
            return self._from_datasets(saved=None)
        raise DataError(f"{self.path}: no such file or folder. Check the path.")

    def _from_file(self, path: Path) -> dict[Split, list[Row]]:
        parts = dict(self.parts)
        if Split.TRAIN in parts:
            raise DataError(
                f"problem.train ({parts[Split.TRAIN]}) is only for a folder; {path} is a file. Leave it out."
            )
        return {Split.TRAIN: read_rows(path)} | self._named_files(path.parent)

    def _from_folder(self, folder: Path) -> dict[Split, list[Row]]:
        folder, files = self._data_files(folder)
        parts: dict[Split, list[Row]] = {}
        for split in Split:
            mine = [file for file in files if (Split.TRAIN if len(files) == 1 else _split_of(file)) is split]
            if split in dict(self.parts) or not mine:
                continue
            if len(mine) > 1 and not all(_SHARD.search(file.stem) for file in mine):
                names = ", ".join(file.name for file in mine)
                raise DataError(
                    f"{folder}: {names} all look like the {split} part. Set problem.{split} to one."
                )
            parts[split] = [row for file in mine for row in read_rows(confine.readable(file, "problem.path"))]
        parts |= self._named_files(folder)
        if Split.TRAIN not in parts:
            raise _no_training(folder, [file.name for file in files])
        return parts

    def _data_files(self, folder: Path) -> tuple[Path, list[Path]]:
        """Return the folder that holds the data files, and these: its own, else those of a copied hub repository.

        A .json file counts only where there is no other, because it often describes the others.
        """
        inside = [folder, *(folder / name for name in (self.subset or "", "data") if name)]
        for place in inside:
            confine.readable(place, "problem.path")
            found = sorted(place.iterdir()) if place.is_dir() else []
            found = [file for file in found if file.suffix.lower() in SUFFIXES]
            if files := [file for file in found if file.suffix.lower() != ".json"] or found:
                return place, files
        return folder, []

    def _named_files(self, folder: Path) -> dict[Split, list[Row]]:
        """Read the parts that the settings name, relative to the folder or else to where the process runs."""
        parts: dict[Split, list[Row]] = {}
        for split, name in self.parts:
            key = f"problem.{split.value}"
            given = path_of(name, key)
            beside = path_of(folder / given, key)
            parts[split] = read_rows(confine.readable(beside if beside.exists() else given, key))
        return parts

    def _from_datasets(self, saved: Path | None) -> dict[Split, list[Row]]:
        loaded = _load(self.path, self.subset, saved)
        wanted = dict(self.parts) or dict(HubSource(self.path).splits)
        wanted.setdefault(Split.TRAIN, Split.TRAIN.value)
        parts: dict[Split, list[Row]] = {}
        for split, name in wanted.items():
            if name in loaded:
                where = f"{self.path}:{name}"
                # as stored: a decoder of pictures or sound would open the files that a row names
                stored = loaded[name].with_format("arrow")[:].to_pylist()
                parts[split] = [
                    Row(where, number, row).checked() for number, row in enumerate(stored, start=1)
                ]
            elif split is Split.TRAIN or split in dict(self.parts):
                there = ", ".join(map(str, loaded))
                raise DataError(
                    f"{self.path}: has no split {name!r}, only {there}. Set problem.{split.value} to one of them."
                )
        return parts


def _no_training(folder: Path, names: Sequence[str]) -> DataError:
    if not names:
        return DataError(f"{folder}: holds no data file ({', '.join(SUFFIXES)}). Check the path.")
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
    return DataError(
        f"{folder}: none of {shown} is called train. Give the path of one file, or name it in problem.train."
    )


def _load(name: str, subset: str | None, saved: Path | None) -> "DatasetDict":
    from datasets import Dataset, DatasetDict, load_from_disk

    if saved is not None:
        _check_saved(saved)
    try:
        loaded: Dataset | DatasetDict = (
            _from_hub(name, subset) if saved is None else load_from_disk(str(saved))
        )
    except (OSError, ValueError) as error:
        where = "from the Hugging Face hub" if saved is None else "as a saved data set"
        raise DataError(
            f"{name}: no such file or folder, and it cannot be loaded {where} ({str(error).splitlines()[0]}). "
            "Set problem.path to a file, a folder, or the name of a data set that can be reached."
        ) from error
    return loaded if isinstance(loaded, DatasetDict) else DatasetDict({"train": loaded})


def _from_hub(name: str, subset: str | None) -> "Dataset | DatasetDict":
    from datasets import config, load_dataset

    from adastar_core.machine.hub import hub_or_cache

    with hub_or_cache(config) as missing:
        try:
            return load_dataset(name, subset)
        except (OSError, ValueError) as error:
            raise (OSError(missing) if missing else error) from error


def _check_saved(folder: Path) -> None:
    """Refuse a saved data set that leads elsewhere, by a link or by a name in it, before the library follows either.

    Raises:
        ConfigError: A link in it leads to where runs may not read.
        DataError: It names a split or a file that is not beside it.
    """
    confine.readable_tree(folder, "problem.path")
    for part in ("", *_named(folder / "dataset_dict.json", "splits")):
        _named(folder / part / "state.json", "_data_files", "filename")


def _named(file: Path, key: str, inner: str | None = None) -> list[str]:
    """Return the names of files or folders that a file of a saved data set lists; none where the file is missing."""
    if not file.exists():
        return []
    try:
        listed = json.loads(file.read_bytes())[key]
        names = [os.fspath(entry if inner is None else entry[inner]) for entry in listed]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise DataError(
            f"problem.path: {file} is not what a saved data set has ({error!r}). Save the data set again."
        ) from error
    if elsewhere := [name for name in names if not _BESIDE.fullmatch(name)]:
        raise DataError(
            f"problem.path: {file} names {elsewhere[0]!r}, which is not beside it. Save the data set again."
        )
    return names


def _split_of(file: Path) -> Split | None:
    words = set(re.split(r"[^a-z0-9]+", file.stem.lower()))
    return next((split for split, names in _WORDS.items() if words & names), None)
