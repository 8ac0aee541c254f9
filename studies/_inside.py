"""The real server in this process, on a clock of its own, and devices that are MQTT clients.

Everything takes the time from the server's clock, so days pass as fast as they are worked off.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gemel.api.app import create_app
from gemel.app import tokens
from gemel.app.config import Config
from gemel.app.serve import Server
from studies import StudyError

T = TypeVar("T")
WAIT = 120.0
PATIENCE = 0.01


class VirtualClock:
    """Stands still until it is moved."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class Inside:
    """A started server. `ask` is a request as admin; `tick` lets a second's work be done."""

    def __init__(self, data: Path, now: int) -> None:
        self.clock = VirtualClock(now)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        config = Config(data=str(data), http="127.0.0.1:0", mqtt="127.0.0.1:0")
        self._server = self._run(self._make(config))
        addresses = self._run(self._server.start())
        self.token = self._call(self._new_token)
        head = {"Authorization": f"Bearer {self.token}"}
        self._http = httpx.Client(base_url=addresses.http, headers=head, timeout=60)
        host, port = addresses.mqtt.rsplit(":", 1)
        self._mqtt = (host, int(port))
        self.devices: dict[str, Device] = {}

    async def _make(self, config: Config) -> Server:
        return Server(config, create_app, clock=self.clock)

    def _new_token(self) -> str:
        documents, now = self._server.platform.documents, self.clock()
        return tokens.create(documents, now, role="admin", name="study", who="study").secret

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT)

    def _call(self, function: Callable[..., T], *arguments: Any) -> T:
        async def work() -> T:
            return function(*arguments)

        return self._run(work())

    def tick(self) -> None:
        self._call(self._server.platform.tick, self.clock())

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        answer = self._http.request(method, path, json=body, params=query or None)
        if answer.status_code >= 300:
            raise StudyError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def connect(self, twin: str) -> Device:
        """A device that is a twin's, with a token of its own."""

        def made() -> str:
            documents, now = self._server.platform.documents, self.clock()
            new = tokens.create(
                documents, now, role="device", name=twin, who="study", twins=(twin,)
            )
            return new.secret

        self.devices[twin] = Device(*self._mqtt, twin, self._call(made))
        return self.devices[twin]

    def send(self, readings: dict[str, Any]) -> None:
        """By twin; returns when all are acknowledged, and so on disk."""
        sent = [self.devices[twin].send(rows) for twin, rows in readings.items()]
        for one in sent:
            one.wait_for_publish(WAIT)
            if not one.is_published():
                raise StudyError("the server did not acknowledge readings")

    def close(self) -> None:
        for device in self.devices.values():
            device.close()
        self._http.close()
        self._run(self._server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class Device:
    """A device of a plant with its own connection: readings up, commands down, answers up."""

    def __init__(self, host: str, port: int, twin: str, token: str) -> None:
        self.twin = twin
        self.heard: list[tuple[str, Any]] = []
        """Commands and their payloads."""
        self._ready = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=twin)
        self._client.max_inflight_messages_set(100)
        self._client.username_pw_set(twin, token)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe(
            f"devices/{twin}/commands/#", 1
        )
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.connect(host, port)
        self._client.loop_start()
        if not self._ready.wait(WAIT):
            raise StudyError("the server did not take the subscription to commands")

    def _on_message(self, _: Any, __: Any, message: Any) -> None:
        _, _, _, command, key = message.topic.split("/")
        self.heard.append((command, json.loads(message.payload)))
        topic = f"devices/{self.twin}/responses/{key}"
        self._client.publish(topic, '{"status": "succeeded"}', qos=1)

    def send(self, readings: Any) -> paho.MQTTMessageInfo:
        """Readings on their way; see `Inside.send`."""
        body = json.dumps(readings)
        return self._client.publish(f"devices/{self.twin}/telemetry", body, qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def inside(now: int) -> Iterator[Inside]:
    """A server in a folder of its own, on free ports, at a moment (ns)."""
    with tempfile.TemporaryDirectory(prefix="gemel-study-") as folder:
        found = Inside(Path(folder) / "data", now)
        try:
            yield found
        finally:
            found.close()


def until(is_so: Callable[[], T], what: str) -> T:
    """The first true answer."""
    end = time.monotonic() + WAIT
    while not (found := is_so()):
        if time.monotonic() > end:
            raise StudyError(f"the server did not come to it in time: {what}")
        time.sleep(PATIENCE)
    return found
