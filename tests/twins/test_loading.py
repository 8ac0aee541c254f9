"""What is loaded at the start is what was applied, with its strings shared."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twin_plant import PUMP

from gemel.backends.memory import MemoryDocuments
from gemel.core.document import Edit
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
