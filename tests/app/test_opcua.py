"""Connectors of kind OPC UA against a real server: values, times, breaks, security."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.inside import Inside, inside, until
from connect.opcua_peer import Peer, Wire
from gemel.core.clock import SECOND
from gemel.core.quality import Quality

DEVICE = "press.Plant.Press"
FAST = {"publishing": 0.05, "sampling": 0}
EVER = 1 << 62


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("installation") / "data") as found:
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
    """The one server of this module, as it was in the beginning."""
    running.tell("reset")
    return running


@pytest.fixture
def press(server: Inside, peer: Peer, request: pytest.FixtureRequest) -> Iterator[str]:
    """A connector of a name of its own, connected to the peer; its device's id."""
    name = f"press-{abs(hash(request.node.name)) % 10**9}"
    server.ask("PUT", f"/connections/{name}", {"opcua": peer.url, **FAST})
    until(lambda: shown(server, name)["state"] == "connected")
    yield f"{name}.Plant.Press"
    server.ask("DELETE", f"/connections/{name}")


def shown(server: Inside, name: str) -> dict[str, Any]:
    name = name.partition(".")[0]
    [found] = [one for one in server.ask("GET", "/connections")["value"] if one["name"] == name]
    return dict(found)


def readings(server: Inside, device: str, name: str) -> list[tuple[Any, int, int]]:
    """Value, time and quality of all readings of a name."""
    series = server.platform.series.find(device, name)
    if series is None:
        return []
    found = server.platform.history.read(series, 0, EVER, bad=True)
    values = [found.text.get(i, value) for i, value in enumerate(found.value.tolist())]
    return list(zip(values, found.time.tolist(), found.quality.tolist(), strict=True))


def gaps(server: Inside, device: str, cause: str) -> int:
    found = server.ask("GET", "/gaps", twin=device)["value"]
    return sum(one["count"] for one in found if one["cause"] == cause)


def test_values_of_every_kind_come_with_the_time_of_their_source(
    server: Inside, peer: Peer, press: str
) -> None:
    until(lambda: len(readings(server, press, "Text")) == 1)
    newest = {n: readings(server, press, n)[-1][0] for n in ("Running", "Label", "Big", "Spectrum")}
    assert newest == {
        "Running": 1.0,
        "Label": '"a/b"',
        "Big": "9223372036854775807",
        "Spectrum": "[1.0,2.5]",
    }
    assert readings(server, press, "Serviced")[0][0] == '"2026-01-02T03:04:05Z"'
    assert readings(server, press, "Text")[0][0] == '"Presse"'
    peer.tell("step", 20)
    until(lambda: len(readings(server, press, "Count")) == 21)
    found = readings(server, press, "Count")
    assert [value for value, _, _ in found] == list(range(21))
    times = [time for _, time, _ in found]
    assert times == sorted(set(times)), "each has the moment at which it was true"
    now = shown(server, press)
    assert now["times"].keys() == {"source"}
    assert now["variables"] == 17
    [problem] = now["problems"]
    assert "Press.Range" in problem
    assert "ExtensionObject" in problem


def test_statuses_become_qualities(server: Inside, peer: Peer, press: str) -> None:
    until(lambda: len(readings(server, press, "Speed")) == 1)
    for status in ("UncertainLastUsableValue", "BadSensorFailure", "BadOutOfService", "Good"):
        peer.tell("status", status)
    until(lambda: len(readings(server, press, "Speed")) == 5)
    assert [quality for _, _, quality in readings(server, press, "Speed")] == [
        Quality.GOOD,
        Quality.UNCERTAIN,
        Quality.SENSOR_FAULT,
        Quality.BAD,
        Quality.GOOD,
    ]


def test_a_server_that_dies_under_load_is_found_again_and_the_gap_is_told(
    server: Inside, peer: Peer, press: str
) -> None:
    until(lambda: len(readings(server, press, "Speed")) == 1)
    peer.tell("step", 100)
    assert peer.process is not None
    assert peer.process.stdin is not None
    peer.process.stdin.write("step 100000\n")
    peer.process.stdin.flush()
    until(lambda: len(readings(server, press, "Count")) > 150)
    peer.kill()
    until(lambda: shown(server, press)["state"] == "failing")
    before = readings(server, press, "Count")
    assert [value for value, _, _ in before] == list(range(len(before))), "none is missing"
    peer.start()
    until(lambda: shown(server, press)["state"] == "connected")
    peer.tell("step", 5)
    until(
        lambda: (
            [value for value, _, _ in readings(server, press, "Count")][-5:] == list(range(1, 6))
        )
    )
    until(lambda: gaps(server, press, "disconnected") > 0)


