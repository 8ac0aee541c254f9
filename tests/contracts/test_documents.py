"""One suite for every implementation of the port `Documents`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.backends.memory import MemoryDocuments
from gemel.backends.sqlite import SqliteDocuments
from gemel.core.document import Document, Edit
from gemel.core.errors import InvalidInput, Unavailable
from gemel.core.ports import Documents


@pytest.fixture(params=["sqlite", "memory"])
def documents(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Documents]:
    store: Documents
    store = MemoryDocuments() if request.param == "memory" else SqliteDocuments(tmp_path / "d.db")
    yield store
    store.close()


def edit(key: str, doc: dict | None, kind: str = "twin", time: int = 1, **more: str) -> Edit:
    return Edit(kind, key, doc, time, "ann", **more)


def test_nothing_is_there_at_first(documents: Documents) -> None:
    assert documents.get("twin", "a") is None
    assert list(documents.load("twin")) == []
    assert documents.versions("twin", "a") == []


def test_a_committed_document_is_read_back_whole(documents: Documents) -> None:
    doc = {"a": 1, "b": [1.5, None, True, "é\n"], "c": {"d": {}}}
    documents.commit([Edit("twin", "pump", doc, 12, "ann", "new", 'W/"1"')])
    assert documents.get("twin", "pump") == Document("twin", "pump", doc, 12, "ann", 'W/"1"')
    assert list(documents.load("twin")) == [Document("twin", "pump", doc, 12, "ann", 'W/"1"')]


def test_the_last_edit_is_the_document(documents: Documents) -> None:
    documents.commit([edit("a", {"n": 1}), edit("a", {"n": 2}, time=2)])
    documents.commit([edit("a", {"n": 3}, time=3)])
    found = documents.get("twin", "a")
    assert found is not None
    assert (found.doc, found.time) == ({"n": 3}, 3)


def test_a_deleted_document_is_gone_and_its_history_stays(documents: Documents) -> None:
    documents.commit([edit("a", {"n": 1}, why="first")])
    documents.commit([edit("a", None, time=2, why="scrapped")])
    assert documents.get("twin", "a") is None
    assert list(documents.load("twin")) == []
    versions = documents.versions("twin", "a")
    assert [(v.doc, v.time, v.who, v.why) for v in versions] == [
        ({"n": 1}, 1, "ann", "first"),
        (None, 2, "ann", "scrapped"),
    ]
    assert versions[0].seq < versions[1].seq


def test_deleting_what_is_not_there_is_only_noted(documents: Documents) -> None:
    documents.commit([edit("a", None)])
    assert documents.get("twin", "a") is None
    assert len(documents.versions("twin", "a")) == 1


def test_kinds_do_not_mix(documents: Documents) -> None:
    documents.commit([edit("a", {"n": 1}), edit("a", {"n": 2}, kind="model")])
    assert [d.doc for d in documents.load("twin")] == [{"n": 1}]
    assert [d.doc for d in documents.load("model")] == [{"n": 2}]
    assert [v.doc for v in documents.versions("model", "a")] == [{"n": 2}]


def test_what_was_edited_behind_a_number_is_named_once(documents: Documents) -> None:
    assert (documents.newest(), documents.edited("twin", 0)) == (0, set())
    documents.commit([edit("a", {}), edit("b", {}), edit("m", {}, "model")])
    documents.commit([edit("b", None), edit("b", {}), edit("c", {})])
    assert documents.newest() == 6
    assert documents.edited("twin", 0) == {"a", "b", "c"}
    assert documents.edited("twin", 3) == {"b", "c"}
    assert documents.edited("model", 3) == documents.edited("twin", 6) == set()


def test_documents_load_in_order_of_key(documents: Documents) -> None:
    documents.commit([edit(key, {}) for key in ("b", "a\nz", "a", "é", "Z")])
    assert [d.key for d in documents.load("twin")] == sorted(["b", "a\nz", "a", "é", "Z"])


def folded(documents: Documents, kind: str) -> dict[str, tuple[bytes | None, str]]:
    """The last edit of each key."""
    pieces = documents.load_encoded(kind)
    return {key: (doc, etag) for piece in pieces for key, doc, etag in piece.each()}


def test_the_newest_edits_load_as_they_are_stored(documents: Documents) -> None:
    documents.commit([edit(key, {"n": key}, etag=f"e{key}") for key in "bca"])
    documents.commit([edit("c", None), edit("b", {}, etag="f"), edit("x", {}, kind="other")])
    found = folded(documents, "twin")
    assert found.pop("c", (None, "")) == (None, "")
    assert found == {"a": (b'{"n":"a"}', "ea"), "b": (b"{}", "f")}
    assert folded(documents, "nothing") == {}


@pytest.mark.parametrize("count", [1, 19, 20, 199, 200, 221, 1_201])
def test_any_number_of_edits_is_committed_whole(documents: Documents, count: int) -> None:
    documents.commit([edit(f"{n:04}", {"n": n}) for n in range(count)])
    documents.commit([edit(f"{n:04}", None if n % 2 else {"n": -n}) for n in range(count)])
    found = {one.key: one.doc["n"] for one in documents.load("twin")}
    assert found == {f"{n:04}": -n for n in range(0, count, 2)}
    encoded = folded(documents, "twin").items()
    assert {key: orjson.loads(doc)["n"] for key, (doc, _) in encoded if doc is not None} == found
    assert [v.seq for v in documents.versions("twin", "0000")] == [1, count + 1]


def test_changing_a_document_afterwards_changes_nothing_stored(documents: Documents) -> None:
    doc = {"n": 1}
    documents.commit([edit("a", doc)])
    doc["n"] = 2
    first = documents.get("twin", "a")
    assert first is not None
    first.doc["n"] = 3
    second = documents.get("twin", "a")
    assert second is not None
    assert second.doc == {"n": 1}


@pytest.mark.parametrize("bad", [{1: 2}, {"n": 2**70}, {"n": object()}])
def test_one_document_that_is_no_json_refuses_the_whole_commit(
    documents: Documents, bad: dict
) -> None:
    with pytest.raises(InvalidInput, match="'b'"):
        documents.commit([edit("a", {}), edit("b", bad)])
    assert documents.get("twin", "a") is None
    assert documents.versions("twin", "a") == []


def test_an_empty_commit_is_allowed(documents: Documents) -> None:
    documents.commit([])


def test_a_closed_store_says_so_and_closes_twice(documents: Documents) -> None:
    documents.commit([edit("a", {})])
    documents.close()
    documents.close()
    with pytest.raises(Unavailable):
        documents.get("twin", "a")
    with pytest.raises(Unavailable):
        documents.commit([edit("a", {})])
    with pytest.raises(Unavailable):
        list(documents.load("twin"))


OPERATIONS = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["twin", "model"]),
            st.sampled_from("abc"),
            st.none() | st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2),
        ),
        max_size=4,
    ),
    max_size=6,
)


@given(OPERATIONS)
@settings(max_examples=40, deadline=None)
def test_both_implementations_agree(
    tmp_path_factory: pytest.TempPathFactory, commits: list[list[tuple[str, str, dict | None]]]
) -> None:
    sqlite = SqliteDocuments(tmp_path_factory.mktemp("agree") / "d.db")
    memory = MemoryDocuments()
    for number, rows in enumerate(commits):
        edits = [Edit(kind, key, doc, number, "ann") for kind, key, doc in rows]
        sqlite.commit(edits)
        memory.commit(edits)
    for kind in ("twin", "model"):
        assert list(sqlite.load(kind)) == list(memory.load(kind))
        for key in "abc":
            assert sqlite.get(kind, key) == memory.get(kind, key)
            assert sqlite.versions(kind, key) == memory.versions(kind, key)
    sqlite.close()
