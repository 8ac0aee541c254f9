"""Where a data folder is struck: a kind of file, one of its files, a bit of it or an end."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import NamedTuple

KINDS = {
    "log": r"history/log/",
    "segments": r"history/segments/.*\.(seg|gone)$",
    "roll-ups": r"history/segments/.*\.1[mh]$",
    "names of series": r"history/series",
    "checkpoints": r"history/checkpoints/",
    "rejects": r"history/rejects/",
    "documents": r"gemel\.sqlite(-wal)?$",
    "sessions": r"mqtt\.sqlite(-wal)?$",
    "spool": r"spool/",
    "cursors of events": r"event-cursors",
    "imported models": r"models/",
    "what services learnt": r"fits/",
    "results of runs": r"runs/.*\.pack$",
    "logs of runs": r"runs/",
    "scenarios": r"scenarios/",
    "certificates and keys": r"tls/|audit\.key$",
    "attachments": r"attachments/",
    "own shapes": r"geometries/",
    "files of import jobs": r"imports/",
    "means nothing": r"history/ballast$|server\.json$|-shm$|lock$",
}
"""In this order: the first that fits."""


class Stroke(NamedTuple):
    """What is done to one file."""

    kind: str
    file: str
    is_cut: bool
    place: int
    """Of a bit, or the length that is left."""
    size: int

    def __str__(self) -> str:
        what = f"cut to {self.place}" if self.is_cut else f"bit {self.place % 8} of byte {self.at}"
        return f"{self.file}: {what} of {self.size}"

    @property
    def at(self) -> int:
        return self.place if self.is_cut else self.place // 8

    def __call__(self, folder: Path) -> None:
        path = folder / self.file
        data = bytearray(path.read_bytes())
        if self.is_cut:
            del data[self.place :]
        else:
            data[self.at] ^= 1 << self.place % 8
        path.write_bytes(data)


def kind_of(name: str) -> str:
    for kind, pattern in KINDS.items():
        if re.match(pattern, name) or (kind == "means nothing" and re.search(pattern, name)):
            return kind
    raise AssertionError(f"'{name}' is of no kind that is known: add it to KINDS")


def files(folder: Path) -> dict[str, list[str]]:
    """By kind, those that hold anything."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size:
            name = str(path.relative_to(folder))
            found.setdefault(kind_of(name), []).append(name)
    return found


def strike(folder: Path, chance: random.Random, cuts: float) -> Stroke:
    """Any kind of file is as likely as any other, and so is each of its files and bits."""
    found = files(folder)
    kind = chance.choice(sorted(found))
    file = chance.choice(found[kind])
    size = (folder / file).stat().st_size
    is_cut = chance.random() < cuts
    place = chance.randrange(size if is_cut else 8 * size)
    return Stroke(kind, file, is_cut, place, size)
