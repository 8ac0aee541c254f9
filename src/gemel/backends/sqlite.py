"""Documents in one SQLite file: an append-only table of edits; the newest of each is the document.

A commit is one transaction in WAL mode with `synchronous=FULL`: when it returns, it is on disk.
Several processes may open the same file; each sees the commits of the others at its next read.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import orjson

from gemel.backends import newest
from gemel.core import chain
from gemel.core.document import Document, Edit, Encoded, Json, Version
from gemel.core.errors import ConfigInvalid, Damaged, GemelError, InvalidInput, Unavailable

APPLICATION_ID = 0x47454D4C  # "GEML", written in the file's header
BUSY_TIMEOUT = 10.0  # seconds that a writer waits for another process's commit
CACHE_KB = 32_768
"""Of pages, as they come to be needed: an edit among millions touches some anywhere in the file."""
READ_CACHE_KB = 4_096
"""Of pages for reading: single documents, or all in a row, which needs no page twice."""
CHECKPOINT_PAGES = 8_192
"""So many pages are written twice, to the log and the file, together: an often changed one once."""
ROWS = (500, 50, 5, 1)
"""How many rows one statement puts in: each costs a turn of the interpreter's lock."""
SLACK = 3_600 * 10**9
"""How far back the clock may have been set between two edits."""

T = TypeVar("T")
Migration = Callable[[sqlite3.Connection], None]

GET = (
    "SELECT kind, key, doc, time, who, etag FROM edits WHERE kind = ? AND key = ?"
    " ORDER BY seq DESC LIMIT 1"
)
APPEND = "INSERT INTO edits (kind, key, doc, time, who, why, etag, seq, hash) VALUES "
LAST = "SELECT seq, hash FROM edits ORDER BY seq DESC LIMIT 1"
CHANGES = (
    "SELECT seq, kind, key, doc, time, who, etag FROM edits"
    " WHERE seq > ? AND kind IN ({marks}) ORDER BY seq LIMIT ?"
)
COUNTED = (
    "SELECT count(*) FROM (SELECT 1 FROM edits NOT INDEXED"
    " WHERE seq > ? AND kind IN ({marks}) LIMIT ?)"
)
EDITED = "SELECT DISTINCT key FROM edits NOT INDEXED WHERE seq > ? AND kind = ?"
BEFORE = (
    "SELECT doc, etag FROM edits WHERE kind = ? AND key = ? AND seq < ? ORDER BY seq DESC LIMIT 1"
)
BETWEEN = (
    "SELECT seq, key, doc, time, who, why FROM edits"
    " WHERE seq >= ? AND kind = ? AND time >= ? AND time < ? ORDER BY seq"
)
BEHIND_ALL = "\U0010ffff"
VERSIONS = "SELECT seq, doc, time, who, why FROM edits WHERE kind = ? AND key = ? ORDER BY seq"


