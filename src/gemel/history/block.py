"""One block of a segment: up to 16,384 readings in order of (series, time), each column packed.

The block ends with a checksum over all of it and states its own length, so blocks can be found
again by walking the file when its index is lost.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import orjson

from gemel.core.batch import F64, I32, I64, U8
from gemel.core.errors import Damaged
from gemel.history.codec import (
    Codec,
    compress,
    decode,
    decompress,
    encode_numbers,
    encode_octets,
    encode_pieces,
    encode_runs,
)
from gemel.history.table import MILLISECOND, Table, text_codes, text_values

MAGIC = b"GmBk"
HEADER = struct.Struct("<4sIIII")  # magic, rows, parts, length of the block, crc32 of these 16
COLUMN = struct.Struct("<BBHI")  # column, codec, zero, length
SERIES, COUNT, TIME, VALUE, QUALITY, LAG, TEXT, RECEIVED = range(1, 9)
COLUMN_COUNT = 7  # LAG or RECEIVED, whichever changes less often
LARGEST_TEXT = 1 << 30
ROWS_APART = 1024
"""A series with so many rows in a block has its values packed apart from those of others."""


class Block(NamedTuple):
    """A decoded block; part i holds rows `starts[i]` to `starts[i + 1]` of `series[i]`."""

    series: I32
    starts: I64
    time: I64
    value: F64
    quality: U8
    received: I64
    texts: Sequence[str]

    def part(self, index: int, low: int = 0, high: int | None = None) -> Table:
        """Rows of one part, without copying them."""
        first, last = int(self.starts[index]), int(self.starts[index + 1])
        rows = slice(first + low, last if high is None else first + high)
        count = rows.stop - rows.start
        series = np.broadcast_to(self.series[index], count)
        return Table(
            series,
            self.time[rows],
            self.value[rows],
            self.quality[rows],
            self.received[rows],
            self.texts,
        )

    def table(self, first_part: int = 0, last_part: int | None = None) -> Table:
        """Rows of some parts with the series written out."""
        last_part = len(self.series) if last_part is None else last_part
        rows = slice(int(self.starts[first_part]), int(self.starts[last_part]))
        counts = np.diff(self.starts[first_part : last_part + 1])
        return Table(
            np.repeat(self.series[first_part:last_part], counts),
            self.time[rows],
            self.value[rows],
            self.quality[rows],
            self.received[rows],
            self.texts,
        )


def parts_of(series: I32) -> tuple[I32, I32]:
    """The series in a sorted column, and how many rows each has."""
    starts = np.concatenate(([0], np.flatnonzero(series[1:] != series[:-1]) + 1))
    counts = np.diff(np.append(starts, len(series))).astype(np.int32)
    return series[starts], counts


def pieces_of(counts: I32) -> list[int]:
    """Rows of each piece: parts of many rows alone, the small ones between them together."""
    is_large = counts >= ROWS_APART
    if len(counts) < 2 or not is_large.any():
        return [int(counts.sum())]
    is_border = np.ones(len(counts), bool)
    is_border[1:] = is_large[1:] | is_large[:-1]
    return [int(n) for n in np.add.reduceat(counts, np.flatnonzero(is_border))]


def encode_block(table: Table, codec: Codec, level: int) -> bytes:
    """The bytes of a block; `table` is sorted by (series, time) and not empty."""
    series, counts = parts_of(table.series)
    value, text = _own_texts(table)
    columns = (
        (SERIES, *encode_numbers(series, codec=codec, level=level, is_ordered=True)),
        (COUNT, *encode_numbers(counts, codec=codec, level=level)),
        (TIME, *encode_numbers(table.time, codec=codec, level=level, is_ordered=True)),
        (VALUE, *encode_pieces(value, pieces_of(counts), codec=codec, level=level)),
        (QUALITY, *encode_octets(table.quality)),
        _encode_received(table, codec, level),
        (TEXT, *text),
    )
    return pack(MAGIC, len(table), len(series), columns)


def pack(magic: bytes, rows: int, parts: int, columns: Sequence[tuple[int, Codec, bytes]]) -> bytes:
    """A header, the columns with theirs, and a checksum over it all."""
    length = HEADER.size + len(columns) * COLUMN.size + sum(len(c[2]) for c in columns) + 4
    head = HEADER.pack(magic, rows, parts, length, 0)[:-4]
    head += zlib.crc32(head).to_bytes(4, "little")
    for name, kind, data in columns:
        head += COLUMN.pack(name, kind, 0, len(data))
    whole = head + b"".join(data for _, _, data in columns)
    return whole + zlib.crc32(whole).to_bytes(4, "little")


def _encode_received(table: Table, codec: Codec, level: int) -> tuple[int, Codec, bytes]:
    """When it was received: as it is if many readings came together, else as lag behind time."""
    received = table.received
    lag = received - table.time // MILLISECOND
    changes = received[1:] != received[:-1]
    if np.count_nonzero(changes) * 2 < np.count_nonzero(lag[1:] != lag[:-1]):
        return RECEIVED, *encode_runs(received, changes, codec=codec, level=level)
    return LAG, *encode_numbers(lag, codec=codec, level=level)


def _own_texts(table: Table) -> tuple[F64, tuple[Codec, bytes]]:
    """Values whose texts are numbered inside this block, and those texts as JSON lines."""
    codes = text_codes(table.value) if len(table.texts) else None
    if codes is None:
        return table.value, (Codec.RAW, b"")
    rows = np.flatnonzero(codes >= 0)
    used, back = np.unique(codes[rows], return_inverse=True)
    value = table.value.copy()
    value[rows] = text_values(back)
    lines = b"".join(
        orjson.dumps(table.texts[int(code)], option=orjson.OPT_APPEND_NEWLINE) for code in used
    )
    return value, (Codec.ZSTD, compress(lines))


def header_of(data: bytes | memoryview, magic: bytes = MAGIC) -> tuple[int, int, int] | None:
    """(rows, parts, length) if a block's header stands at the start of `data`."""
    if len(data) < HEADER.size or data[:4] != magic:
        return None
    if zlib.crc32(data[:16]) != int.from_bytes(data[16:20], "little"):
        return None
    _, rows, parts, length, _ = HEADER.unpack(data[: HEADER.size])
    return rows, parts, length


