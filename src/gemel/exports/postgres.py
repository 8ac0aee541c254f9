"""PostgreSQL and TimescaleDB: rows by binary COPY into a table of the session, then across.

What is there already under the same key (twin, property, provenance, time) is left or, where it is
another value, replaced: readings that come twice are there once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gemel.core.batch import I64, Batch
from gemel.core.errors import InvalidInput, Unavailable
from gemel.exports.names import Names
from gemel.exports.pieces import plain
from gemel.exports.settings import PostgresExport
from gemel.exports.target import Refusal

log = logging.getLogger("gemel.exports")
COLUMNS = {
    "time": "timestamp with time zone",
    "twin": "text",
    "property": "text",
    "provenance": "text",
    "value": "double precision",
    "text": "text",
    "quality": "smallint",
}
KEY = ("twin", "property", "provenance", "time")
MICROSECOND = 1_000
EPOCH = 946_684_800_000_000
"""Microseconds from 1970 to 2000, from which PostgreSQL counts."""
HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TAIL = b"\xff\xff"
ROW = np.dtype(
    [
        ("fields", ">i2"),
        ("series_length", ">i4"),
        ("series", ">i4"),
        ("time_length", ">i4"),
        ("time", ">i8"),
        ("quality_length", ">i4"),
        ("quality", ">i2"),
        ("value_length", ">i4"),
        ("value", ">f8"),
        ("text_length", ">i4"),
    ]
)
BEFORE_VALUE = ROW.fields["value_length"][1] if ROW.fields else 0
NULL = (-1).to_bytes(4, "big", signed=True)
SECONDS = 10
HINTS = {
    "28": "look at the user and the password of this export",
    "3D": "the database is not there: make it, or name another",
    "42": "the user needs CREATE on the schema, or INSERT, UPDATE and SELECT on the table",
    "53": "there is no room or no connection left there; it is tried again",
}


def encoded(batch: Batch) -> bytes:
    """Rows of (series, time, quality, value, text) for COPY, in PostgreSQL's binary form.

    Cost: 0.05 us a reading; 2 us one that is text.
    """
    rows = np.empty(len(batch), ROW)
    for name, length in (("series", 4), ("time", 8), ("quality", 2), ("value", 8)):
        rows[f"{name}_length"] = length
    rows["fields"], rows["text_length"] = 5, -1
    rows["series"], rows["quality"] = batch.series, batch.quality
    rows["time"] = batch.time // MICROSECOND - EPOCH
    rows["value"] = batch.value
    odd = np.flatnonzero(np.isnan(batch.value))
    if not len(odd):
        return b"".join((HEAD, rows.tobytes(), TAIL))
    pieces, at = [HEAD], 0
    for row in odd.tolist():
        pieces += (rows[at:row].tobytes(), rows[row : row + 1].tobytes()[:BEFORE_VALUE], NULL)
        text = batch.text.get(row)
        if text is None:
            pieces.append(NULL)
        else:
            said = _clean(plain(text)).encode()
            pieces += (len(said).to_bytes(4, "big"), said)
        at = row + 1
    return b"".join((*pieces, rows[at:].tobytes(), TAIL))


def latest(batch: Batch) -> Batch:
    """Of readings with one series and microsecond the last; by series and time, as an index is."""
    time: I64 = batch.time // MICROSECOND
    order = np.lexsort((np.arange(len(batch)), time, batch.series))
    series, time = batch.series[order], time[order]
    is_last: NDArray[np.bool_] = np.ones(len(batch), np.bool_)
    is_last[:-1] = (series[1:] != series[:-1]) | (time[1:] != time[:-1])
    return batch.take(order[is_last])


class PostgresTarget:
    """One table, over one connection that is made when it is needed.

    Raises:
        Unavailable: psycopg is not installed.
    """

    def __init__(self, of: PostgresExport, names: Names) -> None:
        try:
            import psycopg
        except ImportError as error:
            raise Unavailable(
                f"PostgreSQL needs a library that is not installed: {error}",
                hint="pip install gemel[postgres]; it is looked for again",
            ) from error
        self._psycopg = psycopg
        self._of = of
        self._names = names
        self._session: Any = None
        self._told: set[int] = set()
        """Series whose names the session has."""
        identifier = psycopg.sql.Identifier
        self._table = identifier(*of.table.split("."))

    def check(self) -> None:
        """As `Target.check`: logs in, and makes the table or looks at it."""
        with self._mapped():
            self._opened()

    def write(self, batch: Batch) -> Sequence[Refusal]:
        """As `Target.write`."""
        with self._mapped():
            session = self._opened()
            with session.transaction(), session.cursor() as cursor:
                self._tell(cursor, batch)
                with cursor.copy("COPY gemel_rows FROM STDIN (FORMAT BINARY)") as copy:
                    copy.write(encoded(latest(batch)))
                cursor.execute(self._across())
        return []

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        """Its errors as ours; the session is left, and with it what it knew."""
        try:
            yield
        except self._psycopg.DataError as error:
            self.close()
            raise InvalidInput(_said(error)) from error
        except self._psycopg.Error as error:
            self.close()
            raise self._unavailable(error) from error

    def _tell(self, cursor: Any, batch: Batch) -> None:
        """Names of series that the session does not have yet."""
        new = set(np.unique(batch.series).tolist()) - self._told
        if not new:
            return
        with cursor.copy("COPY gemel_series FROM STDIN") as copy:
            for one in new:
                key = self._names[one]
                copy.write_row((one, *(_clean(part) for part in key)))
        self._told |= new

    def _across(self) -> Any:
        sql = self._psycopg.sql
        return sql.SQL(
            "INSERT INTO {table} AS there (time, twin, property, provenance, value, text, quality) "
            "SELECT time, twin, property, provenance, value, text, quality "
            "FROM gemel_rows JOIN gemel_series USING (series) "
            "ON CONFLICT (twin, property, provenance, time) DO UPDATE "
            "SET value = excluded.value, text = excluded.text, quality = excluded.quality "
            "WHERE (there.value, there.text, there.quality) IS DISTINCT FROM "
            "(excluded.value, excluded.text, excluded.quality)"
        ).format(table=self._table)

    # ---- the session ---------------------------------------------------------------------

    def _opened(self) -> Any:
        if self._session is None:
            secret: dict[str, Any] = {"password": self._of.password} if self._of.password else {}
            session = self._psycopg.connect(
                self._of.postgres,
                connect_timeout=SECONDS,
                application_name="gemel",
                autocommit=True,
                **secret,
            )
            try:
                self._prepare(session)
            except BaseException:
                session.close()
                raise
            self._session = session
        return self._session

    def _prepare(self, session: Any) -> None:
        self._told.clear()
        session.execute(
            "CREATE TEMP TABLE gemel_rows (series int, time timestamptz, quality smallint, "
            "value double precision, text text) ON COMMIT DELETE ROWS"
        )
        session.execute(
            "CREATE TEMP TABLE gemel_series (series int PRIMARY KEY, twin text, property text, "
            "provenance text)"
        )
        if session.execute("SELECT to_regclass(%s)", (self._of.table,)).fetchone()[0] is None:
            self._make(session)
        self._check(session)

    def _make(self, session: Any) -> None:
        sql = self._psycopg.sql
        session.execute(
            sql.SQL(
                "CREATE TABLE IF NOT EXISTS {table} (time timestamptz NOT NULL, "
                "twin text NOT NULL, property text NOT NULL, "
                "provenance text NOT NULL DEFAULT 'measured', value double precision, text text, "
                "quality smallint NOT NULL DEFAULT 0, "
                "PRIMARY KEY (twin, property, provenance, time))"
            ).format(table=self._table)
        )
        found = session.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'")
        if found.fetchone() is not None:
            session.execute(
                "SELECT create_hypertable(%s::regclass, 'time', if_not_exists => true)",
                (self._of.table,),
            )
            log.warning("table %s is made, as a hypertable", self._of.table)

    def _check(self, session: Any) -> None:
        """Raises Unavailable unless the table has the columns and the key that are needed."""
        rows = session.execute(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute "
            "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
            (self._of.table,),
        ).fetchall()
        there = dict(rows)
        for name, kind in COLUMNS.items():
            if there.get(name) != kind:
                is_what = f"is {there[name]}" if name in there else "is missing"
                raise Unavailable(
                    f"table {self._of.table}: column {name} {is_what}, not {kind}",
                    hint="change it, or name another table: one that is not there is made",
                )
        keys = session.execute(
            "SELECT array_agg(attname::text) FROM pg_index JOIN pg_attribute "
            "ON attrelid = indrelid AND attnum = ANY (indkey) "
            "WHERE indrelid = to_regclass(%s) AND indisunique AND indpred IS NULL "
            "GROUP BY indexrelid",
            (self._of.table,),
        ).fetchall()
        if not any(sorted(found) == sorted(KEY) for (found,) in keys):
            raise Unavailable(
                f"table {self._of.table} has no unique key over {', '.join(KEY)}",
                hint=f"CREATE UNIQUE INDEX ON {self._of.table} ({', '.join(KEY)})",
            )

    def _unavailable(self, error: Exception) -> Unavailable:
        state = getattr(error, "sqlstate", None) or ""
        said = _said(error)
        if not state and "password" in said:
            state = "28"
        hint = HINTS.get(state[:2], "it is tried again; nothing is left out meanwhile")
        return Unavailable(said, hint=hint)

    def shown(self, series: int) -> str:
        return self._names.shown(series)

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()


def _said(error: Exception) -> str:
    """A server's words in one line."""
    return "PostgreSQL: " + " ".join(str(error).split())[:400]


def _clean(text: str) -> str:
    """As PostgreSQL takes it: without NUL and halves of characters."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