def _create(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE edits (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
        " key TEXT NOT NULL, doc BLOB, time INTEGER NOT NULL, who TEXT NOT NULL,"
        " why TEXT NOT NULL, etag TEXT NOT NULL)"
    )
    connection.execute("CREATE INDEX edits_of ON edits (kind, key)")
    connection.execute(
        "CREATE TABLE documents (kind TEXT NOT NULL, key TEXT NOT NULL, doc BLOB NOT NULL,"
        " time INTEGER NOT NULL, who TEXT NOT NULL, etag TEXT NOT NULL,"
        " PRIMARY KEY (kind, key)) WITHOUT ROWID"
    )


def _chain(connection: sqlite3.Connection) -> None:
    """Binds the edits there are into the chain, and makes room for signed checkpoints."""
    connection.execute("ALTER TABLE edits ADD COLUMN hash BLOB")
    connection.execute(
        "CREATE TABLE checkpoints (seq INTEGER NOT NULL, hash BLOB NOT NULL, time INTEGER NOT NULL,"
        " key BLOB NOT NULL, signature BLOB NOT NULL)"
    )
    before, last = chain.BEGIN, 0
    while True:
        rows = connection.execute(
            "SELECT seq, kind, key, doc, time, who, why, etag FROM edits"
            " WHERE seq > ? ORDER BY seq LIMIT 10000",
            (last,),
        ).fetchall()
        if not rows:
            return
        made = []
        for seq, kind, key, doc, *rest in rows:
            before = chain.link(before, seq, kind, key, chain.digest(doc), *rest)
            made.append((before, seq))
        connection.executemany("UPDATE edits SET hash = ? WHERE seq = ?", made)
        last = rows[-1][0]


def _drop_documents(connection: sqlite3.Connection) -> None:
    """The newest edit of each says the same."""
    connection.execute("DROP TABLE documents")


MIGRATIONS: tuple[Migration, ...] = (_create, _chain, _drop_documents)
"""Step i brings a file from schema version i to i + 1, all in one transaction."""


class Change(NamedTuple):
    """One edit with the document before it; None where there was none, or is none now."""

    seq: int
    kind: str
    key: str
    doc: Json | None
    time: int
    who: str
    etag: str
    before: Json | None
    before_etag: str


class SqliteDocuments:
    """Implements `core.ports.Documents`; safe to call from several threads.

    Three ways in, so that nobody waits for what is slow: one connection writes, one reads single
    documents (`get`, `newest`), and each read that may be long has one of its own. SQLite's WAL
    lets them go on beside each other; a read sees all that was committed before it.

    Args:
        path: the file; made, with its folder's entry synced, when it is not there.
        migrations: the steps to the current schema, for tests of migration.
        in_use: tells whether a server has the file open; one of an older version is then left as
            it is. Asked of such files only, as asking may be in the way of a server that starts.

    Raises:
        Damaged: the file is not a database, or its bytes are not what was written.
        ConfigInvalid: the file belongs to another program or to a newer version of this one.
        Unavailable: it cannot be opened now (permissions, a full disk, a lock).
    """

    def __init__(
        self,
        path: Path | str,
        migrations: Sequence[Migration] = MIGRATIONS,
        *,
        in_use: Callable[[], bool] = lambda: False,
    ) -> None:
        self.path = Path(path)
        self._version = len(migrations)
        self._lock = threading.Lock()
        self._read_lock = threading.Lock()
        """Never held while anybody writes, or reads more than one row."""
        self._closed = False
        is_new = not self.path.exists()
        with self._mapped("open"):
            self._connection = self._connect()
        try:
            with self._mapped("open"):
                self._prepare(migrations, in_use)
            with self._mapped("open"):
                self._reader = self._connect(READ_CACHE_KB)
        except GemelError:
            self._connection.close()
            raise
        if is_new:
            _sync_folder(self.path.parent)

    def commit(self, edits: Sequence[Edit]) -> None:
        """Writes all edits or none; they are durable when this returns.

        Raises:
            InvalidInput: a document cannot be written as JSON.
            Unavailable: the disk is full, or another process holds the file for too long.
            Damaged: see the class.
        """
        if not edits:
            return
        with self._lock, self._mapped("write"):
            self._check_open()
            connection = self._connection
            connection.execute("BEGIN IMMEDIATE")
            try:
                seq, before = connection.execute(LAST).fetchone() or (0, chain.BEGIN)
                _write(connection, edits, seq, before)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def load(self, kind: str) -> Iterator[Document]:
        """All documents of a kind in order of key, as of the moment of the first `next`.

        Reads over a connection of its own, so that commits meanwhile neither wait nor show.
        """
        for rows in self._pieces(partial(newest.documents, kind=kind)):
            yield from map(self._document, rows)

    def load_encoded(self, kind: str) -> Iterator[Encoded]:
        """Edits of a kind, none decoded: of each document the newest, as its last if not alone.

        SQLite, which needs no interpreter for it, puts the next ones together meanwhile.
        """
        pieces = self._pieces(partial(newest.every, kind=kind))
        with closing(pieces), ThreadPoolExecutor(1) as executor:
            following = executor.submit(next, pieces, None)
            while (piece := following.result()) is not None:
                following = executor.submit(next, pieces, None)
                yield piece

    def _pieces(
        self, read: Callable[[sqlite3.Connection], Iterator[T]]
    ) -> Generator[T, None, None]:
        """What is read as of one moment, some rows at a time, over a connection of its own."""
        with self._apart(READ_CACHE_KB) as connection:
            with self._mapped("read"):
                connection.execute("BEGIN")
            pieces = read(connection)
            while True:
                with self._mapped("read"):
                    rows = next(pieces, None)
                if rows is None:
                    return
                yield rows

    @contextmanager
    def _apart(self, cache_kb: int = CACHE_KB) -> Iterator[sqlite3.Connection]:
        """A connection of its own for a read that may be long: it holds nobody up."""
        with self._mapped("read"):
            self._check_open()
            connection = self._connect(cache_kb)
        with closing(connection):
            yield connection

    def get(self, kind: str, key: str) -> Document | None:
        """Never waits for a commit or for a long read: the event loop asks it."""
        row = self._one(GET, (kind, key))
        return None if row is None or row[2] is None else self._document(row)

    def _one(self, query: str, values: tuple[str, ...] = ()) -> Any:
        with self._read_lock, self._mapped("read"):
            self._check_open()
            return self._reader.execute(query, values).fetchone()

    def versions(self, kind: str, key: str) -> list[Version]:
        """Every edit of one document, oldest first."""
        with self._apart() as connection, self._mapped("read"):
            rows = connection.execute(VERSIONS, (kind, key)).fetchall()
        return [
            Version(seq, None if doc is None else self._decode(kind, key, doc), time, who, why)
            for seq, doc, time, who, why in rows
        ]

    def back(self, kind: str, before: str, limit: int) -> list[Document]:
        """Documents of a kind in order of key, backwards: those before a key, "" for the last."""
        with self._apart() as connection, self._mapped("read"):
            rows = newest.back(connection, kind, before or BEHIND_ALL, limit)
        return [self._document(row) for row in rows]

    def newest(self) -> int:
        """The number of the last edit; 0 before the first."""
        return int(self._one("SELECT ifnull(max(seq), 0) FROM edits")[0])

    def edited(self, kind: str, after: int) -> set[str]:
        """The keys of a kind that edits behind a number name, by whichever process."""
        with self._apart() as connection, self._mapped("read"):
            return {key for (key,) in connection.execute(EDITED, (after, kind))}

    def changes(self, after: int, kinds: Sequence[str], limit: int) -> list[Change]:
        """The edits of some kinds behind a number, oldest first, each with what was before."""
        query = CHANGES.format(marks=", ".join("?" * len(kinds)))
        found = []
        with self._apart() as connection, self._mapped("read"):
            for row in connection.execute(query, (after, *kinds, limit)).fetchall():
                seq, kind, key, doc, time, who, etag = row
                old = connection.execute(BEFORE, (kind, key, seq)).fetchone() or (None, "")
                now = None if doc is None else self._decode(kind, key, doc)
                before = None if old[0] is None else self._decode(kind, key, old[0])
                found.append(Change(seq, kind, key, now, time, who, etag, before, old[1]))
        return found

    def count_changes(self, after: int, kinds: Sequence[str], most: int) -> int:
        """How many edits of some kinds stand behind a number; not counted further than `most`."""
        query = COUNTED.format(marks=", ".join("?" * len(kinds)))
        with self._apart() as connection, self._mapped("read"):
            return int(connection.execute(query, (after, *kinds, most)).fetchone()[0])

    def between(self, kind: str, begin: int, end: int) -> list[tuple[str, Version, Json | None]]:
        """The edits of a kind in a span: (key, version, the document before it), oldest first."""
        found: list[tuple[str, Version, Json | None]] = []
        last: dict[str, Json | None] = {}
        with self._apart() as connection, self._mapped("read"):
            first = first_since(connection, begin)
            for row in connection.execute(BETWEEN, (first, kind, begin, end)).fetchall():
                seq, key, doc, time, who, why = row
                if key not in last:
                    old = connection.execute(BEFORE, (kind, key, seq)).fetchone()
                    is_there = old is not None and old[0] is not None
                    last[key] = self._decode(kind, key, old[0]) if is_there else None
                now = None if doc is None else self._decode(kind, key, doc)
                found.append((key, Version(seq, now, time, who, why), last[key]))
                last[key] = now
        return found

    def check(self) -> list[str]:
        """What SQLite finds wrong in the whole file; empty when it is sound."""
        with self._apart() as connection, self._mapped("read"):
            rows = connection.execute("PRAGMA integrity_check").fetchall()
        return [text for (text,) in rows if text != "ok"]

    def rest(self) -> None:
        """Gives back the pages of the file that are kept in memory; they are read again."""
        for lock, connection in (
            (self._lock, self._connection),
            (self._read_lock, self._reader),
        ):
            with lock:
                if not self._closed:
                    connection.execute("PRAGMA shrink_memory")

    def close(self) -> None:
        """Closes the file; may be called again."""
        with self._lock, self._read_lock:
            if not self._closed:
                self._closed = True
                self._reader.close()
                self._connection.close()

    def _connect(self, cache_kb: int = CACHE_KB) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA cache_size=-{cache_kb}")
            connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _prepare(self, migrations: Sequence[Migration], in_use: Callable[[], bool]) -> None:
        """Checks whose file it is, then brings its schema to the current version."""
        connection = self._connection
        application = _pragma(connection, "application_id")
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if application != APPLICATION_ID and (application or tables):
            raise ConfigInvalid(
                f"'{self.path}' is a database of another program",
                hint="point the data folder elsewhere, or move that file away",
            )
        connection.execute("PRAGMA journal_mode=WAL")
        version = _pragma(connection, "user_version")
        if version == len(migrations):
            return
        if version < len(migrations) and tables and in_use():
            raise ConfigInvalid(
                f"a server of an older version has '{self.path}' open: its schema is version "
                f"{version}, this program's {len(migrations)}",
                hint="use the gemel of that server, or stop it and start this version",
            )
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._migrate(migrations)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _migrate(self, migrations: Sequence[Migration]) -> None:
        connection = self._connection
        version = _pragma(connection, "user_version")  # again: another process may have been faster
        if version > len(migrations):
            raise self._newer(version)
        for step in migrations[version:]:
            step(connection)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={len(migrations)}")

    def _newer(self, version: int) -> ConfigInvalid:
        return ConfigInvalid(
            f"'{self.path}' has schema version {version}; this program knows {self._version}",
            hint="it was written by a newer version: run that one, or restore a backup",
        )

    def _no_such(self, error: sqlite3.Error) -> GemelError:
        """What a statement that asks for what is not there means: another version, or damage."""
        with closing(sqlite3.connect(self.path)) as connection, suppress(sqlite3.Error):
            version = _pragma(connection, "user_version")
            if version > self._version:
                return self._newer(version)
        return self._damaged(str(error))

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable(f"'{self.path}' is closed", hint="the server is shutting down")

    def _document(self, row: tuple[str, str, bytes, int, str, str]) -> Document:
        kind, key, doc, time, who, etag = row
        return Document(kind, key, self._decode(kind, key, doc), time, who, etag)

    def _decode(self, kind: str, key: str, doc: bytes) -> Json:
        try:
            decoded = orjson.loads(doc)
        except orjson.JSONDecodeError as error:
            raise self._damaged(f"the {kind} '{key}' is not JSON: {error}") from error
        if not isinstance(decoded, dict):
            raise self._damaged(f"the {kind} '{key}' is not a JSON object")
        return decoded

    def _damaged(self, what: str) -> Damaged:
        return Damaged(
            f"'{self.path}' is damaged: {what}",
            hint=f"restore a backup, or save what can be read: "
            f"sqlite3 '{self.path}' .recover | sqlite3 recovered.sqlite",
        )

    @contextmanager
    def _mapped(self, act: str) -> Iterator[None]:
        """Turns SQLite's errors into ours; the one table of them."""
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise  # ours to mend, not the file's
        except sqlite3.OperationalError as error:
            code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
            if code == sqlite3.SQLITE_FULL:
                hint = "free some space on that disk; nothing of this change was stored"
            elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                hint = "another process is writing to it; try again"
            elif code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
                hint = "check that the folder exists and may be written by this user"
            elif code == sqlite3.SQLITE_ERROR:
                raise self._no_such(error) from error
            elif code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or not code:
                raise self._damaged(str(error)) from error  # no code: text that is no UTF-8
            else:
                hint = "check the disk and its messages in the system log"
            raise Unavailable(f"cannot {act} '{self.path}': {error}", hint=hint) from error
        except sqlite3.DatabaseError as error:
            raise self._damaged(str(error)) from error


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def first_since(connection: sqlite3.Connection, begin: int) -> int:
    """A number before all edits since a time; the clock may have been set back by an hour."""
    low, high = 0, int(connection.execute("SELECT ifnull(max(seq), 0) FROM edits").fetchone()[0])
    while low < high:
        middle = (low + high + 1) // 2
        row = connection.execute(
            "SELECT time FROM edits WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (middle,)
        ).fetchone()
        if row is None or row[0] < begin - SLACK:
            low = middle
        else:
            high = middle - 1
    return low


def _encode(edit: Edit) -> bytes | None:
    if edit.doc is None or edit.encoded is not None:
        return edit.encoded
    try:
        return orjson.dumps(edit.doc)
    except TypeError as error:  # orjson's encode error is one
        raise InvalidInput(
            f"the {edit.kind} '{edit.key}' cannot be stored as JSON: {error}",
            hint="use strings as names and integers below 2**64",
        ) from error


def _write(connection: sqlite3.Connection, edits: Sequence[Edit], seq: int, before: bytes) -> None:
    """Appends edits to the chain behind edit `seq`.

    As many at a time as stay in the processor's cache from one step to the next.

    Cost: about 5 us an edit, most of it SQLite's.
    """
    begin = 0
    for count in ROWS:
        marks = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?)"] * count)
        while len(edits) - begin >= count:
            rows = [
                (one.kind, one.key, _encode(one), one.time, one.who, one.why, one.etag)
                for one in edits[begin : begin + count]
            ]
            values: list[object] = []
            for row, before in zip(rows, chain.links(before, seq, rows), strict=True):  # noqa: B020
                seq += 1
                values += row
                values += seq, before
            connection.execute(APPEND + marks, values)
            begin += count


def _sync_folder(folder: Path) -> None:
    """Makes the new file's name durable, not only its bytes."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
