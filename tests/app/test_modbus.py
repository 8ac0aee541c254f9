"""Connectors of kind Modbus against libmodbus: TCP, gateways, serial lines, refusals, silence."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.inside import Inside, inside, until
from app.test_opcua import gaps, readings, shown
from connect.modbus_peer import Bus, Gateway, ModbusPeer
from connect.opcua_peer import Wire
from gemel.core.clock import SECOND
from gemel.core.quality import Quality
from running import Running

pytestmark = pytest.mark.peer
FAST = {"every": 0.05, "timeout": 0.3}
MAP = [
    "name, table, address, type, order, scale, bits, length, unit",
    "speed, holding, 0, f32, CDAB",
    "count, holding, 2, u64",
    "level, holding, 6, i16, , 0.1",
    "mode, holding, 7, u16, , , 4-7",
    "alarm, holding, 7, , , , 0",
    "maker, holding, 8, string, , , , 3",
    "pressure, input, 4, f64",
    "running, coil, 3",
    "door, discrete, 11",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("installation") / "data") as found:
        yield found


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds by default takes less here."""
    monkeypatch.setattr("gemel.connect.modbus.link.LONGEST_WAIT", 0.5)
    monkeypatch.setattr("gemel.connect.modbus.link.REFUSED_EVERY", 0.1)
    monkeypatch.setattr("gemel.connect.modbus.units.FIRST_REST", 0.1)
    monkeypatch.setattr("gemel.connect.modbus.units.LONGEST_REST", 0.2)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModbusPeer]:
    found = ModbusPeer(tmp_path_factory.mktemp("peer"))
    found.start()
    yield found
    found.kill()


@pytest.fixture
def peer(running: ModbusPeer) -> ModbusPeer:
    running.reset()
    return running


@pytest.fixture
def name(server: Inside, request: pytest.FixtureRequest) -> Iterator[str]:
    """A connector's name of its own; what was made under it is ended."""
    found = f"plc-{abs(hash(request.node.name)) % 10**9}"
    yield found
    server.ask("DELETE", f"/connections/{found}")


def begin(server: Inside, name: str, place: str, lines: list[str], **more: Any) -> None:
    server.ask("PUT", f"/connections/{name}", {"modbus": place, "registers": lines, **FAST, **more})


def values(server: Inside, device: str, signal: str) -> list[Any]:
    return [value for value, _, _ in readings(server, device, signal)]


def more(server: Inside, device: str, signal: str, count: int = 3) -> None:
    """Waits for further values."""
    wanted = len(values(server, device, signal)) + count
    until(lambda: len(values(server, device, signal)) >= wanted)


def newest(server: Inside, device: str, signal: str) -> Any:
    found = values(server, device, signal)
    return found[-1] if found else None


def words(form: str, *found: object) -> tuple[int, ...]:
    data = struct.pack(">" + form, *found)
    return struct.unpack(f">{len(data) // 2}H", data)


def test_values_of_every_type_come_in_few_requests(
    server: Inside, peer: ModbusPeer, name: str
) -> None:
    high, low = words("f", 12.5)
    peer.set("holding", 0, low, high)
    peer.set("holding", 2, *words("Q", 2**60 + 1))
    peer.set("holding", 6, *words("h", -215), 0b1010_0001, *words("6s", b"ACME"))
    peer.set("input", 4, *words("d", 1.013))
    peer.set("coil", 3, 1)
    peer.set("discrete", 11, 1)
    begin(server, name, peer.address, MAP)
    signals = [line.partition(",")[0] for line in MAP[1:]]
    until(lambda: all(newest(server, name, one) is not None for one in signals))
    now = shown(server, name)
    assert (now["state"], now["problems"]) == ("connected", [])
    assert (now["variables"], now["requests"]) == (9, 4)
    found = {signal: newest(server, name, signal) for signal in ("speed", "level", "mode", "alarm")}
    assert found == {"speed": 12.5, "level": -21.5, "mode": 10, "alarm": 1}
    assert newest(server, name, "count") == str(2**60 + 1)
    assert newest(server, name, "maker") == '"ACME"'
    assert [newest(server, name, n) for n in ("pressure", "running", "door")] == [1.013, 1, 1]
    peer.set("holding", 0, *words("f", 13.5)[::-1])
    until(lambda: newest(server, name, "speed") == 13.5)
    times = [time for _, time, _ in readings(server, name, "speed")]
    assert times == sorted(set(times))


