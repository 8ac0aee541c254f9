"""Run-to-failure engines in the form of NASA's C-MAPSS: one life a unit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gemel.services.rul.lives import Life, Paths
from studies import StudyError
from studies._tables import number_of, text_of

USUAL = "FD001"
ENDS = (".csv.gz", ".csv", ".txt.gz", ".txt")
COLUMNS = 26
"""Unit, cycle, three settings, 21 sensors."""
SENSORS = tuple(f"s{i}" for i in range(1, 22))
PATHS = Paths(SENSORS, ("op1", "op2", "op3"), "", "")


@dataclass(frozen=True)
class Engines:
    train: list[Life]
    test: list[Life]
    remaining: np.ndarray
    """True cycles after the last row of each test life."""


def load(folder: Path, name: str) -> Engines:
    """One set, such as FD001; "" for FD001, or the first where that is not there.

    Raises:
        StudyError: its files are not there, or not of this form; names file and line.
    """
    name = name or default_of(folder)
    files = [_found(folder, f"{part}_{name}") for part in ("train", "test")]
    truth = _found(folder, f"RUL_{name}")
    lives = [_lives(file, part == 0) for part, file in enumerate(files)]
    remaining = _table(truth, 1).ravel()
    if (remaining < 0).any():
        raise StudyError(f"{truth} has a number below 0: cycles that remain are asked for")
    if len(remaining) != len(lives[1]):
        raise StudyError(
            f"{truth} has {len(remaining)} lines, {files[1].name} has {len(lives[1])} units: "
            "one line for each unit is needed, in their order"
        )
    return Engines(lives[0], lives[1], remaining)


def sets_of(folder: Path) -> list[str]:
    """The sets with a training file."""
    found = (p.name.removeprefix("train_") for p in folder.glob("train_*") if p.is_file())
    return sorted({n.removesuffix(end) for n in found for end in ENDS if n.endswith(end)})


def default_of(folder: Path) -> str:
    """The set that is meant where none is named."""
    there = sets_of(folder)
    return USUAL if USUAL in there or not there else there[0]


def _found(folder: Path, stem: str) -> Path:
    for end in ENDS:
        if (folder / (stem + end)).is_file():
            return folder / (stem + end)
    raise StudyError(
        f"{folder} has no {stem} (.txt, .csv, or either with .gz); sets with a training file: "
        + (", ".join(sets_of(folder)) or "none")
    )


def _table(file: Path, columns: int) -> np.ndarray:
    """Numbers by line; a first line of names is passed over.

    Raises:
        StudyError: a line that is not so many finite numbers; names file and line.
    """
    rows = []
    for number, line in enumerate(text_of(file).replace(",", " ").splitlines(), 1):
        words = line.split()
        if not words or (number == 1 and words[0][0].isalpha()):
            continue
        if len(words) != columns:
            raise StudyError(f"{file}, line {number}: {len(words)} columns, not {columns}")
        rows.append([number_of(word, file, number) for word in words])
    if not rows:
        raise StudyError(f"{file} has no rows")
    return np.array(rows)


def _lives(file: Path, failed: bool) -> list[Life]:
    table = _table(file, COLUMNS)
    found = []
    for unit in np.unique(table[:, 0]):
        rows = table[table[:, 0] == unit]
        rows = rows[np.argsort(rows[:, 1], kind="stable")]
        twice = np.flatnonzero(np.diff(rows[:, 1]) == 0)
        if len(twice):
            raise StudyError(f"{file}: unit {unit:g} has cycle {rows[twice[0], 1]:g} twice")
        found.append(
            Life(f"engine-{int(unit)}", rows[:, 5:26], rows[:, 2:5], rows[:, 1], failed, failed)
        )
    return found
