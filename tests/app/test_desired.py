"""Desired values with a real MQTT device, over restarts, crashes and deletions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.calling import call
from app.inside import PUMP, Device, Inside, inside, until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("desired") / "data") as found:
        found.pumps(*(f"pump-{n}" for n in range(9)))
        yield found


NUMBERS = iter(range(9))


@pytest.fixture
def pump() -> str:
    return f"pump-{next(NUMBERS)}"


def state(server: Inside, twin: str) -> dict[str, str]:
    found = server.ask("GET", f"/twins/{twin}/desired")["value"]
    return {d["property"]: d["state"] for d in found}


def told(device: Device) -> Any:
    """The payload of the last message on the topic of desired values."""
    found = [payload for topic, payload, _ in device.heard if topic.endswith("/desired")]
    return (orjson.loads(found[-1]) if found[-1] else "gone") if found else None


def conflict(server: Inside, rule: str) -> None:
    settings = {"properties": {"target": {"conflict": rule, "tolerance": 0.1}}}
    server.ask("PUT", f"/settings/{PUMP}", settings)


def test_a_wish_is_settled_when_the_device_reports_it(server: Inside, pump: str) -> None:
    conflict(server, "platform")
    with server.device(pump) as device:
        device.subscribe(f"devices/{pump}/desired")
        server.ask("PATCH", f"/twins/{pump}/desired", {"target": 7, "bearing.grease": "red"})
        until(lambda: told(device) == {"target": 7, "bearing.grease": "red"})
        device.publish(f"devices/{pump}/reported", '{"target": 7.05}')
        until(lambda: told(device) == {"bearing.grease": "red"})
        assert state(server, pump) == {"target": "settled", "bearing.grease": "pending"}
        device.publish(f"devices/{pump}/reported", '{"bearing": {"grease": "red"}}')
        until(lambda: told(device) == {})
        device.publish(f"devices/{pump}/reported", '{"target": 3}')  # somebody turned a knob
        until(lambda: told(device) == {"target": 7})


def test_a_device_that_was_away_hears_what_is_still_to_be_done(server: Inside, pump: str) -> None:
    conflict(server, "platform")
    server.ask("PATCH", f"/twins/{pump}/desired", {"target": 5})
    server.ingest(pump, target=5)
    until(lambda: state(server, pump) == {"target": "settled"})
    server.ask("PATCH", f"/twins/{pump}/desired", {"bearing.grease": "blue"})
    with server.device(pump) as device:
        device.subscribe(f"devices/{pump}/desired")
        until(lambda: told(device) == {"bearing.grease": "blue"})


@pytest.mark.parametrize("rule", ["device", "newest"])
def test_a_wish_that_the_device_overrules_is_given_up(server: Inside, pump: str, rule: str) -> None:
    conflict(server, rule)
    server.ingest(pump, target=1)
    server.ask("PATCH", f"/twins/{pump}/desired", {"target": 5})
    server.ingest(pump, target=1)
    assert state(server, pump) == {"target": "pending"}
    server.ingest(pump, target=2)
    until(lambda: state(server, pump) == {})
    rows = server.ask("GET", "/audit", kind="desired", key=pump)["value"]
    assert (rows[0]["who"], rows[0]["why"]) == (pump, "reported: target overruled")


def test_the_command_line_asks_and_shows(server: Inside, pump: str) -> None:
    where = {"GEMEL_URL": server.url, "GEMEL_TOKEN": server.admin}
    done = call("twin", "desired", pump, "target=4.5", **where)
    assert (done.returncode, "pending" in done.stdout) == (0, True)
    call("twin", "desired", pump, "target=null", **where)
    assert call("twin", "desired", pump, **where).stdout == "nothing is asked of its device\n"


def test_a_conflict_rule_that_is_none_is_refused(server: Inside) -> None:
    settings = {"properties": {"target": {"conflict": "coin"}}}
    answer = server.http.put(f"/settings/{PUMP}", json=settings)
    assert (answer.status_code, "coin" in answer.text) == (400, True)


def test_what_a_crash_swallowed_is_told_at_the_next_start(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as first:
        first.pumps("pump-1", "pump-2")
        first.ask("PATCH", "/twins/pump-2/desired", {"target": 1})
        first.call(setattr, first.platform, "publish", lambda *_: 0)  # killed before it left
        first.ask("PATCH", "/twins/pump-1/desired", {"target": 5})
        first.ask("DELETE", "/digitaltwins/pump-2")
    with inside(tmp_path / "data") as again, again.device("pump-1", "pump-2") as device:
        device.subscribe("devices/pump-1/desired")
        until(lambda: told(device) == {"target": 5})
        until(lambda: not again.platform.catalogue.plain["desired"].get("pump-2"))
        before = len(device.heard)
        device.subscribe("devices/pump-2/desired")
        device.subscribe("devices/pump-1/desired")  # told anew once the subscription stands
        until(lambda: len(device.heard) > before)
        assert [t for t, _, _ in device.heard if "pump-2" in t] == []


def test_a_deleted_twin_leaves_no_retained_message(server: Inside) -> None:
    server.pumps("gone", "kept")
    for twin in ("gone", "kept"):
        server.ask("PATCH", f"/twins/{twin}/desired", {"target": 5})
    server.ask("DELETE", "/digitaltwins/gone")
    until(lambda: "gone" not in server.platform.catalogue.plain["desired"])
    with server.device(token=server.token("viewer", name="watch"), client_id="watch") as device:
        device.subscribe("devices/+/desired")
        until(lambda: "devices/kept/desired" in device.topics())
        assert "devices/gone/desired" not in device.topics()


def test_a_wish_that_policies_hide_from_who_asks_for_another_stays_as_it_was(
    server: Inside, pump: str
) -> None:
    policy = {
        "effect": "forbid",
        "who": {"names": ["carl"]},
        "actions": ["read"],
        "models": [PUMP],
        "properties": ["bearing.grease"],
    }
    server.ask("PUT", "/policies/hidden", policy)
    with server.device(pump) as device:
        device.subscribe(f"devices/{pump}/desired")
        server.ask("PATCH", f"/twins/{pump}/desired", {"bearing.grease": "red"})
        until(lambda: told(device) == {"bearing.grease": "red"})
        with server.client(server.token("operator", name="carl")) as carl:
            answer = carl.patch(f"/twins/{pump}/desired", json={"target": 4})
        assert answer.json() == {"target": 4}
        until(lambda: told(device) == {"bearing.grease": "red", "target": 4})
    found = {one["property"]: one for one in server.ask("GET", f"/twins/{pump}/desired")["value"]}
    assert found["bearing.grease"]["who"] == "admin"
    server.ask("DELETE", "/policies/hidden")


def test_a_wish_beyond_the_limits_of_the_property_is_refused(server: Inside, pump: str) -> None:
    settings = {"properties": {"target": {"minimum": 0, "maximum": 10}}}
    server.ask("PUT", f"/settings/{PUMP}", settings)
    answer = server.http.patch(f"/twins/{pump}/desired", json={"target": 11})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "ValidationFailed")
    assert "11 is out of range" in answer.text
    assert "at least 0 and at most 10" in answer.text
    assert state(server, pump) == {}
    server.ask("PATCH", f"/twins/{pump}/desired", {"target": 10})
    server.ask("PUT", f"/settings/{PUMP}", {})
