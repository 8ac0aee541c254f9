"""An evenly spaced column as few bytes, from which each value is rebuilt within a bound.

One part of the bound goes to the straight lines of a swinging door, the rest to rounding their
ends to a grid: a coarser grid costs some points more and saves bytes of each. Which is shorter
hangs on the signal, so some shares are tried. What is written is the gaps between ends and the
steps from one to the next, bytes of one significance side by side, each deflated.
The form of the bytes: docs/formats/coded-columns.md.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.errors import InvalidInput
from gemel.core.reduction import swinging_door

HEAD = struct.Struct("<4sdqIBBI")
"""Mark and version; the grid; the first end, in grids; how many ends; bytes of a gap, of a step, of
all gaps deflated."""
SUM = struct.Struct("<I")
"""CRC-32 of all before it."""
MARK = b"GCC1"
AGAIN = "ask for it again"
WIDTHS = (1, 2, 4, 8)
SHARES = (0.25, 0.5, 0.75, 0.9)
"""Of the bound, for the lines."""
TRIED = 2048
"""Values, the first ones, by which the share is chosen."""
MOST_ROWS = 1 << 26
"""Of one column: what damaged or hostile bytes may make of memory."""
LARGEST = 2.0**52
"""Multiples of the bound that a value may have: beyond, a double does not tell them apart."""


def coded(value: F64, bound: float) -> bytes:
    """Bytes that `decoded` makes a column of, nowhere further than `bound` from this one.

    Cost: some numpy calls for each end that is kept; for the first `TRIED` values five times.

    Raises:
        InvalidInput: a value is not finite, or the bound is not above 0 or too small for them.
    """
    if not 0 < bound < np.inf:
        raise InvalidInput(f"bound: {bound}", hint="above 0, in the unit of the values")
    if len(value) > MOST_ROWS:
        raise InvalidInput(f"{len(value)} values", hint=f"at most {MOST_ROWS} in one column")
    tried = {share: _coded(value[:TRIED], bound, share) for share in SHARES}
    share = min(tried, key=lambda one: len(tried[one]))
    return tried[share] if len(value) <= TRIED else _coded(value, bound, share)


def _coded(value: F64, bound: float, share: float) -> bytes:
    rows = swinging_door(np.arange(len(value), dtype=np.int64), value, bound * share)
    grid = 2 * bound * (1 - share)
    ends = value[rows] / grid
    if len(ends) and not np.abs(ends).max() < LARGEST:
        raise InvalidInput(
            f"bound: {bound:g} is nothing beside a value of {np.abs(value).max():g}",
            hint="take a larger bound, or keep the readings as they are",
        )
    levels = np.rint(ends).astype(np.int64)
    (gap, gaps), (step, steps) = _planes(np.diff(rows).astype(np.int64)), _planes(np.diff(levels))
    begin = int(levels[0]) if len(levels) else 0
    body = HEAD.pack(MARK, grid, begin, len(rows), gap, step, len(gaps)) + gaps + steps
    return body + SUM.pack(zlib.crc32(body))


def decoded(data: bytes, most: int = MOST_ROWS) -> F64:
    """The column that `coded` was given, within its bound.

    Raises:
        InvalidInput: these are not such bytes, they are damaged, or they are of more than `most`
            values; that is known before so many are made.
    """
    most = min(most, MOST_ROWS)
    try:
        mark, grid, begin, count, gap, step, first = HEAD.unpack_from(data)
        if mark != MARK or gap not in WIDTHS or step not in WIDTHS or not 0 < grid < np.inf:
            raise InvalidInput("not a coded column", hint="bytes that begin with GCC1")
        if count > most:
            raise InvalidInput(f"a coded column of {count} ends", hint=f"at most {most} values")
        body = data[: -SUM.size]
        if SUM.unpack_from(data, len(body)) != (zlib.crc32(body),):
            raise InvalidInput("a coded column is damaged: its checksum is another", hint=AGAIN)
        cut = HEAD.size + first
        gaps = _numbers(body[HEAD.size : cut], max(count - 1, 0), gap)
        steps = _numbers(body[cut:], max(count - 1, 0), step)
    except (struct.error, zlib.error) as error:
        raise InvalidInput(f"a coded column is damaged: {error}", hint=AGAIN) from error
    if not count:
        return np.empty(0)
    if not ((gaps >= 1) & (gaps < MOST_ROWS)).all():
        raise InvalidInput("a coded column is damaged: its ends are out of order", hint=AGAIN)
    rows = np.concatenate(([0], np.cumsum(gaps)))
    if rows[-1] >= most:
        raise InvalidInput(f"a coded column of {rows[-1] + 1} values", hint=f"at most {most}")
    levels = begin + np.concatenate(([0], np.cumsum(steps)))
    found: F64 = np.interp(np.arange(rows[-1] + 1), rows, levels * grid)
    return found


def _planes(numbers: I64) -> tuple[int, bytes]:
    """(bytes of a number, the deflated bytes by significance)."""
    largest = int(np.abs(numbers).max()) if len(numbers) else 0
    width = next(w for w in WIDTHS if largest < 1 << (8 * w - 1))
    narrow = np.ascontiguousarray(numbers.astype(f"<i{width}"))
    planes = np.ascontiguousarray(narrow.view(np.uint8).reshape(-1, width).T)
    return width, _deflated(planes.tobytes())


def _deflated(data: bytes) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(data) + deflate.flush()


def _numbers(data: bytes, count: int, width: int) -> I64:
    """What `_planes` made bytes of; no more is inflated than that can be."""
    inflate = zlib.decompressobj(-15)
    planes = inflate.decompress(data, count * width + 1)
    if len(planes) != count * width or not inflate.eof:
        raise InvalidInput(f"a coded column is damaged: it has not {count + 1} ends", hint=AGAIN)
    table = np.ascontiguousarray(np.frombuffer(planes, np.uint8).reshape(width, count).T)
    return table.view(f"<i{width}").ravel().astype(np.int64)
