"""Looks through the files of a history that nobody has open, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gemel.history.damage import Damage, DamageList
from gemel.history.files import Files
from gemel.history.log import log_numbers, log_path
from gemel.history.names import FILE
from gemel.history.opening import check_files, segment_paths
from gemel.history.rejects import Rejects
from gemel.history.rollfile import ROLLED
from gemel.history.segment import GONE, SEALED, open_segment

NO_LIMIT = 1 << 62
SUFFIXES = {
    "log": (".wal",),
    "segments": (SEALED, GONE, *ROLLED.values()),
    "rejects": (".jsonl.zst",),
    "checkpoints": (".ckpt",),
    "quarantine": ("",),
}
ALONE = frozenset({FILE, "lock", "ballast"})


def survey(folder: Path) -> list[Damage]:
    """Every place in a history's files that is not what was written."""
    files, damage = Files(), DamageList()
    if not folder.is_dir():
        return [Damage(".", 0, 0, f"the folder {folder} is missing; so are all readings")]
    check_files(folder, files, damage, NO_LIMIT)
    through = 0
    for first, last, path in segment_paths(folder / "segments"):
        if last <= through:
            continue  # merged into the one before, or gone; removed at the next opening
        if first != through + 1:
            what = f"the segments of log files {through + 1} to {first - 1} are missing"
            damage.add(Damage(f"segments/{path.name}", 0, 0, what))
        segment = open_segment(path, files, damage)
        segment.verify()
        for rolls in segment.rolls.values():
            rolls.verify()
        through = last
    for number in log_numbers(folder / "log"):
        if number > through:
            if number != through + 1:
                what = f"log files {through + 1} to {number - 1} are missing"
                name = log_path(folder / "log", number).name
                damage.add(Damage(f"log/{name}", 0, 0, what))
            through = number
    Rejects(folder / "rejects", files, damage, NO_LIMIT).verify()
    return list(damage)


def strays(folder: Path) -> Iterator[str]:
    """Names of files that no history has written, or that a crash has left half-written."""
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and entry.name in SUFFIXES:
            for path in sorted(entry.iterdir()):
                if not path.name.endswith(SUFFIXES[entry.name]):
                    yield f"{entry.name}/{path.name}"
        elif entry.name not in ALONE:
            yield entry.name
