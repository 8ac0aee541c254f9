"""What the log's records carry: readings as columns, series and rejects as JSON lines."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import astuple, fields
from itertools import groupby, islice
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from gemel.core.batch import I64, NO_TEXT, Batch, Reject, join
from gemel.core.errors import Damaged
from gemel.core.series import SeriesKey
from gemel.history.files import Bytes

READINGS = struct.Struct("<IIBBHI")  # batches, rows, flags, the one quality, zeros
HAS_QUALITIES = 1
HAS_TEXT = 2
COPIED_BELOW = 8_192  # bytes: below it a copy is cheaper than a view
MOST_PATHS = 64
"""Of one line: so many names a damaged line costs at most."""
REJECT_FIELDS = tuple(field.name for field in fields(Reject))


def column_bytes(column: NDArray[Any]) -> Bytes:
    """The column's bytes as they lie in memory (little-endian)."""
    if column.nbytes < COPIED_BELOW:
        return column.tobytes()
    return np.ascontiguousarray(column).view(np.uint8).data


class Stack(NamedTuple):
    """Batches one under the other, so that many small ones cost little more than one.

    Shapes: received and rows are one entry a batch; the columns hold the readings of all.
    """

    received: I64
    rows: I64
    columns: Batch


def stack(batches: Sequence[Batch]) -> Stack:
    received = np.array([batch.received for batch in batches], np.int64)
    rows = np.array([len(batch) for batch in batches], np.int64)
    return Stack(received, rows, join(batches))


def unstack(found: Stack) -> Iterator[Batch]:
    """The batches again, as views of the columns."""
    whole = found.columns
    if len(found.rows) == 1:
        received = int(found.received[0])
        yield Batch(whole.series, whole.time, whole.value, whole.quality, received, whole.text)
        return
    texts: list[dict[int, str]] = [{} for _ in found.rows]
    ends = np.cumsum(found.rows)
    for row, one in whole.text.items():
        place = int(np.searchsorted(ends, row, "right"))
        texts[place][row - int(ends[place] - found.rows[place])] = one
    for received, end, rows, text in zip(found.received, ends, found.rows, texts, strict=True):
        part = slice(int(end - rows), int(end))
        yield Batch(
            whole.series[part],
            whole.time[part],
            whole.value[part],
            whole.quality[part],
            int(received),
            text or NO_TEXT,
        )


def encode_readings(readings: Stack) -> list[Bytes]:
    """The payload of a readings record."""
    columns = readings.columns
    rows = len(columns)
    first = int(columns.quality[0]) if rows else 0
    flags = 0
    pieces: list[Bytes] = [
        readings.received.tobytes(),
        readings.rows.tobytes(),
        column_bytes(np.asarray(columns.time, np.int64)),
        column_bytes(np.asarray(columns.value, np.float64)),
        column_bytes(np.asarray(columns.series, np.int32)),
    ]
    if rows and (columns.quality != first).any():
        flags |= HAS_QUALITIES
        pieces.append(column_bytes(np.asarray(columns.quality, np.uint8)))
    if columns.text:
        flags |= HAS_TEXT
        pieces.append(orjson.dumps([[int(row), text] for row, text in columns.text.items()]))
    return [READINGS.pack(len(readings.rows), rows, flags, first, 0, 0), *pieces]


def decode_readings(payload: memoryview) -> Stack:
    """What `encode_readings` was given; the columns lie in `payload`."""
    batches, rows, flags, first, _, _ = READINGS.unpack_from(payload)
    at = READINGS.size + batches * 16
    needed = at + rows * (21 if flags & HAS_QUALITIES else 20)
    if len(payload) < needed:
        raise Damaged(f"a readings record of {rows} rows has only {len(payload)} bytes")
    received = np.frombuffer(payload, "<i8", batches, READINGS.size)
    counts = np.frombuffer(payload, "<i8", batches, READINGS.size + batches * 8)
    time = np.frombuffer(payload, "<i8", rows, at)
    value = np.frombuffer(payload, "<f8", rows, at + rows * 8)
    series = np.frombuffer(payload, "<i4", rows, at + rows * 16)
    if flags & HAS_QUALITIES:
        quality = np.frombuffer(payload, "u1", rows, at + rows * 20)
    else:
        quality = np.full(rows, first, np.uint8)
    text = dict(orjson.loads(payload[needed:])) if flags & HAS_TEXT else NO_TEXT
    return Stack(received, counts, Batch(series, time, value, quality, 0, text))


def encode_series(first: int, keys: Sequence[SeriesKey]) -> list[Bytes]:
    """JSON lines that define the series numbered from `first`."""
    return [b"".join(line + b"\n" for line in series_lines(first, keys))]


def series_lines(first: int, keys: Sequence[SeriesKey]) -> Iterator[bytes]:
    """Definitions as ASCII JSON, which can hold whatever a Python string can.

    A line is of series of one twin that follow each other, so what repeats is said once.
    """
    for _, rows in groupby(enumerate(keys, first), lambda row: (row[1].twin, row[1].provenance)):
        while some := list(islice(rows, MOST_PATHS)):
            number, (twin, _, provenance) = some[0]
            paths = [key.path for _, key in some]
            row = {"n": number, "twin": twin, "paths": paths, "provenance": provenance}
            yield json.dumps(row, separators=(",", ":")).encode()


def parse_series_line(line: bytes) -> list[tuple[int, SeriesKey]]:
    """What a line defines; one of before has a single `path`."""
    row = json.loads(line)
    paths = row["paths"] if "paths" in row else [row["path"]]
    twin, provenance, first = row["twin"], row["provenance"], int(row["n"])
    return [(n, SeriesKey(twin, path, provenance)) for n, path in enumerate(paths, first)]


def decode_series(payload: Bytes) -> list[tuple[int, SeriesKey]]:
    return [one for line in bytes(payload).splitlines() for one in parse_series_line(line)]


def encode_rejects(rejects: Sequence[Reject]) -> bytes:
    """JSON lines, one for each reject."""
    return b"".join(_reject_line(reject) for reject in rejects)


def _reject_line(reject: Reject) -> bytes:
    row = dict(zip(REJECT_FIELDS, astuple(reject), strict=True))
    try:
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # lone surrogates in what was sent: kept as far as text can hold them
        clean = {
            name: item.encode("utf-8", "replace").decode() if isinstance(item, str) else item
            for name, item in row.items()
        }
        return orjson.dumps(clean, option=orjson.OPT_APPEND_NEWLINE)


def decode_rejects(payload: Bytes) -> list[Reject]:
    return [Reject(**orjson.loads(line)) for line in bytes(payload).splitlines()]
