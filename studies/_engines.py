"""Run-to-failure engines in the form of NASA's C-MAPSS: one life a unit."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gemel.services.rul.lives import Life, Paths
from studies import StudyError

SETTINGS = 3
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
        StudyError: its files are not there.
    """
    files = [_found(folder, f"{part}_{name}") for part in ("train", "test")]
    truth = _found(folder, f"RUL_{name}")
    lives = [_lives(_table(file), part == 0) for part, file in enumerate(files)]
    remaining = _table(truth).ravel()
    if len(remaining) != len(lives[1]):
        raise StudyError(f"{truth} has {len(remaining)} lines for {len(lives[1])} units")
    return Engines(lives[0], lives[1], remaining)


def _found(folder: Path, stem: str) -> Path:
    for end in (".csv.gz", ".csv", ".txt.gz", ".txt"):
        if (folder / (stem + end)).is_file():
            return folder / (stem + end)
    have = sorted({p.name.split("_")[1].split(".")[0] for p in folder.glob("train_*")})
    raise StudyError(f"{folder} has no {stem}.csv.gz; sets there: " + (", ".join(have) or "none"))


def _table(file: Path) -> np.ndarray:
    data = file.read_bytes()
    text = (gzip.decompress(data) if file.suffix == ".gz" else data).decode("utf-8")
    lines = text.replace(",", " ").splitlines()
    if lines and any(c.isalpha() and c not in "eE" for c in lines[0]):
        lines = lines[1:]
    return np.array([[float(v) for v in line.split()] for line in lines if line.strip()])


def _lives(table: np.ndarray, failed: bool) -> list[Life]:
    found = []
    for unit in np.unique(table[:, 0]):
        rows = table[table[:, 0] == unit]
        rows = rows[np.argsort(rows[:, 1], kind="stable")]
        found.append(
            Life(f"engine-{int(unit)}", rows[:, 5:26], rows[:, 2:5], rows[:, 1], failed, failed)
        )
    return found
