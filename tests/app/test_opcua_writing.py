"""Commands and desired values that reach an OPC UA server, and what it says to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.inside import Inside, inside, until
from app.test_opcua import FAST, readings, shown
from connect.opcua_peer import Peer, Wire

MODEL = {
    "@id": "dtmi:test:WrittenPress;1",
    "@type": "Interface",
    "@context": ["dtmi:dtdl:context;4", "dtmi:dtdl:extension:quantitativeTypes;3"],
    "contents": [
        {
            "@type": ["Telemetry", "AngularVelocity"],
            "name": "speed",
            "schema": "double",
            "unit": "radianPerSecond",
        },
        {"@type": "Property", "name": "level", "schema": "double", "writable": True},
        {"@type": "Property", "name": "small", "schema": "integer", "writable": True},
        {"@type": "Property", "name": "label", "schema": "string", "writable": True},
        {"@type": "Telemetry", "name": "calls", "schema": "integer"},
        {
            "@type": "Command",
            "name": "setLevel",
            "request": {"name": "level", "schema": "double"},
        },
        {
            "@type": "Command",
            "name": "setSpeed",
            "request": {
                "@type": ["CommandRequest", "AngularVelocity"],
                "name": "speed",
                "schema": "double",
                "unit": "radianPerSecond",
            },
        },
        {"@type": "Command", "name": "setSmall", "request": {"name": "n", "schema": "integer"}},
        {"@type": "Command", "name": "setLabel", "request": {"name": "t", "schema": "string"}},
        {"@type": "Command", "name": "dance"},
        {"@type": "Command", "name": "Jam"},
        {
            "@type": "Command",
            "name": "Wait",
            "request": {"name": "seconds", "schema": "double"},
        },
        {
            "@type": "Command",
            "name": "Start",
            "request": {
                "name": "arguments",
                "schema": {
                    "@type": "Object",
                    "fields": [
                        {"name": "Speed", "schema": "double"},
                        {"name": "Ramp", "schema": "double"},
                    ],
                },
            },
        },
    ],
}
FIELDS = {
    "Speed": {"property": "speed", "unit": "rpm"},
    "Setpoint": "level",
    "Small": "small",
    "Label": "label",
    "Calls": "calls",
}
COMMANDS = {
    "setLevel": "Setpoint",
    "setSpeed": "Speed",
    "setSmall": "Small",
    "setLabel": "Label",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("installation") / "data") as found:
        found.ask("POST", "/plant", {"models": [MODEL]})
        yield found


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds by default takes less here."""
    monkeypatch.setattr("gemel.connect.opcua.subscription.KEEP_ALIVE", 0.2)
    monkeypatch.setattr("gemel.connect.opcua.link.LONGEST_WAIT", 1.0)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    found = Peer(tmp_path_factory.mktemp("peer"))
    found.start()
    yield found
    found.kill()


@pytest.fixture
def peer(running: Peer) -> Peer:
    running.tell("reset")
    return running


def begin(server: Inside, name: str, url: str) -> str:
    """A connector, and a twin whose readings come through it; the twin's id."""
    twin = f"{name}-twin"
    binding = {
        "id": name,
        "topic": f"{name}/Plant/Press",
        "twin": twin,
        "fields": FIELDS,
        "commands": COMMANDS,
    }
    server.ask("POST", "/plant", {"twins": {twin: {"model": MODEL["@id"]}}, "bindings": [binding]})
    server.ask("PUT", f"/connections/{name}", {"opcua": url, "nodes": ["/Plant"], **FAST})
    until(lambda: is_ready(server, name))
    return twin


def is_ready(server: Inside, name: str) -> bool:
    return bool(server.call(server.platform.connections.writers[name].is_ready))


def end(server: Inside, name: str) -> None:
    server.ask("DELETE", f"/connections/{name}")
    server.ask("DELETE", f"/bindings/{name}")


