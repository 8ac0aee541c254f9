"""Readings as one Parquet file, for DuckDB, pandas and whatever else reads that.

Sorted by series and time, written a piece at a time, so memory does not grow with the file.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gemel.core.batch import Columns
from gemel.core.errors import InvalidInput, Unavailable
from gemel.core.series import SeriesKey
from gemel.history import History

ROWS_A_GROUP = 262_144
TMP = ".tmp"
FIELDS = ("twin", "property", "provenance", "time", "value", "text", "quality", "received")


def write_parquet(
    history: History, series: Sequence[int], start: int, end: int, path: Path
) -> tuple[int, int]:
    """Writes the readings of some series, bad ones too, under the final name or not at all.

    Args:
        history: where they are.
        series: their numbers, in the order of the file.
        start: ns since 1970 UTC.
        end: ns since 1970 UTC; not included.
        path: must not exist.

    Returns:
        How many readings, of how many series.

    Raises:
        InvalidInput: there is such a file, or pyarrow is not installed.
        Unavailable: it cannot be written.
    """
    if path.exists():
        raise InvalidInput(f"there is a file {path} already", hint="name another")
    arrow, parquet = _modules()
    schema = _schema(arrow)
    scratch = path.with_name(path.name + TMP)
    rows = 0
    found: set[int] = set()
    try:
        with parquet.ParquetWriter(
            scratch,
            schema,
            compression="zstd",
            use_dictionary=["twin", "property", "provenance", "text"],
            column_encoding={
                "time": "DELTA_BINARY_PACKED",
                "received": "DELTA_BINARY_PACKED",
                "value": "BYTE_STREAM_SPLIT",
            },
        ) as writer:
            for group in _groups(_pieces(history, series, start, end)):
                tables = [
                    _table(arrow, schema, history.series.keys[number], piece)
                    for number, piece in group
                ]
                writer.write_table(arrow.concat_tables(tables).combine_chunks())
                rows += sum(len(piece) for _, piece in group)
                found.update(number for number, _ in group)
        scratch.rename(path)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error}", hint="look after it") from error
    finally:
        scratch.unlink(missing_ok=True)
    return rows, len(found)


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
