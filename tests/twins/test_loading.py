"""What is loaded at the start is what was applied, with its strings shared."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twin_plant import PUMP

from gemel.backends.memory import MemoryDocuments
from gemel.core.document import Edit, Encoded
from gemel.core.errors import Damaged
from gemel.twins import shelf
from gemel.twins.adjacency import MOST_IN_TUPLE
from gemel.twins.graph import Graph

NAMES = ("hub", "a", "b", "gone")
ends = st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(("feeds", "next")))


def twin(name: str) -> Edit:
    return Edit("twin", name, {"$metadata": {"$model": PUMP}}, 1, "ann", "", 'W/"1"')


def link(number: int, source: str, target: str, kind: str) -> Edit:
    doc = {
        "$relationshipId": f"r{number:03}",
        "$sourceId": source,
        "$targetId": target,
        "$relationshipName": kind,
        **({"weight": number} if number % 3 == 0 else {}),
    }
    return Edit("relationship", f"{source}\nr{number:03}", doc, 1, "ann", "", f'W/"{number}"')


def loaded(edits: list[Edit]) -> Graph:
    documents, graph = MemoryDocuments(), Graph()
    documents.commit(edits)
    for kind in ("twin", "relationship"):
        graph.load_encoded(kind, documents.load_encoded(kind))
    return graph


@given(st.lists(ends, max_size=3 * MOST_IN_TUPLE))
def test_loading_gives_what_applying_gives(found: list[tuple[str, str, str]]) -> None:
    edits = [twin(name) for name in NAMES[:-1]]
    edits += [link(number, *row) for number, row in enumerate(sorted(found))]
    applied, graph = Graph(), loaded(edits)
    applied.apply(edits)
    assert graph.twins == applied.twins
    assert graph.counts() == applied.counts()
    for name in NAMES:
        for side in ("relationships_of", "incoming_of"):
            assert getattr(graph, side)(name) == getattr(applied, side)(name)


@given(st.lists(st.tuples(st.integers(0, 9), ends, st.sampled_from(["put", "drop", "look"]))))
def test_what_becomes_of_a_loaded_graph_becomes_of_one_that_was_not(
    steps: list[tuple[int, tuple[str, str, str], str]],
) -> None:
    """Edits before the load and behind it, in any place, with looks in between."""
    edits = [twin(name) for name in NAMES[:-1]]
    for number, (source, target, kind), act in steps:
        edit = link(number, source, target, kind)
        edits.append(replace(edit, doc=None) if act == "drop" else edit)
    for cut in {0, len(edits) // 2, len(edits)}:
        applied, graph = Graph(), loaded(edits[:cut])
        applied.apply(edits[:cut])
        for edit, (*_, act) in zip(edits[cut:], [*steps, *[(0, "look")] * 3], strict=False):
            if act == "look":
                graph.incoming("hub")
            for one in (applied, graph):
                one.apply([edit])
        assert graph.counts() == applied.counts()
        assert set(graph.sources()) == set(applied.sources())
        for name in NAMES:
            for side in ("outgoing", "incoming"):
                found = [(link.key, link.view()) for link in getattr(graph, side)(name)]
                assert found == [(link.key, link.view()) for link in getattr(applied, side)(name)]
            for one in graph.outgoing(name):
                assert any(one is other for other in graph.incoming(one.target))


def test_keys_of_one_hash_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "hash", lambda _: 7, raising=False)
    graph = loaded([twin("a"), link(1, "a", "b", "feeds"), link(2, "a", "b", "feeds")])
    assert [one.id for one in graph.outgoing("a")] == ["r001", "r002"]


@pytest.mark.parametrize("bad", [b"{", b"[]", b"{},{}", b'{"$relationshipId":"r"}'])
def test_a_relationship_that_is_damaged_is_named_among_sound_ones(bad: bytes) -> None:
    good = orjson.dumps(link(1, "a", "b", "feeds").doc)
    docs = [good, bad, good]
    keys = [f"a\nr00{number}" for number in (1, 2, 3)]
    piece = Encoded(keys, b"[" + b",".join(docs) + b"]", list(map(len, docs)), [""] * 3)
    with pytest.raises(Damaged, match="r002"):
        Graph().load_encoded("relationship", [piece])


@pytest.mark.parametrize("count", [1, MOST_IN_TUPLE, MOST_IN_TUPLE + 2])
def test_relationships_share_the_strings_of_their_twins(count: int) -> None:
    graph = loaded([twin("a"), twin("hub"), *(link(n, "a", "hub", "feeds") for n in range(count))])
    for one in graph.outgoing("a"):
        assert one.source is graph.twins["a"].id
        assert one.name is graph.outgoing("a")[0].name
    assert all(one.target is graph.twins["hub"].id for one in graph.incoming("hub"))


def test_a_relationship_that_is_put_again_is_there_once() -> None:
    graph = loaded([twin("a"), twin("b"), twin("hub"), link(1, "a", "b", "feeds")])
    graph.apply([link(1, "a", "hub", "next"), link(2, "a", "hub", "next")])
    assert [one.target for one in graph.outgoing("a")] == ["hub", "hub"]
    assert graph.incoming("b") == []
    assert [one.id for one in graph.incoming("hub")] == ["r001", "r002"]


def test_an_edit_keeps_the_bytes_that_were_made_of_it() -> None:
    edit = twin("a")
    edit.encoded = orjson.dumps(edit.doc)
    graph = Graph()
    graph.apply([edit])
    assert graph.twins["a"].stored == b'W/"1"\n' + edit.encoded
