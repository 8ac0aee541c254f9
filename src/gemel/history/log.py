"""The log's files: the one that is written, and reading back those that were."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from gemel.core.batch import Reject
from gemel.core.errors import Damaged
from gemel.core.series import SeriesKey
from gemel.history.damage import Damage, DamageList
from gemel.history.files import Bytes, Files, numbered
from gemel.history.payload import Stack, decode_readings, decode_rejects, decode_series
from gemel.history.record import (
    FILE_HEADER,
    Kind,
    Record,
    file_header,
    file_number,
    frame,
    scan,
)


def log_path(folder: Path, number: int) -> Path:
    return folder / f"{number:08d}.wal"


def log_numbers(folder: Path) -> list[int]:
    return [number for number, _ in numbered(folder, ".wal")]


class LogFile:
    """The log file that is being written."""

    def __init__(self, folder: Path, files: Files, number: int, sequence: int) -> None:
        self._files = files
        self.number = number
        self.sequence = sequence
        """Number of the next record."""
        self.first_sequence = sequence
        self.good = FILE_HEADER.size
        """Everything before this offset is durable."""
        path = log_path(folder, number)
        self._handle = files.create(path)
        try:
            files.write(self._handle, [file_header(number, sequence)])
            files.sync(self._handle)
            files.sync_folder(folder)
        except OSError:
            files.close(self._handle)
            files.remove(path)
            raise

    @property
    def is_empty(self) -> bool:
        return self.sequence == self.first_sequence

    def frame(self, kind: Kind, payload: Sequence[Bytes], ahead: int) -> list[Bytes]:
        """A record to be written `ahead` places after the last one."""
        return frame(kind, self.sequence + ahead, payload)

    def write(self, pieces: Sequence[Bytes]) -> int:
        return self._files.write(self._handle, pieces)

    def sync(self, written: int, records: int) -> None:
        self._files.sync(self._handle)
        self.good += written
        self.sequence += records

    def take_back(self) -> None:
        """Cuts off what was written after the last sync."""
        self._files.truncate(self._handle, self.good)

    def close(self) -> None:
        self._files.close(self._handle)


Entry = Stack | list[Reject] | list[tuple[int, SeriesKey]]


def read_log(
    folder: Path, number: int, files: Files, damage: DamageList
) -> Iterator[tuple[int, Entry]]:
    """(sequence, what the record holds) for every whole record; damage is added to the list."""
    path = log_path(folder, number)
    file = f"{folder.name}/{path.name}"
    data = files.read(path)
    own = file_number(data)
    if own is not None and own != number:
        damage.add(Damage(file, 0, FILE_HEADER.size, f"this is log file {own}, not {number}"))
    for found in scan(data, file):
        if isinstance(found, Damage):
            damage.add(found)
            continue
        try:
            entry = decode_record(found)
        except (Damaged, ValueError, KeyError, TypeError, struct.error) as error:
            what = f"record {found.sequence} cannot be read: {error}"
            damage.add(Damage(file, found.offset, len(found.payload), what))
            continue
        if entry is not None:
            yield found.sequence, entry


def decode_record(record: Record) -> Entry | None:
    if record.kind == Kind.READINGS:
        return decode_readings(record.payload)
    if record.kind == Kind.REJECTS:
        return decode_rejects(record.payload)
    if record.kind == Kind.SERIES:
        return decode_series(record.payload)
    return None
