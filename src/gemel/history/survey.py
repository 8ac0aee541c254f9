"""Looks through the files of a history that nobody has open, and changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from gemel.core.errors import Damaged
from gemel.core.series import SeriesTable
from gemel.history.damage import Damage, DamageList, reading
from gemel.history.files import Files
from gemel.history.log import log_numbers, log_path
from gemel.history.names import FILE, define, named_lines
from gemel.history.opening import check_files, segment_paths
from gemel.history.rejects import Rejects
from gemel.history.rollfile import ROLLED
from gemel.history.segment import GONE, SEALED, Segment, open_segment

NO_LIMIT = 1 << 62
SUFFIXES = {
    "log": (".wal",),
    "segments": (SEALED, GONE, *ROLLED.values()),
    "rejects": (".jsonl.zst",),
    "checkpoints": (".ckpt",),
    "quarantine": ("",),
}
NAME = re.compile(r"\d+(-\d+)?\.")
ALONE = frozenset({FILE, "lock", "ballast"})


def survey(folder: Path) -> list[Damage]:
    """Every place in a history's files that is not what was written."""
    files, damage = Files(), DamageList()
    if not folder.is_dir():
        return [Damage(".", 0, 0, f"the folder {folder} is missing; so are all readings")]
    check_files(folder, files, damage, NO_LIMIT)
    through = 0
    named = _series_named(folder, files, damage)
    for first, last, path in segment_paths(folder / "segments"):
        if last <= through:
            continue  # merged into the one before, or gone; removed at the next opening
        if first != through + 1:
            what = f"the segments of log files {through + 1} to {first - 1} are missing"
            damage.add(Damage(f"segments/{path.name}", 0, 0, what))
        with reading(damage, f"segments/{path.name}"):
            segment = open_segment(path, files, damage)
            _verify(segment, damage)
            if segment.highest_series >= named:
                what = f"the names of series {named} to {segment.highest_series} are missing"
                damage.add(Damage(FILE, -1, 0, what))
        through = last
    for number in log_numbers(folder / "log"):
        if number > through:
            if number != through + 1:
                what = f"log files {through + 1} to {number - 1} are missing"
                name = log_path(folder / "log", number).name
                damage.add(Damage(f"log/{name}", -1, 0, what))
            through = number
    Rejects(folder / "rejects", files, damage, NO_LIMIT).verify()
    return list(damage)


def _series_named(folder: Path, files: Files, damage: DamageList) -> int:
    """So many series have names: all that stand in segments do."""
    table = SeriesTable()
    with reading(damage, FILE):
        for number, key in named_lines(files.read(folder / FILE)):
            with suppress(Damaged):
                define(table, number, key)
    return len(table)


def _verify(segment: Segment, damage: DamageList) -> None:
    segment.verify()
    for width, rolls in segment.rolls.items():
        rolls.verify()
        if (rolls.index.time_min % width).any() or (rolls.index.time_max % width).any():
            damage.add(Damage(rolls.name, 0, 0, "its rows are not of its width"))


def strays(folder: Path) -> Iterator[str]:
    """Names of files that no history has written, or that a crash has left half-written."""
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and entry.name in SUFFIXES:
            for path in sorted(entry.iterdir()):
                is_named = entry.name == "quarantine" or NAME.match(path.name)
                if not is_named or not path.name.endswith(SUFFIXES[entry.name]):
                    yield f"{entry.name}/{path.name}"
        elif entry.name not in ALONE:
            yield entry.name
