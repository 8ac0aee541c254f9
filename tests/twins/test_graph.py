from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twin_plant import PUMP, PUMP_TWIN, STATION, built, everything

from gemel.backends.memory import MemoryDocuments
from gemel.core.document import Document, Encoded
from gemel.core.errors import Conflict, Damaged, GemelError, NotFound
from gemel.twins.draft import Draft
from gemel.twins.graph import Graph
from gemel.twins.models import add_models, decommission, delete_model
from gemel.twins.relationship_edits import (
    delete_relationship,
    patch_relationship,
    put_relationship,
)
from gemel.twins.twin_edits import ask_desired, delete_twin, patch_twin, put_twin


def test_a_restart_gives_the_same_graph() -> None:
    plant = built()
    assert everything(plant.reloaded()) == everything(plant.graph)
    assert plant.graph.counts() == (4, 3, 1)


def test_loading_in_one_stream_gives_the_same_graph() -> None:
    plant = built()
    graph = Graph()
    kinds = ("model", "twin", "relationship")
    graph.load([document for kind in kinds for document in plant.documents.load(kind)])
    assert everything(graph) == everything(plant.graph)


def test_planning_alone_changes_nothing() -> None:
    plant = built()
    before = everything(plant.graph)
    context = plant.context()
    put_twin(plant.graph, context, "pump-3", PUMP_TWIN)
    patch = [{"op": "add", "path": "/name", "value": "x"}]
    patch_twin(plant.graph, context, "pump-1", patch)
    delete_twin(plant.graph, context, "pump-2")
    decommission(plant.graph, context, PUMP)
    delete_model(plant.graph, context, STATION)
    assert everything(plant.graph) == before


def test_adjacency_is_known_from_both_ends() -> None:
    graph = built().graph
    assert graph.targets_of("station-1") == [("pump-1", "contains")]
    assert graph.sources_of("pump-1") == [("station-1", "contains")]
    assert graph.sources_of("station-1") == graph.targets_of("pump-1") == []
    assert [doc["$targetId"] for doc in graph.relationships_of("station-1")] == ["pump-1"]
    assert [doc["$sourceId"] for doc in graph.incoming_of("pump-1")] == ["station-1"]
    assert graph.incoming_of("nobody") == graph.relationships_of("nobody") == []


def test_a_replaced_relationship_leaves_its_old_target() -> None:
    plant = built()
    body = {"$relationshipName": "contains", "$targetId": "pump-2"}
    plant.do(put_relationship, "station-1", "r1", body)
    assert plant.graph.sources_of("pump-1") == []
    assert plant.graph.sources_of("pump-2") == [("station-1", "contains")]
    assert plant.graph.counts()[2] == 1


def test_a_twin_may_point_at_itself() -> None:
    plant = built()
    body = {"$relationshipName": "near", "$targetId": "station-1"}
    plant.do(put_relationship, "station-1", "self", body)
    assert ("station-1", "near") in plant.graph.sources_of("station-1")
    with pytest.raises(Conflict, match="'self'"):
        plant.do(delete_twin, "station-1")
    plant.do(delete_relationship, "station-1", "self")
    assert plant.graph.sources_of("station-1") == []


def test_what_is_not_there_is_named() -> None:
    graph = built().graph
    for call, code in (
        (lambda: graph.twin("x"), "DigitalTwinNotFound"),
        (lambda: graph.model("dtmi:x;1"), "ModelNotFound"),
        (lambda: graph.relationship("x", "r"), "DigitalTwinNotFound"),
        (lambda: graph.relationship("station-1", "x"), "RelationshipNotFound"),
    ):
        with pytest.raises(NotFound, match=r"'(x|dtmi:x;1)'") as caught:
            call()
        assert caught.value.code == code
        assert caught.value.hint
    assert graph.model_of("x") is graph.name_of("x") is None
    assert graph.desired_of("x") == graph.stored_values("x") == {}


def test_models_are_found_by_their_bases() -> None:
    graph = built().graph
    pump = graph.twin("pump-1")
    assert graph.is_of_model(pump, PUMP)
    assert graph.is_of_model(pump, "dtmi:t:Asset;1")
    assert not graph.is_of_model(pump, "dtmi:t:Asset;1", is_exact=True)
    assert not graph.is_of_model(pump, STATION)


