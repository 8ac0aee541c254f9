"""What a device was told is durable survives `kill -9`, once."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import orjson
import paho.mqtt.client as paho
import pytest

from running import Running

ROUNDS = 20
MODEL = {
    "@id": "dtmi:test:Meter;1",
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [{"@type": "Telemetry", "name": "count", "schema": "double"}],
}
MOST_WAITING = 2_000
BASE = 1_700_000_000_000


class Publisher:
    """A paho client that publishes numbered readings at QoS 1 and notes which were acknowledged."""

    def __init__(self, running: Running, start: int) -> None:
        self.next = start
        self._numbers: dict[int, int] = {}
        self._acknowledged: list[int] = []
        self._progress = threading.Event()
        self.connected = threading.Event()
        self.client = paho.Client(paho.CallbackAPIVersion.VERSION2, "meter-1", protocol=paho.MQTTv5)
        self.client.username_pw_set("meter-1", running.token)
        self.client.max_inflight_messages_set(200)
        self.client.on_connect = lambda *_: self.connected.set()
        self.client.on_publish = self._on_publish
        self.client.connect(running.mqtt_host, running.mqtt_port)
        self.client.loop_start()
        assert self.connected.wait(60)

    def _on_publish(self, client, userdata, mid, reason, properties) -> None:
        if not reason.is_failure:
            self._acknowledged.append(mid)
        self._progress.set()

    @property
    def acknowledged(self) -> list[int]:
        return [self._numbers[mid] for mid in list(self._acknowledged) if mid in self._numbers]

    def send(self, count: int) -> None:
        """Publishes; waits while much is unacknowledged, so that no packet id comes round twice."""
        while len(self._numbers) - len(self._acknowledged) > MOST_WAITING:
            self._progress.clear()
            self._progress.wait(10)
        for _ in range(count):
            number, self.next = self.next, self.next + 1
            payload = orjson.dumps({"time": BASE + number, "count": number})
            info = self.client.publish("devices/meter-1/telemetry", payload, 1)
            self._numbers[info.mid] = number

    def end(self) -> None:
        self.client.loop_stop()


@pytest.mark.parametrize(("processes", "rounds"), [(0, ROUNDS), (2, 2)])
def test_acknowledged_readings_survive_kill_once(
    tmp_path: Path, processes: int, rounds: int
) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    running = Running(tmp_path / "data", "--ingest-processes", str(processes))
    acknowledged: set[int] = set()
    following = 0
    running.start()
    running.call("POST", "/models", [MODEL])
    running.call("PUT", "/digitaltwins/meter-1", {"$metadata": {"$model": MODEL["@id"]}})
    for _ in range(rounds):
        publisher = Publisher(running, following)
        wanted = chance.randrange(1, 800)
        while len(publisher.acknowledged) < wanted:
            publisher.send(chance.randrange(1, 100))
        publisher.send(50)
        running.kill()
        publisher.end()
        acknowledged.update(publisher.acknowledged)
        following = publisher.next
        running.start()
        stored = _stored(running)
        assert len(stored) == len(set(stored)), "a reading is there twice"
        missing = acknowledged - set(stored)
        assert not missing, f"seed {seed}: {len(missing)} acknowledged readings are lost"
    assert len(acknowledged) > rounds
    assert running.stop() == 0


def _stored(running: Running) -> list[int]:
    found = running.call(
        "GET",
        "/history",
        twin="meter-1",
        property="count",
        **{"from": BASE - 1, "to": BASE + 10_000_000, "limit": 5_000_000},
    )["series"][0]
    for time, value in zip(found["time"], found["value"], strict=True):
        assert time == BASE + value
    return [int(value) for value in found["value"]]
