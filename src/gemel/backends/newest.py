"""Finds the edits that documents are now: of each document the newest, in the table of edits.

No table repeats them. The index over kind and key says which edit is the newest of each; rows lie
in order of their numbers, as they were added, so very many are read in that order.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson

from gemel.core.batch import I64
from gemel.core.document import Encoded

Rows = list[tuple[Any, ...]]
SCAN = (
    "SELECT max(seq), count(*) FROM edits WHERE kind = ? AND key >= ?"
    " GROUP BY key ORDER BY key LIMIT ?"
)
"""Looks at every edit in the index: quick where most documents have a few."""
SKIP = (
    "WITH RECURSIVE one(key) AS ("
    " SELECT min(key) FROM edits WHERE kind = ?1 AND key >= ?2 UNION ALL"
    " SELECT (SELECT min(key) FROM edits WHERE kind = ?1 AND key > one.key) FROM one"
    " WHERE one.key IS NOT NULL LIMIT ?3"
    ") SELECT (SELECT max(seq) FROM edits WHERE kind = ?1 AND key = one.key), 0 FROM one"
    " WHERE one.key IS NOT NULL"
)
"""Searches twice for each document, however many edits it has."""
KEY = "SELECT key FROM edits WHERE seq = ?"
LAST = "SELECT ifnull(max(seq), 0) FROM edits"
NEXT_KIND = "SELECT min(kind) FROM edits WHERE kind > ?"
PIECE = 10_000
MANY = 30
"""Edits a document from which searching is quicker than looking at all of them."""
SKIPPED = 10
"""So many pieces are searched before the edits of one are counted again."""
ROWS = 500
"""Rows that are read at a time."""
DOCUMENT = "kind key doc time who etag"
"""Columns of a whole document."""
ENCODED = (
    "SELECT json_group_array(edits.key),"
    " CAST('[' || group_concat(ifnull(edits.doc, 'null')) || ']' AS BLOB),"
    " json_group_array(ifnull(length(CAST(edits.doc AS BLOB)), 4)), json_group_array(edits.etag)"
)
"""Many rows as one: SQLite puts them together, while Python does something else."""
ENCODED_RANGE = f"{ENCODED} FROM edits NOT INDEXED WHERE seq BETWEEN ? AND ? AND kind = ?"
ENCODED_LIST = f"{ENCODED} FROM json_each(?) AS wanted CROSS JOIN edits ON edits.seq = wanted.value"
SAMPLED = (
    "SELECT count(*) FROM json_each(?) AS wanted CROSS JOIN edits ON edits.seq = wanted.value"
    " WHERE edits.kind = ? AND edits.seq = (SELECT max(other.seq) FROM edits AS other"
    " WHERE other.kind = edits.kind AND other.key = edits.key)"
)
SAMPLE = 200
GOLDEN = 0.6180339887498949
"""Its multiples spread evenly over 0 to 1, in step with nothing."""
ENOUGH = 0.2
LISTED = (
    "SELECT {columns} FROM json_each(?) AS wanted CROSS JOIN edits ON edits.seq = wanted.value"
    " WHERE edits.doc IS NOT NULL"
)
BACK = (
    "SELECT max(seq) FROM edits WHERE kind = ? AND key < ? GROUP BY key ORDER BY key DESC LIMIT ?"
)


def numbers_of(connection: sqlite3.Connection, kind: str) -> I64:
    """The numbers of the newest edits of all documents of a kind, in order of key.

    Those of deleted ones are among them.

    Cost: 1 us a document and 0.1 us an edit, of at most about 30 edits a document.
    """
    found, begin, is_deep = [np.empty(0, np.int64)], "", False
    while True:
        query, count = (SKIP, PIECE * SKIPPED) if is_deep else (SCAN, PIECE)
        rows = connection.execute(query, (kind, begin, count)).fetchall()
        if not rows:
            return np.concatenate(found)
        numbers, edits = zip(*rows, strict=True)
        found.append(np.array(numbers, np.int64))
        is_deep = sum(edits) > MANY * len(rows)
        begin = _key(connection, numbers[-1]) + "\0"


def _key(connection: sqlite3.Connection, seq: int) -> str:
    row = connection.execute(KEY, (seq,)).fetchone()
    if row is None:
        raise sqlite3.DatabaseError(f"the index names edit {seq}, which is not there")
    return str(row[0])


def documents(connection: sqlite3.Connection, kind: str) -> Iterator[Rows]:
    """All documents of a kind, in order of key."""
    yield from rows_of(connection, numbers_of(connection, kind), DOCUMENT)


def every(connection: sqlite3.Connection, kind: str) -> Iterator[Encoded]:
    """The newest edits of a kind, behind older ones or among them.

    Where most edits are the newest of a document, all are read in a row, which is quicker than to
    look for those that are.
    """
    (last,) = connection.execute(LAST).fetchone()
    if _share(connection, kind, last) < ENOUGH:
        numbers = numbers_of(connection, kind)
        numbers.sort()
        asked: Iterator[tuple[str, tuple[int | str, ...]]] = (
            (ENCODED_LIST, (_listed(numbers[begin : begin + ROWS]),))
            for begin in range(0, len(numbers), ROWS)
        )
    else:
        asked = (
            (ENCODED_RANGE, (begin, begin + ROWS - 1, kind)) for begin in range(1, last + 1, ROWS)
        )
    for query, values in asked:
        keys, docs, sizes, etags = connection.execute(query, values).fetchone()
        if docs is not None:
            yield Encoded(orjson.loads(keys), docs, orjson.loads(sizes), orjson.loads(etags))


def _listed(numbers: I64) -> str:
    return orjson.dumps(numbers.tolist()).decode()


def _share(connection: sqlite3.Connection, kind: str, last: int) -> float:
    """Of a sample of all edits, those that are the newest of a document of a kind."""
    sample = {int(n * GOLDEN % 1.0 * last) + 1 for n in range(SAMPLE)}
    found = connection.execute(SAMPLED, (orjson.dumps([*sample]).decode(), kind)).fetchone()[0]
    return float(found / len(sample))


def rows_of(connection: sqlite3.Connection, numbers: I64, columns: str) -> Iterator[Rows]:
    """Some columns of edits by their numbers, in the order of these, without deletions."""
    query = LISTED.format(columns=", ".join(f"edits.{name}" for name in columns.split()))
    for begin in range(0, len(numbers), ROWS):
        yield connection.execute(query, (_listed(numbers[begin : begin + ROWS]),)).fetchall()


def back(connection: sqlite3.Connection, kind: str, before: str, limit: int) -> Rows:
    """Documents of a kind in order of key, backwards: the last of those before a key."""
    found: Rows = []
    while len(found) < limit:
        numbers = connection.execute(BACK, (kind, before, limit)).fetchall()
        if not numbers:
            break
        for rows in rows_of(connection, np.array(numbers, np.int64)[:, 0], DOCUMENT):
            found += rows
        before = _key(connection, *numbers[-1])
    return found[:limit]


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """How many documents there are of each kind."""
    found: dict[str, int] = {}
    kind = ""
    while kind := connection.execute(NEXT_KIND, (kind,)).fetchone()[0]:
        found[kind] = sum(map(len, rows_of(connection, numbers_of(connection, kind), "seq")))
    return found
