"""An MQTT client that keeps its connection, and loses nothing that QoS 1 promises.

Used by the simulated plant and by the bridge to a site's own broker. It connects in the background
and again after every break; unacknowledged messages are sent again (DUP), subscriptions are renewed
when the server forgot the session. With `manual_ack` a received message is acknowledged only by
`InboundMessage.ack`, and what is not is delivered again after the next break.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from gemel.connect.mqtt.client_link import Link, Sending
from gemel.connect.mqtt.client_messages import (
    NO_ACCESS,
    InboundMessage,
    Will,
    connect_properties,
    name_of,
    refusal,
    will_message,
)
from gemel.connect.mqtt.codec import (
    PINGREQ,
    encode,
    encode_ack,
    encode_connect,
    encode_publish,
)
from gemel.connect.mqtt.packets import (
    Ack,
    ConnAck,
    Connect,
    Disconnect,
    Kind,
    Packet,
    Ping,
    Properties,
    Property,
    ProtocolError,
    Publish,
    Reason,
    SubAck,
    Subscribe,
    UnsubAck,
)
from gemel.connect.mqtt.topics import check_topic
from gemel.core.errors import GemelError, NotAuthenticated, Unavailable

_log = logging.getLogger("gemel.mqtt.client")

_CONNECT_SECONDS = 10.0
_QOS_2_INFLIGHT = 20
"""MQTT 3.1.1 cannot say it, but mosquitto leaves more QoS 2 messages than this unanswered."""
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_STEADY = 5.0
"""A connection that held this long makes the next pause short again."""
_WAITING_HANDLERS = 1_000


class MqttClient:
    """Publishes and subscribes; connects in the background and again after every break.

    Args:
        host: name or address of the server.
        port: its port.
        client_id: the client identifier; "" lets the server choose (with `clean`).
        username: user name, or a token.
        password: password; "" sends none.
        keep_alive: seconds of silence after which the connection is checked.
        clean: start with a new session the first time. A reconnect takes the session on anyway
            if `session_expiry` (MQTT 5) or `clean=False` lets the server keep it.
        session_expiry: seconds that the server keeps the session (MQTT 5).
        version: 5, or 4 for MQTT 3.1.1.
        will: published by the server when this client vanishes.
        tls: a context, or None for plain TCP.
        on_message: called for each message; what it returns is awaited, one after the other.
        manual_ack: acknowledge only by `InboundMessage.ack`.
        max_inflight: QoS 1 and 2 messages on their way in either direction.
        on_state: called with ("connecting" | "connected" | "disconnected" | "refused" |
            "closed", cause).
        max_queued: QoS 1 and 2 messages that may wait for a connection.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        client_id: str,
        username: str = "",
        password: str = "",
        keep_alive: int = 30,
        clean: bool = True,
        session_expiry: int = 0,
        version: int = 5,
        will: Will | None = None,
        tls: ssl.SSLContext | None = None,
        on_message: Callable[[InboundMessage], Awaitable[None] | None] | None = None,
        manual_ack: bool = False,
        max_inflight: int = 100,
        on_state: Callable[[str, str], None] | None = None,
        max_queued: int = 100_000,
    ) -> None:
        self._address = (host, port)
        self._connect = Connect(
            client_id,
            version,
            clean,
            keep_alive,
            username or None,
            password.encode() if password else None,
            will_message(will, version) if will else None,
            connect_properties(session_expiry, max_inflight) if version == 5 else {},
        )
        self._tls = tls
        self._on_message = on_message
        self._manual_ack = manual_ack
        self._max_inflight = max_inflight
        self._max_queued = max_queued
        self._on_state = on_state
        self.state = "closed"
        self._link: Link | None = None
        self._era = 0
        self._task: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._refusal: GemelError | None = None
        self._refused = asyncio.Event()
        self._is_closing = False
        self._greeting: asyncio.Future[ConnAck] | None = None
        self._out: list[bytes] = []
        self._quota = max_inflight
        self._quota_two = max_inflight if version == 5 else min(max_inflight, _QOS_2_INFLIGHT)
        self._inflight = 0
        self._largest = 0
        """Bytes of a packet that the server takes; 0 if it does not say."""
        self._sending: dict[int, Sending] = {}
        self._queue: deque[Sending] = deque()
        self._last_id = 0
        self._subscriptions: dict[str, int] = {}
        self._granted: set[str] = set()
        self._subscribing: dict[int, list[str]] = {}
        self._answers: dict[str, list[asyncio.Future[int]]] = {}
        self._held: set[int] = set()
        """QoS 2 messages taken and not yet released by the server."""
        self._handlers: deque[tuple[InboundMessage, Awaitable[None]]] = deque()
        self._handling: asyncio.Task[None] | None = None
        self._pauses: set[str] = set()

    # -- for its user ------------------------------------------------------------------------

    async def start(self) -> None:
        """Begins to connect, in the background."""
        if self._task is None:
            self._is_closing = False
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def connected(self) -> None:
        """Waits until the server has accepted the connection.

        Raises:
            NotAuthenticated: the server does not accept the credentials.
            Unavailable: the client was closed meanwhile.
        """
        waits = [asyncio.ensure_future(e.wait()) for e in (self._connected, self._refused)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if not self._connected.is_set() and self._refusal is not None:
            raise self._refusal

    def publish_nowait(
        self,
        topic: str,
        payload: bytes,
        qos: int = 1,
        retain: bool = False,
        properties: Properties | None = None,
    ) -> asyncio.Future[None]:
        """Sends a message now or when there is a connection.

        Returns:
            A future that is done when the message was acknowledged (QoS 0: when it was written),
            and fails with `Unavailable` (QoS 0 without a connection, too many waiting, closed) or
            `Refused` (the server's reason).
        """
        check_topic(topic)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        flags = qos << 1 | int(retain)
        if self._is_closing or self._task is None:
            return _failed(future, Unavailable("the MQTT client is closed"))
        if qos == 0:
            if not self._connected.is_set():
                return _failed(future, Unavailable("not connected; QoS 0 does not wait"))
            data = encode_publish(self._connect.version, topic, payload, flags, 0, properties)
            self._write(data)
            future.set_result(None)
            return future
        if len(self._sending) >= min(self._max_queued, 65_000):
            return _failed(future, Unavailable("too many MQTT messages wait to be sent"))
        packet = Publish(flags, topic, self._free_id(), payload, properties)
        sending = Sending(packet, future)
        self._sending[packet.packet_id] = sending
        self._queue.append(sending)
        self.pump()
        return future

    async def publish(
        self,
        topic: str,
        payload: bytes,
        qos: int = 1,
        retain: bool = False,
        properties: Properties | None = None,
    ) -> None:
        """Sends a message; returns when it was acknowledged. Raises as `publish_nowait`."""
        await self.publish_nowait(topic, payload, qos, retain, properties)

    async def subscribe(self, topic_filter: str, qos: int = 1) -> int:
        """Subscribes, now and after every reconnect; returns the QoS that was granted.

        Raises:
            Refused: the server said no.
            Unavailable: the client was closed.
        """
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._answers.setdefault(topic_filter, []).append(future)
        self._subscriptions[topic_filter] = qos
        self._granted.discard(topic_filter)
        if self._connected.is_set():
            self._subscribe([topic_filter])
        return await future

    async def close(self) -> None:
        """Says goodbye and stops; messages that wait fail with `Unavailable`."""
        self._is_closing = True
        if self._link is not None and self._connected.is_set():
            self._write(encode(Disconnect(), self._connect.version))
            self._flush()
            self._link.transport.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
            self._task = None
        if self._handling is not None:
            self._handling.cancel()
            await asyncio.wait((self._handling,))
        self._drop_handlers()
        self._disconnected()
        error = Unavailable("the MQTT client was closed")
        futures: list[asyncio.Future[Any]] = [one.future for one in self._sending.values()]
        futures += [future for several in self._answers.values() for future in several]
        self._sending.clear()
        self._queue.clear()
        self._answers.clear()
        for future in futures:
            if not future.done():
                future.set_exception(error)
                future.exception()  # nobody has to wait for it
        self._refusal = error
        self._refused.set()
        self._set_state("closed", "")

    def reconnect(self, cause: str) -> None:
        """Breaks the connection: what is unacknowledged is delivered again on the next one."""
        if self._link is not None:
            self._link.fail(cause)

    def pause(self, reason: str) -> None:
        """Takes no more messages from the socket, until `resume` with the same reason."""
        if not self._pauses and self._link is not None and not self._link.transport.is_closing():
            self._link.transport.pause_reading()
        self._pauses.add(reason)

    def resume(self, reason: str) -> None:
        if reason in self._pauses:
            self._pauses.discard(reason)
            link = self._link
            if not self._pauses and link is not None and not link.transport.is_closing():
                link.seen = asyncio.get_running_loop().time()
                link.transport.resume_reading()

    # -- connecting --------------------------------------------------------------------------

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            self._set_state("connecting", "")
            started = asyncio.get_running_loop().time()
            try:
                cause = await self._hold()
                if asyncio.get_running_loop().time() - started > _STEADY:
                    pause = _FIRST_PAUSE
                self._set_state("disconnected", cause)
            except NotAuthenticated as error:
                self._refusal = error
                self._refused.set()
                self._set_state("refused", str(error))
            except (OSError, TimeoutError, Unavailable, ssl.SSLError) as error:
                self._set_state("disconnected", str(error) or type(error).__name__)
            finally:
                self._disconnected()
            await asyncio.sleep(pause * (0.5 + random.random() / 2))
            pause = min(_LONGEST_PAUSE, pause * 2)

    async def _hold(self) -> str:
        """One connection, from its first byte to its end; returns why it ended."""
        loop = asyncio.get_running_loop()
        version = self._connect.version
        self._greeting = loop.create_future()
        host, port = self._address
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, link = await loop.create_connection(
                lambda: Link(self, version), host, port, ssl=self._tls
            )
            self._link = link
            self._era += 1
            link.transport.write(encode_connect(self._packet()))
            greeting = self._greeting
            await asyncio.wait((greeting, link.lost), return_when=asyncio.FIRST_COMPLETED)
        if not greeting.done():
            raise Unavailable(f"no CONNACK: {link.lost.result()}")
        self._welcomed(greeting.result(), link)
        return await self._watch(link)

    def _packet(self) -> Connect:
        first = self._connect
        if self._era > 1 and first.clean and first.properties.get(Property.SESSION_EXPIRY):
            return Connect(
                first.client_id,
                first.version,
                False,
                first.keep_alive,
                first.username,
                first.password,
                first.will,
                first.properties,
            )
        return first

    def _welcomed(self, answer: ConnAck, link: Link) -> None:
        if answer.reason:
            text = str(answer.properties.get(Property.REASON_STRING, ""))
            place = f"{self._address[0]}:{self._address[1]}"
            message = f"{place} refused the connection: {name_of(answer.reason)} {text}".rstrip()
            if answer.reason in NO_ACCESS:
                raise NotAuthenticated(message, hint="check user name, password and client id")
            raise Unavailable(message)
        self._quota = min(
            self._max_inflight, answer.properties.get(Property.RECEIVE_MAXIMUM, 65_535)
        )
        self._largest = answer.properties.get(Property.MAXIMUM_PACKET_SIZE, 0)
        if not answer.session_present:
            self._granted.clear()
        self._refused.clear()
        self._connected.set()
        if self._pauses:
            link.transport.pause_reading()
        self._subscribe([f for f in self._subscriptions if f not in self._granted])
        for sending in self._sending.values():
            if sending.is_released:
                self._inflight += 1
                self._write(
                    encode_ack(self._connect.version, Kind.PUBREL, sending.packet.packet_id)
                )
        self.pump()
        self._set_state("connected", "")

    async def _watch(self, link: Link) -> str:
        """Pings a quiet server until the connection ends."""
        keep_alive = self._connect.keep_alive
        loop = asyncio.get_running_loop()
        while True:
            period = keep_alive / 4 if keep_alive else None
            done, _ = await asyncio.wait((link.lost,), timeout=period)
            if done:
                return str(link.lost.result())
            now = loop.time()
            if now - link.seen > keep_alive * 1.5 and not self._pauses:
                link.fail("the server is silent")
            elif now - min(link.sent, link.seen) >= keep_alive / 2:
                self._write(PINGREQ)

    def _disconnected(self) -> None:
        link, self._link = self._link, None
        if link is not None and not link.transport.is_closing():
            link.transport.abort()
        self._connected.clear()
        self._out.clear()
        self._subscribing.clear()
        self._inflight = 0
        again = [s for s in self._sending.values() if not s.is_released]
        self._queue = deque(again)

    def _set_state(self, state: str, cause: str) -> None:
        self.state = state
        if self._on_state is not None:
            self._on_state(state, cause)

    # -- bytes out ---------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        if self._link is None:
            return
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(data)

    def _flush(self) -> None:
        link = self._link
        if link is not None and self._out and not link.transport.is_closing():
            link.sent = asyncio.get_running_loop().time()
            link.transport.write(b"".join(self._out))
        self._out.clear()

    def pump(self) -> None:
        """Sends what waits, as far as the server's receive maximum and the socket allow."""
        link = self._link
        if link is None or not self._connected.is_set():
            return
        while self._queue and self._inflight < self._quota and link.is_writable:
            sending = self._queue[0]
            if sending.packet.qos == 2 and self._inflight >= self._quota_two:
                return
            self._queue.popleft()
            flags, topic, packet_id, payload, properties = sending.packet
            if sending.was_sent:
                flags |= 8
            data = encode_publish(
                self._connect.version, topic, payload, flags, packet_id, properties
            )
            if self._largest and len(data) > self._largest:
                self._refuse_large(sending, len(data))
                continue
            sending.was_sent = True
            self._inflight += 1
            self._write(data)

    def _refuse_large(self, sending: Sending, size: int) -> None:
        """The server would end the connection over it, each time anew."""
        topic, packet_id = sending.packet.topic, sending.packet.packet_id
        del self._sending[packet_id]
        if not sending.future.done():
            what = f"a packet of {size:,} bytes; the server takes {self._largest:,}"
            _failed(sending.future, refusal(topic, Reason.PACKET_TOO_LARGE, what))

    def _free_id(self) -> int:
        packet_id = self._last_id % 65_535 + 1
        while packet_id in self._sending or packet_id in self._subscribing:
            packet_id = packet_id % 65_535 + 1
        self._last_id = packet_id
        return packet_id

    def _subscribe(self, filters: list[str]) -> None:
        for start in range(0, len(filters), 100):
            group = filters[start : start + 100]
            packet_id = self._free_id()
            self._subscribing[packet_id] = group
            pairs = tuple((name, self._subscriptions[name]) for name in group)
            self._write(encode(Subscribe(packet_id, pairs), self._connect.version))

    # -- packets in --------------------------------------------------------------------------

    def received(self, link: Link, packet: Packet) -> None:
        if link is not self._link:
            return
        if isinstance(packet, ConnAck):
            if self._greeting is not None and not self._greeting.done():
                self._greeting.set_result(packet)
                if packet.reason == 0:
                    self._era_begins(packet)
            return
        match packet:
            case Publish():
                self._incoming(packet)
            case Ack():
                self._acked(packet)
            case SubAck():
                self._subscribed(packet)
            case Disconnect():
                link.fail(f"the server said {name_of(packet.reason)}")
            case Ping(True) | UnsubAck():
                pass
            case _:
                raise ProtocolError(f"a server does not send {type(packet).__name__}")

    def _era_begins(self, packet: ConnAck) -> None:
        # Messages may stand right behind CONNACK, before `_welcomed` has its turn.
        if not packet.session_present:
            self._held.clear()

    def _incoming(self, packet: Publish) -> None:
        if packet.qos == 2 and packet.packet_id in self._held:
            self._write(encode_ack(self._connect.version, Kind.PUBREC, packet.packet_id))
            return
        message = InboundMessage(self, packet, self._era)
        try:
            result = self._on_message(message) if self._on_message is not None else None
        except Exception:  # noqa: BLE001 - logged; the client is not to blame
            _log.exception("what was to take a message from '%s' failed", packet.topic)
            result = None
        if result is not None:
            self._later(message, result)
        elif not self._manual_ack:
            message.ack()

    def _later(self, message: InboundMessage, result: Awaitable[None]) -> None:
        self._handlers.append((message, result))
        if len(self._handlers) >= _WAITING_HANDLERS:
            self.pause("handlers")
        if self._handling is None or self._handling.done():
            self._handling = asyncio.get_running_loop().create_task(self._handle())

    async def _handle(self) -> None:
        while self._handlers:
            message, result = self._handlers.popleft()
            try:
                await result
            except Exception:  # noqa: BLE001 - logged; the next message has its turn
                _log.exception("what was to take a message from '%s' failed", message.topic)
            if not self._manual_ack:
                message.ack()
            if len(self._handlers) < _WAITING_HANDLERS // 2:
                self.resume("handlers")

    def _drop_handlers(self) -> None:
        for _, result in self._handlers:
            if asyncio.iscoroutine(result):
                result.close()
        self._handlers.clear()

    def acknowledge(self, packet: Publish, era: int) -> None:
        """The way of `InboundMessage.ack`."""
        if not packet.qos or era != self._era or self._link is None:
            return
        kind = Kind.PUBACK
        if packet.qos == 2:
            kind = Kind.PUBREC
            self._held.add(packet.packet_id)
        self._write(encode_ack(self._connect.version, kind, packet.packet_id))

    def _acked(self, packet: Ack) -> None:
        packet_id, reason = packet.packet_id, packet.reason
        version = self._connect.version
        if packet.kind == Kind.PUBREL:
            known = packet_id in self._held
            self._held.discard(packet_id)
            code = Reason.SUCCESS if known else Reason.PACKET_ID_NOT_FOUND
            self._write(encode_ack(version, Kind.PUBCOMP, packet_id, code))
            return
        sending = self._sending.get(packet_id)
        if sending is None or not sending.was_sent:
            if packet.kind == Kind.PUBREC:
                code = Reason.PACKET_ID_NOT_FOUND
                self._write(encode_ack(version, Kind.PUBREL, packet_id, code))
            return
        if packet.kind == Kind.PUBREC and reason < Reason.UNSPECIFIED:
            sending.is_released = True
            self._write(encode_ack(version, Kind.PUBREL, packet_id))
            return
        del self._sending[packet_id]
        self._inflight -= 1
        if not sending.future.done():
            if reason >= Reason.UNSPECIFIED and packet.kind != Kind.PUBCOMP:
                text = str(packet.properties.get(Property.REASON_STRING, ""))
                sending.future.set_exception(refusal(sending.packet.topic, reason, text))
                sending.future.exception()
            else:
                sending.future.set_result(None)
        self.pump()

    def _subscribed(self, packet: SubAck) -> None:
        filters = self._subscribing.pop(packet.packet_id, [])
        for name, reason in zip(filters, packet.reasons, strict=False):
            if reason < Reason.UNSPECIFIED:
                self._granted.add(name)
            else:
                self._subscriptions.pop(name, None)
                _log.warning("the subscription '%s' was refused: %s", name, name_of(reason))
            for future in self._answers.pop(name, ()):
                if future.done():
                    continue
                if reason < Reason.UNSPECIFIED:
                    future.set_result(reason)
                else:
                    future.set_exception(refusal(name, reason, ""))


def _failed(future: asyncio.Future[None], error: GemelError) -> asyncio.Future[None]:
    future.set_exception(error)
    future.exception()  # nobody has to wait for it
    return future


__all__ = ["InboundMessage", "MqttClient", "Will"]
