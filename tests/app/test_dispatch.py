"""Rules, alarms and commands end to end, with a third-party MQTT client as the device."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from app.inside import PUMP, Inside, inside, until
from gemel.core.errors import Unavailable

RULE = {"model": PUMP, "when": "temperature > 80 °C", "priority": 1, "title": "Hot"}
OVER = ("succeeded", "failed", "expired", "unknown")


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("dispatch") / "data") as found:
        found.pumps(*(f"pump-{n}" for n in range(30)))
        found.ask("PUT", "/rules/hot", RULE)
        yield found


NUMBERS = iter(range(30))


@pytest.fixture
def server(shared_server: Inside) -> Iterator[Inside]:
    yield shared_server
    shared_server.clock.offset = 0


@pytest.fixture
def pump() -> str:
    """A pump that no other test uses."""
    return f"pump-{next(NUMBERS)}"


def send(server: Inside, twin: str, command: str = "stop", **more: Any) -> dict[str, Any]:
    return server.ask("POST", "/commands", {"twin": twin, "command": command, **more})


def state(server: Inside, key: str) -> str:
    return server.ask("GET", f"/commands/{key}")["state"]


def alarms(server: Inside, twin: str, which: str = "active") -> list[dict[str, Any]]:
    return server.ask("GET", "/alarms", twin=twin, state=which)["value"]


def raised(server: Inside, twin: str) -> dict[str, Any]:
    server.ingest(twin, temperature=90)
    return until(lambda: alarms(server, twin))[0]


def cli(server: Inside, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GEMEL_URL": server.url, "GEMEL_TOKEN": server.admin}
    command = [sys.executable, "-m", "gemel", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


def test_an_alarm_is_raised_acknowledged_and_over(server: Inside, pump: str) -> None:
    alarm = raised(server, pump)
    assert (alarm["state"], alarm["isActive"], alarm["value"], alarm["unit"], alarm["limit"]) == (
        "unacknowledged",
        True,
        90,
        "°C",
        80,
    )
    found = server.ask("POST", f"/alarms/{alarm['id']}/acknowledge", {"comment": "seen"})
    assert (found["state"], found["acknowledgedBy"]) == ("acknowledged", "admin")
    again = server.http.post(f"/alarms/{alarm['id']}/acknowledge")
    assert again.status_code == 409
    server.ingest(pump, temperature=20)
    until(lambda: not alarms(server, pump))
    over = alarms(server, pump, "all")[0]
    assert (over["state"], over["id"]) == ("normal", alarm["id"])
    assert [c["text"] for c in over["comments"]] == ["seen"]


def test_an_alarm_that_returns_first_waits_for_somebody(server: Inside, pump: str) -> None:
    alarm = raised(server, pump)
    server.ingest(pump, temperature=20)
    until(lambda: alarms(server, pump)[0]["state"] == "returned")
    done = cli(server, "alarm", "ack", alarm["id"], "--comment", "it was the sun")
    assert (done.returncode, done.stdout) == (0, f"{alarm['id']} is normal\n")
    done = cli(server, "alarm", "ack", alarm["id"])
    assert done.returncode == 1
    assert "is over since" in done.stderr


def test_the_body_of_an_acknowledgement_may_come_in_pieces(server: Inside, pump: str) -> None:
    """Without a content-length a body is still a body."""
    alarm = raised(server, pump)
    pieces = iter([b'{"comment":', b'"in pieces"}'])
    answer = server.http.post(f"/alarms/{alarm['id']}/acknowledge", content=pieces)
    assert [c["text"] for c in answer.json()["comments"]] == ["in pieces"]
    cleared = server.ask("POST", f"/alarms/{alarm['id']}/clear", {"comment": "sensor changed"})
    assert cleared["state"] == "normal"
    assert server.http.post(f"/alarms/{alarm['id']}/clear").status_code == 400


def test_a_rule_sends_its_command_once_for_an_alarm(server: Inside, pump: str) -> None:
    then = {"command": "setSpeed", "arguments": 0}
    server.ask("PUT", "/rules/flood", {"model": PUMP, "when": "flow > 9", "then": then})
    with server.device(pump) as device:
        device.answers["setSpeed"] = b'{"status": "succeeded"}'
        device.subscribe(f"devices/{pump}/commands/#")
        server.ingest(pump, flow=10)
        until(lambda: device.heard)
        alarm = next(a for a in alarms(server, pump) if a["rule"] == "flood")
        topic, payload, _ = device.heard[0]
        assert (topic, payload) == (f"devices/{pump}/commands/setSpeed/{alarm['id']}-then", b"0")
        until(lambda: state(server, f"{alarm['id']}-then") == "succeeded")
        server.ingest(pump, flow=11)
        server.ingest(pump, flow=1)
        server.ingest(pump, flow=12)
        until(lambda: alarms(server, pump)[0]["occurrences"] == 2)
        assert len(device.heard) == 1
    server.ask("DELETE", "/rules/flood")
    assert alarms(server, pump) == []


def test_a_command_goes_out_and_its_answer_comes_back(server: Inside, pump: str) -> None:
    with server.device(pump) as device:
        device.answers["stop"] = orjson.dumps({"status": "succeeded", "result": {"after": 3}})
        device.answers["setSpeed"] = orjson.dumps({"status": "failed", "message": "locked"})
        device.subscribe(f"devices/{pump}/commands/#")
        key = send(server, pump)["id"]
        until(lambda: state(server, key) == "succeeded")
        found = server.ask("GET", f"/commands/{key}")
        assert found["result"] == {"after": 3}
        assert [s["state"] for s in found["steps"]][:2] == ["queued", "sent"]
        key = send(server, pump, "setSpeed", arguments=40.5)["id"]
        until(lambda: state(server, key) == "failed")
        assert server.ask("GET", f"/commands/{key}")["message"] == "locked"
        assert device.heard[1] == (f"devices/{pump}/commands/setSpeed/{key}", b"40.5", False)


def test_the_devices_confirmation_is_told_apart_from_its_answer(server: Inside, pump: str) -> None:
    with server.device(pump) as device:
        device.subscribe(f"devices/{pump}/commands/#")
        key = send(server, pump)["id"]
        until(lambda: state(server, key) == "delivered")


def test_a_watcher_that_reads_along_does_not_confirm(server: Inside, pump: str) -> None:
    with server.device(token=server.token("viewer", name="screen"), client_id="screen") as screen:
        screen.subscribe("devices/#")
        key = send(server, pump)["id"]
        assert state(server, key) == "queued"  # somebody who watches is not the device
        with server.device(pump) as device:
            device.subscribe(f"devices/{pump}/commands/#")
            until(lambda: state(server, key) == "delivered")
        assert [s["who"] for s in server.ask("GET", f"/commands/{key}")["steps"]][-1] == pump


def test_a_device_may_listen_to_some_commands_by_name(server: Inside, pump: str) -> None:
    with server.device(pump) as device:
        device.subscribe(f"devices/{pump}/commands/setSpeed/+")
        other = send(server, pump)["id"]
        key = send(server, pump, "setSpeed", arguments=1)["id"]
        until(lambda: state(server, key) == "delivered")
        assert state(server, other) == "queued"


def test_commands_wait_for_their_device_in_order(server: Inside, pump: str) -> None:
    keys = [send(server, pump, "setSpeed", arguments=n)["id"] for n in range(5)]
    assert {state(server, key) for key in keys} == {"queued"}
    with server.device(pump) as device:
        device.subscribe(f"devices/{pump}/commands/#")
        until(lambda: len(device.heard) == 5)
    assert [topic.rsplit("/", 1)[1] for topic in device.topics()] == keys
    assert [payload for _, payload, _ in device.heard] == [
        b"0.0",
        b"1.0",
        b"2.0",
        b"3.0",
        b"4.0",
    ] or [payload for _, payload, _ in device.heard] == [b"0", b"1", b"2", b"3", b"4"]


def test_at_its_deadline_a_command_is_expired_or_unknown(server: Inside, pump: str) -> None:
    never_sent = send(server, pump, deadline=60)["id"]
    server.clock.advance(61)
    until(lambda: state(server, never_sent) == "expired")
    with server.device(pump) as device:
        device.subscribe(f"devices/{pump}/commands/#")
        sent = send(server, pump, deadline=60)["id"]
        until(lambda: device.heard)
        assert never_sent not in device.topics()[0]
        server.clock.advance(61)
        until(lambda: state(server, sent) == "unknown")
        device.publish(f"devices/{pump}/responses/{sent}", '{"status": "succeeded"}')
        found = server.ask("GET", f"/commands/{sent}")
        assert found["state"] == "unknown"
        assert "too late" in found["steps"][-1]["note"]


def test_the_same_id_is_the_same_command(server: Inside, pump: str) -> None:
    with server.device(pump) as device:
        device.subscribe(f"devices/{pump}/commands/#")
        first = send(server, pump, id=f"my-{pump}")
        until(lambda: device.heard)
        again = send(server, pump, id=f"my-{pump}")
        assert again["id"] == first["id"]
        body = {"twin": pump, "command": "setSpeed", "arguments": 1, "id": f"my-{pump}"}
        assert server.http.post("/commands", json=body).status_code == 409
        send(server, pump, id=f"other-{pump}")
        until(lambda: len(device.heard) == 2)
        assert device.topics()[1].endswith(f"other-{pump}")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"twin": "none", "command": "stop"}, 404),
        ({"twin": "pump-29", "command": "none"}, 400),
        ({"twin": "pump-29", "command": "stop", "arguments": 5}, 400),
        ({"twin": "pump-29", "command": "setSpeed"}, 400),
        ({"twin": "pump-29", "command": "setSpeed", "arguments": "fast"}, 400),
        ({"twin": "pump-29", "command": "stop", "id": "a/b"}, 400),
        ({"twin": "pump-29", "command": "stop", "id": "a+"}, 400),
        ({"twin": "pump-29", "command": "stop", "id": "\x00"}, 400),
        ({"twin": "pump-29", "command": "stop", "deadline": 0}, 400),
        ({"twin": "pump-29", "command": "stop", "deadline": "x"}, 400),
        ({"twin": "pump-29", "command": "stop", "deadline": True}, 400),
        ({"twin": "pump-29", "command": "stop", "deadline": 1e12}, 400),
        ({"twin": "pump-29"}, 400),
        ({"twin": 5, "command": "stop"}, 400),
    ],
)
def test_what_cannot_be_commanded_is_refused(body: Any, status: int, server: Inside) -> None:
    assert server.http.post("/commands", json=body).status_code == status
    assert server.ask("GET", "/commands", twin="pump-29")["value"] == []


def test_a_device_answers_for_itself_alone(server: Inside, pump: str) -> None:
    key = send(server, pump)["id"]
    with server.device(pump) as device, server.device("pump-28") as other:
        device.subscribe(f"devices/{pump}/commands/#")
        until(lambda: state(server, key) == "delivered")
        other.publish(f"devices/pump-28/responses/{key}", '{"status": "succeeded"}')
        device.publish(f"devices/{pump}/responses/none", '{"status": "succeeded"}')
        device.publish(f"devices/{pump}/responses/{key}", '{"status": "perhaps"}')
        device.publish(f"devices/{pump}/responses/{key}", b"\xff\x00")
        assert state(server, key) == "delivered"
        device.publish(f"devices/{pump}/responses/{key}", b"")
        assert state(server, key) == "succeeded"


def test_desired_values_reach_a_device_that_comes_later(server: Inside, pump: str) -> None:
    asked = server.ask("PATCH", f"/twins/{pump}/desired", {"target": 7.5, "bearing.grease": "red"})
    assert asked == {"target": 7.5, "bearing.grease": "red"}
    with server.device(pump) as device:
        device.subscribe(f"devices/{pump}/desired")
        until(lambda: device.heard)
        topic, payload, is_retained = device.heard[0]
        assert (topic, orjson.loads(payload), is_retained) == (
            f"devices/{pump}/desired",
            asked,
            True,
        )
        server.ask("PATCH", f"/twins/{pump}/desired", {"target": None})
        until(lambda: len(device.heard) == 2)
        assert orjson.loads(device.heard[1][1]) == {"bearing.grease": "red"}
    for wrong in ({"flow": 1}, {"target": "x"}, {"none": 1}, {}, [1]):
        assert server.http.patch(f"/twins/{pump}/desired", json=wrong).status_code == 400


def test_a_rule_that_comes_later_judges_what_is_known(server: Inside, pump: str) -> None:
    server.ingest(pump, flow=50)
    server.ask("PUT", "/rules/late", {"model": PUMP, "when": "flow > 40"})
    until(lambda: [a for a in alarms(server, pump) if a["rule"] == "late"])
    server.ask("PUT", "/rules/late", {"model": PUMP, "when": "flow > 60"})
    assert [a for a in alarms(server, pump) if a["rule"] == "late"] == []
    server.ask("DELETE", "/rules/late")


def test_an_alarm_that_could_not_be_stored_is_stored_later(
    server: Inside, pump: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk delays an alarm; it does not lose it."""
    commit = server.platform.documents.commit
    failed: list[Any] = []

    def full(edits: Any) -> None:
        failed.append(edits)
        raise Unavailable("the disk is full")

    monkeypatch.setattr(server.platform.documents, "commit", full)
    server.ingest(pump, temperature=99)
    until(lambda: failed)
    assert alarms(server, pump) == []
    monkeypatch.setattr(server.platform.documents, "commit", commit)
    until(lambda: alarms(server, pump))
