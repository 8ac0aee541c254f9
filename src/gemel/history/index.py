"""The index behind the blocks of a segment: where the rows of each series are."""

from __future__ import annotations

import struct
import zlib
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import I32, I64
from gemel.core.errors import Damaged
from gemel.history.block import parts_of
from gemel.history.codec import Codec, decode, encode_numbers

INDEX_HEADER = struct.Struct("<4sII")  # magic, blocks, parts
INDEX_COLUMN = struct.Struct("<BBHI")  # column, codec, zero, length
FOOTER = struct.Struct("<8sQIQI")  # magic, index offset, index length, rows, crc32
INDEX_MAGIC, FOOTER_MAGIC = b"GmIx", b"GEMELEND"
FORM = (np.int64, np.int32, np.int32, np.int32, np.int64, np.int64, np.int32, np.int32)

Places: TypeAlias = NDArray[np.intp]


class Index:
    """Where the readings of each series are.

    Shapes: offset, length, rows, parts, time_min, time_max are one entry a block; series and
    count one entry a part (a series inside a block), in the order of the blocks.
    """

    def __init__(self, columns: list[NDArray[np.int64]]) -> None:
        self.offset, self.length, self.rows, self.parts = columns[:4]
        self.time_min, self.time_max = columns[4:6]
        self.series: I32 = columns[6].astype(np.int32)
        is_short = len(columns[7]) == 0 or int(columns[7].max()) < 1 << 16
        self.count = columns[7].astype(np.uint16 if is_short else np.int32)
        self.first_part: I64 = np.concatenate(([0], np.cumsum(self.parts, dtype=np.int64)))

    @property
    def bytes(self) -> int:
        """In memory."""
        return sum(int(column.nbytes) for column in [*self.columns(), self.first_part])

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

    def blocks_of(self, parts: Places) -> Places:
        """The blocks that hold parts."""
        if len(parts) < len(self.parts):
            return np.searchsorted(self.first_part, parts, "right") - 1
        return np.repeat(np.arange(len(self.parts)), self.parts)[parts]

    def block_of(self, part: int) -> int:
        """The block that holds a part."""
        return int(np.searchsorted(self.first_part, part, "right")) - 1

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


class Rows(Protocol):
    """What a block holds, as far as its index asks."""

    @property
    def series(self) -> I32: ...
    @property
    def time(self) -> I64: ...


def entry(offset: int, length: int, table: Rows) -> Entry:
    low, high = int(table.time.min()), int(table.time.max())
    return Entry(offset, length, len(table.series), low, high, *parts_of(table.series))


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
