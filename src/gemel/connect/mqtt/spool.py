"""A front's own log: what it has acknowledged and the main process has not taken over yet.

The format is docs/formats/spool.md. A folder is written by one process, read by another, and
deleted by the reader file by file; whoever may write holds the lock on it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from struct import Struct
from typing import NamedTuple
from zlib import crc32

FOLDER = "spool"
"""Below the data folder; it holds one folder for each life of a front."""
MAGIC = b"GMLSPL1\n"
FILE_BYTES = 32 << 20
LARGEST = 256 << 20
"""Bytes of the largest record that is believed."""
IDENTITY, PACKETS = 1, 2
TAKEN = "taken"
LOCK = "lock"
_MARK = b"GSPR"
_record = Struct("<4sIII")
_entry = Struct("<BIIq")
_taken = Struct("<QQI")
_BLANK = bytes(_taken.size)


class Place(NamedTuple):
    """Where a record ends or begins."""

    file: int
    offset: int


class Entry(NamedTuple):
    kind: int
    channel: int
    data: bytes
    received: int


class Record(NamedTuple):
    entries: list[Entry]
    begin: Place
    end: Place


@dataclass(frozen=True, slots=True)
class Hole:
    """Bytes of a file that are no record any more."""

    file: str
    offset: int
    length: int
    is_torn_tail: bool
    """It was being written when the process ended: nothing of it was acknowledged."""


def path_of(folder: Path, file: int) -> Path:
    return folder / f"{file:08}.log"


def entry(kind: int, channel: int, data: bytes, received: int) -> bytes:
    return _entry.pack(kind, channel, len(data), received) + data


class Writer:
    """Appends records; on one thread at a time.

    Raises:
        OSError: the folder cannot be made, or another process writes there.
    """

    def __init__(self, folder: Path, file_bytes: int = FILE_BYTES) -> None:
        self._folder = folder
        self._file_bytes = file_bytes
        self._lock = -1
        self._handle = -1
        self.place = Place(0, 0)
        """Where the next record begins."""
        self._make()

    def _make(self) -> None:
        """The folder and the lock in it, unless they are there."""
        path = self._folder / LOCK
        if self._lock >= 0 and _is_there(path, self._lock):
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _sync(self._folder.parent)
        except OSError:
            os.close(lock)
            raise
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = lock

    @property
    def is_full(self) -> bool:
        """Whether the next record belongs in a new file, and identities with it."""
        return self._handle < 0 or self.place.offset >= self._file_bytes

    def rotate(self) -> None:
        """Begins a new file; it is in its folder for good when this returns."""
        self._make()
        file = self.place.file + 1
        path = path_of(self._folder, file)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write(handle, [MAGIC], 0)
            os.fsync(handle)
            _sync(self._folder)
        except OSError:
            os.close(handle)
            with suppress(OSError):
                path.unlink()
            raise
        if self._handle >= 0:
            os.close(self._handle)
        self._handle, self.place = handle, Place(file, len(MAGIC))

    def append(self, entries: Sequence[bytes]) -> Place:
        """Writes one record durably; returns where it ends.

        Raises:
            OSError: nothing of it was written: what there may be is cut off again.
        """
        body = b"".join(entries)
        head = _record.pack(_MARK, len(body), crc32(body), _head_check(len(body)))
        file, offset = self.place
        try:
            size = _write(self._handle, [head, body], offset)
            os.fdatasync(self._handle)
        except OSError:
            os.ftruncate(self._handle, offset)
            raise
        path = path_of(self._folder, file)
        if not _is_there(path, self._handle):
            os.close(self._handle)
            self._handle = -1  # the next record begins a new file
            raise FileNotFoundError(errno.ENOENT, "it was deleted under the server", str(path))
        self.place = Place(file, offset + size)
        return self.place

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
        os.close(self._lock)


def _write(handle: int, parts: Sequence[bytes], offset: int) -> int:
    size = sum(map(len, parts))
    written = os.pwritev(handle, parts, offset)
    while written < size:  # a full disk tells itself with the next call
        rest = b"".join(parts)[written:]
        more = os.pwrite(handle, rest, offset + written)
        if not more:
            raise OSError(errno.ENOSPC, "nothing more is written")
        written += more
    return size


def _is_there(path: Path, handle: int) -> bool:
    """Whether an open file still has its name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Spool:
    """Reads a folder: what was written to it and not taken over; notes what was."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.holes: list[Hole] = []
        self._open = (0, -1)
        self._noted = -1
        self._first = 0
        """Files before it are deleted."""

    def files(self) -> list[int]:
        return sorted(int(p.stem) for p in self.folder.glob("*.log") if p.stem.isdecimal())

    def read(self, begin: Place, end: Place) -> Iterator[Record]:
        """The records between two places of one file.

        Damage in it becomes a `Hole`; reading goes on at the next whole record.
        """
        data = os.pread(self._handle(begin.file), end.offset - begin.offset, begin.offset)
        yield from self._records(begin.file, begin.offset, data)

    def rest(self, since: Place) -> Iterator[Record]:
        """All records from a place on, of all files."""
        for file in self.files():
            yield from self.records(file, since)

    def records(self, file: int, since: Place) -> Iterator[Record]:
        """The records of one file from a place on."""
        if file < since.file:
            return
        start = max(len(MAGIC), since.offset if file == since.file else 0)
        path = path_of(self.folder, file)
        with path.open("rb") as source:
            if source.read(len(MAGIC)) != MAGIC:
                size = path.stat().st_size
                if size > len(MAGIC):
                    self.holes.append(Hole(path.name, 0, len(MAGIC), False))
            source.seek(start)
            yield from self._records(file, start, source.read())

    def identities(self, before: Place) -> Iterator[Entry]:
        """Who the channels of a file are, as far as that stands before a place in it."""
        path = path_of(self.folder, before.file)
        if not path.exists():
            return
        with path.open("rb") as source:
            source.seek(len(MAGIC))
            data = source.read(max(0, before.offset - len(MAGIC)))
        holes = len(self.holes)
        for record in self._records(before.file, len(MAGIC), data):
            yield from (one for one in record.entries if one.kind == IDENTITY)
        del self.holes[holes:]  # what was lost there is not waited for

    def _records(self, file: int, offset: int, data: bytes) -> Iterator[Record]:
        at = 0
        while at < len(data):
            size = _whole(data, at)
            if not size:
                following = _next(data, at + 1)
                end = following or len(data)
                name = path_of(self.folder, file).name
                self.holes.append(Hole(name, offset + at, end - at, not following))
                at = end
                continue
            entries = list(_entries(data, at + _record.size, at + size))
            yield Record(entries, Place(file, offset + at), Place(file, offset + at + size))
            at += size

    def taken(self) -> Place:
        """Up to where all was taken over."""
        try:
            file, offset, check = _taken.unpack_from((self.folder / TAKEN).read_bytes() + _BLANK)
        except OSError:
            return _START
        return Place(file, offset) if check == _check(file, offset) else _START

    def lost_place(self) -> list[Hole]:
        """The note of what was taken over, if it is there and not what was written."""
        try:
            size = (self.folder / TAKEN).stat().st_size
        except OSError:
            return []
        return [Hole(TAKEN, 0, size, True)] if self.taken() == _START else []

    def missing(self, taken: Place) -> Hole | None:
        """What a file lacks of what was taken over from it: it was longer once."""
        path = path_of(self.folder, taken.file)
        length = taken.offset - path.stat().st_size
        return Hole(path.name, path.stat().st_size, length, False) if length > 0 else None

    def take(self, place: Place) -> None:
        """Notes that all before a place is kept elsewhere; deletes files that are done with.

        After `kill -9` nothing before it is read again; after a power cut a little may be.
        """
        if self._noted >= 0 and not _is_there(self.folder / TAKEN, self._noted):
            os.close(self._noted)
            self._noted = -1
        if self._noted < 0:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._noted = os.open(self.folder / TAKEN, flags, 0o600)
        os.pwrite(self._noted, _taken.pack(*place, _check(*place)), 0)
        if self._first < place.file:
            self._first = place.file
            for file in self.files():
                if file < place.file:
                    path_of(self.folder, file).unlink(missing_ok=True)

    def await_writer(self) -> bool:
        """Waits until the process that wrote here is gone: it ends with its server."""
        try:
            handle = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        finally:
            os.close(handle)
        return True

    def close(self) -> None:
        self._close_file()
        if self._noted >= 0:
            os.close(self._noted)
            self._noted = -1

    def delete(self) -> None:
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _handle(self, file: int) -> int:
        if self._open[0] != file:
            self._close_file()
            flags = os.O_RDONLY | os.O_CLOEXEC
            self._open = (file, os.open(path_of(self.folder, file), flags))
        return self._open[1]

    def _close_file(self) -> None:
        if self._open[1] >= 0:
            os.close(self._open[1])
        self._open = (0, -1)


_START = Place(0, 0)


def _check(file: int, offset: int) -> int:
    return crc32(b"%d %d" % (file, offset))


def _head_check(size: int) -> int:
    return crc32(_MARK + size.to_bytes(4, "little"))


def _whole(data: bytes, at: int) -> int:
    """The size of the record that stands whole at a place, with its head; 0 for none."""
    body = at + _record.size
    if body > len(data):
        return 0
    mark, size, check, head = _record.unpack_from(data, at)
    if mark != _MARK or size > LARGEST or head != _head_check(size):
        return 0
    if body + size > len(data) or crc32(memoryview(data)[body : body + size]) != check:
        return 0
    return int(_record.size + size)


def _next(data: bytes, at: int) -> int:
    """Where the next whole record begins; 0 if there is none."""
    while (at := data.find(_MARK, at)) >= 0:
        if _whole(data, at):
            return at
        at += 1
    return 0


def _entries(data: bytes, at: int, end: int) -> Iterator[Entry]:
    while at + _entry.size <= end:
        kind, channel, size, received = _entry.unpack_from(data, at)
        at += _entry.size
        yield Entry(kind, channel, data[at : at + size], received)
        at += size


def folders(data: Path) -> list[Path]:
    """The folders of a data folder's spool, oldest first."""
    root = data / FOLDER
    return sorted(p for p in root.glob("*") if p.is_dir() and p.name.isdecimal())


