"""Reads the chain of edits: what was done by whom, whether it is whole, its signed checkpoints.

Works on the file, over connections of its own that cannot write, so that nobody is held up.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gemel.backends.upkeep import as_text, mapped, reading
from gemel.core import chain
from gemel.core.errors import Unavailable

CHAINED = 2
"""The schema version from which edits are chained."""
COLUMNS = "seq, kind, key, doc, time, who, why, etag, hash"


class Row(NamedTuple):
    """One edit as it is stored."""

    seq: int
    kind: str
    key: str
    doc: bytes | None
    time: int
    who: str
    why: str
    etag: str
    hash: bytes


class Checkpoint(NamedTuple):
    """What the chain was at a moment, signed."""

    seq: int
    hash: bytes
    time: int
    key: bytes
    """The public key (Ed25519, 32 bytes)."""
    signature: bytes


class Wanted(NamedTuple):
    """Which edits to list; "" and 0 mean any."""

    kind: str = ""
    key: str = ""
    who: str = ""
    since: int = 0
    until: int = 0
    before: int = 0
    after: int = 0


def rows(path: Path, wanted: Wanted, limit: int) -> list[Row]:
    """Edits, the newest first."""
    conditions: list[str] = []
    values: list[str | int] = []
    for condition, value in (
        ("kind = ?", wanted.kind),
        ("key = ?", wanted.key),
        ("who = ?", wanted.who),
        ("time >= ?", wanted.since),
        ("time < ?", wanted.until),
        ("seq < ?", wanted.before),
        ("seq > ?", wanted.after),
    ):
        if value:
            conditions.append(condition)
            values.append(value)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    query = f"SELECT {COLUMNS} FROM edits{where} ORDER BY seq DESC LIMIT ?"
    with reading(path) as connection:
        return [Row(*row) for row in connection.execute(query, (*values, limit))]


def _check_chained(path: Path, connection: sqlite3.Connection) -> None:
    if int(connection.execute("PRAGMA user_version").fetchone()[0]) < CHAINED:
        raise Unavailable(
            f"'{path}' was written by an older version and has no chain yet",
            hint="start the server on it once: that makes the chain",
        )


def each(path: Path) -> Iterator[Row]:
    """All edits in order, as of one moment."""
    with reading(path) as connection:
        _check_chained(path, connection)
        connection.text_factory = as_text
        connection.execute("BEGIN")
        for row in connection.execute(f"SELECT {COLUMNS} FROM edits ORDER BY seq"):
            seq, kind, key, doc, *rest = row
            yield Row(seq, kind, key, doc.encode() if isinstance(doc, str) else doc, *rest)


def newest(path: Path) -> tuple[int, bytes]:
    """Number and hash of the last edit."""
    with reading(path) as connection:
        found = connection.execute("SELECT seq, hash FROM edits ORDER BY seq DESC LIMIT 1")
        return found.fetchone() or (0, chain.BEGIN)


def checkpoints(path: Path) -> list[Checkpoint]:
    with reading(path) as connection:
        _check_chained(path, connection)
        query = "SELECT seq, hash, time, key, signature FROM checkpoints ORDER BY rowid"
        return [Checkpoint(*row) for row in connection.execute(query)]


def add_checkpoint(path: Path, made: Checkpoint) -> None:
    with mapped(path):
        connection = sqlite3.connect(path, isolation_level=None, timeout=10.0)
        try:
            connection.execute("PRAGMA synchronous=FULL")
            values: Sequence[object] = made
            connection.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?)", values)
        finally:
            connection.close()
