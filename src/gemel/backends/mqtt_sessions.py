"""MQTT sessions and retained messages in an SQLite file of their own, `mqtt.sqlite`.

One table of rows (table, key, value); a commit is one transaction and durable when it returns
(write-ahead log, synchronous=FULL). Page damage is found by SQLite; a row that cannot be read is
found and dropped by the reader of the rows.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from gemel.core.errors import Damaged, GemelError, Unavailable

_SCHEMA = 1
_CREATE = """
CREATE TABLE IF NOT EXISTS row (
  area TEXT NOT NULL,
  key TEXT NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (area, key)
) WITHOUT ROWID
"""


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
        if version > _SCHEMA:
            raise Damaged(
                f"{self.path} has format {version}; this program knows {_SCHEMA}",
                hint="run the version of Gemel that wrote it, or move the file away",
            )
        self._db.execute(_CREATE)
        self._db.execute(f"PRAGMA user_version={_SCHEMA}")

    def load(self) -> Iterable[tuple[str, str, bytes]]:
        """All rows, ordered by table and key."""
        with self._lock:
            try:
                rows = self._db.execute("SELECT area, key, value FROM row ORDER BY area, key")
                return rows.fetchall()
            except sqlite3.Error as error:
                raise self._mapped(error) from error

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
                "INSERT INTO row VALUES (?, ?, ?)"
                " ON CONFLICT (area, key) DO UPDATE SET value = excluded.value",
                [(*place, value) for place, value in last.items() if value is not None],
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
