from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from gemel.backends import sqlite
from gemel.backends.sqlite import MIGRATIONS, SqliteDocuments
from gemel.core import chain
from gemel.core.document import Edit
from gemel.core.errors import ConfigInvalid, Damaged, Unavailable


def edit(key: str, doc: dict | None = None, kind: str = "twin") -> Edit:
    return Edit(kind, key, {} if doc is None else doc, 1, "ann")


WRITER = """
import sys
from gemel.backends.sqlite import SqliteDocuments
from gemel.core.document import Edit
store = SqliteDocuments(sys.argv[1])
number = 0
while True:
    edits = [Edit("twin", f"{number}-{part}", {"n": number}, number, "w") for part in "ab"]
    store.commit(edits)
    print(number, flush=True)
    number += 1
"""


def test_acknowledged_commits_survive_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "d.db"
    acknowledged = -1
    for round_number in range(1, 4):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            acknowledged = int(line)
            if acknowledged >= 25 * round_number:
                break
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
        acknowledged = int(rest[-1]) if rest else acknowledged
        process.stdout.close()
        process.wait()
        store = SqliteDocuments(path)
        found = {document.key for document in store.load("twin")}
        assert store.check() == []
        store.close()
        assert {f"{n}-{part}" for n in range(acknowledged + 1) for part in "ab"} <= found
        assert all(key[:-1] + other in found for key in found for other in "ab")


def test_documents_outlive_the_object(tmp_path: Path) -> None:
    first = SqliteDocuments(tmp_path / "d.db")
    first.commit([edit("a", {"n": 1})])
    first.close()
    second = SqliteDocuments(tmp_path / "d.db")
    found = second.get("twin", "a")
    assert found is not None
    assert found.doc == {"n": 1}
    second.close()


def test_two_stores_on_one_file_see_each_other(tmp_path: Path) -> None:
    server, tool = SqliteDocuments(tmp_path / "d.db"), SqliteDocuments(tmp_path / "d.db")
    tool.commit([edit("t1", {"role": "admin"}, "token")])
    found = server.get("token", "t1")
    assert found is not None
    assert found.doc == {"role": "admin"}
    server.commit([edit("t2", {}, "token")])
    assert tool.get("token", "t2") is not None
    server.close()
    tool.close()


@pytest.mark.parametrize("count", [sqlite.ROWS[0], sqlite.ROWS[0] + sqlite.ROWS[1] + 3])
def test_many_edits_of_one_commit_are_chained_in_their_order(tmp_path: Path, count: int) -> None:
    store = SqliteDocuments(tmp_path / "d.db")
    edits = [edit(f"key-{n % 200}", {"n": n}) for n in range(count - 1)]
    edits.append(Edit("twin", "key-7", None, 2, "ann"))
    store.commit([edit("before")])
    store.commit(edits)
    with closing(sqlite3.connect(store.path)) as file:
        rows = file.execute(
            "SELECT seq, kind, key, doc, time, who, why, etag, hash FROM edits ORDER BY seq"
        ).fetchall()
    before = chain.BEGIN
    for seq, kind, key, doc, *rest, made in rows:
        before = chain.link(before, seq, kind, key, chain.digest(doc), *rest)
        assert made == before
    assert [row[2] for row in rows[1:]] == [one.key for one in edits]
    left = {one.key: one.doc["n"] for one in edits if one.doc is not None}
    del left["key-7"]
    found = {one.key: one.doc.get("n") for one in store.load("twin")}
    assert found == {"before": None, **left}
    store.close()


def test_many_threads_lose_nothing(tmp_path: Path) -> None:
    store = SqliteDocuments(tmp_path / "d.db")
    failures: list[BaseException] = []

    def work(name: int) -> None:
        try:
            for number in range(10):
                store.commit([edit(f"{name}-{number}")])
                assert store.get("twin", f"{name}-{number}") is not None
                list(store.load("twin"))
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(list(store.load("twin"))) == 40
    store.close()


def test_reading_waits_for_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 120.0)
    store = SqliteDocuments(tmp_path / "d.db")
    store.commit([edit("a", {"n": 1})])
    other = sqlite3.connect(tmp_path / "d.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # as another process in the middle of a long commit
    writing = threading.Thread(target=store.commit, args=([edit("b")],))
    writing.start()
    try:
        while not store._lock.locked():
            assert writing.is_alive()
        found = store.get("twin", "a")
        assert found is not None
        assert (found.doc, store.newest(), len(store.versions("twin", "a"))) == ({"n": 1}, 1, 1)
        assert [row.key for row in store.load("twin")] == ["a"]
        assert len(store.between("twin", 0, 2)) == len(store.changes(0, ["twin"], 9)) == 1
        assert store.check() == []
        assert writing.is_alive()
    finally:
        other.execute("ROLLBACK")
        other.close()
        writing.join()
    assert store.get("twin", "b") is not None
    store.close()


def test_loading_sees_one_moment_while_commits_go_on(tmp_path: Path) -> None:
    store = SqliteDocuments(tmp_path / "d.db")
    store.commit([edit("a"), edit("b"), edit("c")])
    rows = store.load("twin")
    first = next(rows)
    store.commit([Edit("twin", "b", None, 2, "ann"), edit("d")])
    assert [first.key, *(row.key for row in rows)] == ["a", "b", "c"]
    assert [row.key for row in store.load("twin")] == ["a", "c", "d"]
    store.close()


def test_a_failed_commit_leaves_nothing_and_the_next_works(tmp_path: Path) -> None:
    store = SqliteDocuments(tmp_path / "d.db")
    broken = Edit("twin", "b", {}, 1, None)  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError):
        store.commit([edit("a"), broken])
    assert store.get("twin", "a") is None
    store.commit([edit("c")])
    assert [row.key for row in store.load("twin")] == ["c"]
    store.close()


