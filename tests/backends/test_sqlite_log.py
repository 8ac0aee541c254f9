"""A log of SQLite with a bit flipped anywhere: damage before a later commit is named."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.backends.sqlite_log import FRAME, HEADER, fault_in

ROWS = 12


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A database whose commits are all still in its log."""
    path = tmp_path_factory.mktemp("log") / "some.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("CREATE TABLE t (n INTEGER, text TEXT)")
    for number in range(ROWS):
        connection.execute("INSERT INTO t VALUES (?, ?)", (number, "x" * 3_000))
    yield path
    connection.close()


def copied(made: Path, tmp_path: Path) -> Path:
    for end in ("", "-wal"):
        shutil.copyfile(f"{made}{end}", tmp_path / f"copy.sqlite{end}")
    return tmp_path / "copy.sqlite-wal"


def rows_of(log: Path) -> int:
    connection = sqlite3.connect(str(log).removesuffix("-wal"))
    try:
        return int(connection.execute("SELECT count(*) FROM t").fetchone()[0])
    except sqlite3.DatabaseError:
        return -1
    finally:
        connection.close()


def test_a_whole_log_a_torn_one_and_none_are_sound(made: Path, tmp_path: Path) -> None:
    log = copied(made, tmp_path)
    whole = log.read_bytes()
    size = FRAME + 4096
    for end in (0, 7, HEADER, HEADER + 9, HEADER + 5 * size, len(whole) - 1, len(whole)):
        log.write_bytes(whole[:end])
        found = fault_in(log)
        assert found is None or found.is_torn_tail
    assert found is None
    assert fault_in(tmp_path / "none-wal") is None


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_a_flipped_bit_is_named_where_sqlite_loses_what_follows(
    made: Path, tmp_path_factory: pytest.TempPathFactory, place: float, bit: int
) -> None:
    log = copied(made, tmp_path_factory.mktemp("flip"))
    data = bytearray(log.read_bytes())
    offset = int(place * len(data))
    data[offset] ^= 1 << bit
    log.write_bytes(data)
    found = fault_in(log)
    if found is None:  # nothing that was committed later is behind it
        assert rows_of(log) >= ROWS - 1
    else:
        assert found.offset <= offset < found.offset + found.length
        assert rows_of(log) < ROWS
