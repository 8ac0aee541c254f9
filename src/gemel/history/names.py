"""Which series each number stands for: lines of text with checksums, only ever appended."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from gemel.core.errors import Damaged
from gemel.core.series import SeriesKey, SeriesTable
from gemel.history.damage import Damage, DamageList
from gemel.history.files import Files
from gemel.history.payload import parse_series_line, series_lines

FILE = "series.jsonl"


def lost_key(number: int) -> SeriesKey:
    """Stands in for a series whose name was damaged, so that the numbers after it stay true."""
    return SeriesKey("lost-name", f"series-{number}", "unknown")


def define(table: SeriesTable, number: int, key: SeriesKey) -> None:
    """Gives a series the number it had before.

    Raises:
        Damaged: the number or the name is taken by another.
    """
    while len(table) < number:
        table.id(*lost_key(len(table)))
    if table.id(*key) != number or table.keys[number] != key:
        raise Damaged(
            f"series {number} is {tuple(key)} on disk and {tuple(table.keys[number])} in memory"
            if number < len(table)
            else f"series {tuple(key)} stands twice",
            hint="give History the empty SeriesTable of this folder",
        )


def lines(first: int, keys: Sequence[SeriesKey]) -> bytes:
    texts = series_lines(first, keys)
    return b"".join(b"%08x %b\n" % (zlib.crc32(text), text) for text in texts)


class Names:
    """The file `series.jsonl`: all series that are in sealed segments."""

    def __init__(self, folder: Path, files: Files) -> None:
        self._path = folder / FILE
        self._files = files
        self.count = 0
        """How many series are in the file."""
        self.bytes = 0

    def load(self, table: SeriesTable, damage: DamageList) -> None:
        """Defines every series of the file in `table`; those of damaged lines get stand-ins."""
        data = self._files.read(self._path) if self._path.exists() else b""
        for found in check_lines(data):
            damage.add(found)
        whole = at = 0
        for row in data.splitlines(keepends=True):
            at += len(row)
            for number, key in _parse(row):
                define(table, number, key)
                whole, self.count = at, number + 1
        self.bytes = whole
        if whole < len(data):
            self._cut(whole)

    def _cut(self, size: int) -> None:
        handle = self._files.append_to(self._path)
        try:
            self._files.truncate(handle, size)
            self._files.sync(handle)
        finally:
            self._files.close(handle)

    def append(self, table: SeriesTable, until: int) -> None:
        """Writes the series up to `until` that are not in the file yet; durable when it returns."""
        if until <= self.count:
            return
        is_new = not self._path.exists()
        handle = self._files.append_to(self._path)
        size = 0 if is_new else self._files.size(self._path)
        try:
            more = lines(self.count, table.keys[self.count : until])
            self._files.write(handle, [more])
            self._files.sync(handle)
        except OSError:
            self._files.truncate(handle, size)
            raise
        finally:
            self._files.close(handle)
        if is_new:
            self._files.sync_folder(self._path.parent)
        self.count, self.bytes = until, size + len(more)


def named_lines(data: bytes) -> Iterator[tuple[int, SeriesKey]]:
    """Number and name of every line that is what was written."""
    for row in data.splitlines(keepends=True):
        yield from _parse(row)


def check_lines(data: bytes) -> Iterator[Damage]:
    """Every line that is not what was written."""
    at = 0
    for row in data.splitlines(keepends=True):
        if not _parse(row):
            torn = at + len(row) == len(data)
            what = "names of series are damaged; their readings stand under 'lost-name'"
            yield Damage(FILE, at, len(row), what, is_torn_tail=torn)
        at += len(row)


def _parse(row: bytes) -> list[tuple[int, SeriesKey]]:
    """What a line defines; nothing if it is not what was written."""
    text = row[9:].rstrip(b"\n")
    try:
        if not row.endswith(b"\n") or int(row[:8], 16) != zlib.crc32(text):
            return []
        return parse_series_line(text)
    except (ValueError, KeyError, TypeError):
        return []