@pytest.fixture
def twin(server: Inside, peer: Peer, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"press-{abs(hash(request.node.name)) % 10**9}"
    yield begin(server, name, peer.url)
    end(server, name)


def name_of(twin: str) -> str:
    return twin.removesuffix("-twin")


def send(server: Inside, twin: str, command: str, arguments: Any = None, **more: Any) -> Any:
    body = {"twin": twin, "command": command, "arguments": arguments, **more}
    return server.ask("POST", "/commands", body)["id"]


def ended(server: Inside, key: str, *states: str) -> Any:
    def found() -> Any:
        command = server.ask("GET", f"/commands/{key}")
        return command if command["state"] in states else None

    return until(found, f"{key} to be {states}")


def refused(server: Inside, twin: str, command: str, arguments: Any = None) -> str:
    """What is said to a command that is not taken on."""
    body = {"twin": twin, "command": command, "arguments": arguments}
    answer = server.http.post("/commands", json=body)
    assert answer.status_code == 400, answer.text
    return str(answer.json()["error"]["message"])


def newest(server: Inside, twin: str, name: str) -> Any:
    found = readings(server, twin, name)
    return found[-1][0] if found else None


def test_a_written_value_is_confirmed_by_a_reading(server: Inside, twin: str) -> None:
    command = ended(server, send(server, twin, "setLevel", 42.5), "confirmed")
    states = [step["state"] for step in command["steps"]]
    assert states[:2] == ["queued", "sent"]
    assert states[-1] == "confirmed"
    assert command["confirm"]["property"] == "level"
    assert newest(server, twin, "level") == 42.5


def test_a_value_that_stood_there_before_is_confirmed_too(server: Inside, twin: str) -> None:
    """The server publishes no change then: it is read once after the write."""
    until(lambda: newest(server, twin, "level") == 10.0)
    ended(server, send(server, twin, "setLevel", 10.0), "confirmed")


def test_a_value_goes_out_in_the_unit_of_the_source(server: Inside, twin: str) -> None:
    ended(server, send(server, twin, "setSpeed", 600, unit="rpm"), "confirmed")
    name = name_of(twin)
    browsed = server.ask("GET", f"/connections/{name}/browse", node="/Plant/Press/Speed")
    assert browsed["value"][0]["value"] == pytest.approx(600)
    assert newest(server, twin, "speed") == pytest.approx(62.83185307)


def test_a_dry_run_says_where_it_would_go(server: Inside, twin: str) -> None:
    body = {"twin": twin, "command": "setSpeed", "arguments": 62.83185307179586}
    found = server.ask("POST", "/commands", body, dryRun="true")
    assert found["topic"] == f"{name_of(twin)}/Plant/Press/Speed"
    assert float(found["payload"]) == pytest.approx(600)
    assert found["deviceIsThere"] is True
    assert found["confirm"]["property"] == "speed"


@pytest.mark.parametrize(
    ("command", "arguments", "says"),
    [
        ("setLevel", 101.0, "101 is beyond its EURange"),
        ("setSmall", 40_000, "40000 is beyond Int16"),
        ("setLabel", "new", "not writable"),
        ("dance", None, "there is nothing on"),
    ],
)
def test_what_cannot_be_written_is_refused_at_once(
    server: Inside, twin: str, command: str, arguments: Any, says: str
) -> None:
    said = refused(server, twin, command, arguments)
    assert says in said
    assert name_of(twin) in said, "it names the connector"


@pytest.mark.parametrize(
    "code", ["BadUserAccessDenied", "BadTypeMismatch", "BadOutOfRange", "BadDeviceFailure"]
)
def test_a_bad_status_fails_the_command_with_its_name(
    server: Inside, peer: Peer, twin: str, code: str
) -> None:
    peer.tell("refuse", "Small", code)
    command = ended(server, send(server, twin, "setSmall", 5), "failed")
    assert command["message"].startswith(f"{code}: ")
    assert len(command["message"]) > len(code) + 10, "and its words"
    assert newest(server, twin, "small") in (0, None)


def test_what_the_server_does_later_is_confirmed_later(
    server: Inside, peer: Peer, twin: str
) -> None:
    peer.tell("refuse", "Setpoint", "GoodCompletesAsynchronously")
    key = send(server, twin, "setLevel", 77.0)
    ended(server, key, "delivered")
    peer.tell("refuse", "Setpoint", "Good")
    peer.tell("set", "Setpoint", 77.0)
    ended(server, key, "confirmed")


def test_an_outcome_that_the_server_does_not_know_is_unknown(
    server: Inside, peer: Peer, twin: str
) -> None:
    peer.tell("refuse", "Setpoint", "BadTimeout")
    key = send(server, twin, "setLevel", 78.0, deadline=5)
    step = until(lambda: server.ask("GET", f"/commands/{key}")["steps"][2:])[0]
    assert step["state"] == "sent"
    assert "BadTimeout" in step["note"]
    assert "not known" in step["note"]
    server.clock.advance(6)
    assert ended(server, key, "unknown", "confirmed")["state"] == "unknown"
    server.clock.offset = 0


def test_a_method_is_called_with_its_arguments(server: Inside, twin: str) -> None:
    command = ended(server, send(server, twin, "Start", {"Speed": 300, "Ramp": 2.5}), "succeeded")
    assert command["result"] == 302.5
    assert command["isOver"]
    until(lambda: newest(server, twin, "calls") == 1)
    said = refused(server, twin, "Start", {"Speed": 300})
    assert "Speed (Double), Ramp (Double)" in said


def test_a_method_that_says_no_fails_the_command(server: Inside, twin: str) -> None:
    command = ended(server, send(server, twin, "Jam"), "failed")
    assert command["message"] == "BadInvalidState: it cannot be done in this state"


def test_a_method_may_take_longer_than_the_server_is_ever_silent(server: Inside, twin: str) -> None:
    command = ended(server, send(server, twin, "Wait", 3.0), "succeeded")
    assert command["message"] == ""
    assert "not known" not in str(command["steps"])


def test_commands_of_one_twin_leave_one_after_the_other(server: Inside, twin: str) -> None:
    first = send(server, twin, "Wait", 1.0)
    second = send(server, twin, "setLevel", 11.0)
    ended(server, first, "sent")
    assert server.ask("GET", f"/commands/{second}")["state"] == "queued"
    ended(server, second, "confirmed")
    times = {
        key: {step["state"]: step["time"] for step in command["steps"]}
        for key in (first, second)
        if (command := server.ask("GET", f"/commands/{key}"))
    }
    assert times[first]["succeeded"] <= times[second]["sent"]


def test_a_line_that_breaks_meanwhile_leaves_the_outcome_unknown(
    server: Inside, peer: Peer
) -> None:
    wire = Wire(peer.port)
    twin = begin(server, "cut", f"opc.tcp://127.0.0.1:{wire.port}/press")
    key = send(server, twin, "Wait", 1.0)
    until(lambda: newest(server, twin, "calls") == 1)
    wire.cut()
    command = ended(server, key, "unknown")
    assert "not known" in command["steps"][-1]["note"]
    assert "not repeated" in command["steps"][-1]["note"]
    until(lambda: is_ready(server, "cut"))
    ended(server, send(server, twin, "setLevel", 33.0), "confirmed")
    assert newest(server, twin, "calls") == 1, "it was called once"
    end(server, "cut")
    wire.close()


def test_a_connector_that_is_changed_meanwhile_leaves_the_outcome_unknown(
    server: Inside, peer: Peer, twin: str
) -> None:
    key = send(server, twin, "Wait", 5.0)
    until(lambda: newest(server, twin, "calls") == 1)
    body = {"opcua": peer.url, "nodes": ["/Plant/Press"], **FAST}
    server.ask("PUT", f"/connections/{name_of(twin)}", body)
    assert "not known" in ended(server, key, "unknown")["steps"][-1]["note"]
    until(lambda: is_ready(server, name_of(twin)))
    ended(server, send(server, twin, "setLevel", 34.0), "confirmed")
    assert newest(server, twin, "calls") == 1


def test_a_server_that_ends_meanwhile_knows_that_it_does_not_know(
    peer: Peer, tmp_path: Path
) -> None:
    with inside(tmp_path / "data") as first:
        first.ask("POST", "/plant", {"models": [MODEL]})
        twin = begin(first, "ends", peer.url)
        key = send(first, twin, "Wait", 5.0)
        until(lambda: newest(first, twin, "calls") == 1)
    with inside(tmp_path / "data") as second:
        assert "not known" in ended(second, key, "unknown")["steps"][-1]["note"]
        until(lambda: is_ready(second, "ends"))
        assert newest(second, twin, "calls") == 1


def test_a_command_waits_for_the_connection_or_expires(server: Inside, peer: Peer) -> None:
    wire = Wire(peer.port)
    twin = begin(server, "away", f"opc.tcp://127.0.0.1:{wire.port}/press")
    wire.block()
    until(lambda: shown(server, "away")["state"] == "failing")
    late = send(server, twin, "setLevel", 1.0, deadline=5)
    waits = send(server, twin, "setLevel", 55.0, deadline=600)
    server.clock.advance(6)
    assert "not there" in ended(server, late, "expired")["steps"][-1]["note"]
    wire.unblock()
    ended(server, waits, "confirmed")
    server.clock.offset = 0
    end(server, "away")
    wire.close()


def test_a_command_from_before_the_first_connection_is_checked_when_it_leaves(
    server: Inside, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is known of the server then: what it refuses ends as refused, never sent."""
    monkeypatch.setattr("gemel.connect.opcua.session.PATIENCE", 1.0)
    wire = Wire(peer.port)
    wire.block()
    name, twin = "first", "first-twin"
    binding = {
        "id": name,
        "topic": f"{name}/Plant/Press",
        "twin": twin,
        "fields": FIELDS,
        "commands": COMMANDS,
    }
    server.ask("POST", "/plant", {"twins": {twin: {"model": MODEL["@id"]}}, "bindings": [binding]})
    url = f"opc.tcp://127.0.0.1:{wire.port}/press"
    server.ask("PUT", f"/connections/{name}", {"opcua": url, "nodes": ["/Plant"], **FAST})
    wrong = send(server, twin, "setLevel", 101.0, deadline=600)
    right = send(server, twin, "setLevel", 12.0, deadline=600)
    wire.unblock()
    command = ended(server, wrong, "refused")
    assert "EURange" in command["steps"][-1]["note"]
    assert [step["state"] for step in command["steps"]] == ["queued", "refused"]
    command = ended(server, right, "confirmed")
    assert command["confirm"]["property"] == "level"
    end(server, name)
    wire.close()


# ---- desired values ------------------------------------------------------------------------


def wishes(server: Inside, twin: str) -> Any:
    found = server.ask("GET", f"/twins/{twin}/desired")["value"]
    return {one["property"]: one for one in found}


def test_a_desired_value_is_written_and_settles(server: Inside, twin: str) -> None:
    server.ask("PATCH", f"/twins/{twin}/desired", {"level": 66.3, "small": 7})
    until(lambda: {one["state"] for one in wishes(server, twin).values()} == {"settled"})
    assert newest(server, twin, "small") == 7
    answer = server.http.patch(f"/twins/{twin}/desired", json={"level": 166.0})
    assert answer.status_code == 400
    assert "EURange" in answer.text


def test_a_desired_value_that_the_server_refuses_says_why(
    server: Inside, peer: Peer, twin: str
) -> None:
    peer.tell("refuse", "Setpoint", "BadUserAccessDenied")
    server.ask("PATCH", f"/twins/{twin}/desired", {"level": 65.0})
    problem = until(lambda: wishes(server, twin)["level"]["problem"])
    assert problem.startswith("BadUserAccessDenied")
    peer.tell("refuse", "Setpoint", "Good")
    server.ask("PATCH", f"/twins/{twin}/desired", {"level": 65.0})
    until(lambda: wishes(server, twin)["level"]["state"] == "settled")
    assert wishes(server, twin)["level"]["problem"] == ""


def test_a_desired_value_is_written_when_the_server_is_back(server: Inside, peer: Peer) -> None:
    wire = Wire(peer.port)
    twin = begin(server, "later", f"opc.tcp://127.0.0.1:{wire.port}/press")
    until(lambda: newest(server, twin, "level") == 10.0)
    wire.block()
    until(lambda: shown(server, "later")["state"] == "failing")
    server.ask("PATCH", f"/twins/{twin}/desired", {"level": 44.0})
    assert wishes(server, twin)["level"]["state"] == "pending"
    wire.unblock()
    until(lambda: wishes(server, twin)["level"]["state"] == "settled")
    end(server, "later")
    wire.close()


def test_a_restart_tells_what_was_asked_before_it(peer: Peer, tmp_path: Path) -> None:
    wire = Wire(peer.port)
    url = f"opc.tcp://127.0.0.1:{wire.port}/press"
    with inside(tmp_path / "data") as first:
        first.ask("POST", "/plant", {"models": [MODEL]})
        twin = begin(first, "again", url)
        wire.block()
        until(lambda: shown(first, "again")["state"] == "failing")
        first.ask("PATCH", f"/twins/{twin}/desired", {"level": 21.0})
    wire.unblock()
    with inside(tmp_path / "data") as second:
        until(lambda: wishes(second, twin)["level"]["state"] == "settled")
    wire.close()


# ---- from browsing -------------------------------------------------------------------------


def test_a_twin_made_of_an_object_has_its_methods_and_set_points(
    server: Inside, peer: Peer
) -> None:
    server.ask("PUT", "/connections/made", {"opcua": peer.url, **FAST})
    until(lambda: is_ready(server, "made"))
    made = server.ask("POST", "/connections/made/twins", {"node": "/Plant/Press"})
    twin = made["twin"]
    model = server.ask("GET", f"/models/{made['model']}", includeModelDefinition="true")["model"]
    contents = {one["name"]: one for one in model["contents"]}
    assert contents["Start"]["@type"] == "Command"
    fields = contents["Start"]["request"]["schema"]["fields"]
    assert [one["name"] for one in fields] == ["Speed", "Ramp"]
    assert "request" not in contents["Jam"]
    assert contents["Setpoint"]["writable"] is True
    assert contents["Count"]["@type"] == "Telemetry"
    command = ended(server, send(server, twin, "Start", {"Speed": 5, "Ramp": 1}), "succeeded")
    assert command["result"] == 6.0
    server.ask("PATCH", f"/twins/{twin}/desired", {"Setpoint": 12.5, "Mode": 2})
    until(lambda: {one["state"] for one in wishes(server, twin).values()} == {"settled"})
    assert newest(server, twin, "Mode") == "2", "an enumeration is kept as text"
    answer = server.http.patch(f"/twins/{twin}/desired", json={"Setpoint": 500})
    assert "EURange" in answer.text
    server.ask("DELETE", "/connections/made")
