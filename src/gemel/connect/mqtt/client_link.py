"""One connection of the client, and one message on its way over it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from gemel.connect.mqtt.codec import Decoder
from gemel.connect.mqtt.packets import ProtocolError, Publish

if TYPE_CHECKING:
    from gemel.connect.mqtt.client import MqttClient


class Sending:
    """A QoS 1 or 2 message until it is acknowledged."""

    __slots__ = ("future", "is_released", "packet", "was_sent")

    def __init__(self, packet: Publish, future: asyncio.Future[None]) -> None:
        self.packet = packet
        self.future = future
        self.was_sent = False
        self.is_released = False


class Link(asyncio.Protocol):
    """One connection of the client."""

    def __init__(self, client: MqttClient, version: int) -> None:
        self.client = client
        self.decoder = Decoder(version)
        self.transport: asyncio.Transport
        self.is_writable = True
        self.lost = asyncio.get_running_loop().create_future()
        self.seen = 0.0
        self.sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.seen = self.sent = asyncio.get_running_loop().time()

    def data_received(self, data: bytes) -> None:
        self.seen = asyncio.get_running_loop().time()
        try:
            for packet in self.decoder.feed(data):
                self.client.received(self, packet)
        except ProtocolError as error:
            self.fail(f"the server broke the protocol: {error}")

    def pause_writing(self) -> None:
        self.is_writable = False

    def resume_writing(self) -> None:
        self.is_writable = True
        self.client.pump()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(str(exc) if exc else "the server closed the connection")

    def fail(self, cause: str) -> None:
        if not self.lost.done():
            self.lost.set_result(cause)
        self.transport.abort()
