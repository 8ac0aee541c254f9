"""Floods out of order, devices that lie about time, clocks that jump."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.inside import Inside, inside

HOUR = 3600


@pytest.fixture
def server(tmp_path: Path):  # type: ignore[no-untyped-def]
    with inside(tmp_path / "data") as found:
        found.pumps("pump-1")
        yield found


def history(server: Inside, start: float, end: float) -> dict[float, float]:
    found = server.ask(
        "GET", "/history", twin="pump-1", property="flow", limit=100_000,
        **{"from": start * 1000, "to": end * 1000},
    )["series"][0]  # fmt: skip
    assert found["time"] == sorted(set(found["time"])), "out of order, or twice"
    return dict(zip(found["time"], found["value"], strict=True))


def current(server: Inside) -> Any:
    found = server.ask("GET", "/twins/pump-1")["properties"]
    return next(one["value"] for one in found if one["name"] == "flow")


def rejects(server: Inside) -> dict[str, int]:
    return dict(server.ask("GET", "/rejects", twin="pump-1", limit=10)["byReason"])


def test_a_flood_out_of_order_with_repeats_is_history_in_order_once(server: Inside) -> None:
    chance = random.Random(11)
    end = int(time.time()) - 10
    sent = {float((end - i) * 1000): i / 4 for i in range(6_000)}
    rows = [*sent.items(), *chance.sample(list(sent.items()), 1_500)]
    chance.shuffle(rows)
    before = server.ask("GET", "/status")["duplicates"]
    device = server.device("pump-1")
    for at in range(0, len(rows), 250):
        part = rows[at : at + 250]
        payload = {"time": [row[0] for row in part], "flow": [row[1] for row in part]}
        device.publish("devices/pump-1/telemetry", orjson.dumps(payload))
    device.close()
    assert history(server, end - 7_000, end + 1) == sent
    assert current(server) == 0.0, "the newest is not what counts"
    counted = server.ask("GET", "/status")["duplicates"] - before
    assert 0 < counted <= 1_500


def test_a_device_that_lies_about_time_moves_nothing_and_is_counted(server: Inside) -> None:
    now = int(time.time())
    device = server.device("pump-1")
    for moment, value in (
        (now - 20, 1.0),
        (now + 2 * HOUR, 2.0),
        (now + 50 * 365 * 24 * HOUR, 3.0),
        (-5, 4.0),
        (now - 15, 5.0),
        (now - 9 * 24 * HOUR, 6.0),
    ):
        payload = {"time": moment, "flow": value}
        device.publish("devices/pump-1/telemetry", orjson.dumps(payload))
    device.close()
    assert current(server) == 5.0
    assert rejects(server) == {"far-future": 2, "before-1970": 1}
    found = history(server, now - 10 * 24 * HOUR, now + 51 * 365 * 24 * HOUR)
    assert sorted(found.values()) == [1.0, 5.0, 6.0]


def test_a_server_whose_clock_jumps_keeps_all_and_comes_back_the_same(tmp_path: Path) -> None:
    start = time.time()
    with inside(tmp_path / "data") as server:
        server.pumps("pump-1")
        device = server.device("pump-1")
        for seconds, value in ((0, 1.0), (HOUR, 2.0), (-2 * HOUR, 3.0), (HOUR, 4.0)):
            server.clock.advance(seconds)
            device.publish("devices/pump-1/telemetry", orjson.dumps({"flow": value}))
        device.close()
        found = history(server, start - 2 * HOUR, start + 2 * HOUR)
        assert list(found.values()) == [3.0, 1.0, 4.0, 2.0]
        assert current(server) == 2.0, "the newest source time counts, whenever it came"
        assert server.ask("GET", "/health")["ready"]
    with inside(tmp_path / "data") as again:
        assert current(again) == 2.0
        assert list(history(again, start - 2 * HOUR, start + 2 * HOUR).values()) == [3, 1, 4, 2]
        assert rejects(again) == {}
