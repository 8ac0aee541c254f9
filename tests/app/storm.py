"""Devices that drop, delay, double and lie, and a client that asks again until it is answered."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import paho.mqtt.client as paho

from app.inside import MODELS, PUMP
from running import Running

WAYS = ("honest", "late", "twice", "lie", "silent", "drop", "drop after doing")
PATIENCE = 120


class Machine:
    """One device; its way with each command follows from the command's id."""

    def __init__(self, storm: Storm, twin: str, token: str) -> None:
        self.storm, self.twin = storm, twin
        self.got: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, twin, clean_session=False, protocol=paho.MQTTv311
        )
        self.client.username_pw_set(twin, token)
        self.client.reconnect_delay_set(0.05, 0.5)
        self.client.on_connect = self.connected
        self.client.on_message = self.message
        self.connect()
        self.client.loop_start()

    def connect(self) -> None:
        self.client.connect(self.storm.running.mqtt_host, self.storm.running.mqtt_port)

    def connected(self, client: Any, *_: Any) -> None:
        client.subscribe(f"devices/{self.twin}/commands/#", 1)

    def message(self, client: Any, _: Any, message: paho.MQTTMessage) -> None:
        key, value = message.topic.rsplit("/", 1)[1], json.loads(message.payload)
        with self.lock:
            self.got[key] += 1
        way = way_of(key)
        if way == "drop":
            self.cut()
            return
        if way == "late":
            time.sleep(0.02)
        reported = -value - 1 if way == "lie" else value
        if way != "silent":
            for _ in range(2 if way == "twice" else 1):
                client.publish(f"devices/{self.twin}/responses/{key}", '{"status": "succeeded"}', 1)
        client.publish(f"devices/{self.twin}/telemetry", json.dumps({"flow": reported}), 1)
        if way == "drop after doing":
            self.cut()

    def cut(self) -> None:
        """Before the confirmation of this very message has left."""
        found = self.client.socket()
        if found is not None:
            found.close()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def way_of(key: str) -> str:
    number = int(key.rsplit("-", 1)[1])
    return WAYS[0] if number % 3 else WAYS[number // 3 % len(WAYS)]


class Storm:
    """So many commands to so many devices, with so many `kill -9` of the server meanwhile."""

    def __init__(
        self, running: Running, count: int, devices: int, *, seconds: float, kills: int
    ) -> None:
        self.running, self.count, self.seconds, self.kills = running, count, seconds, kills
        self.twins = [f"pump-{n}" for n in range(devices)]
        twins = {twin: {"model": PUMP} for twin in self.twins}
        running.call("POST", "/plant", {"models": MODELS, "twins": twins})
        confirm = {"property": "flow", "tolerance": 0.5, "within": 1}
        settings = {"staleAfter": 600, "commands": {"setSpeed": {"confirm": confirm}}}
        running.call("PUT", f"/settings/{PUMP}", settings)
        self.machines: list[Machine] = []
        self.asked = 0
        self.seconds_taken = 0.0

    def run(self) -> list[dict[str, Any]]:
        """All commands as they ended."""
        tokens = {
            twin: self.running.make_token("--role", "device", "--name", twin, "--twin", twin)
            for twin in self.twins
        }
        self.machines = [Machine(self, twin, tokens[twin]) for twin in self.twins]
        self.client = self.running.http()
        begin = time.monotonic()
        killer = threading.Thread(target=self.kill_now_and_then)
        killer.start()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self.ask, range(self.count)))
        killer.join()
        self.client.close()
        found = self.ended()
        self.seconds_taken = time.monotonic() - begin
        for machine in self.machines:
            machine.close()
        return found

    def ask(self, number: int) -> None:
        """Asks until it is answered; the same id makes that harmless."""
        body = {
            "id": f"s-{number}",
            "twin": self.twins[number % len(self.twins)],
            "command": "setSpeed",
            "arguments": number,
            "deadline": self.seconds,
        }
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                answer = self.client.post("/commands", json=body)
                if answer.status_code in (202, 409):
                    self.asked += 1
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"nobody answers {body}")

    def kill_now_and_then(self) -> None:
        chance = random.Random(7)
        for number in range(self.kills):
            wanted = self.count * (number + 1) // (self.kills + 1)
            while self.asked < wanted:
                time.sleep(0.005)
            time.sleep(chance.random() * 0.1)
            mqtt = f"{self.running.mqtt_host}:{self.running.mqtt_port}"
            http = self.running.url.removeprefix("http://")
            self.running.kill()
            self.running.arguments = ("--http", http, "--mqtt", mqtt)
            self.running.start()

    def ended(self) -> list[dict[str, Any]]:
        end = time.monotonic() + PATIENCE + self.seconds
        while time.monotonic() < end:
            if not self.running.call("GET", "/commands", state="open", limit=1)["value"]:
                break
            time.sleep(0.2)
        return self.running.call("GET", "/commands", limit=10_000)["value"]  # type: ignore[no-any-return]


def judged(found: list[dict[str, Any]], storm: Storm) -> dict[str, Any]:
    """What was lost, doubled, or is told otherwise than it was."""
    got: Counter[str] = Counter()
    for machine in storm.machines:
        got.update(machine.got)
    states = {command["id"]: command["state"] for command in found}
    claims = ("succeeded", "confirmed", "unconfirmed", "failed")
    wrong = [
        key
        for key, state in states.items()
        if (state in claims and not got[key])
        or (state == "expired" and got[key])
        or state in ("queued", "sent", "delivered")
    ]
    return {
        "commands": len(found),
        "lost": storm.count - len(states),
        "doubled": sum(1 for count in got.values() if count > 1),
        "wrong": len(wrong),
        "received": len(got),
        "states": dict(Counter(states.values())),
        "seconds": round(storm.seconds_taken, 1),
        "kills": storm.kills,
    }
