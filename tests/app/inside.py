"""The real server inside the test's process: its loop in a thread, its clock to be set forward."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import paho.mqtt.client as paho

from api.documented import faults
from gemel.api.app import create_app
from gemel.app import tokens
from gemel.app.config import Config
from gemel.app.serve import Server
from gemel.core.clock import SECOND, system_clock
from running import SMALL_BALLAST

T = TypeVar("T")
WAIT_SECONDS = 60
MOST_CHECKED = 1 << 14
"""Bytes of an answer that is held against the API's description."""

PUMP = "dtmi:test:Pump;1"
MODELS: list[dict[str, Any]] = [
    {
        "@id": "dtmi:test:Bearing;1",
        "@type": "Interface",
        "@context": "dtmi:dtdl:context;3",
        "contents": [
            {"@type": "Telemetry", "name": "temperature", "schema": "double"},
            {"@type": "Property", "name": "grease", "schema": "string", "writable": True},
        ],
    },
    {
        "@id": PUMP,
        "@type": "Interface",
        "@context": ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"],
        "displayName": "Pump",
        "contents": [
            {"@type": "Property", "name": "name", "schema": "string"},
            {"@type": "Property", "name": "target", "schema": "double", "writable": True},
            {
                "@type": ["Telemetry", "Temperature"],
                "name": "temperature",
                "schema": "double",
                "unit": "degreeCelsius",
            },
            {"@type": "Telemetry", "name": "flow", "schema": "double"},
            {"@type": "Telemetry", "name": "running", "schema": "boolean"},
            {"@type": "Telemetry", "name": "mode", "schema": "string"},
            {"@type": "Component", "name": "bearing", "schema": "dtmi:test:Bearing;1"},
            {"@type": "Command", "name": "stop"},
            {
                "@type": "Command",
                "name": "setSpeed",
                "request": {"name": "speed", "schema": "double"},
            },
            {"@type": "Relationship", "name": "feeds"},
        ],
    },
    {
        "@id": "dtmi:test:Line;1",
        "@type": "Interface",
        "@context": "dtmi:dtdl:context;3",
        "contents": [
            {"@type": "Property", "name": "name", "schema": "string"},
            {
                "@type": "Relationship",
                "name": "contains",
                "properties": [{"@type": "Property", "name": "since", "schema": "integer"}],
            },
        ],
    },
]


class ShiftedClock:
    """The system's clock, set forward by hand."""

    def __init__(self) -> None:
        self.offset = 0

    def __call__(self) -> int:
        return system_clock() + self.offset

    def advance(self, seconds: float) -> None:
        self.offset += round(seconds * SECOND)


class Inside:
    """A started server; `run` and `call` bring work onto its loop."""

    def __init__(self, data: Path, **settings: Any) -> None:
        self.clock = ShiftedClock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        own = {"http": "127.0.0.1:0", "mqtt": "127.0.0.1:0", "ballast": SMALL_BALLAST}
        config = Config(data=str(data), **{**own, **settings})
        self.server = self.run(self._make(config))
        self.platform = self.server.platform
        self.addresses = self.run(self.server.start())
        self.url = self.addresses.http
        self.admin = self.token("admin")
        self.http = self.client(self.admin)

    async def _make(self, config: Config) -> Server:
        server = Server(config, create_app)
        server.platform.clock = self.clock
        server.platform.tokens._clock = self.clock
        return server

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(WAIT_SECONDS)

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Calls a plain function on the loop's thread."""

        async def work() -> T:
            return function(*arguments)

        return self.run(work())

    def token(self, role: str, *twins: str, name: str = "", **more: Any) -> str:
        def make() -> str:
            documents, now = self.platform.documents, self.clock()
            name_ = name or (twins[0] if twins else role)
            made = tokens.create(
                documents, now, role=role, name=name_, who="test", twins=twins, **more
            )
            return made.secret

        return self.call(make)

    def client(self, token: str | None = None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(
            base_url=self.url, headers=headers, timeout=WAIT_SECONDS, trust_env=False, verify=False
        )

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """A request as admin that must succeed; the JSON of its answer, as the API describes it."""
        answer = self.http.request(method, path, json=body, params=query or None)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        if not answer.content:
            return None
        found = answer.json()
        if len(answer.content) <= MOST_CHECKED:
            assert not (wrong := faults(method, path.partition("?")[0], found)), wrong
        return found

    def pumps(self, *twins: str) -> None:
        self.ask("POST", "/plant", {"models": MODELS, "twins": {t: {"model": PUMP} for t in twins}})

    def ingest(self, twin: str, **values: Any) -> None:
        self.ask("POST", f"/ingest/{twin}", values)

    def device(self, *twins: str, client_id: str = "", token: str = "", **more: Any) -> Device:
        secret = token or self.token("device", *twins)
        host, port = self.addresses.mqtt.rsplit(":", 1)
        return Device(host, int(port), client_id or (twins[0] if twins else "x"), secret, **more)

    def close(self) -> None:
        self.http.close()
        self.run(self.server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_SECONDS)
        self._loop.close()


@contextmanager
def inside(data: Path, **settings: Any) -> Iterator[Inside]:
    found = Inside(data, **settings)
    try:
        yield found
    finally:
        found.close()


class Device:
    """A third-party MQTT client (paho) that notes what it hears."""

    def __init__(
        self, host: str, port: int, client_id: str, secret: str, *, clean: bool = True
    ) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self.answers: dict[str, bytes] = {}
        """Command name to the payload that is answered."""
        self._connected = threading.Event()
        self._subscribed = threading.Event()
        self.granted: list[int] = []
        self.refused = ""
        self.client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id,
            protocol=paho.MQTTv311,
            clean_session=clean,
        )
        self.client.username_pw_set(client_id, secret)
        self.client.on_connect = self._on_connect
        self.client.on_message = self._on_message
        self.client.on_subscribe = self._on_subscribe
        self.client.connect(host, port)
        self.client.loop_start()
        assert self._connected.wait(WAIT_SECONDS)

    def _on_connect(self, client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        self.refused = str(reason) if reason.is_failure else ""
        self._connected.set()

    def _on_message(self, client: Any, data: Any, message: paho.MQTTMessage) -> None:
        self.heard.append((message.topic, message.payload, message.retain))
        levels = message.topic.split("/")
        if len(levels) == 5 and levels[2] == "commands" and levels[3] in self.answers:
            topic = f"devices/{levels[1]}/responses/{levels[4]}"
            client.publish(topic, self.answers[levels[3]], 1)

    def _on_subscribe(self, client: Any, data: Any, mid: int, codes: Any, properties: Any) -> None:
        self.granted = [code.value for code in codes]
        self._subscribed.set()

    def subscribe(self, topic: str) -> list[int]:
        self._subscribed.clear()
        self.client.subscribe(topic, 1)
        assert self._subscribed.wait(WAIT_SECONDS)
        return self.granted

    def publish(self, topic: str, payload: bytes | str) -> None:
        """Returns when the server has confirmed it, which is when it is durable."""
        info = self.client.publish(topic, payload, 1)
        info.wait_for_publish(WAIT_SECONDS)
        assert info.is_published()

    def topics(self) -> list[str]:
        return [topic for topic, _, _ in self.heard]

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def drop(self) -> None:
        """Cuts the connection without a goodbye."""
        self.client.loop_stop()
        found = self.client.socket()
        if found is not None:
            found.close()

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def until(condition: Callable[[], T], what: str = "it") -> T:
    """Waits for a condition that other threads bring about; its value once it is true."""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"waited in vain for {what}; last: {found!r}"
        time.sleep(0.01)
