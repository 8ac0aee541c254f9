"""Keeping the two SQLite files well: a copy while others write, a thorough check, a vacuum.

Works on files, over connections of its own, so that nobody who has them open is held up.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from gemel.backends import newest
from gemel.core.errors import Damaged, GemelError, Unavailable

CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
DAMAGED_HINT = "restore a backup, or save what can be read: sqlite3 FILE .recover"


class Pinned:
    """A database as it is at the moment this is made, however others go on writing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with mapped(path):
            self._connection = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=10.0
            )
        try:
            with mapped(path):
                self._connection.execute("BEGIN")
                self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except GemelError:
            self._connection.close()
            raise

    def copy_to(self, target: Path) -> None:
        """One file, without a log beside it, that holds exactly this moment."""
        with mapped(target):
            copy = sqlite3.connect(target, isolation_level=None)
            try:
                self._connection.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")
            finally:
                copy.close()

    def counts(self) -> dict[str, int]:
        """How many documents of each kind."""
        with mapped(self.path):
            return newest.counts(self._connection)

    def close(self) -> None:
        self._connection.close()


def problems(path: Path, tables: Collection[str]) -> list[str]:
    """What is wrong in a database file: its pages, and what they mean. Nothing is changed."""
    try:
        with reading(path) as connection:
            found = [
                f"SQLite: {text}"
                for (rows,) in connection.execute("PRAGMA integrity_check(100)").fetchall()
                for text in str(rows).splitlines()
                if text != "ok"
            ]
            return found or list(_in_the_tables(connection, tables))
    except Damaged as error:
        return [error.message]


def _in_the_tables(connection: sqlite3.Connection, tables: Collection[str]) -> Iterator[str]:
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    missing = sorted(set(tables) - there)
    if missing:
        yield f"has no {' and no '.join(missing)}: it was emptied, or another file took its place"
    if missing or "edits" not in tables:
        return
    for seq, kind, key, doc in connection.execute(
        "SELECT seq, kind, key, doc FROM edits WHERE doc IS NOT NULL"
    ):
        try:
            is_object = isinstance(orjson.loads(doc), dict)
        except orjson.JSONDecodeError:
            is_object = False
        if not is_object:
            yield f"edit {seq} of the {kind} '{key}' is no JSON object"


def vacuum(path: Path) -> int:
    """Writes the file anew without gaps; how many bytes that freed. Nobody may have it open."""
    before = path.stat().st_size
    with mapped(path):
        connection = sqlite3.connect(path, isolation_level=None, timeout=10.0)
        try:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
    return max(0, before - path.stat().st_size)


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write.

    Raises:
        Damaged: what is read is not what was written.
        Unavailable: it cannot be read.
    """
    with mapped(path):
        connection = sqlite3.connect(path, isolation_level=None, timeout=10.0)
        try:
            connection.execute("PRAGMA query_only=ON")
            yield connection
        finally:
            connection.close()


@contextmanager
def mapped(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into ours."""
    try:
        yield
    except sqlite3.Error as error:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if code in CORRUPT:
            raise Damaged(f"'{path}' is damaged: {error}", hint=DAMAGED_HINT) from error
        full = code == sqlite3.SQLITE_FULL
        hint = "free some space on that disk" if full else "check the file, its rights and its disk"
        raise Unavailable(f"'{path}' cannot be used: {error}", hint=hint) from error
