"""What a device was told with 2.04 over CoAP survives `kill -9`, once."""

from __future__ import annotations

import random
import select
import socket
from pathlib import Path

import orjson

from gemel.connect.coap.codec import Packet, decode, encode
from gemel.connect.coap.words import CHANGED, CON, POST, Option
from running import Running

ROUNDS = 8
BASE = 1_700_000_000_000
MOST_WAITING = 60
MODEL = {
    "@id": "dtmi:test:Meter;1",
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [{"@type": "Telemetry", "name": "count", "schema": "double"}],
}


class Sender:
    """A device that sends numbered readings, repeats what is not answered, and notes what is."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.token = ""
        self.answered: set[int] = set()
        self.waiting: dict[int, bytes] = {}
        self.next = 0

    def turn(self, place: tuple[str, int]) -> None:
        """Sends some, and takes the answers that come within a moment."""
        while len(self.waiting) < MOST_WAITING:
            payload = orjson.dumps({"time": BASE + self.next, "count": self.next})
            path = ("devices", "meter-1", "telemetry")
            options = [(int(Option.URI_PATH), level.encode()) for level in path]
            options.append((int(Option.URI_QUERY), f"token={self.token}".encode()))
            packet = Packet(CON, POST, self.next & 0xFFFF, b"", tuple(options), payload)
            self.waiting[self.next & 0xFFFF] = encode(packet)
            self.next += 1
        for data in self.waiting.values():
            self.socket.sendto(data, place)
        while self.waiting and select.select([self.socket], [], [], 0.2)[0]:
            try:
                answer = decode(self.socket.recv(2_048))
            except ConnectionError:
                return
            if answer.code == CHANGED and answer.number in self.waiting:
                del self.waiting[answer.number]
                self.answered.add(answer.number)


def test_answered_readings_survive_kill_once(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    running = Running(tmp_path / "data", "--coap", "127.0.0.1:0")
    sender = Sender()
    running.start()
    running.call("POST", "/models", [MODEL])
    running.call("PUT", "/digitaltwins/meter-1", {"$metadata": {"$model": MODEL["@id"]}})
    sender.token = running.make_token("--role", "device", "--twin", "meter-1")
    for _ in range(ROUNDS):
        place = _place(running)
        wanted = len(sender.answered) + chance.randrange(1, 400)
        while len(sender.answered) < wanted:
            sender.turn(place)
        for data in sender.waiting.values():
            sender.socket.sendto(data, place)  # these are on their way when it is killed
        running.kill()
        running.start()
        stored = _stored(running)
        assert len(stored) == len(set(stored)), "a reading is there twice"
        missing = sender.answered - set(stored)
        assert not missing, f"seed {seed}: {len(missing)} answered readings are lost"
    sender.socket.close()
    assert running.stop() == 0


def _place(running: Running) -> tuple[str, int]:
    host, port = running.coap.rsplit(":", 1)
    return host, int(port)


def _stored(running: Running) -> list[int]:
    span = {"from": BASE - 1, "to": BASE + 10_000_000, "limit": 1_000_000}
    found = running.call("GET", "/history", twin="meter-1", property="count", **span)
    return [int(value) for value in found["series"][0]["value"]]