def test_what_a_device_does_not_have_is_named_and_bad_and_the_rest_is_read(
    server: Inside, peer: ModbusPeer, name: str
) -> None:
    lines = ["name, table, address", *(f"r{at}, holding, {at}" for at in range(100, 120))]
    peer.set("holding", 100, *range(20))
    begin(server, name, peer.address, lines)
    until(lambda: newest(server, name, "r119") == 19)
    peer.tell("forbid", 107, 107)
    until(lambda: shown(server, name)["problems"])
    [problem] = shown(server, name)["problems"]
    assert f"unit 1, holding 107 ({name}/r107)" in problem
    assert "illegal data address" in problem
    until(lambda: readings(server, name, "r107")[-1][2] == Quality.BAD)
    peer.set("holding", 100, *range(50, 70))
    until(lambda: newest(server, name, "r106") == 56)
    until(lambda: newest(server, name, "r108") == 58)
    until(lambda: shown(server, name)["variables"] == 19)
    assert shown(server, name)["state"] == "connected"
    peer.tell("allow")
    until(lambda: newest(server, name, "r107") == 57)
    assert shown(server, name)["problems"] == []


def test_a_gap_that_is_not_there_is_not_read(server: Inside, peer: ModbusPeer, name: str) -> None:
    peer.tell("forbid", 202, 205)
    peer.set("holding", 200, 1, 2)
    peer.set("holding", 206, 3)
    begin(
        server,
        name,
        peer.address,
        ["name, table, address", "a, holding, 200", "b, holding, 201", "c, holding, 206"],
    )
    until(lambda: newest(server, name, "c") == 3)
    until(lambda: newest(server, name, "b") == 2)
    assert (shown(server, name)["problems"], shown(server, name)["requests"]) == ([], 2)


def test_a_device_that_takes_short_requests_only_is_read_in_such(
    server: Inside, peer: ModbusPeer, name: str
) -> None:
    peer.tell("most", 8)
    peer.set("holding", 300, *range(60))
    lines = ["name, table, address", *(f"r{at}, holding, {300 + at}" for at in range(60))]
    begin(server, name, peer.address, lines)
    until(lambda: all(newest(server, name, f"r{at}") == at for at in range(60)))
    assert shown(server, name)["requests"] == 8
    assert shown(server, name)["problems"] == []


def test_a_failure_of_the_device_is_told_as_such(
    server: Inside, peer: ModbusPeer, name: str
) -> None:
    begin(server, name, peer.address, ["name, table, address", "a, holding, 400"])
    until(lambda: values(server, name, "a"))
    peer.tell("refuse", 4)
    until(lambda: readings(server, name, "a")[-1][2] == Quality.SENSOR_FAULT)
    assert "the device failed" in shown(server, name)["problems"][0]
    peer.tell("refuse", 6)
    until(lambda: "busy" in "".join(shown(server, name)["problems"]))
    peer.tell("refuse", 0)
    until(lambda: shown(server, name)["problems"] == [])
    until(lambda: readings(server, name, "a")[-1][2] == Quality.GOOD)


def test_a_silent_device_is_visible_and_keeps_no_other_from_being_read(
    server: Inside, peer: ModbusPeer, name: str
) -> None:
    lines = ["name, device, table, address, unit id", "a, one, holding, 10, 1"]
    lines.append("a, two, holding, 11, 2")
    begin(server, name, peer.address, lines)
    until(lambda: values(server, f"{name}.one", "a") and values(server, f"{name}.two", "a"))
    peer.tell("mute", 2)
    until(lambda: shown(server, name)["silent"] == [2])
    now = shown(server, name)
    assert now["state"] == "connected"
    assert now["problem"] == "unit 2 does not answer: nothing within 0.3 s"
    more(server, f"{name}.one", "a", 10)
    peer.tell("mute", -1)
    until(lambda: shown(server, name)["problem"] == "")
    assert gaps(server, f"{name}.two", "disconnected") == 1
    assert gaps(server, f"{name}.one", "disconnected") == 0
    peer.tell("refuse", 11)
    until(lambda: shown(server, name)["state"] == "failing")
    assert "does not answer the gateway" in shown(server, name)["problem"]
    peer.tell("refuse", 0)
    until(lambda: shown(server, name)["state"] == "connected")


def test_where_nobody_answers_the_connection_is_made_anew(
    server: Inside, peer: ModbusPeer, name: str
) -> None:
    begin(server, name, peer.address, ["name, table, address", "a, holding, 20"])
    until(lambda: values(server, name, "a"))
    peer.tell("mute", 0)
    until(lambda: shown(server, name)["state"] == "failing")
    assert "does not answer" in shown(server, name)["problem"]
    peer.tell("mute", -1)
    until(lambda: shown(server, name)["state"] == "connected")
    until(lambda: gaps(server, name, "disconnected") == 1)


