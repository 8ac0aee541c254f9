"""Studies: figures on recorded data, by the product's own code; `scripts/study NAME` runs one.

A study is a module with `run(options) -> dict`; its first line says what it finds, `sets(options)`
the sets that it can be asked for, where it has some. Modules that begin with `_` are what several
share. Choices are made on one part of the data, and judged on
another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"
"""Where recorded data lies unless `--data` names another folder of the same form."""


class StudyError(Exception):
    """It cannot be run; the message says why and what to do."""


class NotThere(StudyError):
    """A folder or file of the data is not there."""


@dataclass(frozen=True)
class Options:
    data: Path = SHARED
    set: str = ""
    """Which set of the data, where a study has several; "" for the study's own choice."""
    small: bool = False
    """A few seconds, on a part of the data; the figures only show that it runs."""
    seed: int = 1

    def folder(self, name: str) -> Path:
        """The data set of a study: a folder below `data`, or `data` itself if it is that folder.

        Raises:
            NotThere: it is not.
        """
        for found in (self.data / name, self.data):
            if found.resolve().name == name and found.is_dir():
                return found
        if not self.data.is_dir():
            raise NotThere(f"there is no folder {self.data}; --data names one that holds '{name}'")
        raise NotThere(
            f"there is no folder '{name}' in {self.data}; --data names the folder that holds it"
        )

    def file(self, folder: str, name: str, others: str) -> Path:
        """A file of a data set, or the first that is named alike where it holds other data.

        Raises:
            NotThere: neither is there.
        """
        where = self.folder(folder)
        found = [where / name] if (where / name).is_file() else sorted(where.glob(others))
        if not found:
            raise NotThere(f"{where} holds no {name}, nor another {others}")
        return found[0]

    def beside(self, name: str, file: str) -> Path | None:
        """A file of a data set, None where either is not there."""
        found = (self.data / name / file, self.data / file)
        return next((p for p in found if p.is_file()), None)


def left_out(count: int) -> Iterator[tuple[list[int], int]]:
    """Each of so many parts in turn: (those to choose on, the one to judge)."""
    for judge in range(count):
        yield [i for i in range(count) if i != judge], judge


def rounded(value: Any, digits: int = 4) -> Any:
    """Figures for people: floats with so many digits, None for what could not be told (NaN)."""
    if isinstance(value, dict):
        return {str(k): rounded(v, digits) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(v, digits) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return round(value, digits) if math.isfinite(value) else None
    return value
