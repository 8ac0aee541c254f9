"""Guards, four eyes, confirmation, autonomy and the kill switch, with a real MQTT device."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from app.calling import Done, call
from app.inside import PUMP, Inside, inside, until

COMMANDS = {
    "setSpeed": {
        "maximum": 100,
        "role": "operator",
        "interlocks": [{"when": "temperature < 80 °C", "title": "The pump is cool"}],
        "confirm": {"property": "flow", "tolerance": 1, "within": 20},
    },
    "stop": {"approval": {"needed": 1, "within": 120}},
}


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("guarding") / "data") as found:
        found.pumps(*(f"pump-{n}" for n in range(30)))
        found.ask("PUT", f"/settings/{PUMP}", {"commands": COMMANDS})
        yield found


NUMBERS = iter(range(30))


@pytest.fixture
def server(shared_server: Inside) -> Iterator[Inside]:
    yield shared_server
    shared_server.clock.offset = 0


@pytest.fixture
def pump() -> str:
    return f"pump-{next(NUMBERS)}"


@pytest.fixture
def bob(shared_server: Inside) -> Iterator[httpx.Client]:
    with shared_server.client(shared_server.token("operator", name="bob")) as found:
        yield found


def send(server: Inside, twin: str, command: str = "stop", **more: Any) -> dict[str, Any]:
    return server.ask("POST", "/commands", {"twin": twin, "command": command, **more})


def found(server: Inside, key: str) -> dict[str, Any]:
    return server.ask("GET", f"/commands/{key}")


def is_state(server: Inside, key: str, state: str) -> dict[str, Any]:
    return until(lambda: (c := found(server, key))["state"] == state and c, f"{key} {state}")


def test_an_interlock_is_judged_on_the_twin_and_names_itself(server: Inside, pump: str) -> None:
    body = {"twin": pump, "command": "setSpeed", "arguments": 50}
    dark = server.http.post("/commands", json=body)
    assert (dark.status_code, dark.json()["error"]["details"][0]["code"]) == (422, "interlock")
    assert "not known" in dark.json()["error"]["message"]
    server.ingest(pump, temperature=95)
    hot = server.http.post("/commands", json=body).json()["error"]
    assert "The pump is cool" in hot["message"]
    assert "temperature is 95 °C" in hot["message"]
    assert "wait until it holds" in hot["hint"]
    server.ingest(pump, temperature=20)
    assert send(server, pump, "setSpeed", arguments=50)["state"] == "queued"


def test_an_interlock_that_breaks_before_the_device_comes_holds_the_command_back(
    server: Inside, pump: str
) -> None:
    server.ingest(pump, temperature=20)
    key = send(server, pump, "setSpeed", arguments=50)["id"]
    server.ingest(pump, temperature=95)
    with server.device(pump) as device:
        device.subscribe(f"devices/{pump}/commands/#")
        after = is_state(server, key, "refused")
        assert after["steps"][-1]["note"].startswith("interlock: 'setSpeed'")
        assert device.heard == []


def test_a_dry_run_says_what_every_guard_answers_and_sends_nothing(
    server: Inside, pump: str
) -> None:
    server.ingest(pump, temperature=95)
    answer = server.ask(
        "POST", "/commands", {"twin": pump, "command": "setSpeed", "arguments": 500}, dryRun="true"
    )
    said = {g["guard"]: g["answer"] for g in answer["guards"]}
    assert said == {
        "role": "pass",
        "unit": "pass",
        "model": "pass",
        "range": "refuse",
        "interlock": "refuse",
    }
    assert answer["wouldBe"] == "refused"
    good = server.ask("POST", "/commands", {"twin": pump, "command": "stop", "dryRun": True})
    assert (good["wouldBe"], good["payload"]) == ("awaiting", "null")
    assert server.ask("GET", "/commands", twin=pump)["value"] == []


def test_a_reading_confirms_and_a_device_that_lies_is_found_out(server: Inside, pump: str) -> None:
    server.ingest(pump, temperature=20)
    with server.device(pump) as device:
        device.answers["setSpeed"] = b'{"status": "succeeded"}'
        device.subscribe(f"devices/{pump}/commands/#")
        honest = send(server, pump, "setSpeed", arguments=50)["id"]
        waiting = is_state(server, honest, "succeeded")
        assert not waiting["isOver"]
        device.publish(f"devices/{pump}/telemetry", '{"flow": 50.5}')
        after = is_state(server, honest, "confirmed")
        assert after["confirm"]["seen"] == 50.5
        lie = send(server, pump, "setSpeed", arguments=90)["id"]
        is_state(server, lie, "succeeded")
        device.publish(f"devices/{pump}/telemetry", '{"flow": 51}')
        server.clock.advance(21)
        after = is_state(server, lie, "unconfirmed")
        assert "flow is 51" in after["steps"][-1]["note"]
        assert "90" in after["steps"][-1]["note"]


def test_two_people_send_a_marked_command(server: Inside, pump: str, bob: httpx.Client) -> None:
    asked = send(server, pump)
    assert asked["state"] == "awaiting"
    path = f"/commands/{asked['id']}/approve"
    own = server.http.post(path, json={"hash": asked["hash"]})
    assert (own.status_code, own.json()["error"]["details"][0]["code"]) == (422, "approval")
    assert bob.post(path, json={"hash": "other"}).status_code == 409
    with server.device(pump) as device:
        device.subscribe(f"devices/{pump}/commands/#")
        assert bob.post(path, json={"hash": asked["hash"], "comment": "fine"}).status_code == 200
        until(lambda: device.heard)
    assert [s["who"] for s in found(server, asked["id"])["steps"]][:2] == ["admin", "bob"]


def test_refused_and_cancelled_commands_are_never_sent(
    server: Inside, pump: str, bob: httpx.Client
) -> None:
    first, second = send(server, pump)["id"], send(server, pump)["id"]
    assert (
        bob.post(f"/commands/{first}/refuse", json={"comment": "no"}).json()["state"] == "refused"
    )
    assert server.ask("POST", f"/commands/{second}/cancel", {})["state"] == "cancelled"
    assert bob.post(f"/commands/{second}/cancel", json={}).status_code == 409


def test_the_expected_revision_of_the_twin_is_checked(server: Inside, pump: str) -> None:
    etag = server.ask("GET", f"/digitaltwins/{pump}")["$etag"]
    assert send(server, pump, ifRevision=etag)["state"] == "awaiting"
    server.ask(
        "PATCH", f"/digitaltwins/{pump}", [{"op": "add", "path": "/name", "value": "Renamed"}]
    )
    body = {"twin": pump, "command": "stop", "ifRevision": etag}
    assert server.http.post("/commands", json=body).status_code == 412


def test_a_rule_goes_as_far_as_it_may_until_somebody_stops_it(server: Inside, pump: str) -> None:
    then = {"command": "setSpeed", "arguments": 9, "autonomy": "suggest"}
    rule = {"model": PUMP, "when": "flow > 900", "then": then}
    server.ask("PUT", "/rules/flood", rule)
    server.ingest(pump, temperature=20, flow=901)
    proposal = until(lambda: server.ask("GET", "/commands", twin=pump)["value"])[0]
    assert (proposal["state"], proposal["service"]) == ("proposed", "rule flood")
    taken = server.ask("POST", f"/commands/{proposal['id']}/approve", {"hash": proposal["hash"]})
    assert (taken["state"], taken["approval"]["takenBy"]) == ("queued", "admin")
    server.ask("PUT", "/autonomy/rule flood", {"level": "act", "maximum": 10})
    other = f"{pump}-2"
    server.ask("POST", "/plant", {"twins": {other: {"model": PUMP}}})
    server.ingest(other, temperature=20, flow=901)
    acted = until(lambda: server.ask("GET", "/commands", twin=other)["value"])[0]
    assert acted["state"] == "queued"
    assert server.ask("POST", "/killswitch/stop", {"reason": "smoke"})["engaged"]
    is_state(server, acted["id"], "refused")
    assert found(server, taken["id"])["state"] == "queued"  # a person's by now
    third = f"{pump}-3"
    server.ask("POST", "/plant", {"twins": {third: {"model": PUMP}}})
    server.ingest(third, temperature=20, flow=901)
    stopped = until(lambda: server.ask("GET", "/commands", twin=third)["value"])[0]
    assert stopped["steps"][0]["note"].startswith("kill switch: rule flood may send nothing")
    assert server.ask("GET", "/status")["killSwitch"]["reason"] == "smoke"
    assert not server.ask("POST", "/killswitch/resume", {})["engaged"]
    server.ask("DELETE", "/autonomy/rule flood")
    server.ask("DELETE", "/rules/flood")


def test_a_service_that_nobody_has_allowed_may_only_suggest(server: Inside, pump: str) -> None:
    server.ingest(pump, temperature=20)
    asked = send(server, pump, "setSpeed", arguments=5, service="optimiser")
    assert (asked["state"], asked["service"]) == ("proposed", "optimiser")


def test_settings_of_commands_are_checked_against_the_model(server: Inside) -> None:
    for commands, words in (
        ({"fly": {}}, "no such command"),
        ({"stop": {"interlocks": ["pressure > 1"]}}, "no telemetry or property 'pressure'"),
        ({"stop": {"interlocks": ["temperature < 1 bar"]}}, "'bar' does not fit"),
        ({"stop": {"confirm": {"property": "running"}}}, "no arguments to compare"),
        ({"stop": {"confirm": {"property": "speed"}}}, "the model has no 'speed'"),
        ({"stop": {"colour": 1}}, "unknown field 'colour'"),
    ):
        answer = server.http.put(f"/settings/{PUMP}", json={"commands": commands})
        assert answer.status_code == 400
        assert words in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("when", "readings", "holds"),
    [
        ("temperature < 80 °C and flow > 1", {"temperature": 20, "flow": 2}, True),
        ("temperature < 80 °C and flow > 1", {"temperature": 20}, None),
        ("temperature < 80 °C or flow > 1", {"temperature": 20}, True),
        ('mode == "auto"', {"mode": "auto"}, True),
        ('mode == "auto"', {"mode": "hand"}, False),
        ("running", {"running": True}, True),
        ("not running", {"running": True}, False),
        ("target > 5", {}, None),
        ("mean of temperature over 10 min < 80", {"temperature": 20}, True),
        ("temperature < 80 °C for 5 minutes", {"temperature": 20}, False),
        ("between 00:00 and 24:00", {}, True),
    ],
)
def test_conditions_are_judged_now(
    when: str, readings: dict[str, Any], holds: bool | None, server: Inside, pump_of_its_own: str
) -> None:
    if readings:
        server.ingest(pump_of_its_own, **readings)
    judge = server.platform.reactions.dispatch.guarding.conditions.judge
    assert server.call(judge, pump_of_its_own, when).holds is holds


PUMPS = iter(range(100))


@pytest.fixture
def pump_of_its_own(server: Inside) -> str:
    twin = f"own-{next(PUMPS)}"
    server.ask("POST", "/plant", {"twins": {twin: {"model": PUMP}}})
    return twin


def test_what_a_silent_device_said_last_is_not_believed(
    server: Inside, pump_of_its_own: str
) -> None:
    judge = server.platform.reactions.dispatch.guarding.conditions.judge
    server.ingest(pump_of_its_own, temperature=20)
    assert server.call(judge, pump_of_its_own, "temperature < 80 °C").holds is True
    server.clock.advance(3600)
    assert server.call(judge, pump_of_its_own, "temperature < 80 °C").holds is None


def test_a_condition_on_relatives_and_on_what_was_before(server: Inside) -> None:
    line = "dtmi:test:Line;1"
    twins = {
        "line-x": {"model": line, "contains": ["wet-1", "wet-2"]},
        "wet-1": {"model": PUMP},
        "wet-2": {"model": PUMP},
    }
    server.ask("POST", "/plant", {"twins": twins})
    judge = server.platform.reactions.dispatch.guarding.conditions.judge
    server.ingest("wet-1", flow=1)
    server.ingest("wet-2", flow=9)
    assert server.call(judge, "line-x", "any flow in contains > 5").holds is True
    assert server.call(judge, "line-x", "all flow in contains > 5").holds is False


def test_guards_and_commands_survive_a_restart(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as first:
        first.pumps("pump-1")
        first.ask("PUT", f"/settings/{PUMP}", {"commands": COMMANDS})
        waiting = send(first, "pump-1")
        first.ask("POST", "/killswitch/stop", {"reason": "night"})
    with inside(tmp_path / "data") as again:
        assert again.ask("GET", "/killswitch")["reason"] == "night"
        assert found(again, waiting["id"]) == waiting
        plant = again.ask("GET", "/plant")
        assert plant["settings"][PUMP]["commands"] == COMMANDS


def cli(server: Inside, *words: str, token: str = "") -> Done:
    return call("command", *words, GEMEL_URL=server.url, GEMEL_TOKEN=token or server.admin)


def test_two_people_at_the_command_line(server: Inside, pump: str) -> None:
    bob = server.token("operator", name="bob")
    code, out, _ = cli(server, "send", pump, "stop", "--json")
    key = orjson.loads(out)["id"]
    assert code == 0
    assert cli(server, "approve", key)[0] == 1
    assert "awaiting" in cli(server, "show", key)[1]
    code, out, _ = cli(server, "approve", key, "--comment", "fine", token=bob)
    assert (code, out) == (0, f"{key} queued (stop to {pump}, admin)\n")
    assert cli(server, "cancel", key)[1].startswith(f"{key} cancelled")


def test_send_with_wait_and_json_tells_the_end(server: Inside, pump: str) -> None:
    server.ingest(pump, temperature=20)
    with server.device(pump) as device:
        device.answers["setSpeed"] = b'{"status": "failed", "message": "jammed"}'
        device.subscribe(f"devices/{pump}/commands/#")
        code, out, _ = cli(server, "send", pump, "setSpeed", "50", "--wait", "--json")
        assert (code, orjson.loads(out)["message"]) == (3, "jammed")
    code, out, error = cli(server, "send", pump, "setSpeed", "500", "--dry-run")
    assert code == 3
    assert "range" in out
    assert "interlock" in out
    code, _, error = cli(server, "send", pump, "setSpeed", "fast")
    assert (code, "are not JSON" in error) == (1, True)
    code, _, error = cli(server, "send", pump, "setSpeed", "speed=50", "x")
    assert (code, "'x' is not name=value" in error) == (1, True)