def decode_block(data: bytes) -> Block:
    """The block in these bytes.

    Raises:
        Damaged: they are not what was written.
    """
    rows, parts, columns = unpack(data, MAGIC, COLUMN_COUNT)
    starts = starts_of(decode(*columns[COUNT], parts, np.int32), rows)
    time = decode(*columns[TIME], rows, np.int64)
    if LAG in columns:
        received = decode(*columns[LAG], rows, np.int64) + time // MILLISECOND
    else:
        received = decode(*columns[RECEIVED], rows, np.int64)
    return Block(
        decode(*columns[SERIES], parts, np.int32),
        starts,
        time,
        decode(*columns[VALUE], rows, np.float64),
        decode(*columns[QUALITY], rows, np.uint8),
        received,
        _texts(*columns[TEXT]),
    )


def unpack(data: bytes, magic: bytes, count: int) -> tuple[int, int, dict[int, tuple[int, bytes]]]:
    """(rows, parts, columns as codec and bytes) of what `pack` made.

    Raises:
        Damaged: they are not what was written.
    """
    head = header_of(data, magic)
    if head is None or head[2] != len(data):
        raise Damaged("no block starts here")
    if zlib.crc32(memoryview(data)[:-4]) != int.from_bytes(data[-4:], "little"):
        raise Damaged("the checksum of this block is wrong; its readings are lost")
    columns: dict[int, tuple[int, bytes]] = {}
    at = HEADER.size + count * COLUMN.size
    for i in range(count):
        name, codec, _, length = COLUMN.unpack_from(data, HEADER.size + i * COLUMN.size)
        columns[name] = (codec, data[at : at + length])
        at += length
    return head[0], head[1], columns


def starts_of(counts: I32, rows: int) -> I64:
    """Where each part begins, and the end of the last.

    Raises:
        Damaged: the parts are not as many rows.
    """
    starts = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))
    if int(starts[-1]) != rows:
        raise Damaged("the parts of this block do not add up to its rows")
    return starts


def _texts(codec: int, data: bytes) -> list[str]:
    if not data:
        return []
    lines = decompress(data, LARGEST_TEXT) if codec == Codec.ZSTD else data
    return [orjson.loads(line) for line in lines.splitlines()]
