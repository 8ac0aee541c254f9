from __future__ import annotations

import sqlite3

import pytest

from gemel.backends.mqtt_sessions import MIGRATIONS, SqliteMqttSessions, damaged_rows
from gemel.core.errors import Damaged, Unavailable


def test_rows_come_back_in_another_process_of_the_same_folder(tmp_path):
    store = SqliteMqttSessions(tmp_path)
    store.commit([("session", "a", b"1"), ("message", "a", b"\0\xff"), ("session", "b", b"")])
    store.commit([("session", "a", b"2"), ("session", "b", None), ("session", "never", None)])
    # Read by a second connection while the first is open: what was committed is in the file.
    assert list(SqliteMqttSessions(tmp_path).load()) == [
        ("message", "a", b"\0\xff"),
        ("session", "a", b"2"),
    ]
    store.close()


def test_later_rows_of_one_commit_win(tmp_path):
    store = SqliteMqttSessions(tmp_path)
    store.commit([("t", "a", b"1"), ("t", "a", None), ("t", "b", None), ("t", "b", b"2")])
    assert list(store.load()) == [("t", "b", b"2")]


def test_commits_are_synchronous_and_write_ahead(tmp_path):
    store = SqliteMqttSessions(tmp_path)
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_failed_commit_leaves_nothing_of_itself(tmp_path):
    store = SqliteMqttSessions(tmp_path)
    store.commit([("t", "a", b"1")])
    store._db.execute("PRAGMA max_page_count=1")
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(Unavailable):
        store.commit([("t", "a", b"2"), ("t", "big", b"x" * 100_000)])
    assert list(store.load()) == [("t", "a", b"1")]
    store._db.execute("PRAGMA max_page_count=100000")
    store.commit([("t", "a", b"3")])
    assert list(store.load()) == [("t", "a", b"3")]


def test_a_damaged_file_is_named_with_a_way_out(tmp_path):
    (tmp_path / "mqtt.sqlite").write_bytes(b"this is no database" * 1000)
    with pytest.raises(Damaged) as caught:
        SqliteMqttSessions(tmp_path)
    assert "mqtt.sqlite" in str(caught.value)
    assert caught.value.hint


def test_a_row_of_which_nothing_is_left_is_told_of_and_the_others_come_back(tmp_path):
    """As SQLite gives rows of a page that lost its end: NULL where none may be."""
    store = SqliteMqttSessions(tmp_path)
    store.commit([("session", "a", b"1"), ("session", "b", b"2")])
    store._db.execute("PRAGMA writable_schema=1")
    store._db.execute("UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '')")
    store.close()
    with sqlite3.connect(tmp_path / "mqtt.sqlite") as database:
        database.execute("UPDATE row SET value = NULL WHERE key = 'a'")
        assert list(damaged_rows(database)) == ["the session 'a' is not what was written"]
    database.close()
    store = SqliteMqttSessions(tmp_path)
    assert list(store.load()) == [("session", "a", None), ("session", "b", b"2")]
    assert list(store.load()) == [("session", "b", b"2")]
    store.close()


def test_a_row_that_was_changed_is_told_of_once_and_the_others_come_back(tmp_path):
    store = SqliteMqttSessions(tmp_path)
    store.commit([("session", "a", b"1"), ("session", "b", b"2"), ("session", "c", b"3")])
    store.close()
    with sqlite3.connect(tmp_path / "mqtt.sqlite") as db:
        db.execute("UPDATE row SET value = x'33' WHERE key = 'b'")
        db.execute("UPDATE row SET key = CAST(x'ff' AS TEXT) WHERE key = 'c'")
        assert len(list(damaged_rows(db))) == 2
    db.close()
    store = SqliteMqttSessions(tmp_path)
    assert list(store.load()) == [
        ("session", "a", b"1"),
        ("session", "b", None),
        ("session", "\ufffd", None),
    ]
    assert list(store.load()) == [("session", "a", b"1")]
    store.close()


def test_rows_of_before_there_were_checksums_are_kept(tmp_path):
    db = sqlite3.connect(tmp_path / "mqtt.sqlite")
    MIGRATIONS[0](db)
    db.execute("INSERT INTO row VALUES ('session', 'ä', x'01')")
    db.execute("PRAGMA user_version=1")
    db.commit()
    db.close()
    for _ in range(2):
        store = SqliteMqttSessions(tmp_path)
        assert list(store.load()) == [("session", "ä", b"\x01")]
        store.close()


def test_a_file_of_a_later_version_is_left_alone(tmp_path):
    SqliteMqttSessions(tmp_path).close()
    db = sqlite3.connect(tmp_path / "mqtt.sqlite")
    db.execute("PRAGMA user_version=9")
    db.close()
    with pytest.raises(Damaged):
        SqliteMqttSessions(tmp_path)


def test_a_folder_that_does_not_exist_is_told(tmp_path):
    with pytest.raises(Unavailable):
        SqliteMqttSessions(tmp_path / "nowhere")