def test_stored_values_have_their_paths_and_times() -> None:
    plant = built()
    limits = {"low": 1.0, "high": 2.0}
    plant.do(put_twin, "pump-1", {**PUMP_TWIN, "limits": limits})
    when = plant.now
    assert plant.graph.stored_values("pump-1") == {
        "name": ("Feed pump", when),
        "speed": (50.0, when),
        "limits": (limits, when),
        "limits.low": (1.0, when),
        "limits.high": (2.0, when),
        "motor.power": (11.0, when),
    }


@pytest.mark.parametrize(
    ("kind", "doc"),
    [
        ("twin", {}),
        ("twin", {"$metadata": 1}),
        ("relationship", {"$sourceId": "a"}),
        ("model", {"@id": PUMP}),
    ],
)
def test_a_stored_document_that_cannot_be_used_is_damage(kind: str, doc: dict) -> None:
    with pytest.raises(Damaged) as caught:
        Graph().load([Document(kind, "k", doc, 1, "ann", "")])
    assert caught.value.hint


@pytest.mark.parametrize("kind", ["twin", "relationship"])
@pytest.mark.parametrize("encoded", [b"{", b"[]", b"{}", b'{"$metadata":{}}', b"\xff"])
def test_stored_bytes_that_cannot_be_used_are_damage(kind: str, encoded: bytes) -> None:
    with pytest.raises(Damaged, match=f"the stored {kind} 'k'") as caught:
        Graph().load_encoded(kind, [Encoded(["k"], b"[%b]" % encoded, [len(encoded)], [""])])
    assert caught.value.hint


def test_a_decommissioned_model_is_still_there_after_a_restart() -> None:
    plant = built()
    plant.do(decommission, PUMP)
    assert plant.graph.records[PUMP].is_decommissioned
    assert plant.reloaded().records[PUMP].is_decommissioned
    assert everything(plant.reloaded()) == everything(plant.graph)


def test_models_and_twins_stay_the_same_objects() -> None:
    plant = built()
    models, twins = plant.graph.models, plant.graph.twins
    plant.do(put_twin, "pump-9", PUMP_TWIN)
    plant.do(delete_model, STATION)
    assert plant.graph.models is models
    assert plant.graph.twins is twins
    assert "pump-9" in twins
    assert STATION not in models


def test_a_draft_plans_edits_that_need_each_other_for_one_commit() -> None:
    plant = built()
    before = everything(plant.graph)
    draft = Draft(plant.graph)
    context = plant.context()

    def do(plan, *arguments):
        edits, result = plan(draft, context, *arguments)
        draft.apply(edits)
        return result

    station = {"$metadata": {"$model": STATION}}
    do(put_twin, "s", station)
    do(put_twin, "p", PUMP_TWIN)
    do(put_relationship, "s", "r", {"$relationshipName": "lead", "$targetId": "p"})
    with pytest.raises(GemelError, match="at most 1"):
        do(put_relationship, "s", "r2", {"$relationshipName": "lead", "$targetId": "pump-1"})
    with pytest.raises(Conflict):
        do(delete_twin, "p")
    do(delete_relationship, "station-1", "r1")
    assert draft.outgoing("station-1") == draft.incoming("pump-1") == []
    do(delete_twin, "pump-1")
    assert draft.find_twin("pump-1") is None
    do(decommission, PUMP)
    with pytest.raises(GemelError, match="decommissioned"):
        do(put_twin, "p3", PUMP_TWIN)
    assert everything(plant.graph) == before
    plant.commit(draft.edits)
    assert plant.graph.find_twin("pump-1") is None
    assert plant.graph.targets_of("s") == [("p", "lead")]
    assert everything(plant.reloaded()) == everything(plant.graph)