def survey(data: Path) -> Iterator[tuple[str, Hole]]:
    """What is damaged in the spool of a data folder, each with its file below that folder."""
    for folder in folders(data):
        for hole in survey_folder(folder):
            yield f"{FOLDER}/{folder.name}/{hole.file}", hole


def survey_folder(folder: Path) -> list[Hole]:
    """What is damaged in one folder; it may be taken over meanwhile.

    What was taken over already counts too, as it may say who sent what was not.
    """
    found = Spool(folder)
    since, newest = found.taken(), max(found.files(), default=0)
    holes = found.lost_place()
    for file in found.files():
        try:
            with suppress(FileNotFoundError):
                for _ in found.records(file, _START):
                    pass
                if file == since.file and (missing := found.missing(since)):
                    holes.append(missing)
        except OSError:
            found.holes.append(Hole(path_of(folder, file).name, 0, 0, False))
        for hole in found.holes:  # a new file is only begun when the one before is whole
            holes.append(hole if file >= newest else replace(hole, is_torn_tail=False))
        found.holes.clear()
    return holes


def copy(data: Path, place: Path) -> None:
    """Copies what was not taken over: before the history, so that nothing is in neither."""
    for folder in folders(data):
        target = place / FOLDER / folder.name
        target.mkdir(parents=True, mode=0o700)
        for path in sorted([*folder.glob("*.log"), folder / TAKEN]):
            with suppress(FileNotFoundError):
                shutil.copy2(path, target / path.name)
