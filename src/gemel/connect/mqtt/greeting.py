"""CONNECT: who may come in, and what the session and the client are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemel.connect.mqtt.connection import Connection
from gemel.connect.mqtt.limits import Limits
from gemel.connect.mqtt.packets import ConnAck, Connect, Properties, Property, Reason
from gemel.connect.mqtt.session import Session
from gemel.core.access import Principal

if TYPE_CHECKING:
    from gemel.connect.mqtt.broker import Broker


def admit(broker: Broker, connection: Connection, packet: Connect) -> Principal | None:
    """The principal that connects, or None when the connection was refused."""
    if Property.AUTH_METHOD in packet.properties:
        connection.refuse(Reason.BAD_AUTH_METHOD, "no extended authentication here")
        return None
    if any(ord(letter) < 32 for letter in packet.client_id) or (
        packet.version == 4 and not packet.client_id and not packet.clean
    ):
        connection.refuse(Reason.CLIENT_ID_NOT_VALID, "the client identifier is not valid")
        return None
    password = (packet.password or b"").decode(errors="replace")
    who = broker.host.authenticate(packet.username or "", password)
    if who is None:
        broker.counters.denied_connect += 1
        has_name = packet.username is not None or packet.version == 5
        connection.refuse(
            Reason.BAD_USER_NAME_OR_PASSWORD if has_name else Reason.NOT_AUTHORIZED,
            "the token is not known: give it as the password, or as the user name alone",
        )
        return None
    will = packet.will
    if will is not None and not broker.host.may_publish(who, will.topic):
        broker.counters.denied_connect += 1
        connection.refuse(Reason.NOT_AUTHORIZED, f"no will may go to '{will.topic}'")
        return None
    return who


def adopt(limits: Limits, connection: Connection, session: Session, packet: Connect) -> None:
    """Sets what CONNECT says about the connection and its session."""
    values = packet.properties
    connection.session = session
    connection.who = session.who
    connection.is_five = packet.version == 5
    connection.maximum = connection.decoder.maximum = limits.packet_bytes
    connection.keep_alive = packet.keep_alive
    longest = limits.keep_alive_seconds
    if longest and not 0 < packet.keep_alive <= longest:
        connection.keep_alive = longest
    if packet.version == 5:
        connection.receive_maximum = values.get(Property.RECEIVE_MAXIMUM, 65_535)
        connection.maximum_packet = values.get(
            Property.MAXIMUM_PACKET_SIZE, connection.maximum_packet
        )
        connection.alias_maximum = min(
            values.get(Property.TOPIC_ALIAS_MAXIMUM, 0), limits.topic_aliases
        )
        connection.quota = limits.receive_maximum
        session.expiry = values.get(Property.SESSION_EXPIRY, 0)
    else:
        session.expiry = 0 if packet.clean else limits.session_seconds
    session.expiry = min(session.expiry, limits.session_seconds)
    session.will = packet.will


def welcome(
    limits: Limits, connection: Connection, packet: Connect, client_id: str, is_present: bool
) -> ConnAck:
    values: Properties = {}
    if packet.version == 5:
        values = {
            Property.RECEIVE_MAXIMUM: limits.receive_maximum,
            Property.MAXIMUM_PACKET_SIZE: limits.packet_bytes,
            Property.TOPIC_ALIAS_MAXIMUM: limits.topic_aliases,
        }
        if not packet.client_id:
            values[Property.ASSIGNED_CLIENT_ID] = client_id
        if connection.keep_alive != packet.keep_alive:
            values[Property.SERVER_KEEP_ALIVE] = connection.keep_alive
        if packet.properties.get(Property.SESSION_EXPIRY, 0) > limits.session_seconds:
            values[Property.SESSION_EXPIRY] = limits.session_seconds
    return ConnAck(is_present, 0, values)
