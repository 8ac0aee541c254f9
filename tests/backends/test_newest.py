"""The newest edit of each document is found, however many there are and wherever they lie."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemel.backends import newest
from gemel.backends.sqlite import MIGRATIONS, SqliteDocuments
from gemel.core.document import Edit

KINDS = ("twin", "relationship", "alarm")
edits = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.sampled_from(["", "a", "a\x00", "a\nb", "b", "\U0010ffff", "é"]),
        st.one_of(st.none(), st.integers(0, 99)),
    ),
    max_size=60,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteDocuments]:
    with closing(SqliteDocuments(tmp_path / "d.db")) as made:
        yield made


def edit(kind: str, key: str, number: int | None) -> Edit:
    return Edit(kind, key, None if number is None else {"n": number}, 1, "ann")


def fold(made: list[tuple[str, str, int | None]], kind: str) -> dict[str, int]:
    last = {key: number for one, key, number in made if one == kind}
    return {key: number for key, number in sorted(last.items()) if number is not None}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(made=edits, piece=st.integers(1, 4), many=st.sampled_from([0, 1, 30]))
def test_every_way_of_reading_gives_the_fold_of_all_edits(
    made: list[tuple[str, str, int | None]],
    piece: int,
    many: int,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("PIECE", piece), ("SKIPPED", 1), ("ROWS", piece), ("MANY", many)):
        monkeypatch.setattr(newest, name, value)
    path = tmp_path_factory.mktemp("newest") / "d.db"
    with closing(SqliteDocuments(path)) as store:
        store.commit([edit(*one) for one in made])
        for kind in KINDS:
            wanted = fold(made, kind)
            assert {d.key: d.doc["n"] for d in store.load(kind)} == wanted
            assert [d.key for d in store.load(kind)] == list(wanted)
            back = [key for key in reversed(wanted) if key < "\U0010ffff"]
            assert [d.key for d in store.back(kind, "", 3)] == back[:3]
            for enough in (0.0, 2.0):
                monkeypatch.setattr(newest, "ENOUGH", enough)
                pieces = store.load_encoded(kind)
                last = {key: doc for piece in pieces for key, doc, _ in piece.each()}
                found = {key for key, doc in last.items() if doc is not None}
                assert found == set(wanted)
    with closing(sqlite3.connect(path)) as connection:
        counted = {kind: len(fold(made, kind)) for kind in {one for one, _, _ in made}}
        assert newest.counts(connection) == counted


def test_what_has_very_many_edits_is_searched_for(store: SqliteDocuments) -> None:
    for number in range(40):
        store.commit([edit("twin", f"t{n:02}", number) for n in range(50)])
    with closing(sqlite3.connect(store.path)) as connection:
        read: list[str] = []
        connection.set_trace_callback(read.append)
        newest.PIECE, kept = 20, newest.PIECE
        try:
            numbers = newest.numbers_of(connection, "twin").tolist()
        finally:
            newest.PIECE = kept
        connection.set_trace_callback(None)
    assert numbers == list(range(1951, 2001))
    assert sum("RECURSIVE" in one for one in read) == 1
    assert [d.doc["n"] for d in store.load("twin")] == [39] * 50


def test_a_folder_of_the_last_format_opens_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "d.db"
    with closing(SqliteDocuments(path, MIGRATIONS[:2])) as old:
        old.commit([edit("twin", "a", 1), edit("twin", "b", 2)])
        old.commit([edit("twin", "a", 3), edit("twin", "b", None)])
        old._connection.execute(
            "INSERT INTO documents SELECT kind, key, doc, time, who, etag FROM edits WHERE seq = 3"
        )
    with closing(SqliteDocuments(path)) as store:
        assert [(d.key, d.doc) for d in store.load("twin")] == [("a", {"n": 3})]
        assert [v.doc for v in store.versions("twin", "b")] == [{"n": 2}, None]
        assert store.check() == []
    with closing(sqlite3.connect(path)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    assert "documents" not in names
