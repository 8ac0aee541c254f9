"""Readings as one Parquet file, for DuckDB, pandas and whatever else reads that.

Sorted by series and time, written a row group at a time to wherever objects go, so neither memory
nor the disk here grow with the file.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gemel.core.batch import Columns
from gemel.core.errors import InvalidInput
from gemel.core.ports import Objects
from gemel.core.series import SeriesKey
from gemel.history import History

ROWS_A_GROUP = 262_144
FIELDS = ("twin", "property", "provenance", "time", "value", "text", "quality", "received")


def write_parquet(
    history: History, series: Sequence[int], start: int, end: int, objects: Objects, name: str
) -> Written:
    """Writes the readings of some series, bad ones too, under the final name or not at all.

    Args:
        history: where they are.
        series: their numbers, in the order of the file.
        start: ns since 1970 UTC.
        end: ns since 1970 UTC; not included.
        objects: where to.
        name: must not be there.

    Raises:
        InvalidInput: pyarrow is not installed.
        Conflict: there is such a file.
        Unavailable: it cannot be written.
    """
    pieces = _Pieces(history, series, start, end)
    size = objects.put(name, pieces, replace=False)
    return Written(pieces.rows, len(pieces.series), size)


@dataclass(frozen=True, slots=True)
class Written:
    readings: int
    series: int
    bytes: int


class _Pieces:
    """The bytes of a file, a row group at a time, and what is in them so far."""

    def __init__(self, history: History, series: Sequence[int], start: int, end: int) -> None:
        self._history, self._wanted = history, series
        self._span = start, end
        self._arrow, self._parquet = _modules()
        self.rows = 0
        self.series: set[int] = set()

    def __iter__(self) -> Iterator[bytes]:
        schema, sink = _schema(self._arrow), _Sink()
        with self._parquet.ParquetWriter(
            self._arrow.PythonFile(sink, "w"),
            schema,
            compression="zstd",
            use_dictionary=["twin", "property", "provenance", "text"],
            column_encoding={
                "time": "DELTA_BINARY_PACKED",
                "received": "DELTA_BINARY_PACKED",
                "value": "BYTE_STREAM_SPLIT",
            },
        ) as writer:
            for group in _groups(_pieces(self._history, self._wanted, *self._span)):
                tables = [
                    _table(self._arrow, schema, self._history.series.keys[number], piece)
                    for number, piece in group
                ]
                writer.write_table(self._arrow.concat_tables(tables).combine_chunks())
                self.rows += sum(len(piece) for _, piece in group)
                self.series.update(number for number, _ in group)
                yield sink.taken()
        yield sink.taken()


class _Sink(io.RawIOBase):
    """A file that is only written, and whose bytes are taken away meanwhile."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        self._bytes += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        return self._bytes

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _modules() -> tuple[Any, Any]:
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise InvalidInput(
            "writing Parquet needs pyarrow", hint="pip install 'gemel[parquet]'"
        ) from error


def _schema(arrow: Any) -> Any:
    name = arrow.dictionary(arrow.int32(), arrow.string())
    kinds = (
        name,
        name,
        name,
        arrow.timestamp("ns"),
        arrow.float64(),
        arrow.string(),
        arrow.uint8(),
        arrow.timestamp("ms"),
    )
    return arrow.schema(list(zip(FIELDS, kinds, strict=True)))


def _pieces(
    history: History, series: Sequence[int], start: int, end: int
) -> Iterator[tuple[int, Columns]]:
    for number in series:
        for piece in history.stream(number, start, end, bad=True):
            if len(piece):
                yield number, piece


def _groups(pieces: Iterator[tuple[int, Columns]]) -> Iterator[list[tuple[int, Columns]]]:
    """Small pieces together, so that a row group is worth its head."""
    group: list[tuple[int, Columns]] = []
    rows = 0
    for piece in pieces:
        group.append(piece)
        rows += len(piece[1])
        if rows >= ROWS_A_GROUP:
            yield group
            group, rows = [], 0
    if group:
        yield group


def _table(arrow: Any, schema: Any, key: SeriesKey, piece: Columns) -> Any:
    count = len(piece)
    text = np.full(count, None, object)
    for row, json in piece.text.items():
        text[row] = json
    is_text = np.zeros(count, bool)
    is_text[list(piece.text)] = True
    columns = [
        *(_one_name(arrow, name, count) for name in key),
        arrow.array(piece.time, arrow.timestamp("ns")),
        arrow.array(piece.value, mask=is_text),
        arrow.array(text, arrow.string()),
        arrow.array(piece.quality),
        arrow.array(piece.received // 1_000_000, arrow.timestamp("ms")),
    ]
    return arrow.Table.from_arrays(columns, schema=schema).unify_dictionaries()


def _one_name(arrow: Any, name: str, count: int) -> Any:
    places = arrow.array(np.zeros(count, np.int32))
    return arrow.DictionaryArray.from_arrays(places, arrow.array([name]))
