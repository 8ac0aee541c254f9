"""Column codecs of sealed segments. Each column names its codec, so both can stand in one file."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, cast

import numpy as np
import zstandard
from numpy.typing import DTypeLike, NDArray
from pcodec import ChunkConfig, DeltaSpec, ModeSpec, standalone

from gemel.core.errors import Damaged
from gemel.history.scaled import beside, scaled, unscaled


class Codec(IntEnum):
    RAW = 0
    """The numbers as they are, little-endian."""
    CONSTANT = 1
    """One number that stands for all rows."""
    PCODEC = 2
    """A standalone pcodec file."""
    PLANES = 3
    """zstd over the byte planes of the differences (floats: of their bits)."""
    ZSTD = 4
    """zstd over the bytes as they are."""
    PIECES = 5
    """Several columns one behind the other, each with a codec of its own."""
    SCALED = 6
    """Whole numbers, with a codec of their own, that stand for multiples of a power of ten."""
    RUNS = 7
    """Each number once and how often it stands there, both with codecs of their own."""


PIECE_COUNT = struct.Struct("<I")
PIECE = struct.Struct("<IIB")  # rows, length, codec
WHOLE_TOGETHER = 16_384
RUNS_HEAD = struct.Struct("<IIBB")  # runs, length of the numbers, codec of both
ROWS_A_RUN = 4
"""On average, from which runs are shorter, and faster, than the column."""
LEAST_SCALED = 256
"""Rows of a column from which looking for its unit pays."""


def encode_numbers(
    column: NDArray[Any], *, codec: Codec, level: int, is_ordered: bool = False
) -> tuple[Codec, bytes]:
    """The smallest of constant, raw and `codec`; whole numbers in place of decimals.

    Args:
        column: int32, int64, float32 or float64.
        codec: PCODEC or PLANES, tried when the column is not constant.
        level: of pcodec (0 to 12); PLANES takes zstd's own level 3.
        is_ordered: mostly rising, so that first differences are known to pay.
    """
    return _encode(column, (len(column),), codec, level, is_ordered)


def encode_pieces(
    column: NDArray[Any], rows: Sequence[int], *, codec: Codec, level: int
) -> tuple[Codec, bytes]:
    """As `encode_numbers`, but numbers of different kinds apart.

    Args:
        column: as there.
        rows: of each piece.
        codec: as there.
        level: as there.
    """
    return _encode(column, rows, codec, level, False)


def encode_runs(
    column: NDArray[Any], changes: NDArray[np.bool_], *, codec: Codec, level: int
) -> tuple[Codec, bytes]:
    """As `encode_numbers`, but in runs of equal numbers where those are long.

    Args:
        column: mostly rising.
        changes: whether each number but the first differs from the one before.
        codec: as there.
        level: as there.
    """
    rows = len(column)
    if not rows // ROWS_A_RUN > np.count_nonzero(changes) > 0:
        return encode_numbers(column, codec=codec, level=level, is_ordered=True)
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1))
    counts = np.diff(starts, append=rows).astype(np.int32)
    first, numbers = encode_numbers(column[starts], codec=codec, level=level, is_ordered=True)
    second, often = encode_numbers(counts, codec=codec, level=level)
    return Codec.RUNS, RUNS_HEAD.pack(len(starts), len(numbers), first, second) + numbers + often


def _from_runs(data: bytes, rows: int, kind: np.dtype[Any]) -> NDArray[Any]:
    if len(data) < RUNS_HEAD.size:
        raise Damaged("the runs of a column are cut off")
    runs, length, first, second = RUNS_HEAD.unpack_from(data)
    if not 0 < runs <= rows or Codec.RUNS in (first, second):
        raise Damaged("a column has more runs than rows")
    end = RUNS_HEAD.size + length
    counts = decode(second, data[end:], runs, np.int32)
    if int(counts.min()) < 0 or int(counts.sum(dtype=np.int64)) != rows:
        raise Damaged("the runs of a column do not add up to its rows")
    return np.repeat(decode(first, data[RUNS_HEAD.size : end], runs, kind), counts)


def _encode(
    column: NDArray[Any], rows: Sequence[int], codec: Codec, level: int, is_ordered: bool
) -> tuple[Codec, bytes]:
    column = np.ascontiguousarray(column)
    if _is_constant(column):
        return Codec.CONSTANT, column[:1].tobytes()
    whole = scaled(column) if column.itemsize == 8 and len(column) >= LEAST_SCALED else None
    if whole is not None:
        some = _together(rows)
        kind, data = _encode(whole.whole, some, codec, level, is_ordered)
        return Codec.SCALED, whole.head(kind) + data
    if len(rows) > 1:
        return Codec.PIECES, _pack_pieces(column, rows, codec, level, is_ordered)
    if codec == Codec.PCODEC:
        delta = DeltaSpec.try_consecutive(1) if is_ordered else DeltaSpec.auto()
        mode = ModeSpec.classic() if column.dtype == np.int32 else ModeSpec.auto()
        config = ChunkConfig(compression_level=level, delta_spec=delta, mode_spec=mode)
        packed = cast(bytes, standalone.simple_compress(column, config))
    else:
        packed = _to_planes(column.view(f"<i{column.itemsize}"))
    raw = column.nbytes
    return (codec, packed) if len(packed) < raw else (Codec.RAW, column.tobytes())


def _together(rows: Sequence[int]) -> list[int]:
    """Small neighbouring pieces as one: whole numbers of a few series pack as well together."""
    some = [0]
    for count in rows:
        if some[-1] and (some[-1] + count > WHOLE_TOGETHER):
            some.append(0)
        some[-1] += count
    return some


def _is_constant(column: NDArray[Any]) -> bool:
    """Whether all bits are those of the first."""
    if not len(column):
        return False
    bits = column.view(f"<i{column.itemsize}")
    return bool(bits[-1] == bits[0] and (bits == bits[0]).all())


def _pack_pieces(
    column: NDArray[Any], rows: Sequence[int], codec: Codec, level: int, is_ordered: bool
) -> bytes:
    heads, packed, at = [PIECE_COUNT.pack(len(rows))], [], 0
    for count in rows:
        kind, data = _encode(column[at : at + count], (count,), codec, level, is_ordered)
        heads.append(PIECE.pack(count, len(data), kind))
        packed.append(data)
        at += count
    return b"".join(heads + packed)


def encode_octets(column: NDArray[np.uint8]) -> tuple[Codec, bytes]:
    """Qualities: nearly always one and the same, else in runs, which zstd makes short."""
    if len(column) and (column == column[0]).all():
        return Codec.CONSTANT, column[:1].tobytes()
    return Codec.ZSTD, compress(column.tobytes())


def decode(codec: int, data: bytes, rows: int, dtype: DTypeLike) -> NDArray[Any]:
    """The column that was encoded.

    Raises:
        Damaged: the bytes do not hold `rows` numbers of this type.
    """
    kind = np.dtype(dtype)
    try:
        column = _decode(codec, data, rows, kind)
    except ValueError as error:
        raise Damaged(f"a column is cut off: {error}") from error
    if column is None or column.dtype != kind or len(column) != rows:
        raise Damaged(f"a column does not hold {rows} numbers of type {kind}")
    return column


def _decode(codec: int, data: bytes, rows: int, kind: np.dtype[Any]) -> NDArray[Any] | None:
    if codec == Codec.RAW:
        return np.frombuffer(data, kind)
    if codec == Codec.CONSTANT:
        return np.broadcast_to(np.frombuffer(data, kind, 1), rows)
    if codec == Codec.PLANES:
        return _from_planes(decompress(data, rows * kind.itemsize), kind)
    if codec == Codec.ZSTD:
        return np.frombuffer(decompress(data, rows * kind.itemsize), kind)
    if codec == Codec.PCODEC:
        return _from_pcodec(data)
    own = {Codec.PIECES: _join_pieces, Codec.SCALED: _from_scaled, Codec.RUNS: _from_runs}
    if codec not in own:
        raise Damaged(f"codec {codec} is not known here", hint="a newer Gemel wrote this file")
    return own[Codec(codec)](data, rows, kind)


def _join_pieces(data: bytes, _: int, kind: np.dtype[Any]) -> NDArray[Any]:
    try:
        (count,) = PIECE_COUNT.unpack_from(data)
        heads = [PIECE.unpack_from(data, PIECE_COUNT.size + i * PIECE.size) for i in range(count)]
    except struct.error as error:
        raise Damaged(f"the pieces of a column cannot be told apart: {error}") from error
    at = PIECE_COUNT.size + count * PIECE.size
    pieces = []
    for rows, length, codec in heads:
        pieces.append(decode(codec, data[at : at + length], rows, kind))
        at += length
    return np.concatenate(pieces) if pieces else np.empty(0, kind)


def _from_pcodec(data: bytes) -> NDArray[Any]:
    try:
        return cast("NDArray[Any]", standalone.simple_decompress(data))
    except RuntimeError as error:
        raise Damaged(f"a pcodec column cannot be read: {error}") from error


def _from_scaled(data: bytes, rows: int, kind: np.dtype[Any]) -> NDArray[Any]:
    if kind.itemsize != 8:
        raise Damaged(f"a scaled column does not hold numbers of type {kind}")
    found, codec, rest = beside(data)
    return unscaled(found._replace(whole=decode(codec, rest, rows, np.int32)), kind)


def compress(data: bytes, *, checksum: bool = False) -> bytes:
    return zstandard.ZstdCompressor(level=3, write_checksum=checksum).compress(data)


def decompress(data: bytes, largest: int) -> bytes:
    """Raises Damaged when the bytes are not zstd or open up to more than `largest`."""
    try:
        size = zstandard.get_frame_parameters(data).content_size
        if size > largest:
            raise Damaged(f"a zstd frame holds {size} bytes, expected at most {largest}")
        return zstandard.ZstdDecompressor().decompress(data, max_output_size=largest)
    except zstandard.ZstdError as error:
        raise Damaged(f"a zstd frame cannot be read: {error}") from error


def _to_planes(bits: NDArray[Any]) -> bytes:
    differences = bits.copy()
    differences[1:] -= bits[:-1]  # wraps round, and so does the way back
    octets = differences.view(np.uint8).reshape(len(bits), bits.itemsize)
    return compress(octets.T.tobytes())


def _from_planes(data: bytes, kind: np.dtype[Any]) -> NDArray[Any]:
    octets = np.frombuffer(data, np.uint8).reshape(kind.itemsize, -1)
    whole = np.ascontiguousarray(octets.T).view(f"<i{kind.itemsize}").ravel()
    bits = np.cumsum(whole, dtype=whole.dtype)
    return bits.view(kind)
