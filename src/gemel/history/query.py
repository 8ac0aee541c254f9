"""Answers from sorted parts: one series in order, the pixel-exact outline, and buckets of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import I64, NO_TEXT, Columns
from gemel.core.errors import InvalidInput
from gemel.core.quality import Quality
from gemel.history.rollup import Rolls, aggregate, coarsened
from gemel.history.table import (
    Table,
    concatenate,
    latest_versions,
    sort,
    to_columns,
    without_duplicates,
)

Buckets: TypeAlias = dict[str, NDArray[Any]]
TEXTS_A_PIXEL = 16
AGGREGATES = ("avg", "min", "max", "sum", "count", "first", "last", "sd")


def merge(
    parts: Sequence[Table], *, bad: bool, is_revised: bool = False, versions: bool = False
) -> Columns:
    """One series in order of time, copies counted once.

    Args:
        parts: of the series, in the order of arrival.
        bad: whether readings of bad quality are wanted.
        is_revised: a later value for a time takes the place of an earlier one.
        versions: whether earlier ones are wanted nevertheless.
    """
    table = sort(concatenate(parts))
    if is_revised and not versions:
        table = latest_versions(table)
    else:
        table = without_duplicates(table, table.series[:1].tolist() if is_revised else ())
    if not bad:
        good = table.quality < Quality.BAD
        if not good.all():
            table = table.take(good)
    return to_columns(table)


def take(columns: Columns, rows: NDArray[np.intp] | slice) -> Columns:
    """The given rows, in the given order."""
    text = NO_TEXT
    if columns.text:
        places = np.arange(len(columns))[rows]
        text = {i: columns.text[int(r)] for i, r in enumerate(places) if int(r) in columns.text}
    return Columns(
        columns.time[rows],
        columns.value[rows],
        columns.quality[rows],
        columns.received[rows],
        text,
    )


def join(pieces: Sequence[Columns]) -> Columns:
    """Pieces that follow each other in time."""
    if len(pieces) == 1:
        return pieces[0]
    text: dict[int, str] = {}
    at = 0
    for piece in pieces:
        text.update((at + row, value) for row, value in piece.text.items())
        at += len(piece)
    return Columns(
        np.concatenate([piece.time for piece in pieces]),
        np.concatenate([piece.value for piece in pieces]),
        np.concatenate([piece.quality for piece in pieces]),
        np.concatenate([piece.received for piece in pieces]),
        text or NO_TEXT,
    )


def in_time_order(pieces: Sequence[Columns]) -> Columns:
    """Pieces that lie among each other in time."""
    whole = join(pieces)
    return take(whole, np.argsort(whole.time, kind="stable"))


def pixel_edges(start: int, end: int, px: int) -> I64:
    """Px + 1 borders of pixels of equal width, exact in ns."""
    return np.array([start + i * (end - start) // px for i in range(px + 1)], np.int64)


def m4(columns: Columns, edges: I64) -> Columns:
    """First, last, lowest and highest reading of each pixel: what a line chart shows, exactly.

    Source: Jugel et al., M4: a visualization-oriented time series data aggregation, VLDB 2014.
    Cost: about 10 ns a reading.
    """
    starts, ends = _spans(columns.time, edges)
    if not len(starts):
        return take(columns, slice(0, 0))
    value = columns.value
    lowest = np.fmin.reduceat(value, starts)
    highest = np.fmax.reduceat(value, starts)
    counts = ends - starts
    chosen = np.unique(
        np.concatenate(
            (
                starts,
                ends - 1,
                _first_equal(value, np.repeat(lowest, counts), starts),
                _first_equal(value, np.repeat(highest, counts), starts),
                _texts_met(columns, starts),
            )
        )
    )
    return take(columns, chosen)


def _texts_met(columns: Columns, starts: NDArray[np.intp]) -> NDArray[np.intp]:
    """The first row of each text in each stretch, of the first TEXTS_A_PIXEL texts there."""
    if not columns.text:
        return np.empty(0, np.intp)
    rows = np.array(sorted(columns.text), np.intp)
    numbers: dict[str, int] = {}
    codes = np.array([numbers.setdefault(columns.text[int(r)], len(numbers)) for r in rows])
    stretch = np.searchsorted(starts, rows, "right") - 1
    _, first = np.unique(stretch * len(numbers) + codes, return_index=True)
    first.sort()
    rows, stretch = rows[first], stretch[first]
    rank = np.arange(len(rows)) - np.searchsorted(stretch, stretch)
    return rows[rank < TEXTS_A_PIXEL]


def _spans(time: I64, edges: I64) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First row and last + 1 of every stretch between two edges that has rows, without gaps."""
    borders = np.searchsorted(time, edges)
    starts, ends = borders[:-1], borders[1:]
    filled = ends > starts
    return starts[filled], ends[filled]


