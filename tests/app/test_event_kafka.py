"""Events to Kafka: a broker and a consumer that others wrote hold what twins went through."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event

from app.inside import MODELS, PUMP, Inside, inside, until
from connect.kafka_peer import Kafka
from gemel.app import certificates
from gemel.core.clock import system_clock
from running import Running

UPDATE = "Microsoft.DigitalTwins.Twin.Update"
TWIN = {"$metadata": {"$model": PUMP}, "name": "One", "bearing": {"$metadata": {}}}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    found = Kafka(tmp_path_factory.mktemp("kafka"))
    yield found
    found.close()


@pytest.fixture
def kafka(broker: Kafka, request: pytest.FixtureRequest) -> Kafka:
    """The one broker, with a topic of the test's own."""
    broker.begin(f"{request.node.name}"[:200].replace("[", ".").replace("]", ""))
    return broker


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path / "data") as found:
        found.ask("POST", "/models", MODELS)
        yield found


def route(server: Inside, kafka: Kafka, text: str = "true", **more: Any) -> None:
    body = {"kind": "kafka", "brokers": [kafka.address], "topic": kafka.topic, **more}
    server.ask("PUT", "/endpoints/k", body)
    server.ask("PUT", "/eventroutes/all", {"endpointName": "k", "filter": text})


def rename(server: Inside, twin: str, name: str) -> None:
    server.ask(
        "PATCH", f"/digitaltwins/{twin}", [{"op": "replace", "path": "/name", "value": name}]
    )


def state(server: Inside) -> dict[str, Any]:
    return dict(server.ask("GET", "/endpoints/k"))


@pytest.mark.parametrize("mode", ["binary", "structured"])
def test_changes_are_told_in_order_for_each_twin(server: Inside, kafka: Kafka, mode: str) -> None:
    route(server, kafka, mode=mode)
    for twin in ("a", "b"):
        server.ask("PUT", f"/digitaltwins/{twin}", TWIN)
    for number in range(5):
        for twin in ("a", "b"):
            rename(server, twin, f"{twin}{number}")
    link = {"$relationshipName": "feeds", "$targetId": "b"}
    server.ask("PUT", "/digitaltwins/a/relationships/r", link)
    records = kafka.read(13)
    assert len(records) == 13
    assert {record.key for record in records} == {b"a", b"b"}
    assert len({(record.key, record.partition) for record in records}) == 2
    for twin in ("a", "b"):
        events = [_event(record) for record in records if record.key == twin.encode()]
        named = [e.get_data()["patch"][0]["value"] for e in events if "Update" in e.get_type()]
        assert named == [f"{twin}{number}" for number in range(5)]
        assert events[0].get_type() == "Microsoft.DigitalTwins.Twin.Create"
        assert events[0].get_data()["$dtId"] == twin
    last = _event([record for record in records if record.key == b"a"][-1])
    assert last.get_subject() == "a/relationships/r"
    assert last.get_specversion() == "1.0"
    until(lambda: state(server)["delivered"] == 13, "the count")
    assert state(server)["waiting"] == 0


def _event(record: Any) -> Any:
    """As the official SDK reads it."""
    headers = dict(record.headers)
    return from_kafka_event(KafkaMessage(headers=headers, key=record.key, value=record.value))


def test_telemetry_is_an_event_for_each_twin_and_time(server: Inside, kafka: Kafka) -> None:
    route(server, kafka, "type = 'microsoft.iot.telemetry'")
    server.ask("PUT", "/digitaltwins/a", TWIN)
    server.ingest("a", temperature=21.5, flow=3)
    [record] = kafka.read(1)
    headers = {name: value.decode() for name, value in record.headers}
    assert record.key == b"a"
    assert orjson.loads(record.value) == {"temperature": 21.5, "flow": 3}
    assert headers["content-type"] == "application/json"
    assert headers["ce_dataschema"] == PUMP
    assert headers["ce_type"] == "microsoft.iot.telemetry"
    assert "ce_datacontenttype" not in headers


def test_what_happens_while_brokers_are_away_comes_once_and_in_order(
    server: Inside, kafka: Kafka
) -> None:
    route(server, kafka)
    server.ask("PUT", "/digitaltwins/a", TWIN)
    kafka.read(1)
    kafka.wire.block()
    for number in range(20):
        rename(server, "a", f"n{number}")
    told = until(lambda: (s := state(server))["lastError"] and s, "what is wrong")
    assert "Kafka" in told["lastError"]
    assert told["waiting"] == 20
    server.ingest("a", temperature=20)  # nothing else waits for it
    kafka.wire.unblock()
    records = kafka.read(21)
    patches = [_event(record).get_data().get("patch") for record in records]
    named = [patch[0]["value"] for patch in patches if patch and patch[0]["path"] == "/name"]
    assert named == [f"n{number}" for number in range(20)]
    until(lambda: state(server)["lastError"] == "", "the end of the trouble")


