"""Run-to-failure engines in the form of NASA's C-MAPSS: one life a unit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gemel.services.rul.lives import Life, Paths
from studies import StudyError
from studies._tables import number_of, text_of

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
    """One set, such as FD001.

    Raises:
        StudyError: its files are not there, or not of this form; names file and line.
    """
    files = [_found(folder, f"{part}_{name}") for part in ("train", "test")]
    truth = _found(folder, f"RUL_{name}")
    lives = [_lives(file, part == 0) for part, file in enumerate(files)]
    remaining = _table(truth, 1).ravel()
    if (remaining < 0).any():
        raise StudyError(f"{truth} has a number below 0: cycles that remain are asked for")
    if len(remaining) != len(lives[1]):
        raise StudyError(f"{truth} has {len(remaining)} lines for {len(lives[1])} units")
    return Engines(lives[0], lives[1], remaining)


def _found(folder: Path, stem: str) -> Path:
    for end in (".csv.gz", ".csv", ".txt.gz", ".txt"):
        if (folder / (stem + end)).is_file():
            return folder / (stem + end)
    have = sorted({p.name.split("_")[1].split(".")[0] for p in folder.glob("train_*")})
    raise StudyError(
        f"{folder} has no {stem} (.txt, .csv, or either with .gz); sets with a training file: "
        + (", ".join(have) or "none")
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