def _first_equal(
    value: NDArray[np.float64], wanted: NDArray[np.float64], starts: NDArray[np.intp]
) -> NDArray[np.intp]:
    """The first row of each stretch whose value is the wanted one; stretches of NaN have none."""
    rows = np.flatnonzero(value == wanted)
    stretch = np.searchsorted(starts, rows, "right")
    return rows[np.flatnonzero(np.diff(stretch, prepend=0))]


def check_aggregates(aggregates: Iterable[str]) -> None:
    unknown = [name for name in aggregates if name not in AGGREGATES]
    if unknown:
        raise InvalidInput(
            f"'{unknown[0]}' is no aggregate", hint="take one of " + ", ".join(AGGREGATES)
        )


def bucket(columns: Columns, width: int, aggregates: Sequence[str]) -> Buckets:
    """Aggregates over buckets of `width` ns that begin at multiples of it; empty ones left out.

    `count` counts all readings; the others are over numbers, and NaN where there are none.
    """
    numbers = columns.time // width
    starts = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1))
    found: Buckets = {"time": numbers[starts] * width}
    ends = np.append(starts[1:], len(numbers))
    for name in aggregates:
        found[name] = (
            ends - starts if name == "count" else _aggregate(name, columns.value, starts, ends)
        )
    return found


def _aggregate(
    name: str,
    value: NDArray[np.float64],
    starts: NDArray[np.intp],
    ends: NDArray[np.intp],
) -> NDArray[np.float64]:
    if not len(starts):
        return np.empty(0)
    is_number = ~np.isnan(value)
    counts = np.add.reduceat(is_number.astype(np.int64), starts)
    if name == "min":
        return np.asarray(np.fmin.reduceat(value, starts))
    if name == "max":
        return np.asarray(np.fmax.reduceat(value, starts))
    if name in ("first", "last"):
        return _end_of_each(name, value, is_number, counts)
    sums = np.add.reduceat(np.where(is_number, value, 0.0), starts)
    if name == "sd":
        return _deviations(value, is_number, starts, ends, sums, counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(counts > 0, sums / counts if name == "avg" else sums, np.nan)


def _deviations(
    value: NDArray[np.float64],
    is_number: NDArray[np.bool_],
    starts: NDArray[np.intp],
    ends: NDArray[np.intp],
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Standard deviation of the numbers in each stretch about their mean (the population's)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.repeat(sums / counts, ends - starts)
        squares = np.where(is_number, (value - mean) ** 2, 0.0)
        return np.asarray(np.sqrt(np.add.reduceat(squares, starts) / counts))


def _end_of_each(
    name: str,
    value: NDArray[np.float64],
    is_number: NDArray[np.bool_],
    counts: NDArray[np.int64],
) -> NDArray[np.float64]:
    numbers = value[is_number]
    ends = np.cumsum(counts)
    rows = (ends - counts) if name == "first" else ends - 1
    found = np.full(len(counts), np.nan)
    found[counts > 0] = numbers[rows[counts > 0]]
    return found


def bucket_rolls(rolls: Rolls, width: int, aggregates: Sequence[str]) -> Buckets:
    """As `bucket`, from roll-ups whose width goes into `width`."""
    whole = coarsened(rolls, width)
    return {"time": whole.time, **{name: aggregate(whole, name) for name in aggregates}}


def add_buckets(found: Buckets, more: Buckets) -> Buckets:
    """The buckets found, and those of `more` that are at no time of theirs."""
    rows = ~np.isin(more["time"], found["time"])
    whole = {name: np.concatenate([found[name], more[name][rows]]) for name in found}
    order = np.argsort(whole["time"], kind="stable")
    return {name: column[order] for name, column in whole.items()}


def join_buckets(pieces: Sequence[Buckets]) -> Buckets:
    """Pieces that follow each other in time and share no bucket."""
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
