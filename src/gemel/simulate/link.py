"""One device's MQTT connection: telemetry up, commands and desired properties down."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import orjson

from gemel.simulate.device import Device, Readings
from gemel.simulate.outbox import Outbox, Publisher
from gemel.simulate.plant import Area

log = logging.getLogger(__name__)
REMEMBERED = 256
PAST_MESSAGE = 60
"""Sets of readings in a message about the past."""


class Inbound(Protocol):
    """A message that came down."""

    @property
    def topic(self) -> str: ...

    @property
    def payload(self) -> bytes: ...


class Client(Publisher, Protocol):
    async def start(self) -> None: ...

    async def connected(self) -> None: ...

    async def subscribe(self, topic_filter: str, qos: int = 1) -> Any: ...

    async def close(self) -> None: ...

    def reconnect(self, cause: str) -> None: ...


Connect = Callable[[str, str, bytes, Callable[[Any], None]], Client]
"""(client id, will topic, will payload, on message) to a client that was not yet started."""


class DeviceLink:
    """Joins a device to the server; survives loss of the link without losing readings."""

    def __init__(self, area: Area, device: Device, connect: Connect) -> None:
        self.device = device
        self.outbox = Outbox()
        self._area = area
        self._connect = connect
        self._client: Client | None = None
        self.is_ready = False
        """Connected and subscribed."""
        self._answers: OrderedDict[str, bytes] = OrderedDict()
        self._time: Callable[[], int] = lambda: int(area.now * 1000)

    def set_time(self, time: Callable[[], int]) -> None:
        """How the device's clock reads, in ms since 1970 UTC."""
        self._time = time

    @property
    def is_up(self) -> bool:
        return self._client is not None

    async def up(self) -> None:
        """Connects, subscribes, reports; returns when the server has the subscriptions."""
        name = self.device.name
        gone = orjson.dumps({"connected": False})
        client = self._connect(f"sim-{name}", f"devices/{name}/reported", gone, self.receive)
        self._client = client
        await client.start()
        await client.connected()
        for twin in self.device.twins:
            await client.subscribe(f"devices/{twin}/commands/#", 1)
            await client.subscribe(f"devices/{twin}/desired", 1)
        self.report()
        self.outbox.open(client)
        self.is_ready = True

    async def down(self, *, is_lost: bool = False) -> None:
        """Ends the connection; what is not confirmed is kept.

        Args:
            is_lost: without a goodbye, as when a cable is cut: the server publishes the will.
        """
        client, self._client = self._client, None
        self.is_ready = False
        self.outbox.shut()
        if client is not None:
            if is_lost:
                client.reconnect("the link is down (simulated)")
            await client.close()

    def publish(self) -> None:
        """Sends one set of readings."""
        time = self._time()
        for twin, values in self.device.readings().items():
            if values:
                self.outbox.add(f"devices/{twin}/telemetry", orjson.dumps({**values, "time": time}))

    def tell_the_past(self, past: Sequence[tuple[int, Readings]]) -> None:
        """Sends what was read at past times (ms since 1970 UTC), many sets in a message."""
        rows: dict[str, list[dict[str, Any]]] = {}
        for time, readings in past:
            for twin, values in readings.items():
                rows.setdefault(twin, []).append({**values, "time": time})
        for twin, sets in rows.items():
            for first in range(0, len(sets), PAST_MESSAGE):
                payload = orjson.dumps(sets[first : first + PAST_MESSAGE])
                self.outbox.add(f"devices/{twin}/telemetry", payload)

    def report(self) -> None:
        """Says which properties are in force."""
        rows: Readings = {twin: dict(values) for twin, values in self.device.reported().items()}
        rows.setdefault(self.device.name, {})["connected"] = True
        time = self._time()
        for twin, values in rows.items():
            self.outbox.add(f"devices/{twin}/reported", orjson.dumps({**values, "time": time}))

    def receive(self, message: Inbound) -> None:
        """A command or a set of desired properties; anything else is logged and left."""
        parts = message.topic.split("/")
        if len(parts) == 5 and parts[0] == "devices" and parts[2] == "commands":
            self._command(parts[1], parts[3], parts[4], bytes(message.payload))
        elif len(parts) == 3 and parts[0] == "devices" and parts[2] == "desired":
            self._desired(parts[1], bytes(message.payload))
        else:
            log.warning("%s: a message on %s is not understood", self.device.name, message.topic)

    def _command(self, twin: str, name: str, key: str, payload: bytes) -> None:
        """Does it once: a repeated id gets the same answer again."""
        if key not in self._answers:
            try:
                argument = orjson.loads(payload) if payload.strip() else None
            except orjson.JSONDecodeError as error:
                body = {"status": "failed", "result": None, "message": f"not JSON: {error.msg}"}
            else:
                answer = self._area.command(twin, name, argument)
                status = "succeeded" if answer.succeeded else "failed"
                body = {"status": status, "result": answer.result, "message": answer.message}
            self._answers[key] = orjson.dumps(body)
            while len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
        self.outbox.add(f"devices/{twin}/responses/{key}", self._answers[key])
        self.report()

    def _desired(self, twin: str, payload: bytes) -> None:
        if not payload:
            return
        try:
            values = orjson.loads(payload)
        except orjson.JSONDecodeError:
            log.warning("%s: desired properties are not JSON", twin)
            return
        _, refused = self._area.desire(twin, values)
        for text in refused:
            log.warning("%s refuses: %s", twin, text)
        self.report()
