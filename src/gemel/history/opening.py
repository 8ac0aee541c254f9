"""Opening a folder: what is sealed, what is in the log, what was left behind by a crash."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from gemel.core.batch import Reject
from gemel.core.series import SeriesTable
from gemel.history.cache import Caches
from gemel.history.checkpoints import read_blobs
from gemel.history.damage import Damage, DamageList, reading
from gemel.history.files import Files, numbered
from gemel.history.log import log_numbers, log_path, read_log
from gemel.history.memory import Memory
from gemel.history.names import FILE, check_lines, define, lost_key
from gemel.history.payload import Stack
from gemel.history.record import FILE_HEADER, first_sequence
from gemel.history.rejects import Held
from gemel.history.rollfile import ROLLED, roll_paths
from gemel.history.segment import GONE, SEALED, Segment, open_segment
from gemel.history.view import View

FOLDERS = ("log", "segments", "checkpoints", "rejects")


def prepare(folder: Path, files: Files) -> int:
    """Makes the folders, keeps other processes out, removes half-written files."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = files.lock(folder / "lock")
    try:
        for name in FOLDERS:
            (folder / name).mkdir(exist_ok=True)
            for path in (folder / name).glob("*.tmp"):
                files.remove(path)
        files.sync_folder(folder)
    except OSError:
        files.close(lock)
        raise
    return lock


def load_segments(
    folder: Path,
    files: Files,
    damage: DamageList,
    caches: Caches,
) -> list[Segment]:
    """All segments in the order of the log, without those that were merged into larger ones."""
    found = segment_paths(folder)
    segments: list[Segment] = []
    through = 0
    for first, last, path in found:
        if last <= through:
            for one in (path, *roll_paths(path).values()):
                files.remove(one)
            continue
        if first != through + 1:
            what = f"the segments of log files {through + 1} to {first - 1} are missing"
            damage.add(Damage(f"{folder.name}/{path.name}", 0, 0, what))
        segments.append(open_segment(path, files, damage, caches))
        through = last
    known = {rolls.path for segment in segments for rolls in segment.rolls.values()}
    for suffix in ROLLED.values():
        for path in folder.glob("*" + suffix):
            if path not in known:  # its segment never got its name, or has gone
                files.remove(path)
    return segments


def segment_paths(folder: Path) -> list[tuple[int, int, Path]]:
    """(first, last log file, path): what covers others before them, what is gone before it."""
    found = []
    for path in (*folder.glob("*" + GONE), *folder.glob("*" + SEALED)):
        first, _, last = path.stem.partition("-")
        if first.isdigit() and last.isdigit():
            found.append((int(first), int(last), path))
    return sorted(found, key=lambda item: (item[0], -item[1]))  # stable: GONE stays first


class Loaded(NamedTuple):
    """What the log holds that no segment has."""

    logs: list[tuple[Memory, Held]]
    next_sequence: int


def load_logs(
    folder: Path, files: Files, damage: DamageList, table: SeriesTable, sealed_through: int
) -> Loaded:
    """Reads the unsealed log files; a last one without records is removed to be made anew."""
    numbers = [number for number in log_numbers(folder) if number > sealed_through]
    expected = sealed_through + 1
    logs: list[tuple[Memory, Held]] = []
    sequence = 0
    for number in numbers:
        path = log_path(folder, number)
        if number != expected:
            what = f"log files {expected} to {number - 1} are missing"
            damage.add(Damage(f"{folder.name}/{path.name}", 0, 0, what))
        expected = number + 1
        begins = first_sequence(files.read(path, 0, FILE_HEADER.size))
        if logs and begins is not None and begins > sequence:
            _end_is_missing(folder, number - 1, begins - sequence, damage)
        memory, rejects, last = _load_log(folder, number, files, damage, table)
        if last is None and number == numbers[-1] and not damage.touches(f"log/{path.name}"):
            files.remove(path)
            continue
        sequence = max(sequence, begins or 0, 0 if last is None else last + 1)
        logs.append((memory, rejects))
        _sync(path, files)
    return Loaded(logs, sequence)


def _sync(path: Path, files: Files) -> None:
    """What is served again was perhaps never synced before the crash."""
    handle = files.append_to(path)
    try:
        files.sync(handle)
    finally:
        files.close(handle)


def _load_log(
    folder: Path, number: int, files: Files, damage: DamageList, table: SeriesTable
) -> tuple[Memory, Held, int | None]:
    memory = Memory(number)
    rejects = Held()
    last = None
    for sequence, entry in read_log(folder, number, files, damage):
        last = sequence
        if isinstance(entry, Stack):
            memory.append(entry)
        elif entry and isinstance(entry[0], Reject):
            rejects.add(one for one in entry if isinstance(one, Reject))
        else:
            for item in entry:
                if not isinstance(item, Reject):
                    define(table, *item)
    return memory, rejects, last


def name_the_rest(table: SeriesTable, view: View) -> None:
    """Stand-ins for series that readings name but whose definition was lost with damage."""
    highest = [segment.highest_series for segment in view.segments]
    highest += [memory.highest_series for memory in view.memories]
    while len(table) <= max(highest, default=-1):
        table.id(*lost_key(len(table)))


def check_files(folder: Path, files: Files, damage: DamageList, written: int) -> None:
    """Reads log files (but the one being written), checkpoints and names afresh."""
    before = following = -1  # the file before, and the record that follows it
    for number in log_numbers(folder / "log"):
        if number >= written:
            break
        path = log_path(folder / "log", number)
        with reading(damage, f"log/{path.name}"):
            begins = first_sequence(files.read(path, 0, FILE_HEADER.size))
            if number != before + 1:
                following = 0
            elif begins is not None and begins > following:
                _end_is_missing(path.parent, before, begins - following, damage)
            following = max(following, begins or 0)
            for last, _ in read_log(path.parent, number, files, damage):
                following = max(following, last + 1)
            before = number
    for _, path in numbered(folder / "checkpoints", ".ckpt"):
        with reading(damage, f"checkpoints/{path.name}"):
            read_blobs(files.read(path), f"checkpoints/{path.name}", damage)
    with reading(damage, FILE):
        for found in check_lines(files.read(folder / FILE)):
            damage.add(found)


def _end_is_missing(folder: Path, number: int, records: int, damage: DamageList) -> None:
    what = f"{records} records at the end of log file {number} are missing"
    damage.add(Damage(f"{folder.name}/{log_path(folder, number).name}", -1, 0, what))
