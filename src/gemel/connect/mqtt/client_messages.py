"""What a client sends and gets beside the bare packets: wills, messages, the server's reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gemel.connect.mqtt.packets import Properties, Property, Publish, Reason, WillMessage
from gemel.connect.mqtt.topics import check_topic
from gemel.core.errors import Forbidden, GemelError, Refused, Unavailable

if TYPE_CHECKING:
    from gemel.connect.mqtt.client import MqttClient

NO_ACCESS = {
    Reason.BAD_USER_NAME_OR_PASSWORD,
    Reason.NOT_AUTHORIZED,
    Reason.CLIENT_ID_NOT_VALID,
    2,
    4,
    5,
}


"""Reason codes of CONNACK (MQTT 5 and 3.1.1) that other credentials would change."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the server publishes for this client when it vanishes; `delay` in s is MQTT 5 only."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    delay: int = 0


class InboundMessage:
    """A message from the server."""

    __slots__ = ("_client", "_era", "_is_acked", "packet")

    def __init__(self, client: MqttClient, packet: Publish, era: int) -> None:
        self._client = client
        self._era = era
        self._is_acked = False
        self.packet = packet

    @property
    def topic(self) -> str:
        return self.packet.topic

    @property
    def payload(self) -> bytes:
        return self.packet.payload

    @property
    def qos(self) -> int:
        return self.packet.qos

    @property
    def retain(self) -> bool:
        return self.packet.is_retained

    @property
    def is_repeated(self) -> bool:
        return bool(self.packet.flags & 8)

    @property
    def properties(self) -> Properties:
        return self.packet.properties or {}

    def ack(self) -> None:
        """Acknowledges it; without effect for QoS 0, twice, or when its connection is gone."""
        if not self._is_acked:
            self._is_acked = True
            self._client.acknowledge(self.packet, self._era)


def name_of(reason: int) -> str:
    try:
        return Reason(reason).name.lower().replace("_", " ")
    except ValueError:
        return f"reason {reason:#04x}"


def refusal(topic: str, reason: int, text: str) -> GemelError:
    message = f"the server refused '{topic}': {name_of(reason)} {text}".rstrip()
    if reason == Reason.NOT_AUTHORIZED:
        return Forbidden(message)
    if reason == Reason.QUOTA_EXCEEDED:
        return Unavailable(message)
    return Refused(message)


def will_message(will: Will, version: int) -> WillMessage:
    check_topic(will.topic)
    properties: Properties = {}
    if will.delay and version == 5:
        properties[Property.WILL_DELAY] = will.delay
    return WillMessage(will.topic, will.payload, will.qos, will.retain, properties)


def connect_properties(session_expiry: int, max_inflight: int) -> Properties:
    values: Properties = {Property.RECEIVE_MAXIMUM: min(max_inflight, 65_535)}
    if session_expiry:
        values[Property.SESSION_EXPIRY] = session_expiry
    return values