def test_a_server_that_closes_the_session_is_subscribed_anew(
    server: Inside, peer: Peer, press: str
) -> None:
    until(lambda: len(readings(server, press, "Count")) == 1)
    times = [time for _, time, _ in readings(server, press, "Speed")]
    peer.tell("drop")
    peer.tell("step", 3)
    until(lambda: [value for value, _, _ in readings(server, press, "Count")][-1:] == [3.0])
    until(lambda: gaps(server, press, "disconnected") > 0)
    assert [time for _, time, _ in readings(server, press, "Speed")] == times, (
        "a value that did not change keeps its time"
    )


def test_a_cut_line_is_taken_up_again(server: Inside, peer: Peer, tmp_path: Path) -> None:
    wire = Wire(peer.port)
    url = f"opc.tcp://127.0.0.1:{wire.port}/press"
    server.ask("PUT", "/connections/wired", {"opcua": url, **FAST})
    device = "wired.Plant.Press"
    until(lambda: len(readings(server, device, "Count")) == 1)
    for last in (3, 6):
        wire.cut()
        peer.tell("step", 3)
        until(lambda last=last: readings(server, device, "Count")[-1][0] == last)
    server.ask("DELETE", "/connections/wired")
    wire.close()


def test_a_node_that_vanishes_is_told_and_read_again_when_it_is_back(
    server: Inside, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemel.connect.opcua.link.MEND_EVERY", 0.2)
    server.ask("PUT", "/connections/mended", {"opcua": peer.url, **FAST})
    device = "mended.Plant.Press"
    until(lambda: len(readings(server, device, "Gone")) == 1)
    peer.tell("vanish")
    until(lambda: any("Press.Gone" in one for one in shown(server, "mended")["problems"]))
    until(lambda: len(readings(server, device, "Gone")) == 2)
    value, _, quality = readings(server, device, "Gone")[-1]
    assert value != value, "nothing is known of it any more"
    assert quality == Quality.BAD
    peer.tell("step", 2)
    until(lambda: readings(server, device, "Count")[-1][0] == 2)
    peer.tell("appear")
    until(lambda: readings(server, device, "Gone")[-1][0] == 2)
    assert not any("Press.Gone" in one for one in shown(server, "mended")["problems"])
    server.ask("DELETE", "/connections/mended")


def test_a_server_whose_clock_is_off_is_told(server: Inside, peer: Peer, press: str) -> None:
    until(lambda: len(readings(server, press, "Count")) == 1)
    peer.tell("skew", 7200)
    peer.tell("step", 1)
    until(lambda: server.ask("GET", "/rejects", twin=press)["value"])
    [found] = server.ask("GET", "/rejects", twin=press)["value"]
    assert (found["reason"], found["field"]) == ("far-future", "Count")
    name = press.partition(".")[0]
    server.ask("PUT", f"/connections/{name}", {"opcua": peer.url, **FAST, "timestamps": "received"})
    until(lambda: readings(server, press, "Count")[-1][0] == 1)
    assert abs(readings(server, press, "Count")[-1][1] - server.clock()) < 60 * SECOND


def test_two_connectors_have_the_same_server_apart(server: Inside, peer: Peer, press: str) -> None:
    server.ask(
        "PUT", "/connections/second", {"opcua": peer.url, "nodes": ["/Plant/Press/Count"], **FAST}
    )
    until(lambda: len(readings(server, "second.Plant.Press", "Count")) == 1)
    peer.tell("step", 4)
    for device in (press, "second.Plant.Press"):
        until(lambda device=device: len(readings(server, device, "Count")) == 5)
    assert server.platform.series.find("second.Plant.Press", "Speed") is None
    server.ask("DELETE", "/connections/second")


def test_nodes_are_named_by_id_by_namespace_and_by_path(server: Inside, peer: Peer) -> None:
    nodes = [
        "ns=2;s=Press.Count",
        "nsu=urn:gemel:test:press;s=Press.Speed",
        "/2:Plant/Press/Running",
        "ns=2;s=Press.Nothing",
        "/Plant/Pres",
    ]
    server.ask("PUT", "/connections/named", {"opcua": peer.url, "nodes": nodes, **FAST})
    device = "named.Plant.Press"
    for name in ("Count", "Speed", "Running"):
        until(lambda name=name: len(readings(server, device, name)) == 1)
    problems = shown(server, "named")["problems"]
    assert len(problems) == 2
    assert "Press.Nothing" in problems[0]
    assert "'/Plant' has no 'Pres'" in problems[1]
    server.ask("DELETE", "/connections/named")


def test_a_full_disk_keeps_values_until_they_are_taken(
    server: Inside, peer: Peer, press: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(lambda: len(readings(server, press, "Count")) == 1)
    accept = server.platform.accept
    with monkeypatch.context() as patch:
        from gemel.core.errors import Unavailable

        patch.setattr(
            server.platform, "accept", lambda _, done: done(Unavailable("the disk is full"))
        )
        peer.tell("step", 30)
        until(lambda: "the disk is full" in shown(server, press)["problem"])
    assert server.platform.accept == accept
    until(lambda: len(readings(server, press, "Count")) == 31)
    assert shown(server, press)["state"] == "connected"


def test_security_by_certificates_that_both_sides_trust(server: Inside, tmp_path: Path) -> None:
    peer = Peer(tmp_path, "secure", "user")
    peer.start()
    body: dict[str, Any] = {"opcua": peer.url, "security": "Basic256Sha256", **FAST}
    server.ask("PUT", "/connections/safe", body)
    until(lambda: "is not trusted yet" in shown(server, "safe")["problem"])
    trust = shown(server, "safe")["problem"].partition("SHA-256 is ")[2][:95]
    wrong = "AA" + trust[2:] if trust[:2] != "AA" else "BB" + trust[2:]
    server.ask("PUT", "/connections/safe", {**body, "trust": wrong})
    until(lambda: "is another than the trusted one" in shown(server, "safe")["problem"])
    body |= {"trust": trust, "username": "operator", "password": "wrong"}
    server.ask("PUT", "/connections/safe", body)
    until(lambda: "does not trust our certificate" in shown(server, "safe")["problem"])
    own = Path(server.platform.folder.path) / "opcua" / "certificate.der"
    assert own.stat().st_mode & 0o077 == 0
    peer.tell("trust", own)
    server.ask("PUT", "/connections/safe", body)
    until(lambda: "user" in shown(server, "safe")["problem"])
    server.ask("PUT", "/connections/safe", {**body, "password": "right"})
    until(lambda: shown(server, "safe")["state"] == "connected")
    until(lambda: len(readings(server, "safe.Plant.Press", "Count")) == 1)
    assert "right" not in str(server.ask("GET", "/connections"))
    server.ask("DELETE", "/connections/safe")
    peer.kill()


def test_a_restart_tells_what_changed_meanwhile(peer: Peer, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with inside(data) as server:
        server.ask("PUT", "/connections/press", {"opcua": peer.url, **FAST})
        until(lambda: len(readings(server, DEVICE, "Count")) == 1)
    peer.tell("step", 2)
    with inside(data) as server:
        until(lambda: readings(server, DEVICE, "Count")[-1:][0][0] == 2)
        until(lambda: gaps(server, DEVICE, "disconnected") == 1)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"opcua": "10.0.0.5:4840"}, "opc.tcp://"),
        ({"opcua": "opc.tcp://u:p@a:1"}, "username"),
        ({"opcua": "opc.tcp://a:1", "broker": "a:1"}, "once"),
        ({"opcua": "opc.tcp://a:1", "topics": ["#"]}, "no 'topics'"),
        ({"opcua": "opc.tcp://a:1", "nodes": ["Press"]}, "browse path"),
        ({"opcua": "opc.tcp://a:1", "security": "Basic128"}, "Basic256Sha256"),
        ({"opcua": "opc.tcp://a:1", "trust": "xyz"}, "fingerprint"),
        ({"opcua": "opc.tcp://a:1", "queue": 0}, "queue"),
        ({"opcua": "opc.tcp://a:1", "queue": 2.5}, "whole number"),
        ({"opcua": "opc.tcp://a:1", "publishing": "fast"}, "number"),
    ],
)
def test_a_wrong_connector_is_refused_in_words(
    server: Inside, body: dict[str, object], says: str
) -> None:
    answer = server.http.put("/connections/wrong", json=body)
    assert answer.status_code == 400
    assert says in answer.text


