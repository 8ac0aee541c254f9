"""Floods out of order, devices that lie about time, clocks that jump."""

from __future__ import annotations

import random
import shutil
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from app.inside import PUMP, Inside, inside, until
from gemel.core.coded import coded

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


def test_a_message_of_many_rows_sent_again_changes_nothing_after_a_crash_neither(
    server: Inside, tmp_path: Path
) -> None:
    server.ask("PUT", "/rules/high", {"model": PUMP, "when": "mean of flow over 10 s > 5"})
    end = int(time.time()) - 60
    rows = [(end - 2_000 + i, 9.0 if i % 500 < 50 else i % 3 / 2) for i in range(2_000)]
    columns = {"time": [row[0] for row in rows], "flow": [row[1] for row in rows]}
    swung = coded(np.sin(np.arange(1_000) / 40), 0.01)
    sent = [
        orjson.dumps(columns),
        orjson.dumps([{"time": row[0], "temperature": row[1]} for row in rows[:500]]),
        orjson.dumps(
            {"time": end - 1_000, "every": 1, "coded": {"target": b64encode(swung).decode()}}
        ),
    ]
    with server.device("pump-1") as device:
        for message in sent:
            device.publish("devices/pump-1/telemetry", message)
        until(lambda: effects(server)["alarms"] == [4], "all four times the alarm is raised")
        before = effects(server)
        assert before["duplicates"] == 0
        for message in sent:
            device.publish("devices/pump-1/telemetry", message)
        after = effects(server)
    repeated = after.pop("duplicates")
    assert repeated >= 3_500 * 0.99
    assert after.pop("readings") - before.pop("readings") == 3_500 - repeated
    assert after == {name: before[name] for name in after}
    shutil.copytree(server.platform.folder.path, tmp_path / "crashed")
    with inside(tmp_path / "crashed") as again, again.device("pump-1") as device:
        for message in sent:
            device.publish("devices/pump-1/telemetry", message)
        assert effects(again)["duplicates"] >= 3_500 * 0.99


def effects(server: Inside) -> dict[str, Any]:
    status = server.ask("GET", "/status")
    span = {"from": "-2h", "to": "now", "twin": "pump-1", "property": "flow,temperature,target"}
    return {
        "readings": status["readings"],
        "duplicates": status["duplicates"],
        "counts": [
            one["count"] for one in server.ask("GET", "/history/statistics", **span)["value"]
        ],
        "alarms": [one["occurrences"] for one in server.ask("GET", "/alarms")["value"]],
    }


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
