"""Publishes events on another MQTT broker: QoS 1, in order, until the broker has each of them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from gemel.connect.mqtt.client import MqttClient
from gemel.connect.mqtt.packets import Properties, Property
from gemel.core.cloud_event import (
    BINARY,
    CONTENT_TYPE,
    TAKEN,
    WHOLE,
    CloudEvent,
    Fate,
    not_now,
    refused,
)
from gemel.core.errors import GemelError, InvalidInput, NotAuthenticated, Refused

MOST = 500
"""Events on their way at once."""
V3, V5 = "3.1.1", "5"
VERSIONS = {V3: 4, V5: 5}
UNQUOTED = "-._~!(),=@':*? "
"""Characters of an id that mean nothing in a topic."""


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """Where the broker is, who we are there, and how events become messages."""

    host: str
    port: int
    topic: str
    client_id: str
    username: str = ""
    password: str = ""
    tls: ssl.SSLContext | None = None
    version: str = V5
    mode: str = BINARY
    largest: int = 1_000_000
    """Bytes of a payload at most."""


class MqttSender:
    """Implements `core.ports.EventSender`.

    Args:
        settings: where to, and who we are there.
        told: called with what keeps events from being taken, "" when that is over.
    """

    most = MOST

    def __init__(self, settings: SenderSettings, told: Callable[[str], None]) -> None:
        self._settings = settings
        self._told = told
        self._client = MqttClient(
            settings.host,
            settings.port,
            client_id=settings.client_id,
            username=settings.username,
            password=settings.password,
            version=VERSIONS[settings.version],
            tls=settings.tls,
            on_state=self._on_state,
        )

    async def start(self) -> None:
        """Begins to connect."""
        await self._client.start()

    def _on_state(self, state: str, why: str) -> None:
        if state == "connected":
            self._told("")
        elif state in ("disconnected", "refused"):
            place = f"{self._settings.host}:{self._settings.port}"
            self._told(why if place in why else f"{place}: {why}")

    async def send(self, events: Sequence[CloudEvent]) -> list[Fate]:
        """Returns when each is acknowledged or refused: not as long as the broker is away."""
        try:
            await self._client.connected()
        except NotAuthenticated as error:
            return [not_now(str(error))] * len(events)
        sent = [self._publish(event) for event in events]
        waits = [one for one in sent if not isinstance(one, Fate)]
        if waits:
            await asyncio.wait(waits)
        return [one if isinstance(one, Fate) else _fate(one) for one in sent]

    def _publish(self, event: CloudEvent) -> asyncio.Future[None] | Fate:
        """Puts an event behind those before it."""
        settings = self._settings
        payload, properties = message(event, settings.mode, settings.version)
        if len(payload) > settings.largest:
            return refused(
                f"its payload has {len(payload):,} bytes, 'largest' is {settings.largest:,}"
            )
        try:
            topic = topic_of(settings.topic, event)
            return self._client.publish_nowait(topic, payload, 1, properties=properties)
        except InvalidInput as error:
            return refused(str(error))

    async def close(self) -> None:
        """Gives up what is on its way; it may have arrived."""
        await self._client.close()


def _fate(acknowledged: asyncio.Future[None]) -> Fate:
    """What became of a message that was sent."""
    error = acknowledged.exception()
    if error is None:
        return TAKEN
    if isinstance(error, Refused):
        return refused(error.message)
    return not_now(error.message if isinstance(error, GemelError) else repr(error))


def topic_of(pattern: str, event: CloudEvent) -> str:
    """The topic of an event; what means something in topics is written as in URLs."""
    topic = pattern.replace("{type}", event.attributes["type"])
    return topic.replace("{twin}", quote(event.twin, safe=UNQUOTED))


def message(event: CloudEvent, mode: str, version: str) -> tuple[bytes, Properties | None]:
    """Payload and properties of an event.

    Source: CloudEvents, MQTT protocol binding 1.0.2, 3.1 and 3.2.
    """
    if version != V5:
        return event.structured(), None
    if mode != BINARY:
        return event.structured(), {Property.CONTENT_TYPE: WHOLE, Property.PAYLOAD_FORMAT: 1}
    properties: Properties = {
        Property.PAYLOAD_FORMAT: 1,
        Property.CONTENT_TYPE: event.attributes[CONTENT_TYPE],
        Property.USER: list(event.beside.items()),
    }
    return event.data, properties
