"""MQTT sessions and retained messages in an SQLite file of their own, `mqtt.sqlite`.

One table of rows (table, key, value), each with a checksum, as SQLite's pages have none; a commit
is one transaction and durable when it returns (write-ahead log, synchronous=FULL).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from zlib import crc32

from gemel.core.errors import Damaged, GemelError, Unavailable

_CREATE = """
CREATE TABLE IF NOT EXISTS row (
  area TEXT NOT NULL,
  key TEXT NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (area, key)
) WITHOUT ROWID
"""
_RAW = "SELECT CAST(area AS BLOB), CAST(key AS BLOB), CAST(value AS BLOB), sum FROM row"


def _sum(area: bytes | None, key: bytes | None, value: bytes | None) -> int:
    """-1, which no row has, where damage has left nothing."""
    if area is None or key is None or value is None:
        return -1
    return crc32(value, crc32(b"%d %d " % (len(area), len(key)) + area + key))


def _text(found: bytes | None) -> str:
    return (found or b"").decode(errors="replace")


def _create(connection: sqlite3.Connection) -> None:
    connection.execute(_CREATE)


def _add_sums(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE row ADD COLUMN sum INTEGER")
    rows = connection.execute(_RAW).fetchall()
    connection.executemany(
        "UPDATE row SET sum = ? WHERE area = CAST(? AS TEXT) AND key = CAST(? AS TEXT)",
        [(_sum(*row[:3]), *row[:2]) for row in rows],
    )


MIGRATIONS = (_create, _add_sums)
"""Step i brings a file from version i to i + 1."""


def damaged_rows(connection: sqlite3.Connection) -> Iterator[str]:
    """Rows that are not what was written, in words."""
    if int(connection.execute("PRAGMA user_version").fetchone()[0]) < len(MIGRATIONS):
        return  # of before rows had a checksum
    for area, key, value, found in connection.execute(_RAW):
        if _sum(area, key, value) != found:
            place = f"{_text(area)} '{_text(key)}'"
            yield f"the {place} is not what was written"


class SqliteMqttSessions:
    """Implements `core.ports.MqttSessions`; may be called from any thread, one call at a time.

    Args:
        folder: the data folder.

    Raises:
        Damaged: the file is no such database, or one of a later version.
        Unavailable: the file cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "mqtt.sqlite"
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(
                self.path, check_same_thread=False, isolation_level=None, timeout=10.0
            )
        except sqlite3.Error as error:
            raise self._mapped(error) from error
        try:
            self._prepare()
        except (sqlite3.Error, GemelError) as error:
            self._db.close()
            if isinstance(error, GemelError):
                raise
            raise self._mapped(error) from error

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA journal_size_limit=16777216")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise Damaged(
                f"{self.path} has format {version}; this program knows {len(MIGRATIONS)}",
                hint="run the version of Gemel that wrote it, or move the file away",
            )
        if version < len(MIGRATIONS):
            self._db.execute("BEGIN IMMEDIATE")
            for step in MIGRATIONS[version:]:
                step(self._db)
            self._db.execute(f"PRAGMA user_version={len(MIGRATIONS)}")
            self._db.execute("COMMIT")

    def load(self) -> Iterable[tuple[str, str, bytes | None]]:
        """All rows, ordered by table and key; None for a value that is not what was written.

        Such a row is removed: it is told of once.
        """
        with self._lock:
            try:
                rows = self._db.execute(f"{_RAW} ORDER BY area, key").fetchall()
                bad = [row[:2] for row in rows if _sum(*row[:3]) != row[3]]
                self._db.executemany(
                    "DELETE FROM row WHERE CAST(area AS BLOB) = ? AND CAST(key AS BLOB) = ?", bad
                )
            except sqlite3.Error as error:
                raise self._mapped(error) from error
        gone = set(bad)
        return [
            (_text(area), _text(key), None)
            if (area, key) in gone
            else (area.decode(), key.decode(), value)
            for area, key, value, _ in rows
        ]

    def commit(self, rows: Sequence[tuple[str, str, bytes | None]]) -> None:
        """All rows or none."""
        if not rows:
            return
        with self._lock:
            try:
                self._write(rows)
            except sqlite3.Error as error:
                raise self._mapped(error) from error

    def _write(self, rows: Sequence[tuple[str, str, bytes | None]]) -> None:
        # Later rows win over earlier ones with the same key, as if each were its own commit.
        last = {(area, key): value for area, key, value in rows}
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(
                "INSERT INTO row VALUES (?, ?, ?, ?)"
                " ON CONFLICT (area, key) DO UPDATE SET value = excluded.value, sum = excluded.sum",
                [
                    (area, key, value, _sum(area.encode(), key.encode(), value))
                    for (area, key), value in last.items()
                    if value is not None
                ],
            )
            self._db.executemany(
                "DELETE FROM row WHERE area = ? AND key = ?",
                [place for place, value in last.items() if value is None],
            )
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _mapped(self, error: sqlite3.Error) -> GemelError:
        code = getattr(error, "sqlite_errorcode", None)
        primary = None if code is None else code & 0xFF
        if primary in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            return Damaged(
                f"{self.path} is damaged: {error}",
                hint="move it away; clients subscribe again and resend what was not acknowledged",
            )
        return Unavailable(
            f"{self.path} cannot be used: {error}", hint="check free space and permissions"
        )
