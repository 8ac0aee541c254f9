"""Commands and desired values to Modbus devices: written once, confirmed by readings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.inside import Inside, until
from app.test_modbus import begin, newest, peer, running, server, shown, soon
from app.test_opcua_writing import ended, refused, send
from connect.modbus_peer import ModbusPeer

__all__ = ["peer", "running", "server", "soon"]
pytestmark = pytest.mark.peer
MODEL: dict[str, Any] = {
    "@id": "dtmi:test:Drive;1",
    "@type": "Interface",
    "@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"],
    "contents": [
        {"@type": "Property", "name": "limit", "schema": "double", "writable": True},
        {
            "@type": ["Telemetry", "Temperature"],
            "name": "setpoint",
            "schema": "double",
            "unit": "degreeCelsius",
        },
        {"@type": "Telemetry", "name": "count", "schema": "integer"},
        {"@type": "Telemetry", "name": "running", "schema": "boolean"},
        {"@type": "Command", "name": "start"},
        {"@type": "Command", "name": "run", "request": {"name": "on", "schema": "boolean"}},
        {"@type": "Command", "name": "setCount", "request": {"name": "n", "schema": "integer"}},
        {"@type": "Command", "name": "heat", "request": {"name": "to", "schema": "double"}},
        {"@type": "Command", "name": "wish", "request": {"name": "x", "schema": "double"}},
    ],
}
MAP = [
    "name, table, address, type, scale, unit, write",
    "limit, holding, 0, f32, , , yes",
    "setpoint, holding, 2, i16, 0.1, °F, yes",
    "count, holding, 3, u16, , , yes",
    "running, coil, 4, , , , yes",
    "other, holding, 5, u16, , , no",
]
COMMANDS = {"start": "running", "run": "running", "setCount": "count", "heat": "setpoint"}


@pytest.fixture
def drive(server: Inside, peer: ModbusPeer, request: pytest.FixtureRequest) -> Iterator[str]:
    """A twin bound to a connector of the same name; its registers are as in the beginning."""
    name = f"drive-{abs(hash(request.node.name)) % 10**9}"
    peer.set("holding", 0, 0, 0, 0, 7, 0, 0)
    peer.set("coil", 4, 0)
    binding = {"id": name, "topic": name, "twin": name, "commands": {**COMMANDS, "wish": "other"}}
    plant = {"models": [MODEL], "twins": {name: {"model": MODEL["@id"]}}, "bindings": [binding]}
    server.ask("POST", "/plant", plant)
    begin(server, name, peer.address, MAP)
    until(lambda: newest(server, name, "count") == 7)
    yield name
    server.ask("DELETE", f"/connections/{name}")


def test_a_command_is_written_once_and_confirmed_by_a_reading(
    server: Inside, peer: ModbusPeer, drive: str
) -> None:
    before = peer.ask("written")
    command = ended(server, send(server, drive, "setCount", 4711), "confirmed")
    assert command["confirm"]["property"] == "count"
    assert (peer.ask("get", "holding", 3), peer.ask("written") - before) == (4711, 1)
    ended(server, send(server, drive, "setCount", 4711), "confirmed")
    ended(server, send(server, drive, "start"), "confirmed")
    assert peer.ask("get", "coil", 4) == 1
    ended(server, send(server, drive, "run", False), "confirmed")
    assert peer.ask("get", "coil", 4) == 0


def test_a_value_goes_out_in_the_unit_and_the_steps_of_the_register(
    server: Inside, peer: ModbusPeer, drive: str
) -> None:
    command = ended(server, send(server, drive, "heat", 21.34), "confirmed")
    assert peer.ask("get", "holding", 2) == 704, "70.412 °F, in tenths"
    assert command["confirm"]["asked"] == pytest.approx((70.4 - 32) / 1.8)


def test_a_desired_value_is_written_until_it_is_reported(
    server: Inside, peer: ModbusPeer, drive: str
) -> None:
    server.ask("PATCH", f"/twins/{drive}/desired", {"limit": 12.5})
    until(lambda: server.ask("GET", f"/twins/{drive}/desired")["value"][0]["state"] == "settled")
    assert newest(server, drive, "limit") == 12.5
    assert (peer.ask("get", "holding", 0), peer.ask("get", "holding", 1)) == (0x4148, 0)


def test_what_a_register_cannot_hold_does_not_leave(
    server: Inside, peer: ModbusPeer, drive: str
) -> None:
    before = peer.ask("written")
    assert "cannot hold '70000'" in refused(server, drive, "setCount", 70_000)
    assert "no register 'other'" in refused(server, drive, "wish", 1.0)
    assert peer.ask("written") == before


def test_what_a_device_refuses_has_failed_in_its_words(
    server: Inside, peer: ModbusPeer, drive: str
) -> None:
    peer.tell("refuse", 3)
    command = ended(server, send(server, drive, "setCount", 5), "failed")
    assert "illegal data value" in command["message"]
    peer.tell("refuse", 0)
    until(lambda: not shown(server, drive)["problems"])


def test_no_answer_is_unknown_and_never_repeated(
    server: Inside, peer: ModbusPeer, drive: str
) -> None:
    before = peer.ask("written")
    peer.tell("mute", 0)
    key = send(server, drive, "setCount", 6)
    until(lambda: peer.ask("written") > before)
    until(lambda: shown(server, drive)["state"] == "failing")
    command = server.ask("GET", f"/commands/{key}")
    assert command["state"] == "sent", "a reading may still tell"
    assert "no answer" in command["steps"][-1]["note"]
    peer.tell("mute", -1)
    until(lambda: shown(server, drive)["state"] == "connected")
    server.clock.advance(400)
    ended(server, key, "unknown")
    assert peer.ask("written") - before == 1


def test_a_command_waits_for_a_device_that_is_away(
    server: Inside, peer: ModbusPeer, drive: str
) -> None:
    peer.tell("mute", 0)
    until(lambda: shown(server, drive)["state"] == "failing")
    until(lambda: not server.run(_is_ready(server, drive)))
    before = peer.ask("written")
    key = send(server, drive, "setCount", 8)
    assert server.ask("GET", f"/commands/{key}")["state"] == "queued"
    peer.tell("mute", -1)
    ended(server, key, "confirmed")
    assert peer.ask("written") - before == 1


async def _is_ready(server: Inside, name: str) -> bool:
    return bool(server.platform.connections.connector(name).is_ready())  # type: ignore[attr-defined]


def test_a_device_without_the_function_for_one_register_is_written_by_that_for_many(
    server: Inside, peer: ModbusPeer, drive: str
) -> None:
    peer.tell("plain", 1)
    ended(server, send(server, drive, "setCount", 9), "confirmed")
    assert peer.ask("get", "holding", 3) == 9


def test_a_twin_that_the_map_names_is_written_without_a_binding(
    server: Inside, peer: ModbusPeer, drive: str
) -> None:
    other = f"{drive}-b"
    server.ask("POST", "/plant", {"models": [], "twins": {other: {"model": MODEL["@id"]}}})
    lines = ["name,twin,table,address,type,write", f"limit,{other},holding,20,f64,yes"]
    begin(server, other, peer.address, lines)
    server.ask("PATCH", f"/twins/{other}/desired", {"limit": 3.25})
    until(lambda: newest(server, other, "limit") == 3.25)
    server.ask("DELETE", f"/connections/{other}")
