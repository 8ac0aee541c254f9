"""The same readings in Gemel's history and in what one would otherwise keep them in.

Each way writes batch after batch, each durable before the next is begun, tidies up as it would in
time, and answers the same questions; the answers are held against each other.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from gemel.core.batch import Batch
from gemel.core.series import SeriesTable
from gemel.history import History

SECOND = 1_000_000_000
MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
NAMES = ("series", "time", "value", "quality", "received")


class Span(NamedTuple):
    start: int
    end: int


class Store(ABC):
    """One way; answers are small tuples of numbers that all ways must agree on."""

    NAME: ClassVar[str]

    @abstractmethod
    def __init__(self, folder: Path, series: int) -> None: ...

    @abstractmethod
    def write(self, batch: Batch) -> None:
        """Returns when it is durable."""

    @abstractmethod
    def tidy(self) -> None:
        """What it does in time: seals, merges, writes its log into the table."""

    @abstractmethod
    def last_of_all(self) -> tuple[float, ...]: ...

    @abstractmethod
    def hour(self, series: int, span: Span) -> tuple[float, ...]: ...

    @abstractmethod
    def m4(self, series: int, span: Span, px: int) -> tuple[float, ...]: ...

    @abstractmethod
    def minutes(self, series: Sequence[int], span: Span) -> tuple[float, ...]: ...

    @abstractmethod
    def as_of(self, series: Sequence[int], moment: int) -> tuple[float, ...]: ...

    @abstractmethod
    def count(self) -> int:
        """Readings that are there."""

    @abstractmethod
    def close(self) -> None: ...


class Gemel(Store):
    NAME = "Gemel"

    def __init__(self, folder: Path, series: int) -> None:
        self.folder = folder
        table = SeriesTable()
        self.history = History(folder, table, ballast_bytes=0)
        for number in range(series):
            table.id(f"twin-{number // 10}", f"signal-{number % 10}")
        self.series = series

    def write(self, batch: Batch) -> None:
        done, faults = threading.Event(), []

        def then(error: Exception | None) -> None:
            faults.append(error)
            done.set()

        self.history.append(batch, then=then)
        done.wait()
        if faults[0] is not None:
            raise faults[0]

    def tidy(self) -> None:
        self.history.seal()
        self.history.compact()

    def last_of_all(self) -> tuple[float, ...]:
        found = [self.history.last(number) for number in range(self.series)]
        return _agreed(*zip(*[(one.time, one.value) for one in found if one], strict=True))

    def hour(self, series: int, span: Span) -> tuple[float, ...]:
        found = self.history.read(series, *span)
        return _agreed(found.time, found.value)

    def m4(self, series: int, span: Span, px: int) -> tuple[float, ...]:
        found = self.history.downsample(series, *span, px)
        return _extremes(found.time, found.value)

    def minutes(self, series: Sequence[int], span: Span) -> tuple[float, ...]:
        found = [self.history.buckets(one, *span, MINUTE, ("avg",))["avg"] for one in series]
        return _means(np.concatenate(found))

    def as_of(self, series: Sequence[int], moment: int) -> tuple[float, ...]:
        found = [self.history.last(one, moment) for one in series]
        return _agreed(*zip(*[(one.time, one.value) for one in found if one], strict=True))

    def count(self) -> int:
        return self.history.statistics().readings

    def close(self) -> None:
        self.history.close()


class Sql(Store):
    """What the two databases have in common."""

    def ask(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def hour(self, series: int, span: Span) -> tuple[float, ...]:
        text = "SELECT time, value FROM readings WHERE series = ? AND time >= ? AND time < ?"
        rows = self.ask(text + " ORDER BY time", series, *span)
        return _agreed(*zip(*rows, strict=True))

    def count(self) -> int:
        return int(self.ask("SELECT count(*) FROM readings")[0][0])

    def minutes(self, series: Sequence[int], span: Span) -> tuple[float, ...]:
        wanted = ",".join(map(str, series))
        text = (
            f"SELECT series, time / {MINUTE} AS minute, avg(value) FROM readings "
            f"WHERE series IN ({wanted}) AND time >= ? AND time < ? GROUP BY 1, 2"
        )
        rows = self.ask(text.replace(" / ", self.DIVIDED), *span)
        return _means(np.array([row[2] for row in rows]))

    DIVIDED = " / "


class DuckDb(Sql):
    NAME = "DuckDB"
    DIVIDED = " // "

    def __init__(self, folder: Path, series: int) -> None:
        self.base = duckdb.connect(str(folder / "readings.duckdb"))
        self.base.execute(
            "CREATE TABLE readings (series INTEGER, time BIGINT, value DOUBLE, quality UTINYINT, "
            "received BIGINT)"
        )

    def ask(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.base.execute(text, list(values)).fetchall()

    def write(self, batch: Batch) -> None:
        self.base.register("batch", arrow(batch))
        self.base.execute("INSERT INTO readings SELECT * FROM batch")
        self.base.unregister("batch")

    def tidy(self) -> None:
        """Sorted by series and time, as a history wants it."""
        self.base.execute("CREATE TABLE sorted AS SELECT * FROM readings ORDER BY series, time")
        self.base.execute("DROP TABLE readings")
        self.base.execute("ALTER TABLE sorted RENAME TO readings")
        self.base.execute("CHECKPOINT")

    def last_of_all(self) -> tuple[float, ...]:
        text = "SELECT max(time), arg_max(value, time) FROM readings GROUP BY series"
        return _agreed(*zip(*self.ask(text), strict=True))

    def m4(self, series: int, span: Span, px: int) -> tuple[float, ...]:
        text = (
            "SELECT arg_min(value, time), min(time), arg_max(value, time), max(time), min(value), "
            "arg_min(time, value), max(value), arg_max(time, value) FROM readings "
            f"WHERE series = ? AND time >= ? AND time < ? GROUP BY (time - {span.start}) // "
            f"{(span.end - span.start) // px}"
        )
        columns = np.array(self.ask(text, series, *span)).T
        return _extremes(columns[1::2].ravel(), columns[::2].ravel())

    def as_of(self, series: Sequence[int], moment: int) -> tuple[float, ...]:
        text = (
            "SELECT max(time), arg_max(value, time) FROM readings WHERE series BETWEEN ? AND ? "
            "AND time <= ? GROUP BY series"
        )
        return _agreed(*zip(*self.ask(text, series[0], series[-1], moment), strict=True))

    def close(self) -> None:
        self.base.close()


class Sqlite(Sql):
    NAME = "SQLite"

    def __init__(self, folder: Path, series: int) -> None:
        self.base = sqlite3.connect(folder / "readings.sqlite", isolation_level=None)
        self.base.execute("PRAGMA journal_mode = WAL")
        self.base.execute("PRAGMA synchronous = FULL")
        self.base.execute(
            "CREATE TABLE readings (series INTEGER, time INTEGER, value REAL, quality INTEGER, "
            "received INTEGER, PRIMARY KEY (series, time)) WITHOUT ROWID"
        )

    def ask(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        return self.base.execute(text, values).fetchall()

    def write(self, batch: Batch) -> None:
        rows = zip(*(column.tolist() for column in columns(batch)), strict=True)
        self.base.execute("BEGIN")
        self.base.executemany("INSERT INTO readings VALUES (?, ?, ?, ?, ?)", rows)
        self.base.execute("COMMIT")

    def tidy(self) -> None:
        self.base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.base.execute("VACUUM")
        self.base.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def last_of_all(self) -> tuple[float, ...]:
        """By the index: of each series the last entry."""
        text = (
            "WITH RECURSIVE each(n) AS (SELECT min(series) FROM readings UNION ALL SELECT "
            "(SELECT min(series) FROM readings WHERE series > n) FROM each WHERE n IS NOT NULL) "
            "SELECT r.time, r.value FROM each JOIN readings r ON r.series = n AND r.time = "
            "(SELECT max(time) FROM readings WHERE series = n)"
        )
        return _agreed(*zip(*self.ask(text), strict=True))

    def m4(self, series: int, span: Span, px: int) -> tuple[float, ...]:
        """SQLite gives the row of a lowest or highest: one pass for each of the four."""
        text = " UNION ALL ".join(
            f"SELECT time, value FROM (SELECT time, value, {which} FROM readings WHERE series = ?1 "
            f"AND time >= ?2 AND time < ?3 GROUP BY (time - ?2) / {(span.end - span.start) // px})"
            for which in ("min(time)", "max(time)", "min(value)", "max(value)")
        )
        return _extremes(*zip(*self.ask(text, series, *span), strict=True))

    def as_of(self, series: Sequence[int], moment: int) -> tuple[float, ...]:
        text = (
            "SELECT time, value FROM readings WHERE series = ? AND time <= ? "
            "ORDER BY time DESC LIMIT 1"
        )
        rows = [self.ask(text, one, moment)[0] for one in series]
        return _agreed(*zip(*rows, strict=True))

    def close(self) -> None:
        self.base.close()


class Parquet(Store):
    """A file a batch, later one sorted file (zstd), read with pyarrow."""

    NAME = "Parquet"

    def __init__(self, folder: Path, series: int) -> None:
        self.folder = folder
        self.files = 0
        self.path = folder / "sorted.parquet"

    def write(self, batch: Batch) -> None:
        path = self.folder / f"{self.files:06d}.parquet"
        pq.write_table(arrow(batch), path, compression="zstd")
        for one in (path, self.folder):
            handle = os.open(one, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)
        self.files += 1

    def tidy(self) -> None:
        parts = sorted(self.folder.glob("0*.parquet"))
        table = pa.concat_tables([pq.read_table(path) for path in parts])
        table = table.sort_by([("series", "ascending"), ("time", "ascending")])
        pq.write_table(
            table,
            self.path,
            compression="zstd",
            row_group_size=65_536,
            use_dictionary=False,
            column_encoding={"series": "DELTA_BINARY_PACKED", "time": "DELTA_BINARY_PACKED",
                             "received": "DELTA_BINARY_PACKED", "value": "BYTE_STREAM_SPLIT"},
        )  # fmt: skip
        for path in parts:
            path.unlink()

    def rows(self, where: Any, *names: str) -> pa.Table:
        return ds.dataset(self.path).to_table(columns=list(names), filter=where)

    def last_of_all(self) -> tuple[float, ...]:
        table = pq.read_table(self.path, columns=["series", "time", "value"])
        series = table["series"].to_numpy()
        ends = np.append(np.flatnonzero(np.diff(series)), len(series) - 1)
        return _agreed(*(table[name].to_numpy()[ends] for name in ("time", "value")))

    def hour(self, series: int, span: Span) -> tuple[float, ...]:
        table = self.rows(_where(series, span), "time", "value")
        return _agreed(table["time"].to_numpy(), table["value"].to_numpy())

    def m4(self, series: int, span: Span, px: int) -> tuple[float, ...]:
        table = self.rows(_where(series, span), "time", "value")
        time, value = table["time"].to_numpy(), table["value"].to_numpy()
        pixel = (time - span.start) // ((span.end - span.start) // px)
        starts = np.concatenate(([0], np.flatnonzero(np.diff(pixel)) + 1))
        low, high = np.minimum.reduceat(value, starts), np.maximum.reduceat(value, starts)
        counts = np.diff(np.append(starts, len(value)))
        places = [starts, np.append(starts[1:], len(value)) - 1]
        for wanted in (low, high):
            found = np.flatnonzero(value == np.repeat(wanted, counts))
            _, first = np.unique(pixel[found], return_index=True)
            places.append(found[first])
        rows = np.concatenate(places)
        return _extremes(time[rows], value[rows])

    def minutes(self, series: Sequence[int], span: Span) -> tuple[float, ...]:
        table = self.rows(pc.field("series").isin(list(series)), "series", "time", "value")
        minute = pc.divide(table["time"], MINUTE)
        found = table.append_column("minute", minute).group_by(["series", "minute"])
        return _means(found.aggregate([("value", "mean")])["value_mean"].to_numpy())

    def as_of(self, series: Sequence[int], moment: int) -> tuple[float, ...]:
        where = pc.field("series").isin(list(series)) & (pc.field("time") <= moment)
        table = self.rows(where, "series", "time", "value")
        number = table["series"].to_numpy()
        ends = np.append(np.flatnonzero(np.diff(number)), len(number) - 1)
        return _agreed(*(table[name].to_numpy()[ends] for name in ("time", "value")))

    def count(self) -> int:
        return int(pq.read_metadata(self.path).num_rows)

    def close(self) -> None:
        pass


STORES: dict[str, Callable[[Path, int], Store]] = {
    store.NAME: store for store in (Gemel, DuckDb, Sqlite, Parquet)
}


def columns(batch: Batch) -> list[np.ndarray[Any, Any]]:
    received = np.full(len(batch), batch.received, np.int64)
    return [batch.series, batch.time, batch.value, batch.quality, received]


def arrow(batch: Batch) -> pa.Table:
    return pa.table(columns(batch), names=list(NAMES))


def _where(series: int, span: Span) -> Any:
    time = pc.field("time")
    return (pc.field("series") == series) & (time >= span.start) & (time < span.end)


def _agreed(time: Any, value: Any) -> tuple[float, ...]:
    return len(time), float(np.sum(np.asarray(time) // 1_000_000)), round(float(np.sum(value)), 3)


def _means(values: Any) -> tuple[float, ...]:
    return len(values), round(float(np.sum(values)), 3)


def _extremes(time: Any, value: Any) -> tuple[float, ...]:
    """Ends of pixels are decided by the width of roll-ups; the first, last and extremes are not."""
    times, values = np.asarray(time), np.asarray(value)
    return int(times.min()), int(times.max()), float(values.min()), float(values.max())