def test_a_device_that_dies_is_found_again_and_the_gap_is_told(
    server: Inside, tmp_path: Path, name: str
) -> None:
    peer = ModbusPeer(tmp_path)
    peer.start()
    begin(server, name, peer.address, ["name, table, address", "a, holding, 0"])
    until(lambda: values(server, name, "a"))
    peer.kill()
    until(lambda: shown(server, name)["state"] == "failing")
    assert peer.address in shown(server, name)["problem"]
    peer.start()
    until(lambda: shown(server, name)["state"] == "connected")
    until(lambda: gaps(server, name, "disconnected") == 1)
    peer.kill()


def test_a_connection_that_is_cut_again_and_again_is_made_again(
    server: Inside, peer: ModbusPeer, name: str
) -> None:
    wire = Wire(peer.port)
    begin(server, name, f"127.0.0.1:{wire.port}", ["name, table, address", "a, holding, 30"])
    for _ in range(3):
        until(lambda: shown(server, name)["state"] == "connected")
        wire.cut()
        more(server, name, "a")
    wire.close()


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
def test_an_answer_that_comes_too_late_is_nobody_elses(
    server: Inside, tmp_path: Path, name: str, framing: str
) -> None:
    bus = Bus()
    words = ("rtu", bus.ends[0], "1") if framing == "rtu" else ()
    peer = ModbusPeer(tmp_path, *words)
    peer.start()
    place = peer.address if framing == "tcp" else bus.ends[1]
    peer.set("holding", 0, *([1] * 10))
    peer.set("holding", 100, *([2] * 10))
    lines = ["name, table, address", "one, holding, 0", "two, holding, 100"]
    begin(server, name, place, lines)
    until(lambda: newest(server, name, "two") == 2)
    for _ in range(3):
        peer.tell("late", 450)
        more(server, name, "one")
        more(server, name, "two")
    assert set(values(server, name, "one")) == {1.0}
    assert set(values(server, name, "two")) == {2.0}
    peer.kill()
    server.ask("PUT", f"/connections/{name}", {"modbus": "127.0.0.1:1", "registers": lines})
    bus.close()


def test_a_serial_line_is_read_and_noise_on_it_is_no_value(
    server: Inside, tmp_path: Path, name: str
) -> None:
    bus = Bus()
    peer = ModbusPeer(tmp_path, "rtu", bus.ends[0], "7")
    peer.start()
    peer.set("holding", 5, *words("f", 21.5))
    peer.set("coil", 1, 1)
    lines = ["name, table, address, type", "t, holding, 5, f32", "on, coil, 1, bool"]
    begin(server, name, bus.ends[1], lines, unitId=7, line="19200 8E1")
    until(lambda: newest(server, name, "t") == 21.5)
    until(lambda: newest(server, name, "on") == 1)
    for noise in (b"\x07\x03\x04\x41\x41", b"\xff" * 40, b"\x07"):
        bus.disturb(noise)
        more(server, name, "t")
    assert set(values(server, name, "t")) == {21.5}
    assert shown(server, name)["state"] == "connected"
    peer.kill()
    until(lambda: shown(server, name)["state"] == "failing")
    begin(server, name, "/dev/null", lines)
    until(lambda: "no serial line" in shown(server, name)["problem"])
    bus.close()


def test_a_gateway_passes_frames_of_lines_over_tcp(
    server: Inside, tmp_path: Path, name: str
) -> None:
    bus = Bus()
    peer = ModbusPeer(tmp_path, "rtu", bus.ends[0], "3")
    peer.start()
    gateway = Gateway(bus.ends[1])
    peer.set("input", 0, 77)
    lines = ["name, table, address, unit id", "a, input, 0, 3", "b, input, 0, 4"]
    begin(server, name, f"127.0.0.1:{gateway.port}", lines, framing="rtu")
    until(lambda: newest(server, name, "a") == 77)
    until(lambda: shown(server, name)["silent"] == [4])
    assert shown(server, name)["state"] == "connected"
    begin(server, name, "127.0.0.1:1", lines)
    gateway.close()
    peer.kill()
    bus.close()


def test_several_requests_at_once_are_answered_each_its_own(
    server: Inside, peer: ModbusPeer, name: str
) -> None:
    lines = ["name, table, address", *(f"r{n}, holding, {20 * n}" for n in range(40))]
    for n in range(40):
        peer.set("holding", 20 * n, n)
    begin(server, name, peer.address, lines, atOnce=8)
    until(lambda: all(len(values(server, name, f"r{n}")) > 5 for n in range(40)))
    assert shown(server, name)["requests"] == 40
    for n in range(40):
        assert set(values(server, name, f"r{n}")) == {float(n)}