def test_a_full_disk_is_unavailable_and_nothing_is_half_written(tmp_path: Path) -> None:
    store = SqliteDocuments(tmp_path / "d.db")
    store.commit([edit("small")])
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(Unavailable, match="full") as caught:
        store.commit([edit(f"big-{n}", {"text": "x" * 5000}) for n in range(20)])
    assert caught.value.retry
    assert "space" in caught.value.hint
    assert [row.key for row in store.load("twin")] == ["small"]
    store._connection.execute("PRAGMA max_page_count=1000000")
    store.commit([edit("big", {"text": "x" * 50000})])
    store.close()


@pytest.mark.parametrize("content", [b"hello " * 500, b"SQLite format 3\x00" + b"\xff" * 4000])
def test_a_file_that_is_no_database_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "d.db"
    path.write_bytes(content)
    with pytest.raises(Damaged, match=r"d\.db") as caught:
        SqliteDocuments(path)
    assert "backup" in caught.value.hint
    assert path.read_bytes() == content


def test_torn_pages_are_reported_and_never_read_as_data(tmp_path: Path) -> None:
    path = tmp_path / "d.db"
    store = SqliteDocuments(path)
    store.commit([edit(f"key-{n:04}", {"text": "x" * 200}) for n in range(300)])
    store.close()
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xee" * (len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(Damaged, match=r"d\.db"):
        list(SqliteDocuments(path).load("twin"))


def test_a_document_that_is_no_json_is_damaged_and_named(tmp_path: Path) -> None:
    store = SqliteDocuments(tmp_path / "d.db")
    store.commit([edit("a")])
    store._connection.execute("UPDATE edits SET doc = x'7b'")
    with pytest.raises(Damaged, match="twin 'a'"):
        store.get("twin", "a")
    store._connection.execute("UPDATE edits SET doc = x'5b5d'")
    with pytest.raises(Damaged, match="twin 'a'"):
        list(store.load("twin"))
    store.close()


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "d.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(ConfigInvalid, match="another program"):
        SqliteDocuments(path)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.db"
    SqliteDocuments(path).close()
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA user_version=99")
    raw.close()
    with pytest.raises(ConfigInvalid, match="99"):
        SqliteDocuments(path)


def test_a_migration_runs_once_and_keeps_the_documents(tmp_path: Path) -> None:
    path = tmp_path / "d.db"
    store = SqliteDocuments(path)
    store.commit([edit("a", {"n": 1})])
    store.close()

    def add_column(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE edits ADD COLUMN source TEXT")

    for _ in range(2):
        store = SqliteDocuments(path, (*MIGRATIONS, add_column))
        assert [row.doc for row in store.load("twin")] == [{"n": 1}]
        store.close()


def test_an_older_file_is_left_as_it_is_while_a_server_of_its_version_has_it_open(
    tmp_path: Path,
) -> None:
    path = tmp_path / "d.db"
    older = SqliteDocuments(path, MIGRATIONS[:2])
    with pytest.raises(ConfigInvalid, match="schema is version 2, this program's 3") as caught:
        SqliteDocuments(path, in_use=lambda: True)
    assert "older version" in str(caught.value)
    assert older.newest() == 0
    older.close()
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (2,)
    raw.close()
    SqliteDocuments(path).close()
    SqliteDocuments(path, in_use=lambda: True).close()


def test_a_file_that_a_newer_version_has_changed_meanwhile_is_not_called_damaged(
    tmp_path: Path,
) -> None:
    path = tmp_path / "d.db"
    store = SqliteDocuments(path)
    with sqlite3.connect(path) as newer:
        newer.execute("ALTER TABLE edits RENAME TO changes")
        newer.execute("PRAGMA user_version=4")
    newer.close()
    with pytest.raises(ConfigInvalid, match="has schema version 4; this program knows 3"):
        store.newest()
    with sqlite3.connect(path) as damaged:
        damaged.execute("PRAGMA user_version=3")
    damaged.close()
    with pytest.raises(Damaged, match="no such table"):
        store.newest()
    store.close()


def test_a_failing_migration_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "d.db"
    SqliteDocuments(path).close()

    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("DROP TABLE edits")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        SqliteDocuments(path, (*MIGRATIONS, fail))
    store = SqliteDocuments(path)
    store.commit([edit("a")])
    store.close()


def test_a_missing_folder_says_what_to_check(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        SqliteDocuments(tmp_path / "no" / "d.db")
    assert "folder" in caught.value.hint
