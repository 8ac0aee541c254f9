"""Far more telemetry than can be stored: does all else pass, and is all accounted for?

    scripts/bench overload [--json] [--seconds 60] [--pure]

Devices flood the server at QoS 0 as fast as TCP takes it, others send at QoS 1 with a ledger, and a
watcher has every value over a WebSocket, as the page has. Meanwhile somebody sends commands, one
after the other, to a device that answers. Exit code 1 if a message is neither stored nor in a gap,
an acknowledged one is lost, or a command is not answered.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import paho.mqtt.client as paho
from against.machine import cpu_seconds, memory_mb
from against.rows import listed, parser, tell
from against.sleeper import sleeper
from against.ways import Load, bench, gemel, until_stored
from websockets.sync.client import connect

from app.inside import MODELS, PUMP
from running import Running

FLOOD, HELD = 200, 20
"""Devices at QoS 0 and at QoS 1."""
PAUSE = 0.1
"""Seconds between two commands."""
RATE = "20000"
"""Readings a second at QoS 1."""
CALM = 30
"""Commands before the flood."""
PATIENCE = 60.0


class Watcher:
    """A WebSocket as the page has one, with all values: what it is told, and when."""

    def __init__(self, running: Running) -> None:
        url = running.url.replace("http", "ws", 1) + "/live"
        head = {"Authorization": f"Bearer {running.token}"}
        self.frames, self.behind, self.told = 0, [0.0], [time.monotonic()]
        self.ended: dict[str, float] = {}
        """When each command had succeeded."""
        self._open = ExitStack()
        made = connect(url, additional_headers=head, max_size=None)
        self._socket = self._open.enter_context(made)
        self._socket.send('{"type": "subscribe", "all": true}')
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        for message in self._socket:
            if isinstance(message, bytes):
                self.frames += 1
                continue
            found = json.loads(message)
            if found["type"] == "status":
                self.behind.append(found["status"]["behind"])
                self.told.append(time.monotonic())
            elif found["type"] == "command" and found["command"]["state"] == "succeeded":
                self.ended.setdefault(found["command"]["id"], time.monotonic())

    def close(self) -> None:
        self._open.close()
        self._thread.join()


@contextmanager
def device(running: Running) -> Iterator[dict[str, float]]:
    """One that answers every command at once: when it got which."""
    got: dict[str, float] = {}

    def answer(client: paho.Client, _: Any, message: paho.MQTTMessage) -> None:
        key = message.topic.rsplit("/", 1)[1]
        got[key] = time.monotonic()
        client.publish(f"devices/pump-1/responses/{key}", '{"status": "succeeded"}', 1)

    ready = threading.Event()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "pump-1")
    client.username_pw_set("pump-1", running.make_token("--role", "device", "--twin", "pump-1"))
    client.on_connect = lambda *_: client.subscribe("devices/pump-1/commands/#", 1)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = answer
    client.connect(running.mqtt_host, running.mqtt_port)
    client.loop_start()
    try:
        assert ready.wait(PATIENCE)
        yield got
    finally:
        client.disconnect()
        client.loop_stop()


def sending(running: Running, seconds: float, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "gemel", "bench", "load", "--json", "--seconds", str(seconds)]
    command += ["--mqtt", f"{running.mqtt_host}:{running.mqtt_port}", "--token", running.token]
    return subprocess.Popen([*command, *words], stdout=subprocess.PIPE, text=True)


def commands(running: Running, name: str, is_over: Callable[[int], bool]) -> dict[str, float]:
    """Sends one after the other until all is over: when each was asked for."""
    asked: dict[str, float] = {}
    with running.http() as client:
        while not is_over(len(asked)):
            key = f"{name}-{len(asked)}"
            asked[key] = time.monotonic()
            body = {"id": key, "twin": "pump-1", "command": "stop", "deadline": PATIENCE}
            answer = client.post("/commands", json=body)
            assert answer.status_code == 202, answer.text
            time.sleep(PAUSE)
    return asked


class Sizes:
    """What the server takes, looked at twice a second."""

    def __init__(self, pid: int) -> None:
        self.memory: list[float] = []
        self._pid, self._end = pid, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._end.wait(0.5):
            self.memory.append(memory_mb([self._pid]))

    def close(self) -> None:
        self._end.set()
        self._thread.join()


def measured(seconds: float, is_pure: bool) -> Iterator[dict[str, Any]]:
    with (
        tempfile.TemporaryDirectory(prefix="gemel-overload-") as folder,
        gemel(Path(folder), Load("", FLOOD, 1, 0), is_pure) as running,
    ):
        held = ("--devices", str(HELD), "--readings", "10", "--prefix", "held-")
        plant = bench("plant", *held, "--no-rules")
        plant["models"][0]["@id"] = model = "dtmi:gemel:load:Held;1"
        plant["twins"] = {name: {"model": model} for name in plant["twins"]}
        running.call("POST", "/plant", plant)
        running.call("POST", "/plant", {"models": MODELS, "twins": {"pump-1": {"model": PUMP}}})
        ledger, pid = Path(folder) / "ledger", [running.process.pid]
        watcher = Watcher(running)
        with device(running) as got, sleeper() as woken:
            calm = commands(running, "calm", lambda count: count == CALM)
            cpu, sizes = cpu_seconds(pid), Sizes(pid[0])
            loads = [
                sending(running, seconds, "--devices", str(FLOOD), "--qos", "0"),
                sending(
                    running,
                    seconds,
                    *held,
                    "--rate",
                    RATE,
                    "--window",
                    "100",
                    "--ledger",
                    str(ledger),
                ),
            ]
            asked = commands(
                running, "flood", lambda _: all(one.poll() is not None for one in loads)
            )
            flood, safe = (json.loads(one.communicate()[0]) for one in loads)
            until_stored(running, flood["messages"] + safe["readings"])
            answered(asked, watcher)
            late = woken()
        sizes.close()
        used = cpu_seconds(pid) - cpu
        watcher.close()
        stored = running.call("GET", "/status")["readings"]
        lost = sum(gap["count"] for gap in running.call("GET", "/gaps", limit=10_000)["value"])
        url = ("--url", running.url, "--token", running.token, "--json")
        verdict = bench("verify", "--ledger", str(ledger), *url)
    yield {
        "name": "overload" + (", Python alone" if is_pure else ""), "seconds": seconds,
        "sent_qos_0": flood["messages"], "sent_a_s": flood["messages_per_s"],
        "lost_in_gaps": lost, "stored_qos_0": stored - safe["readings"],
        "unaccounted": flood["messages"] + safe["readings"] - stored - lost,
        "acknowledged_qos_1": safe["readings"], "acknowledged_lost": verdict["lost"],
        "acknowledged_p50_ms": safe["p50_ms"],
        "acknowledged_p99_ms": safe["p99_ms"],
        "problems": [one["problem"] for one in (flood, safe) if one["problem"]],
        "memory_mb_median": float(np.median(sizes.memory)), "memory_mb_most": max(sizes.memory),
        "behind_s_most": max(watcher.behind), "frames_to_the_page": watcher.frames,
        "status_apart_s_most": float(np.diff(watcher.told).max()),
        "commands": len(asked), "unanswered": len(set(asked) - set(watcher.ended)),
        **delays("at_the_device", asked, got), **delays("answered", asked, watcher.ended),
        **delays("before_at_the_device", calm, got),
        **delays("before_answered", calm, watcher.ended), **late,
        "cpu_s": used,
    }  # fmt: skip


def answered(asked: dict[str, float], watcher: Watcher) -> None:
    """Waits until the watcher knows of all answers, or patience ends."""
    end = time.monotonic() + PATIENCE
    while set(asked) - set(watcher.ended) and time.monotonic() < end:
        time.sleep(0.05)


def delays(name: str, begun: dict[str, float], ended: dict[str, float]) -> dict[str, float]:
    """From asking to that, ms."""
    took = [1000 * (ended[key] - begun[key]) for key in begun if key in ended] or [float("nan")]
    p50, p99 = np.percentile(took, (50, 99))
    return {f"{name}_p50_ms": float(p50), f"{name}_p99_ms": float(p99)}


def main() -> int:
    made = parser(__doc__)
    made.add_argument("--seconds", type=float, default=60, help="of flood (60)")
    made.add_argument("--pure", action="store_true", help="without the compiled part")
    given = made.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is ended first
    (found,) = tell(measured(given.seconds, given.pure), given.json, listed)
    wrong = ("unaccounted", "acknowledged_lost", "unanswered", "problems")
    return 1 if any(found[key] for key in wrong) else 0


if __name__ == "__main__":
    raise SystemExit(main())
