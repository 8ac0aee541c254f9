"""Documents as of a moment, and what happened to them between two: read from the table of edits.

A document as of T is its last edit (in order of their numbers) among those made up to T. Works over
connections of its own that cannot write, so that nobody is held up.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

from gemel.backends.sqlite import first_since
from gemel.backends.upkeep import reading
from gemel.core.document import Json
from gemel.core.errors import Damaged

AT = (
    "SELECT doc, etag FROM edits WHERE kind = ? AND key = ? AND time <= ? ORDER BY seq DESC LIMIT 1"
)
KEYS = "SELECT DISTINCT kind, key FROM edits WHERE seq > ? AND time > ? AND kind IN ({marks})"
KEYS_BETWEEN = (
    "SELECT kind, key, max(seq) FROM edits WHERE seq > ? AND time > ? AND time <= ?"
    " AND kind IN ({marks}) GROUP BY kind, key ORDER BY max(seq) DESC"
)
ALL_AT = "SELECT key, doc, max(seq) FROM edits WHERE kind = ? AND time <= ? GROUP BY kind, key"
COLUMNS = "seq, kind, key, doc, time, who, why"
OF_KEY = f"SELECT {COLUMNS} FROM edits WHERE kind = ? AND key = ? AND seq <= ? ORDER BY seq DESC"
OF_RANGE = (
    f"SELECT {COLUMNS} FROM edits WHERE kind = ? AND key >= ? AND key < ? AND seq <= ?"
    " ORDER BY seq DESC LIMIT ?"
)
BEFORE = "SELECT doc FROM edits WHERE kind = ? AND key = ? AND seq < ? ORDER BY seq DESC LIMIT 1"
LAST_BETWEEN = (
    "SELECT seq, time, who, why FROM edits WHERE kind = ? AND key = ? AND time > ? AND time <= ?"
    " ORDER BY seq DESC"
)
FOR_REASON = (
    f"SELECT {COLUMNS}, etag FROM edits WHERE seq > ? AND kind = ? AND why = ? ORDER BY key, seq"
)
MOST_STEPS = 20
"""Edits of one document that a difference names."""


class Was(NamedTuple):
    """A document as it was; `doc` None where there was none."""

    kind: str
    key: str
    doc: Json | None
    etag: str


class Step(NamedTuple):
    """One edit, and the document before it."""

    seq: int
    kind: str
    key: str
    doc: Json | None
    before: Json | None
    time: int
    who: str
    why: str


class Difference(NamedTuple):
    """What became of one document between two moments, and the edits that did it, newest first."""

    kind: str
    key: str
    before: Json | None
    after: Json | None
    steps: list[tuple[int, int, str, str]]
    """(number, time, who, why)"""


def at(path: Path, wanted: Sequence[tuple[str, str]], moment: int) -> list[Was]:
    """Some documents, by (kind, key), as of a moment."""
    with reading(path) as connection:
        return [_at(path, connection, kind, key, moment) for kind, key in wanted]


def all_at(path: Path, kind: str, moment: int) -> dict[str, Json]:
    """All documents of a kind as of a moment."""
    with reading(path) as connection:
        rows = connection.execute(ALL_AT, (kind, moment))
        return {key: _read(path, kind, key, doc) for key, doc, _ in rows if doc is not None}


def edited_since(path: Path, kinds: Sequence[str], moment: int) -> list[Was]:
    """Every document that was edited after a moment, as of that moment.

    Cost: a look at each edit since, and a search for each document that was edited.
    """
    query = KEYS.format(marks=", ".join("?" * len(kinds)))
    with reading(path) as connection:
        connection.execute("BEGIN")
        begin = first_since(connection, moment)
        keys = connection.execute(query, (begin, moment, *kinds)).fetchall()
        return [_at(path, connection, kind, key, moment) for kind, key in keys]


def differences(
    path: Path, kinds: Sequence[str], begin: int, end: int, limit: int
) -> tuple[list[Difference], int]:
    """Documents that are not the same at two moments, the last edited first; and how many edited.

    Args:
        limit: at most so many documents that were edited are looked at.
    """
    query = KEYS_BETWEEN.format(marks=", ".join("?" * len(kinds)))
    found = []
    with reading(path) as connection:
        connection.execute("BEGIN")
        first = first_since(connection, begin)
        keys = connection.execute(query, (first, begin, end, *kinds)).fetchall()
        for kind, key, _ in keys[:limit]:
            before = _at(path, connection, kind, key, begin).doc
            after = _at(path, connection, kind, key, end).doc
            if before == after:
                continue
            rows = connection.execute(LAST_BETWEEN, (kind, key, begin, end))
            found.append(Difference(kind, key, before, after, rows.fetchmany(MOST_STEPS)))
    return found, len(keys)


def steps(
    path: Path,
    keys: Sequence[tuple[str, str]],
    ranges: Sequence[tuple[str, str, str]],
    until: int,
    limit: int,
) -> list[Step]:
    """The newest edits of some documents, newest first, each with the document before it.

    Args:
        keys: (kind, key) of documents.
        ranges: (kind, first key, key behind the last) of more of them.
        until: the largest number of an edit; 0 is any.
        limit: at most so many.
    """
    highest = until or 2**62
    rows: list[tuple[int, str, str, bytes | None, int, str, str]] = []
    with reading(path) as connection:
        connection.execute("BEGIN")
        for kind, key in keys:
            rows += connection.execute(OF_KEY, (kind, key, highest)).fetchmany(limit)
        for kind, low, high in ranges:
            rows += connection.execute(OF_RANGE, (kind, low, high, highest, limit))
        rows.sort(key=lambda row: row[0], reverse=True)
        return list(_steps(path, connection, rows[:limit]))


def done_for(path: Path, kind: str, why: str, since: int) -> list[tuple[Step, str]]:
    """The edits of a kind that were made for a reason since a moment, each with its etag."""
    with reading(path) as connection:
        connection.execute("BEGIN")
        begin = first_since(connection, since)
        rows = connection.execute(FOR_REASON, (begin, kind, why)).fetchall()
        steps = _steps(path, connection, [row[:-1] for row in rows])
        return [(step, row[-1]) for step, row in zip(steps, rows, strict=True)]


def _steps(
    path: Path,
    connection: sqlite3.Connection,
    rows: Sequence[tuple[int, str, str, bytes | None, int, str, str]],
) -> Iterator[Step]:
    for seq, kind, key, doc, time, who, why in rows:
        old = connection.execute(BEFORE, (kind, key, seq)).fetchone()
        before = None if old is None or old[0] is None else _read(path, kind, key, old[0])
        now = None if doc is None else _read(path, kind, key, doc)
        yield Step(seq, kind, key, now, before, time, who, why)


def _at(path: Path, connection: sqlite3.Connection, kind: str, key: str, moment: int) -> Was:
    row = connection.execute(AT, (kind, key, moment)).fetchone()
    if row is None or row[0] is None:
        return Was(kind, key, None, "")
    return Was(kind, key, _read(path, kind, key, row[0]), row[1])


def _read(path: Path, kind: str, key: str, doc: bytes) -> Json:
    try:
        found: Json = orjson.loads(doc)
    except orjson.JSONDecodeError as error:
        raise Damaged(
            f"'{path}' is damaged: an edit of the {kind} '{key}' is not JSON: {error}",
            hint="restore a backup; gemel check names all that is damaged",
        ) from error
    return found