def test_events_come_once_and_in_order_however_often_the_connection_is_cut(
    server: Inside, kafka: Kafka
) -> None:
    route(server, kafka, f"type = '{UPDATE}'")
    twins = ("a", "b", "c")
    for twin in twins:
        server.ask("PUT", f"/digitaltwins/{twin}", TWIN)
    for number in range(60):
        for twin in twins:
            rename(server, twin, f"n{number}")
        if number % 4 == 0:
            kafka.wire.cut()
    records = kafka.read(180)
    for twin in twins:
        assert _names(records, twin) == [f"n{number}" for number in range(60)]


def _names(records: list[Any], twin: str) -> list[str]:
    """What a twin was called, one after the other."""
    mine = [orjson.loads(record.value) for record in records if record.key == twin.encode()]
    return [one["patch"][0]["value"] for one in mine]


def test_a_server_that_is_killed_leaves_nothing_out(tmp_path: Path, kafka: Kafka) -> None:
    body = {"kind": "kafka", "brokers": [kafka.address], "topic": kafka.topic}
    with Running(tmp_path / "data") as running, running.http() as client:
        client.post("/plant", json={"models": MODELS, "twins": {"a": {"model": PUMP}}})
        client.put("/endpoints/k", json=body)
        filtered = {"endpointName": "k", "filter": f"type = '{UPDATE}'"}
        client.put("/eventroutes/all", json=filtered)
        for number in range(120):
            patch = [{"op": "add", "path": "/name", "value": f"n{number}"}]
            assert client.patch("/digitaltwins/a", json=patch).status_code == 204
        running.kill()
    with Running(tmp_path / "data") as running:
        until(lambda: running.call("GET", "/endpoints/k")["waiting"] == 0, "the rest")
        names = _names(kafka.read(120), "a")
    expected = [f"n{number}" for number in range(120)]
    again = len(names) - len(expected)
    first = next((n for n, name in enumerate(names) if name != expected[n]), len(expected))
    assert names == expected[:first] + expected[first - again :], "the last may come again"


def test_tls_is_spoken_and_the_certificate_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, key, authority = certificates.server_files(tmp_path / "tls", ["127.0.0.1"], system_clock)
    kafka = Kafka(tmp_path, tls=(certificates.context(chain, key), authority))
    try:
        kafka.begin("tls")
        with inside(tmp_path / "data") as server:
            server.ask("POST", "/models", MODELS)
            route(server, kafka, tls=True)
            server.ask("PUT", "/digitaltwins/a", TWIN)
            told = until(lambda: state(server)["lastError"], "what is wrong")
            assert "certificate verify failed" in told
            monkeypatch.setenv("SSL_CERT_FILE", str(authority))
            route(server, kafka, tls=True)
            assert [record.key for record in kafka.read(1)] == [b"a"]
    finally:
        kafka.close()


def test_a_login_that_the_brokers_refuse_is_told(server: Inside, tmp_path: Path) -> None:
    kafka = Kafka(tmp_path, "--authentication")
    try:
        kafka.topic = "guarded"
        route(server, kafka, username="nobody", password="s3cret")
        server.ask("PUT", "/digitaltwins/a", TWIN)
        told = until(lambda: "SCRAM" in (s := state(server))["lastError"] and s, "the refusal")
        assert "authentication failed" in told["lastError"]
        assert (told["waiting"], told["hasPassword"], "s3cret" in str(told)) == (1, True, False)
    finally:
        kafka.close()


def test_events_wait_for_brokers_over_a_restart(tmp_path: Path, kafka: Kafka) -> None:
    kafka.wire.block()
    with inside(tmp_path / "data") as server:
        server.ask("POST", "/models", MODELS)
        route(server, kafka, "type = 'Microsoft.DigitalTwins.Twin.Create'")
        server.ask("PUT", "/digitaltwins/a", TWIN)
        until(lambda: state(server)["lastError"], "what is wrong")
    kafka.wire.unblock()
    with inside(tmp_path / "data"):
        assert [record.key for record in kafka.read(1)] == [b"a"]


def test_an_event_that_is_too_large_is_dropped_with_a_record(server: Inside, kafka: Kafka) -> None:
    route(server, kafka, "type = 'Microsoft.DigitalTwins.Twin.Create'", largest=2_000)
    server.ask("PUT", "/digitaltwins/a", {**TWIN, "name": "x" * 3_000})
    server.ask("PUT", "/digitaltwins/b", TWIN)
    assert [record.key for record in kafka.read(1)] == [b"b"]
    told = until(lambda: (s := state(server))["delivered"] == 1 and s, "the count")
    [drop] = told["drops"]
    assert (told["dropped"], drop["subject"], "too large" in drop["why"]) == (1, "a", True)
    assert told["waiting"] == 0


def test_a_library_that_is_missing_is_told_with_the_way_out(
    server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    monkeypatch.delitem(sys.modules, "gemel.connect.kafka.sender", raising=False)
    body = {"kind": "kafka", "brokers": ["127.0.0.1:1"], "topic": "t"}
    answer = server.http.put("/endpoints/k", json=body)
    assert answer.status_code == 503
    assert "pip install gemel[kafka]" in answer.text