def test_a_twin_that_is_named_gets_values_in_its_own_unit(
    server: Inside, peer: ModbusPeer, name: str
) -> None:
    server.pumps(name)
    peer.set("holding", 500, 212)
    lines = ["name, twin, table, address, unit", f"temperature, {name}, holding, 500, °F"]
    begin(server, name, peer.address, lines)
    until(lambda: values(server, name, "temperature"))
    assert newest(server, name, "temperature") == pytest.approx(100.0)


def test_registers_are_shown_and_become_a_twin(server: Inside, peer: ModbusPeer, name: str) -> None:
    peer.set("holding", 600, 3, 215)
    lines = [
        "name, device, table, address, type, scale, unit",
        "starts, pump, holding, 600, u16, ,",
        "temperature, pump, holding, 601, i16, 0.1, °C",
    ]
    begin(server, name, peer.address, lines)
    until(lambda: values(server, f"{name}.pump", "temperature"))
    path = f"/connections/{name}/browse"
    found = {one["path"]: one for one in server.ask("GET", path)["value"]}
    assert found["/pump/temperature"]["value"] == 21.5
    assert found["/pump/temperature"]["type"] == "Double"
    assert found["/pump/starts"]["node"] == "unit 1, holding 600"
    assert server.http.get(path, params={"node": "/fan"}).status_code == 404
    made = server.ask("POST", f"/connections/{name}/twins", {"node": "/pump", "twin": f"{name}-p"})
    assert made["model"].startswith("dtmi:modbus:pump")
    until(lambda: newest(server, f"{name}-p", "temperature") == 21.5)
    until(lambda: newest(server, f"{name}-p", "starts") == 3)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"modbus": ":502"}, "HOST:PORT"),
        ({"modbus": "a:99999"}, "modbus"),
        ({"modbus": "tcp://a:502"}, "HOST:PORT"),
        ({"modbus": "/etc/passwd"}, "serial line"),
        ({"modbus": "a:502", "framing": "ascii"}, "tcp, rtu"),
        ({"modbus": "a:502", "framing": "rtu", "atOnce": 2}, "1 with RTU"),
        ({"modbus": "/dev/ttyS0", "line": "12 8N1"}, "19200 8E1"),
        ({"modbus": "a:502", "largest": 126}, "1 to 125"),
        ({"modbus": "a:502", "every": 0}, "every"),
        ({"modbus": "a:502", "order": "abcd"}, "ABCD"),
        ({"modbus": "a:502", "registers": ["name, address", "a, 1"]}, "line 2"),
        ({"modbus": "a:502", "registers": []}, "names of the columns"),
        ({"modbus": "a:502", "username": "x"}, "no 'username'"),
    ],
)
def test_a_wrong_connector_is_refused_in_words(
    server: Inside, body: dict[str, object], says: str
) -> None:
    right = {"registers": ["name, table, address", "a, holding, 1"]}
    answer = server.http.put("/connections/wrong", json={**right, **body})
    assert answer.status_code == 400, answer.text
    assert says in answer.text


def test_the_server_as_people_start_it_reads_over_tcp_and_on_a_line(
    peer: ModbusPeer, tmp_path: Path
) -> None:
    bus = Bus()
    slow = ModbusPeer(tmp_path, "rtu", bus.ends[0], "1")
    slow.start()
    lines = ["name, table, address", "a, holding, 700"]
    with Running(tmp_path / "data") as started:
        for name, place in (("fast", peer.address), ("slow", bus.ends[1])):
            body = {"modbus": place, "registers": lines, **FAST}
            started.call("PUT", f"/connections/{name}", body)
        found = until(
            lambda: (
                (now := started.call("GET", "/connections")["value"])
                and all(one["accepted"] > 5 for one in now)
                and now
            )
        )
        assert {one["state"] for one in found} == {"connected"}
        slow.kill()
        until(
            lambda: (
                [one["state"] for one in started.call("GET", "/connections")["value"]]
                == ["connected", "failing"]
            )
        )
    bus.close()


def test_registers_are_read_each_in_its_period_and_with_pauses(
    server: Inside, peer: ModbusPeer, name: str
) -> None:
    lines = ["name, table, address, every", "often, holding, 800", "seldom, holding, 801, 3600"]
    before = peer.ask("requests")
    begin(server, name, peer.address, lines, pause=0.1, every=0.01)
    more(server, name, "often", 10)
    assert len(values(server, name, "seldom")) == 1
    times = [time for _, time, _ in readings(server, name, "often")]
    assert times[-1] - times[0] > 0.05 * SECOND * (len(times) - 1), "without a pause, 0.01"
    assert peer.ask("requests") - before >= 11
    assert shown(server, name)["late"] > 0
