"""The graph of a moment against edits that are replayed up to it, whatever happens afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from brute_force import BruteForce
from hypothesis import given, settings
from hypothesis import strategies as st
from query_world import MODELS, World
from test_brute_force import beginnings, changes, happen, queries

from gemel.core.batch import I32, Columns
from gemel.core.document import Document, Edit
from gemel.twins.graph import Graph
from gemel.twins.past import KINDS, Past
from gemel.twins.query.parser import parse
from gemel.twins.query.reading import Live
from gemel.twins.query.run import Engine, answer
from gemel.twins.recalled import Found, Recalled
from gemel.twins.state import LastValue


class Logged(Graph):
    """A graph that numbers its edits as times, keeps them, and tells graphs of the past of them."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Edit] = []
        self.pasts: list[Past] = []

    def apply(self, edits: Sequence[Edit]) -> None:
        stamped = [replace(e, time=len(self.log) + n) for n, e in enumerate(edits, 1)]
        self.log += stamped
        for past in self.pasts:
            past.follow(stamped)
        super().apply(stamped)

    def until(self, moment: int) -> Graph:
        """Replayed."""
        found = Graph()
        found.load(Document("model", m["@id"], m, 0, "", "") for m in MODELS)
        for edit in self.log[:moment]:
            found.apply([edit])
        return found

    def edited_since(self, moment: int) -> list[tuple[str, str, Any, str]]:
        was = {(e.kind, e.key): (e.doc, e.etag) for e in self.log[:moment]}
        keys = dict.fromkeys((e.kind, e.key) for e in self.log[moment:] if e.kind in KINDS)
        return [(*key, *was.get(key, (None, ""))) for key in keys]


def logged_world() -> World:
    world, graph = World(), Logged()
    graph.load(Document("model", m["@id"], m, 0, "", "") for m in MODELS)
    world.graph = graph
    world.engine = Engine(graph, Live(world.series, world.state))
    return world


def recalled(numbers: I32, last: list[LastValue | None]) -> Found:
    rows = {n: last[n] for n in numbers.tolist() if n < len(last)}
    there = {n: one for n, one in rows.items() if one is not None}
    columns = Columns(
        np.array([one.time for one in there.values()], np.int64),
        np.array([one.value for one in there.values()], float),
        np.array([one.quality for one in there.values()], np.uint8),
        np.array([one.received for one in there.values()], np.int64),
        {row: one.text for row, one in enumerate(there.values()) if one.text is not None},
    )
    return numbers, np.array(list(there), np.int32), columns


@settings(max_examples=60, deadline=None)
@given(
    beginnings(),
    changes(),
    changes(),
    st.lists(queries(), min_size=1, max_size=3),
    st.booleans(),
)
def test_same_rows_as_edits_replayed_to_the_moment(
    begin: list[Any], between: list[Any], after: list[Any], asked: list[str], has_columns: bool
) -> None:
    world = logged_world()
    graph = world.graph
    assert isinstance(graph, Logged)
    happen(world, begin)
    moment, live = len(graph.log), dict(world.live)
    last = [world.state.get(number) for number in range(len(world.series))]
    happen(world, between)
    past = Past(graph, moment)
    graph.pasts.append(past)
    past.take(graph.edited_since(moment))
    values = Recalled(lambda numbers: iter([recalled(numbers, last)]), moment)
    engine = Engine(past, Live(world.series, values), nearby=world.engine)
    plain = BruteForce(graph.until(moment), live)
    for _ in range(2):
        for text in asked:
            if has_columns:
                world.rows(text)
            assert answer(engine.run(text, size=1000)).rows == plain.answer(parse(text)), text
        happen(world, after)


def test_a_model_that_was_replaced_since_is_what_it_was() -> None:
    graph = Logged()
    head = {"@context": "dtmi:dtdl:context;3", "@id": "dtmi:m;1", "@type": "Interface"}
    old = {**head, "contents": [{"@type": "Property", "name": "x", "schema": "double"}]}
    new = {**head, "contents": [{"@type": "Telemetry", "name": "x", "schema": "double"}]}
    graph.apply([Edit("model", "dtmi:m;1", old, 0, "")])
    early, late = Past(graph, 1), Past(graph, 1)
    graph.pasts.append(early)
    graph.apply([Edit("model", "dtmi:m;1", None, 0, "")])
    graph.apply([Edit("model", "dtmi:m;1", new, 0, "")])
    late.take(graph.edited_since(1))
    for past in (early, late):
        assert list(past.model("dtmi:m;1").properties()) == ["x"]
        assert list(past.model_ids()) == ["dtmi:m;1"]
    assert not graph.model("dtmi:m;1").properties()


def test_an_edit_of_before_the_moment_that_comes_late_counts() -> None:
    graph = Graph()
    graph.load(Document("model", m["@id"], m, 0, "", "") for m in MODELS)
    past = Past(graph, 10)
    doc = {"$metadata": {"$model": MODELS[1]["@id"]}}
    edit = Edit("twin", "a", doc, 9, "")
    past.follow([edit])
    graph.apply([edit])
    assert past.find_twin("a") is not None
    later = replace(edit, doc=None, time=11)
    past.follow([later])
    graph.apply([later])
    assert past.find_twin("a") is not None
    assert graph.find_twin("a") is None


def test_a_relationship_that_is_made_later_does_not_point_at_a_twin_of_then() -> None:
    world = logged_world()
    graph = world.graph
    assert isinstance(graph, Logged)
    world.twin("a")
    world.twin("b")
    past = Past(graph, len(graph.log))
    graph.pasts.append(past)
    world.link("a", "feeds", "b")
    assert past.incoming("b") == past.outgoing("a") == []
    assert len(graph.incoming("b")) == 1
