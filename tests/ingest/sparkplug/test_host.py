"""What edge nodes send, and what becomes of it: births, numbers, losses, deaths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.core.access import Principal
from gemel.core.clock import SECOND
from gemel.core.quality import HISTORICAL, Quality
from gemel.ingest.accept import Accepted
from gemel.ingest.points import Point
from gemel.ingest.sparkplug.session import Session, session_of
from gemel.ingest.topics import binding_from_json
from ingest.conftest import NOW, Plant
from ingest.sparkplug.payloads import payload

MS = NOW // 1_000_000
PUMP = {
    "flow": Point("double", 0.0, 80.0, unit="m³/h"),
    "starts": Point("integer", 0, 1e6),
    "running": Point("boolean"),
    "label": Point("string"),
    "motor.temperature": Point("double", unit="°C"),
    "open": Point("double"),
}
BIRTH: list[dict[str, Any]] = [
    {"name": "flow", "alias": 10, "value": 12.0, "unit": "m³/h"},
    {"name": "starts", "alias": 11, "type": "UInt32", "value": 7},
    {"name": "running", "alias": 12, "type": "Boolean", "value": True},
    {"name": "label", "alias": 13, "type": "String", "value": "P-1"},
    {"name": "motor/temperature", "alias": 14, "type": "Float", "value": 212.0, "unit": "°F"},
]


class Edge:
    """An edge node `edge` of group `g` with one device, `pump`, as it would send."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        plant.add("g.edge.pump", PUMP)
        plant.add("g.edge", {"load": Point("double")})
        self.seq = 0
        self.now = NOW

    @property
    def session(self) -> Session:
        return self.plant.ingest.nodes.sessions["g/edge"]

    def send(
        self, kind: str, *metrics: dict[str, Any], seq: int | None = -1, **more: Any
    ) -> Accepted:
        if seq == -1:
            self.seq = 0 if kind == "NBIRTH" else (self.seq + 1) % 256
            seq = None if kind == "NDEATH" else self.seq
        elif seq is not None:
            self.seq = seq
        device = "/pump" if kind[0] == "D" else ""
        body = payload(*metrics, seq=seq, timestamp=self.now // 1_000_000)
        return self.raw(f"spBv1.0/g/{kind}/edge{device}", body, **more)

    def raw(self, topic: str, body: bytes, **more: Any) -> Accepted:
        message = self.plant.message(body, topic, received=self.now, **more)
        return self.plant.accept([message], self.now)

    def node_birth(self, bd_seq: int | None = 0, *metrics: dict[str, Any], **more: Any) -> Accepted:
        told = [] if bd_seq is None else [{"name": "bdSeq", "type": "Int64", "value": bd_seq}]
        load = {"name": "load", "alias": 1, "value": 0.5}
        return self.send("NBIRTH", *told, *(metrics or (load,)), **more)

    def births(self, bd_seq: int = 0) -> Accepted:
        self.node_birth(bd_seq)
        return self.send("DBIRTH", *BIRTH)

    def death(self, bd_seq: int | None = 0) -> Accepted:
        told = [] if bd_seq is None else [{"name": "bdSeq", "type": "Int64", "value": bd_seq}]
        return self.send("NDEATH", *told)

    def data(self, value: float = 20.0, **more: Any) -> Accepted:
        return self.send("DDATA", {"alias": 10, "value": value, "is_typed": False}, **more)

    def asked(self) -> bool:
        """Asks for a birth where it is due, as the platform does; whether it was."""
        if not self.session.is_due(self.now):
            return False
        self.session.ask(self.now)
        return True

    def later(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


@pytest.fixture
def edge(plant: Plant) -> Edge:
    return Edge(plant)


def signs(taken: Accepted) -> list[tuple[str, tuple[str, ...]]]:
    return [(sign.kind, sign.devices) for sign in taken.signs]


def reasons(taken: Accepted) -> list[tuple[str, str]]:
    return [(reject.reason, reject.raw) for reject in taken.rejects]


def test_a_birth_gives_values_and_says_who_is_there(edge: Edge) -> None:
    taken = edge.births()
    assert edge.plant.readings(taken) == {
        "g.edge.pump/flow": 12.0,
        "g.edge.pump/starts": 7.0,
        "g.edge.pump/running": 1.0,
        "g.edge.pump/label": '"P-1"',
        "g.edge.pump/motor.temperature": pytest.approx(100.0),
    }
    assert ("born", ("pump",)) in signs(taken)
    assert taken.seen == {"g.edge.pump": NOW}
    assert not taken.rejects


def test_data_come_under_the_numbers_of_the_birth(edge: Edge) -> None:
    edge.births()
    taken = edge.send(
        "DDATA",
        {"alias": 10, "value": 20.0, "is_typed": False, "timestamp": MS - 5},
        {"alias": 11, "type": "UInt32", "value": 8},
        {"alias": 12, "type": "Boolean", "value": False},
        {"alias": 13, "type": "String", "value": "P-2"},
        {"alias": 14, "type": "Float", "value": 32.0},
    )
    rows = {path: (time, value) for _, path, time, value, _ in edge.plant.rows(taken)}
    assert rows["flow"] == (NOW - 5_000_000, 20.0)
    assert {path: value for path, (_, value) in rows.items()} == {
        "flow": 20.0,
        "starts": 8.0,
        "running": 0.0,
        "label": '"P-2"',
        "motor.temperature": pytest.approx(0.0),
    }
    assert not taken.rejects
    assert not edge.session.wanted


def test_signed_numbers_are_signed(plant: Plant) -> None:
    edge = Edge(plant)
    edge.node_birth()
    edge.send("DBIRTH", {"name": "open", "alias": 1, "type": "Int16", "value": -3})
    taken = edge.send("DDATA", {"alias": 1, "type": "Int16", "value": -4})
    assert plant.readings(taken) == {"g.edge.pump/open": -4.0}


def test_a_value_outside_of_its_range_is_kept_as_such(edge: Edge) -> None:
    edge.births()
    assert [row[4] for row in edge.plant.rows(edge.data(90.0))] == [Quality.OUT_OF_RANGE]


def test_a_null_is_no_reading(edge: Edge) -> None:
    edge.births()
    taken = edge.send("DDATA", {"alias": 10, "is_null": True})
    assert (taken.readings, taken.rejects) == (0, [])


def test_a_value_that_is_no_number_is_rejected(edge: Edge) -> None:
    edge.births()
    assert [r for r, _ in reasons(edge.data(float("nan")))] == ["not-a-number"]
    assert [r for r, _ in reasons(edge.data(float("inf")))] == ["not-a-number"]


def test_a_moment_ahead_of_ours_is_rejected(edge: Edge) -> None:
    edge.births()
    for ahead in (120_000, 2**62):
        taken = edge.send("DDATA", {"alias": 10, "value": 1.0, "timestamp": MS + ahead})
        assert [r for r, _ in reasons(taken)] == ["far-future"]


def test_quality_is_that_of_the_source(edge: Edge) -> None:
    edge.births()
    for said, quality in ((192, 0), (500, 64), (0, 128)):
        taken = edge.send("DDATA", {"alias": 10, "value": 20.0 + said, "quality": said})
        found = [row[4] for row in edge.plant.rows(taken)]
        assert found == [max(quality, 0 if said < 80 else Quality.OUT_OF_RANGE)]


def test_historical_values_are_marked_and_keep_their_quality(edge: Edge) -> None:
    edge.births()
    taken = edge.send("DDATA", {"alias": 10, "value": 5.0, "is_historical": True})
    assert [row[4] for row in edge.plant.rows(taken)] == [HISTORICAL]
    taken = edge.send("DDATA", {"alias": 10, "value": 95.0, "is_historical": True})
    assert [row[4] for row in edge.plant.rows(taken)] == [Quality.OUT_OF_RANGE | HISTORICAL]


def test_control_metrics_are_no_telemetry(edge: Edge) -> None:
    control = {"name": "Node Control/Rebirth", "type": "Boolean", "value": False}
    load = {"name": "load", "value": 0.5}
    taken = edge.node_birth(0, control, load)
    assert edge.plant.readings(taken) == {"g.edge/load": 0.5}
    assert not taken.rejects


# ---- what is lost ------------------------------------------------------------------------------


def test_a_gap_asks_for_one_birth_and_makes_uncertain_until_it_comes(edge: Edge) -> None:
    edge.births()
    edge.later(20)
    taken = edge.data(seq=9)
    assert [row[4] for row in edge.plant.rows(taken)] == [Quality.UNCERTAIN]
    assert edge.session.gaps == 1
    assert edge.asked()
    for seq in (10, 30, 31):  # another gap while the answer is awaited
        edge.later(1)
        taken = edge.data(seq=seq)
        assert [row[4] for row in edge.plant.rows(taken)] == [Quality.UNCERTAIN]
        assert not edge.asked()
    edge.births()
    assert [row[4] for row in edge.plant.rows(edge.data())] == [Quality.GOOD]
    assert edge.session.requests == 1


def test_the_numbers_of_messages_go_round_at_256(edge: Edge) -> None:
    edge.births()
    for _ in range(600):
        edge.later(0.01)
        edge.data()
    assert (edge.session.gaps, edge.session.wanted) == (0, "")


def test_a_message_that_comes_twice_is_no_gap(edge: Edge) -> None:
    edge.births()
    edge.data()
    edge.data(seq=edge.seq)
    assert (edge.session.gaps, edge.session.wanted) == (0, "")


def test_a_node_that_answers_is_asked_again_for_the_next_gap_but_not_at_once(edge: Edge) -> None:
    edge.births()
    edge.data(seq=9)
    assert edge.asked()
    edge.births()
    edge.data(seq=9)
    assert not edge.asked()
    edge.later(10)
    assert edge.asked()
    assert edge.session.requests == 2


def test_a_node_that_does_not_answer_is_asked_again_after_a_minute(edge: Edge) -> None:
    edge.births()
    edge.data(seq=9)
    assert edge.asked()
    edge.later(59)
    edge.data(seq=20)
    assert not edge.asked()
    edge.later(2)
    edge.data(seq=30)
    assert edge.asked()


def test_data_before_a_birth_ask_for_it_and_named_ones_are_taken(edge: Edge) -> None:
    taken = edge.send("DDATA", {"name": "flow", "value": 5.0}, {"alias": 11, "value": 3.0}, seq=4)
    assert edge.plant.readings(taken) == {"g.edge.pump/flow": 5.0}
    assert [row[4] for row in edge.plant.rows(taken)] == [Quality.UNCERTAIN]
    (reject,) = taken.rejects
    assert reject.reason == "undecodable"
    assert "alias 11, which no birth told of: a birth is asked for" in reject.raw
    assert edge.asked()
    assert taken.seen == {}


def test_an_alias_that_no_birth_told_of_asks_for_a_birth(edge: Edge) -> None:
    edge.births()
    edge.later(20)
    taken = edge.send("DDATA", {"alias": 99, "value": 1.0}, {"alias": 10, "value": 2.0})
    assert edge.plant.readings(taken) == {"g.edge.pump/flow": 2.0}
    assert [r for r, _ in reasons(taken)] == ["undecodable"]
    assert edge.asked()


def test_a_birth_gives_numbers_anew(edge: Edge) -> None:
    edge.births()
    edge.node_birth()
    edge.send("DBIRTH", {"name": "open", "alias": 10, "value": 1.0})
    assert edge.plant.readings(edge.data(2.0)) == {"g.edge.pump/open": 2.0}
    taken = edge.send("DDATA", {"alias": 11, "type": "UInt32", "value": 3})
    assert [r for r, _ in reasons(taken)] == ["undecodable"]


def test_data_without_a_seq_are_refused(edge: Edge) -> None:
    edge.births()
    taken = edge.data(seq=None)
    assert taken.readings == 0
    assert "it has no seq from 0 to 255" in taken.rejects[0].raw


# ---- deaths ------------------------------------------------------------------------------------


def test_a_death_takes_node_and_devices_with_it(edge: Edge) -> None:
    edge.births(3)
    assert signs(edge.death(3)) == [("died", ("", "pump"))]
    assert not edge.session.is_alive
    late = edge.data(seq=3)
    assert late.seen == {}  # what comes after a death makes nobody alive
    assert edge.asked()


def test_a_late_death_of_a_session_before_says_nothing(edge: Edge) -> None:
    edge.births(3)
    edge.births(4)
    assert signs(edge.death(3)) == []
    assert edge.session.is_alive
    assert edge.session.late_deaths == 1
    assert signs(edge.death(4)) == [("died", ("", "pump"))]


def test_the_numbers_of_sessions_go_round_too(edge: Edge) -> None:
    edge.births(255)
    edge.births(0)
    assert signs(edge.death(255)) == []
    assert signs(edge.death(0)) == [("died", ("", "pump"))]


@pytest.mark.parametrize("said", [4, None])
def test_a_death_of_a_session_whose_birth_was_lost_is_believed(
    edge: Edge, said: int | None
) -> None:
    edge.births(3)
    assert signs(edge.death(said)) == [("died", ("", "pump"))]


def test_a_lost_death_is_made_good_by_the_next_birth(edge: Edge) -> None:
    edge.births(3)
    edge.later(1)
    taken = edge.node_birth(4)
    assert [s for s in signs(taken) if s[0] == "died"] == [("died", ("pump",))]
    assert not edge.session.devices["pump"].is_alive


def test_a_death_of_a_node_that_nobody_knows_is_nothing(edge: Edge) -> None:
    taken = edge.death(0)
    assert (taken.rejects, taken.signs) == ([], [])
    assert edge.plant.ingest.nodes.sessions == {}


def test_a_device_can_die_alone(edge: Edge) -> None:
    edge.births()
    assert signs(edge.send("DDEATH")) == [("died", ("pump",))]
    assert edge.session.is_alive
    assert edge.data().seen == {}
    assert edge.asked()


# ---- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metrics", "more", "words"),
    [
        (({"name": "a"}, {"name": "a"}), {}, "the metric 'a' twice"),
        (({"name": "a.b"}, {"name": "a/b"}), {}, "the metric 'a/b' twice"),
        (({"name": "a", "alias": 1}, {"name": "b", "alias": 1}), {}, "alias 1 for 'a' and 'b'"),
        (({"alias": 1},), {}, "a metric without a name (alias 1)"),
        (({"name": "a", "is_typed": False},), {}, "no datatype for 'a'"),
        (({"name": "a"},), {"seq": None}, "a birth without a seq"),
        (({"name": "a"},), {"seq": 256}, "a birth without a seq"),
    ],
)
def test_a_birth_that_cannot_be_relied_on_is_refused(
    edge: Edge, metrics: tuple[dict[str, Any], ...], more: dict[str, Any], words: str
) -> None:
    taken = edge.send("NBIRTH", *metrics, **more)
    assert [r for r, _ in reasons(taken)] == ["undecodable"]
    assert words in taken.rejects[0].raw
    assert not edge.session.is_alive
    assert edge.asked()


def test_what_is_no_protobuf_is_refused(edge: Edge) -> None:
    taken = edge.raw("spBv1.0/g/NDATA/edge", b'{"flow": 12}')
    assert [r for r, _ in reasons(taken)] == ["undecodable"]


def test_a_compressed_payload_is_refused(edge: Edge) -> None:
    edge.births()
    body = payload(seq=edge.seq + 1, uuid="SPBV1.0_COMPRESSED", body=b"zz")
    taken = edge.raw("spBv1.0/g/NDATA/edge", body)
    assert "a compressed payload is not taken" in taken.rejects[0].raw


@pytest.mark.parametrize(
    "topic",
    ["spBv1.0/g/NBIRTH", "spBv1.0/g/NBIRTH/e/d", "spBv1.0/g/DDATA/e", "spBv1.0/g/X/e",
     "spBv1.0//NDATA/e", "spBv1.0/g"],
)  # fmt: skip
def test_topics_that_sparkplug_does_not_know_are_refused(edge: Edge, topic: str) -> None:
    taken = edge.raw(topic, payload(seq=0))
    assert "no topic of Sparkplug" in taken.rejects[0].raw


def test_a_type_that_is_not_taken_costs_that_metric_alone(edge: Edge) -> None:
    edge.node_birth()
    parts = {"name": "parts", "type": "Template"}
    taken = edge.send("DBIRTH", parts | {"template_value": b""}, {"name": "flow", "value": 2.0})
    assert edge.plant.readings(taken) == {"g.edge.pump/flow": 2.0}
    assert taken.rejects[0].field == "parts"
    assert "a Template is not taken" in taken.rejects[0].raw


def test_who_may_not_write_the_device_is_refused(edge: Edge) -> None:
    stranger = Principal("other", "device", ("g.other*",))
    taken = edge.node_birth(who=stranger)
    assert [r for r, _ in reasons(taken)] == ["not-allowed"]
    assert edge.plant.ingest.nodes.sessions == {}


def test_commands_of_other_hosts_are_left_alone(edge: Edge) -> None:
    for topic in ("spBv1.0/g/NCMD/edge", "spBv1.0/g/DCMD/edge/pump"):
        taken = edge.raw(topic, payload({"name": "x", "value": 1.0}))
        assert (taken.readings, taken.rejects, taken.signs) == (0, [], [])
    taken = edge.raw("spBv1.0/STATE/other", b'{"online": true, "timestamp": 1}')
    assert (taken.rejects, signs(taken)) == ([], [("stated", ())])


# ---- names -------------------------------------------------------------------------------------


def test_a_device_without_a_twin_is_discovered(edge: Edge) -> None:
    body = payload({"name": "bdSeq", "type": "Int64", "value": 0}, seq=0)
    edge.raw("spBv1.0/g/NBIRTH/new", body)
    taken = edge.raw(
        "spBv1.0/g/DBIRTH/new/fan", payload({"name": "a/b", "value": 1.5, "alias": 1}, seq=1)
    )
    assert taken.unknown["g.new.fan"].sample == {"a.b": 1.5}
    taken = edge.raw(
        "spBv1.0/g/DDATA/new/fan", payload({"alias": 1, "value": 2.5, "is_typed": False}, seq=2)
    )
    assert edge.plant.readings(taken) == {"g.new.fan/a.b": 2.5}


def test_a_binding_names_twin_properties_and_units(edge: Edge) -> None:
    edge.plant.add("P7", PUMP)
    binding = {
        "id": "b",
        "topic": "spBv1.0/+/DDATA/edge/{machine}",
        "twin": "P7",
        "fields": {"Pump/Q": {"property": "flow", "unit": "L/s"}},
        "only": True,
    }
    edge.plant.ingest.set_bindings([binding_from_json(binding)])
    edge.node_birth()
    taken = edge.send(
        "DBIRTH", {"name": "Pump/Q", "alias": 1, "value": 1.0}, {"name": "x", "value": 1.0}
    )
    assert edge.plant.readings(taken) == {"P7/flow": pytest.approx(3.6)}
    assert not taken.rejects
    taken = edge.send("DDATA", {"alias": 1, "value": 2.0, "is_typed": False})
    assert edge.plant.readings(taken) == {"P7/flow": pytest.approx(7.2)}


def test_a_model_that_changes_is_followed(edge: Edge) -> None:
    edge.births()
    edge.data(1.0)
    edge.plant.add("g.edge.pump", {"flow": Point("double", 0.0, 1.0, unit="m³/h")})
    assert [row[4] for row in edge.plant.rows(edge.data(2.0))] == [Quality.OUT_OF_RANGE]


def test_what_was_told_outlives_a_restart(edge: Edge, plant_class: Callable[[], Plant]) -> None:
    edge.births()
    doc = edge.session.document()
    again = Edge(plant_class())
    again.plant.ingest.nodes.restore([session_of(doc)])
    taken = again.data(30.0, seq=77)
    assert again.plant.readings(taken) == {"g.edge.pump/flow": 30.0}
    assert [row[4] for row in again.plant.rows(taken)] == [Quality.UNCERTAIN]
    assert again.asked()
    again.births()
    assert [row[4] for row in again.plant.rows(again.data())] == [Quality.GOOD]


TOPICS = [
    f"spBv1.0/g/{kind}/e" + ("/d" if kind[0] == "D" else "")
    for kind in ("NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH", "NCMD")
]
sent = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["a", "b", "bdSeq", "a/b", "\0", "x" * 300]),
        "alias": st.integers(0, 3),
        "type": st.sampled_from(["Double", "Int8", "UInt64", "Boolean", "DateTime"]),
        "value": st.integers(0, 2**32 - 1) | st.just(0),
        "timestamp": st.sampled_from([0, MS, MS + 10**6, 2**63]),
        "is_historical": st.booleans(),
        "is_null": st.booleans(),
        "quality": st.integers(0, 600),
        "unit": st.sampled_from(["", "kPa", "nonsense"]),
    },
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(TOPICS),
            st.one_of(
                st.binary(max_size=30),
                st.tuples(st.lists(sent, max_size=4), st.none() | st.integers(0, 300)),
            ),
        ),
        max_size=12,
    )
)
def test_nothing_that_nodes_send_raises(
    plant_class: Callable[[], Plant], messages: list[tuple[str, Any]]
) -> None:
    plant = plant_class()
    plant.add("g.e.d", {"a": Point("double", unit="kPa"), "b": Point("integer")}, is_open=True)
    for topic, body in messages:
        if not isinstance(body, bytes):
            metrics, seq = body
            for metric in metrics:
                if metric.get("type", "Double") == "Boolean" and "value" in metric:
                    metric["value"] = bool(metric["value"])
            body = payload(*metrics, seq=seq)
        taken = plant.send(body, topic)
        assert taken.readings + taken.duplicates == len(taken.batch) + taken.duplicates
