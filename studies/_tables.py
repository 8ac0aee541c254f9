"""Files of numbers as studies read them: what is wrong with one is said with its file and line."""

from __future__ import annotations

import csv
import gzip
import itertools
import json
import math
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from gemel.core.batch import F64
from studies import NotThere, StudyError


def text_of(file: Path) -> str:
    """What stands in a file, packed with gzip or not.

    Raises:
        StudyError: it is missing, damaged or no text.
    """
    try:
        data = file.read_bytes()
        return (gzip.decompress(data) if file.suffix == ".gz" else data).decode("utf-8-sig")
    except FileNotFoundError:
        raise NotThere(f"{file} is missing") from None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise StudyError(f"{file} cannot be read: {error}") from None


def object_of(file: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        StudyError: it is none.
    """
    try:
        found = json.loads(text_of(file))
    except json.JSONDecodeError as error:
        raise StudyError(f"{file} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise StudyError(f"{file} holds no JSON object")
    return found


class Table:
    """Lines of cells below a line of names.

    Raises:
        StudyError: there are none, or a line has another number of cells.
    """

    def __init__(self, file: Path, delimiter: str = ",", most: int | None = None) -> None:
        self.file = file
        lines = csv.reader(text_of(file).splitlines(), delimiter=delimiter)
        self.head = [name.strip() for name in next(lines, [])]
        there = ((lines.line_num, row) for row in lines if row)  # blank lines say nothing
        numbered = list(itertools.islice(there, most))
        if not numbered:
            raise StudyError(f"{file} has no rows")
        self.lines, self.rows = [n for n, _ in numbered], [row for _, row in numbered]
        for number, row in numbered:
            if len(row) != len(self.head):
                raise StudyError(
                    f"{file}, line {number}: {len(row)} cells, not {len(self.head)} as line 1"
                )

    def place(self, begin: str) -> int:
        """The first column whose name begins so."""
        for number, name in enumerate(self.head):
            if name.startswith(begin):
                return number
        raise StudyError(f"{self.file} has no column '{begin}'; it has: {', '.join(self.head)}")

    def column(self, begin: str, empty: float | None = None) -> F64:
        """The numbers of a column; `empty` stands for cells without one."""
        at = self.place(begin)
        return np.array([self.number(n, at, empty) for n in range(len(self.rows))])

    def block(self, columns: Iterable[int]) -> F64:
        """The numbers of several columns."""
        places = list(columns)
        return np.array([[self.number(n, at) for at in places] for n in range(len(self.rows))])

    def number(self, row: int, at: int, empty: float | None = None) -> float:
        cell = self.rows[row][at].strip()
        if not cell and empty is not None:
            return empty
        return number_of(cell, self.file, self.lines[row])


def number_of(word: str, file: Path, line: int) -> float:
    """A finite number.

    Raises:
        StudyError: it is none.
    """
    try:
        found = float(word)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise StudyError(f"{file}, line {line}: '{word}' is not a finite number")
    return found


def time_of(word: str, file: Path, line: int | None) -> int:
    """A date and time of day of UTC, as `2014-04-01 00:05:00`, in nanoseconds.

    Raises:
        StudyError: it is none.
    """
    try:
        found = datetime.fromisoformat(word)
    except ValueError:
        place = str(file) if line is None else f"{file}, line {line}"
        raise StudyError(f"{place}: '{word}' is no time such as 2014-04-01 00:05:00") from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return round(found.timestamp() * 1e6) * 1000


def matrix_of(file: Path, most: int | None = None) -> F64:
    """Lines of as many numbers each, between blanks.

    Raises:
        StudyError: a line has another number of them, or something else.
    """
    rows: list[list[float]] = []
    for number, line in enumerate(text_of(file).splitlines(), 1):
        if (words := line.split()) and (most is None or len(rows) < most):
            if rows and len(words) != len(rows[0]):
                raise StudyError(f"{file}, line {number}: {len(words)} cells, not {len(rows[0])}")
            rows.append([number_of(word, file, number) for word in words])
    if not rows:
        raise StudyError(f"{file} has no rows")
    return np.array(rows)