def test_the_address_space_is_shown_bounded_and_with_units(
    server: Inside, peer: Peer, press: str
) -> None:
    name = press.partition(".")[0]
    path = f"/connections/{name}/browse"
    top = server.ask("GET", path)
    assert [one["path"] for one in top["value"]] == ["/Plant"]
    assert top["isWhole"]
    below = server.ask("GET", path, node="/Plant/Press")["value"]
    found = {one["path"].rpartition("/")[2]: one for one in below}
    assert found["Temperature"]["unit"] == "°C"
    assert found["Temperature"]["unitCode"] == "CEL"
    assert found["Temperature"]["range"] == [-20.0, 200.0]
    assert (found["Count"]["type"], found["Spectrum"]["isArray"]) == ("Int32", True)
    assert found["Speed"]["isWritable"]
    assert found["Mode"]["names"] == {"Off": 0, "Manual": 1, "Automatic": 2}
    deep = server.ask("GET", path, depth=16)["value"]
    assert "/Plant/Press/Motor/Current" in {one["path"] for one in deep}
    for query, status, says in (
        ({"node": "/Plant/Pres"}, 404, "has no"),
        ({"node": "Plant"}, 400, "browse path"),
        ({"depth": "17"}, 400, "depth"),
        ({"depth": "x"}, 400, "depth"),
    ):
        answer = server.http.get(path, params=query)
        assert (answer.status_code, says in answer.text) == (status, True), answer.text
    server.ask("PUT", "/connections/mqtt", {"broker": "127.0.0.1:1"})
    assert "nothing to browse" in server.http.get("/connections/mqtt/browse").text
    server.ask("DELETE", "/connections/mqtt")
    assert server.http.get("/connections/nobody/browse").status_code == 404


