"""gemel connector: brokers are subscribed on and left from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.inside import Inside, inside, until
from cli.test_keep import ask, gemel
from connect.modbus_peer import ModbusPeer
from connect.opcua_peer import Peer


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """A broker that was there before: another server's."""
    with inside(tmp_path_factory.mktemp("broker") / "data") as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("connectors") / "data"
    with inside(folder):
        yield folder


def test_a_connector_is_made_seen_connected_and_ended(
    folder: Path, other: Inside, tmp_path: Path
) -> None:
    data = ("--data", folder)
    code, out, _ = gemel("connector", "list", *data)
    assert (code, out.strip()) == (0, "there are no connectors: devices connect to Gemel itself")
    secret = tmp_path / "password"
    secret.write_text(other.token("admin") + "\nnot this\n")
    broker = other.addresses.mqtt
    asked = ("--broker", broker, "--topic", "plant/#", "--topic", "line/+/flow")
    who = ("--username", "bridge", "--password-file", secret, "--client-id", "bridge-1")
    made = ask("connector", "put", "north", *asked, *who, *data)
    assert (made["broker"], made["topics"]) == (broker, ["plant/#", "line/+/flow"])
    assert (made["clientId"], made["hasPassword"], made["tls"]) == ("bridge-1", True, False)

    def state() -> str:
        (one,) = ask("connector", "list", *data)["value"]
        return str(one["state"])

    until(lambda: state() == "connected", "the other's broker")
    assert "line/+/flow" in gemel("connector", "list", *data)[1]
    changed = ask("connector", "put", "north", "--broker", broker, *who[:2], *data)
    assert changed["hasPassword"], "what is left out of a password stays"
    assert gemel("connector", "delete", "north", *data)[1] == "north is ended\n"
    assert ask("connector", "list", *data) == {"value": []}


def test_what_is_wrong_is_said(folder: Path, tmp_path: Path) -> None:
    data = ("--data", folder)
    missing = tmp_path / "missing"
    code, _, err = gemel(
        "connector", "put", "n", "--broker", "a:1", "--password-file", missing, *data
    )
    assert (code != 0, "the password cannot be read" in err) == (True, True)
    code, _, err = gemel("connector", "put", "North!", "--broker", "a:1", *data)
    assert (code != 0, "cannot be the name" in err) == (True, True)
    code, _, err = gemel("connector", "delete", "south", *data)
    assert (code != 0, "there is no connector 'south'" in err) == (True, True)


def test_an_opcua_server_is_browsed_and_modelled(folder: Path, tmp_path: Path) -> None:
    peer = Peer(tmp_path)
    peer.start()
    data = ("--data", folder)
    asked = ("--opcua", peer.url, "--node", "/Plant/Press", "--publishing", "0.05", "--queue", "5")
    made = ask("connector", "put", "press", *asked, "--sampling", "0", *data)
    assert (made["nodes"], made["publishing"], made["queue"]) == (["/Plant/Press"], 0.05, 5)

    def is_read() -> bool:
        (one,) = ask("connector", "list", *data)["value"]
        return bool(one["accepted"])

    until(is_read, "values of the server")
    listed = gemel("connector", "list", *data)[1]
    assert "press: ns=2;s=Press.Range" in listed
    shown = gemel("connector", "browse", "press", "--node", "/Plant", "--depth", "2", *data)[1]
    assert "/Plant/Press/Temperature" in shown
    assert "°C" in shown
    code, out, _ = gemel("connector", "model", "press", "/Plant/Press", "--twin", "p1", *data)
    assert (code, out.splitlines()[0]) == (0, "twin p1 of dtmi:opcua:Press;1 is made")
    assert "dropped: press/Plant/Press/Range" in out
    code, _, err = gemel("connector", "model", "press", "/Plant/Press", "--twin", "p1", *data)
    assert "already" in err
    gemel("connector", "delete", "press", *data)
    peer.kill()


@pytest.mark.peer
def test_modbus_registers_of_a_file_are_read_shown_and_modelled(
    folder: Path, tmp_path: Path
) -> None:
    peer = ModbusPeer(tmp_path)
    peer.start()
    peer.set("holding", 10, 215)
    map_ = tmp_path / "meter.csv"
    map_.write_text(
        "\ufeffName\tTable\tAddress\tType\tScale\tUnit\n"
        "temperature\tholding registers\t10\tint16\t0,1\t°C\n\nnone\tholding\t5000\n",
        "utf-8",
    )
    data = ("--data", folder)
    asked = ("--modbus", peer.address, "--registers", map_, "--every", "0.05", "--gap", "0")
    made = ask("connector", "put", "meter", *asked, *data)
    assert (made["every"], made["gap"], len(made["registers"])) == (0.05, 0, 4)

    def is_read() -> bool:
        (one,) = ask("connector", "list", *data)["value"]
        return bool(one["accepted"] and one["problems"])

    until(is_read, "values of the device")
    listed = gemel("connector", "list", *data)[1]
    assert "1 registers in 2 requests" in listed
    assert "meter: unit 1, holding 5000 (meter/none): the device has no such address" in listed
    shown = gemel("connector", "browse", "meter", *data)[1]
    assert "21.5" in shown
    code, out, _ = gemel("connector", "model", "meter", "/", "--twin", "m1", *data)
    assert (code, out.splitlines()[0]) == (0, "twin m1 of dtmi:modbus:meter;1 is made")
    map_.write_text("name,address\na,7\n")
    code, _, err = gemel("connector", "put", "meter", *asked, *data)
    assert (code != 0, "'registers', line 2" in err) == (True, True)
    missing = ("--modbus", "a:1", "--registers", tmp_path / "missing.csv")
    code, _, err = gemel("connector", "put", "meter", *missing, *data)
    assert (code != 0, "the registers cannot be read" in err) == (True, True)
    gemel("connector", "delete", "meter", *data)
    peer.kill()