def test_a_draft_adds_models_that_extend_those_below() -> None:
    plant = built()
    draft = Draft(plant.graph)
    extra = {
        "@context": "dtmi:dtdl:context;3",
        "@id": "dtmi:t:BigPump;1",
        "@type": "Interface",
        "extends": PUMP,
    }
    edits, _ = add_models(draft, plant.context(), [extra])
    draft.apply(edits)
    body = {**PUMP_TWIN, "$metadata": {"$model": "dtmi:t:BigPump;1"}}
    edits, _ = put_twin(draft, plant.context(), "big", body)
    draft.apply(edits)
    with pytest.raises(Conflict, match="BigPump"):
        delete_model(draft, plant.context(), PUMP)
    plant.commit(draft.edits)
    assert plant.graph.is_of_model(plant.graph.twin("big"), PUMP)


TWINS = st.sampled_from(["a", "b", "c"])
LINKS = st.sampled_from(["r1", "r2"])


class AnyEdits(RuleBasedStateMachine):
    """Whatever is done in whatever order, the graph equals what a restart would load."""

    def __init__(self) -> None:
        super().__init__()
        self.plant = built()
        self.plain: dict[str, str] = dict.fromkeys(("pump-1", "pump-2"), PUMP)
        self.plain["station-1"] = STATION

    def attempt(self, plan, *arguments) -> bool:
        try:
            self.plant.do(plan, *arguments)
        except GemelError:
            return False
        return True

    @rule(twin=TWINS, is_pump=st.booleans())
    def put(self, twin: str, is_pump: bool) -> None:
        body = PUMP_TWIN if is_pump else {"$metadata": {"$model": STATION}}
        if self.attempt(put_twin, twin, body):
            self.plain[twin] = PUMP if is_pump else STATION

    @rule(twin=TWINS, speed=st.integers(0, 3))
    def patch(self, twin: str, speed: int) -> None:
        patch = [{"op": "add", "path": "/speed", "value": speed}]
        assert self.attempt(patch_twin, twin, patch) == (self.plain.get(twin) == PUMP)

    @rule(twin=TWINS, value=st.none() | st.floats(0, 9))
    def desire(self, twin: str, value: float | None) -> None:
        self.attempt(ask_desired, twin, {"speed": value})

    @rule(twin=TWINS)
    def delete(self, twin: str) -> None:
        graph = self.plant.graph
        is_free = twin in self.plain and not (graph.outgoing(twin) or graph.incoming(twin))
        assert self.attempt(delete_twin, twin) == is_free
        if is_free:
            del self.plain[twin]

    @rule(source=TWINS, link=LINKS, end=TWINS, name=st.sampled_from(["contains", "near"]))
    def relate(self, source: str, link: str, end: str, name: str) -> None:
        is_possible = self.plain.get(source) == STATION and (
            self.plain.get(end) == PUMP or (name == "near" and end in self.plain)
        )
        body = {"$relationshipName": name, "$targetId": end}
        assert self.attempt(put_relationship, source, link, body) == is_possible

    @rule(source=TWINS, link=LINKS)
    def reweigh(self, source: str, link: str) -> None:
        self.attempt(
            patch_relationship, source, link, [{"op": "add", "path": "/weight", "value": 1}]
        )

    @rule(source=TWINS, link=LINKS)
    def unrelate(self, source: str, link: str) -> None:
        is_there = self.plant.graph.find_relationship(source, link) is not None
        assert self.attempt(delete_relationship, source, link) == is_there

    @invariant()
    def a_restart_would_load_the_same(self) -> None:
        graph = self.plant.graph
        assert {key: twin.model for key, twin in graph.twins.items()} == self.plain
        assert set(graph.models_in_use()) == set(self.plain.values())
        ends = [(link.source, link.target) for t in graph.twins for link in graph.outgoing(t)]
        assert sorted(ends) == sorted(
            (link.source, link.target) for t in graph.twins for link in graph.incoming(t)
        )
        assert all(source in graph.twins and target in graph.twins for source, target in ends)

    def teardown(self) -> None:
        assert everything(self.plant.reloaded()) == everything(self.plant.graph)


TestAnyEdits = AnyEdits.TestCase
TestAnyEdits.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_an_empty_store_gives_an_empty_graph() -> None:
    graph = Graph()
    graph.load(MemoryDocuments().load("twin"))
    assert graph.counts() == (0, 0, 0)
    graph.load([])
