"""A sealed segment: an immutable file of blocks in order of (series, time), with an index behind.

Blocks are read one at a time; only the index is kept in memory. When the index is damaged the
blocks are found by walking the file.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import I32, I64
from gemel.core.errors import Damaged
from gemel.history.block import (
    HEADER,
    MAGIC,
    Block,
    decode_block,
    encode_block,
    header_of,
    parts_of,
)
from gemel.history.cache import BlockCache
from gemel.history.codec import Codec, decode, encode_numbers
from gemel.history.damage import Damage, DamageList
from gemel.history.files import Files
from gemel.history.table import NO_ROWS, Table, concatenate

BLOCK_ROWS = 16_384
SEALED, GONE = ".seg", ".gone"
_OPENED = itertools.count()
VERSION = 1
FILE_HEADER = struct.Struct("<8sIIIQI")  # magic, version, first and last log, zero, crc32
INDEX_HEADER = struct.Struct("<4sII")  # magic, blocks, parts
INDEX_COLUMN = struct.Struct("<BBHI")  # column, codec, zero, length
FOOTER = struct.Struct("<8sQIQI")  # magic, index offset, index length, rows, crc32
FILE_MAGIC, INDEX_MAGIC, FOOTER_MAGIC = b"GEMELSEG", b"GmIx", b"GEMELEND"
FORM = (np.int64, np.int32, np.int32, np.int32, np.int64, np.int64, np.int32, np.int32)


class Index:
    """Where the readings of each series are.

    Shapes: offset, length, rows, parts, time_min, time_max are one entry a block; series and
    count one entry a part (a series inside a block), in the order of the blocks.
    """

    def __init__(self, columns: list[NDArray[np.int64]]) -> None:
        self.offset, self.length, self.rows, self.parts = columns[:4]
        self.time_min, self.time_max = columns[4:6]
        self.series: I32 = columns[6].astype(np.int32)
        self.count: I32 = columns[7].astype(np.int32)
        self.first_part: I64 = np.concatenate(([0], np.cumsum(self.parts, dtype=np.int64)))
        self.block = np.repeat(np.arange(len(self.parts)), self.parts)

    def columns(self) -> list[NDArray[Any]]:
        return [
            self.offset,
            self.length,
            self.rows,
            self.parts,
            self.time_min,
            self.time_max,
            self.series,
            self.count,
        ]

    def parts_of(self, series: int) -> tuple[int, int]:
        """First and last + 1 of the parts of a series."""
        first, last = np.searchsorted(self.series, np.array((series, series + 1), np.int32))
        return int(first), int(last)


class Entry(NamedTuple):
    """What the index tells of one block."""

    offset: int
    length: int
    rows: int
    time_min: int
    time_max: int
    series: I32
    counts: I32


def entry(offset: int, length: int, table: Table) -> Entry:
    low, high = int(table.time.min()), int(table.time.max())
    return Entry(offset, length, len(table), low, high, *parts_of(table.series))


def make_index(entries: list[Entry]) -> Index:
    numbers = [(e.offset, e.length, e.rows, len(e.series), e.time_min, e.time_max) for e in entries]
    by_block = np.array(numbers, np.int64).reshape(-1, 6)
    nothing = [np.empty(0, np.int32)]
    series = np.concatenate([e.series for e in entries] or nothing).astype(np.int64)
    counts = np.concatenate([e.counts for e in entries] or nothing).astype(np.int64)
    return Index([*by_block.T, series, counts])


def encode_index(index: Index, offset: int) -> bytes:
    """Index and footer, to stand at `offset`."""
    packed = [
        encode_numbers(column.astype(form), codec=Codec.PCODEC, level=8)
        if len(column)
        else (Codec.RAW, b"")
        for column, form in zip(index.columns(), FORM, strict=True)
    ]
    head = INDEX_HEADER.pack(INDEX_MAGIC, len(index.parts), len(index.series))
    for name, (codec, data) in enumerate(packed, 1):
        head += INDEX_COLUMN.pack(name, codec, 0, len(data))
    body = head + b"".join(data for _, data in packed)
    body += zlib.crc32(body).to_bytes(4, "little")
    foot = FOOTER.pack(FOOTER_MAGIC, offset, len(body), int(index.rows.sum()), 0)[:-4]
    return body + foot + zlib.crc32(foot).to_bytes(4, "little")


def decode_index(data: bytes) -> Index:
    """Raises Damaged when these bytes are no index."""
    if len(data) < INDEX_HEADER.size + 4 or data[:4] != INDEX_MAGIC:
        raise Damaged("no index stands here")
    if zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise Damaged("the checksum of the index is wrong")
    _, blocks, parts = INDEX_HEADER.unpack_from(data)
    at = INDEX_HEADER.size + len(FORM) * INDEX_COLUMN.size
    columns = []
    for i, form in enumerate(FORM):
        _, codec, _, length = INDEX_COLUMN.unpack_from(
            data, INDEX_HEADER.size + i * INDEX_COLUMN.size
        )
        rows = blocks if i < 6 else parts
        columns.append(decode(codec, data[at : at + length], rows, form))
        at += length
    return Index(columns)


def write_segment(
    files: Files,
    folder: Path,
    logs: tuple[int, int],
    tables: Iterable[Table],
    *,
    codec: Codec = Codec.PCODEC,
    level: int = 6,
    suffix: str = SEALED,
) -> Path:
    """Seals readings into `folder` under their final name, durably, or leaves nothing behind.

    Args:
        files: the disk.
        folder: where segments lie.
        logs: first and last log file whose readings these are.
        tables: sorted by (series, time), each going on where the one before ended.
        codec: of times, values and lags.
        level: of pcodec.
        suffix: of the name: SEALED, or GONE, which takes the place of the other.
    """
    path = folder / f"{logs[0]:08d}-{logs[1]:08d}{suffix}"
    scratch = path.with_name(path.name + ".tmp")
    handle = files.create(scratch)
    try:
        head = FILE_HEADER.pack(FILE_MAGIC, VERSION, *logs, 0, 0)[:-4]
        at = files.write(handle, [head + zlib.crc32(head).to_bytes(4, "little")])
        entries: list[Entry] = []
        for table in _blocks(tables):
            data = encode_block(table, codec, level)
            files.write(handle, [data])
            entries.append(entry(at, len(data), table))
            at += len(data)
        files.write(handle, [encode_index(make_index(entries), at)])
        files.sync(handle)
    except BaseException:
        files.close(handle)
        files.remove(scratch)
        raise
    files.close(handle)
    files.rename(scratch, path)
    files.sync_folder(folder)
    return path


def _blocks(tables: Iterable[Table]) -> Iterator[Table]:
    """Cuts a stream of rows into blocks of BLOCK_ROWS; the last may be shorter."""
    rest = NO_ROWS
    for table in tables:
        rest = concatenate([rest, table])
        full = len(rest) - len(rest) % BLOCK_ROWS
        for first in range(0, full, BLOCK_ROWS):
            yield rest.take(slice(first, first + BLOCK_ROWS))
        rest = rest.take(slice(full, len(rest)))
    if len(rest):
        yield rest


class Segment:
    """One sealed file; reads from any thread."""

    def __init__(
        self, path: Path, files: Files, damage: DamageList, cache: BlockCache | None = None
    ) -> None:
        self.path = path
        self.name = f"{path.parent.name}/{path.name}"
        self._key = f"{self.name} {next(_OPENED)}"  # a name may come back with other content
        self.first_log, self.last_log = (int(part) for part in path.stem.split("-"))
        self._files = files
        self._damage = damage
        self._cache = cache if cache is not None else BlockCache(0)
        self._identity = files.identity(path)
        self.bytes = files.size(path)
        self._foot = self._read_foot()
        self._lost: set[int] = set()
        self.index = self._load()
        self.rows = int(self.index.rows.sum())
        self.time_min = int(self.index.time_min.min()) if len(self.index.rows) else 0
        self.time_max = int(self.index.time_max.max()) if len(self.index.rows) else -1
        self.highest_series = int(self.index.series.max()) if len(self.index.series) else -1

    def _load(self) -> Index:
        head = self._files.read(self.path, 0, FILE_HEADER.size)
        expected = FILE_HEADER.pack(FILE_MAGIC, VERSION, self.first_log, self.last_log, 0, 0)[:-4]
        if head != expected + zlib.crc32(expected).to_bytes(4, "little"):
            self._report(0, FILE_HEADER.size, "the file header is damaged; nothing is lost by it")
        at = max(0, self.bytes - FOOTER.size)
        foot = self._files.read(self.path, at, FOOTER.size)
        whole = len(foot) == FOOTER.size and zlib.crc32(foot[:-4]) == int.from_bytes(
            foot[-4:], "little"
        )
        if not whole or foot[:8] != FOOTER_MAGIC:
            self._report(at, len(foot), "the footer is damaged; the blocks were found without it")
            return self._walk()
        _, offset, length, _, _ = FOOTER.unpack(foot)
        try:
            return decode_index(self._files.read(self.path, offset, length))
        except Damaged as error:
            self._report(offset, length, f"{error.message}; the blocks were found without it")
            return self._walk()

    def _walk(self) -> Index:
        """Finds the blocks without an index."""
        data = self._files.read(self.path)
        entries: list[Entry] = []
        at = FILE_HEADER.size
        while at < len(data):
            head = header_of(memoryview(data)[at : at + HEADER.size])
            if head is None:
                found = data.find(MAGIC, at + 1)
                end = found if found >= 0 else len(data)
                if data[at : at + 4] != INDEX_MAGIC:
                    self._report(at, end - at, "no block starts here; what stood here is lost")
                at = end
                continue
            length = head[2]
            try:
                entries.append(entry(at, length, decode_block(data[at : at + length]).table()))
            except Damaged as error:
                self._report(at, length, error.message)
            at += length
        return make_index(entries)

    def _report(self, offset: int, length: int, what: str) -> None:
        self._damage.add(Damage(self.name, offset, length, what))

    def block(self, number: int) -> Block | None:
        """A block's readings, or None (and the damage is named) if they are not what was written.

        Raises:
            FileNotFoundError: the file is gone, merged into a larger one.
        """
        if number in self._lost:
            return None
        cached = self._cache.get((self._key, number))
        if cached is not None:
            return cached
        offset, length = int(self.index.offset[number]), int(self.index.length[number])
        try:
            data = self._files.read(self.path, offset, length)
            if self._is_another():
                raise FileNotFoundError(self.path)
            block = decode_block(data)
            self._agree(number, block)
        except FileNotFoundError:
            raise
        except (Damaged, OSError) as error:
            self._lost.add(number)
            what = error.message if isinstance(error, Damaged) else f"cannot be read: {error}"
            self._report(offset, length, f"{what} ({self._contents(number)})")
            return None
        self._cache.put((self._key, number), block, len(block.time))
        return block

    def _read_foot(self) -> bytes:
        return self._files.read(self.path, max(0, self.bytes - FOOTER.size), FOOTER.size)

    def _is_another(self) -> bool:
        """Whether the file was rewritten twice since, and so is there under its name of before."""
        changed = self._files.identity(self.path) != self._identity
        return changed and self._read_foot() != self._foot

    def _agree(self, number: int, block: Block) -> None:
        first, last = self.index.first_part[number : number + 2]
        same = len(block.series) == last - first and np.array_equal(
            block.series, self.index.series[first:last]
        )
        if not same or len(block.time) != self.index.rows[number]:
            raise Damaged("this block is not the one that the index tells of")

    def _contents(self, number: int) -> str:
        index = self.index
        first, last = int(index.first_part[number]), int(index.first_part[number + 1])
        return (
            f"{index.rows[number]} readings of series {index.series[first]} to "
            f"{index.series[last - 1]}, times {index.time_min[number]} to {index.time_max[number]}"
        )

    def find(self, series: int, start: int, end: int) -> list[Table]:
        """Parts of one series with start <= time < end, in order of time."""
        if series > self.highest_series or end <= self.time_min or start > self.time_max:
            return []
        index = self.index
        first, last = index.parts_of(series)
        found = []
        for part in range(first, last):
            number = int(index.block[part])
            if end <= index.time_min[number] or start > index.time_max[number]:
                continue
            block = self.block(number)
            if block is None:
                continue
            place = part - int(index.first_part[number])
            rows = slice(int(block.starts[place]), int(block.starts[place + 1]))
            low, high = np.searchsorted(block.time[rows], (start, end))
            if low < high:
                found.append(block.part(place, int(low), int(high)))
        return found

    def newest(self, series: int, at: int) -> int | None:
        """The latest time <= `at` of a series; None if there is none."""
        index = self.index
        first, last = index.parts_of(series) if series <= self.highest_series else (0, 0)
        for part in range(last - 1, first - 1, -1):
            number = int(index.block[part])
            if index.time_min[number] > at or (block := self.block(number)) is None:
                continue
            place = part - int(index.first_part[number])
            time = block.time[int(block.starts[place]) : int(block.starts[place + 1])]
            count = int(np.searchsorted(time, at, "right"))
            if count:
                return int(time[count - 1])
        return None

    def tables(self, first_series: int, end_series: int) -> list[Table]:
        """All rows of the series in a range, in order.

        Raises:
            Damaged: a block of them is lost.
        """
        index = self.index
        wanted = np.array((first_series, end_series), np.int32)
        first, last = (int(n) for n in np.searchsorted(index.series, wanted))
        found = []
        for number in dict.fromkeys(index.block[first:last].tolist()):
            block = self.block(number)
            if block is None:
                raise Damaged(f"block {number} of {self.name} is lost")
            start = int(index.first_part[number])
            stop = int(index.first_part[number + 1])
            found.append(block.table(max(first, start) - start, min(last, stop) - start))
        return found

    def block_times(self, series: int) -> I64:
        """The earliest time of each block that holds a series."""
        first, last = self.index.parts_of(series)
        return self.index.time_min[self.index.block[first:last]]

    def rows_of(self, series: int, start: int, end: int) -> int:
        """At most this many rows lie in a span: whole blocks are counted."""
        if series > self.highest_series or end <= self.time_min or start > self.time_max:
            return 0
        first, last = self.index.parts_of(series)
        block = self.index.block[first:last]
        near = (self.index.time_min[block] < end) & (self.index.time_max[block] >= start)
        return int(self.index.count[first:last][near].sum())

    def is_half_before(self, time: int) -> bool:
        """Whether half of the readings, counted by the middle of their blocks, are older."""
        if self.time_max < time:
            return True
        index = self.index
        middle = index.time_min // 2 + index.time_max // 2
        return bool(int(index.rows[middle < time].sum()) * 2 >= max(1, self.rows))

    @property
    def is_damaged(self) -> bool:
        return self._damage.touches(self.name)

    def raise_if_damaged(self) -> None:
        if self._lost:
            raise Damaged(f"block {min(self._lost)} of {self.name} is lost")

    def verify(self) -> None:
        """Reads every block afresh, so that all damage is named."""
        for number in range(len(self.index.rows)):
            self._lost.discard(number)
            self._cache.drop((self._key, number))
            self.block(number)