def test_an_object_becomes_a_model_and_a_twin_that_its_values_reach(
    server: Inside, peer: Peer, press: str
) -> None:
    name = press.partition(".")[0]
    peer.tell("step", 3)
    until(lambda: len(readings(server, press, "Count")) == 4)
    body = {"node": "/Plant/Press"}
    planned = server.ask("POST", f"/connections/{name}/twins", {**body, "dryRun": True})
    assert server.http.get(f"/digitaltwins/{press}").status_code == 404
    made = server.ask("POST", f"/connections/{name}/twins", body)
    assert (made["twin"], made["model"]) == (press, planned["model"])
    model = server.ask("GET", f"/models/{made['model']}", includeModelDefinition="true")["model"]
    contents = {one["name"]: one for one in model["contents"]}
    assert contents["Temperature"]["@type"] == ["Telemetry", "Temperature"]
    assert contents["Temperature"]["unit"] == "degreeCelsius"
    assert contents["Count"]["schema"] == "integer"
    assert contents["Spectrum"]["schema"]["elementSchema"] == "float"
    assert contents["Mode"]["schema"]["valueSchema"] == "integer"
    assert contents["Serial"]["@type"] == "Property"
    assert contents["Motor"]["@type"] == "Component"
    assert [one["place"] for one in made["report"]["losses"]] == [f"{name}/Plant/Press/Range"]
    assert len(readings(server, press, "Count")) == 4, "its history stays"
    assert server.ask("GET", f"/twins/{press}")["status"] == "live"
    until(lambda: readings(server, press, "Motor.Current"))
    peer.tell("step", 1)
    until(lambda: len(readings(server, press, "Count")) == 5)
    assert press not in {one["id"] for one in server.ask("GET", "/discovered")["value"]}
    again = server.http.post(f"/connections/{name}/twins", json=body)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "TwinAlreadyExists")
    other = server.ask("POST", f"/connections/{name}/twins", {**body, "twin": f"{name}-2"})
    assert other["model"] == made["model"]


def test_a_twin_of_another_name_is_bound(server: Inside, peer: Peer, press: str) -> None:
    name = press.partition(".")[0]
    until(lambda: len(readings(server, press, "Count")) == 1)
    server.ask("POST", f"/connections/{name}/twins", {"node": "ns=2;s=Press", "twin": f"{name}-a"})
    until(lambda: len(readings(server, f"{name}-a", "Count")) == 1)
    peer.tell("step", 2)
    until(lambda: len(readings(server, f"{name}-a", "Count")) == 3)
    assert len(readings(server, press, "Count")) == 1


def test_a_library_that_is_missing_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [one for one in sys.modules if one.startswith("gemel.connect.opcua.")]:
        if name != "gemel.connect.opcua.settings":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "asyncua", None)
    with inside(tmp_path / "data") as server:
        made = server.ask("PUT", "/connections/press", {"opcua": "opc.tcp://127.0.0.1:1"})
        assert made["state"] == "failing"
        assert "pip install gemel[opcua]" in made["problem"]
        answer = server.http.get("/connections/press/browse")
        assert answer.status_code == 503
        assert "gemel[opcua]" in answer.text
