"""Keeping the two SQLite files well: a copy while others write, a thorough check, a vacuum.

Works on files, over connections of its own, so that nobody who has them open is held up.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import orjson

from gemel.backends import mqtt_sessions, newest, sqlite
from gemel.core.document import Document
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


class Form(NamedTuple):
    """What a database file must be."""

    application: int
    steps: Sequence[Callable[[sqlite3.Connection], None]]
    """From an empty file to its tables, one a version."""
    rows: Callable[[sqlite3.Connection], Iterator[str]]
    """What is wrong in its rows."""


def problems(path: Path, form: Form) -> list[str]:
    """What is wrong in a database file: its pages, and what they mean. Nothing is changed."""
    try:
        with reading(path) as connection:
            connection.text_factory = as_text
            found = [
                f"SQLite: {text}"
                for (rows,) in connection.execute("PRAGMA integrity_check(100)").fetchall()
                for text in str(rows).splitlines()
                if text != "ok"
            ]
            found = found or list(_in_the_schema(connection, form))
            return found or list(form.rows(connection))
    except Damaged as error:
        return [error.message]


def as_text(raw: bytes) -> str:
    """Damaged text is text too: its checksum will not fit."""
    return raw.decode("utf-8", "replace")


Schema = dict[str, tuple[str, str]]


def _in_the_schema(connection: sqlite3.Connection, form: Form) -> Iterator[str]:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(form.steps):
        yield (
            f"says that it is of version {version}; this program knows {len(form.steps)}: a newer "
            "one wrote it, or its header is damaged"
        )
        return
    with closing(sqlite3.connect(":memory:")) as model:
        for step in form.steps[: version or len(form.steps)]:
            step(model)
        expected = _schema(model)
    there = _schema(connection)
    if missing := sorted(set(expected) - set(there)):
        yield f"has no {' and no '.join(missing)}: it was emptied, or another file took its place"
    elif there != expected:
        names = sorted(n for n in there.keys() | expected.keys() if there.get(n) != expected.get(n))
        yield f"the definition of {' and '.join(names)} is not that of version {version}"
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    if application != form.application and not missing:
        yield f"its application_id is {application:#x}, not {form.application:#x}"


def _schema(connection: sqlite3.Connection) -> Schema:
    rows = connection.execute("SELECT name, type, ifnull(sql, '') FROM sqlite_schema")
    return {name: (kind, " ".join(text.split())) for name, kind, text in rows}


def _in_the_edits(connection: sqlite3.Connection) -> Iterator[str]:
    """Edits that are no documents; that each is what was written, the audit log tells."""
    for seq, kind, key, doc in connection.execute(
        "SELECT seq, kind, key, CAST(doc AS BLOB) FROM edits WHERE doc IS NOT NULL"
    ):
        try:
            is_object = isinstance(orjson.loads(doc), dict)
        except orjson.JSONDecodeError:
            is_object = False
        if not is_object:
            yield f"edit {seq} of the {kind} '{key}' is no JSON object"
    counted = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'edits'").fetchone()
    last = connection.execute("SELECT ifnull(max(seq), 0) FROM edits").fetchone()
    if (counted or (0,)) != last:
        yield f"sqlite_sequence counts {(counted or (0,))[0]} edits, the last is {last[0]}"


DOCUMENTS_FORM = Form(sqlite.APPLICATION_ID, sqlite.MIGRATIONS, _in_the_edits)
SESSIONS_FORM = Form(0, mqtt_sessions.MIGRATIONS, mqtt_sessions.damaged_rows)


def current(path: Path, kinds: Sequence[str]) -> list[Document]:
    """Documents of some kinds as they are now, read without holding anybody up.

    Those that are no JSON any more are left out: `problems` names them.
    """
    found: list[Document] = []
    with reading(path) as connection:
        connection.text_factory = as_text
        for kind in kinds:
            for rows in newest.documents(connection, kind):
                for _, key, doc, *rest in rows:
                    with suppress(orjson.JSONDecodeError):
                        found.append(Document(kind, key, orjson.loads(doc), *rest))
    return found


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
