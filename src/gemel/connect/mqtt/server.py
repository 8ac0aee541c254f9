"""The MQTT server: sockets and timers around the broker, which does no I/O."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from gemel.connect.mqtt import direct
from gemel.connect.mqtt.broker import Broker
from gemel.connect.mqtt.connection import Connection
from gemel.connect.mqtt.fronts import Fronts, Remote
from gemel.connect.mqtt.limits import Limits
from gemel.connect.mqtt.packets import Properties, Reason
from gemel.connect.mqtt.sockets import Socket
from gemel.connect.mqtt.topics import check_topic
from gemel.core.access import Principal
from gemel.core.clock import Clock
from gemel.core.ports import Host, MqttSessions

_log = logging.getLogger("gemel.mqtt")

_TICK = 0.5
_DRAIN = 3.0
_SOON = 0.001
"""Sooner than this is no sooner: event loops count in ms."""
_LATER = 0.01
"""So long what nobody waits for lies in sockets, while it would wait inside as well."""
_FEW = 16
"""Messages; when so few come at a time, reading costs more than they do ..."""
_FEW_BYTES = 65_536
"""... if they are short."""
_THIN = 2_048
"""Bytes of each socket that had something: where there are fewer, more of the same may come."""
_CALLS = 8
"""Calls in a row for those that have something; then others have their turn."""
_BRISK = 0.1
"""For so long after a client waited, or much came, nothing lies in sockets for long ..."""
_ANSWER = 10.0
"""... and after the platform has sent something: an answer may come."""


class MqttServer:
    """MQTT 3.1.1 and 5.0 for devices and subscribers.

    Args:
        host: the platform: who may do what, and where messages go.
        sessions: what outlives a restart.
        clock: wall clock in ns.
        limits: what one client may cost.
        delivered: called with (principal, topic) whenever a subscriber acknowledged a QoS 1
            or 2 message, also one that was queued before a restart.
    """

    def __init__(
        self,
        host: Host,
        sessions: MqttSessions,
        clock: Clock,
        *,
        limits: Limits | None = None,
        delivered: Callable[[Principal, str], None] | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.broker = Broker(host, clock, self.limits, self.wake, delivered)
        self.is_congested = False
        self._sessions = sessions
        self._listeners: list[asyncio.Server] = []
        self._sockets: dict[Connection, Socket | Remote] = {}
        self.fronts: Fronts | None = None
        """Processes that hold the sockets in place of this one."""
        self.direct: direct.Direct[Connection] | None = None
        """The sockets that are read and written many at a time."""
        self._executor = ThreadPoolExecutor(1, "mqtt-sessions")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_due = False
        self.is_closing = False
        self._timer: asyncio.TimerHandle | None = None
        self._gathering: asyncio.TimerHandle | None = None
        self._resting: asyncio.TimerHandle | None = None
        """Until when nothing is read directly."""
        self._read = 0.0
        """When something was last read directly."""
        self._brisk_until = 0.0
        self._has_gathered = False
        """Whether what was received has waited for as long as it may."""
        self._commit: asyncio.Future[None] | None = None
        self._settled: asyncio.Event = asyncio.Event()

    # -- for the platform --------------------------------------------------------------------

    async def start(
        self, host: str, port: int, tls: ssl.SSLContext | None = None
    ) -> tuple[str, int]:
        """Listens on one more address; returns the address, with the port when 0 was given."""
        await self._load()
        assert self._loop is not None
        listener = await self._loop.create_server(
            lambda: Socket(self),
            host,
            port,
            ssl=tls,
            backlog=1024,
            ssl_handshake_timeout=self.limits.greeting_seconds if tls else None,
        )
        self._listeners.append(listener)
        address = listener.sockets[0].getsockname()
        return str(address[0]), int(address[1])

    async def _load(self) -> None:
        if self._loop is not None:
            return
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self.broker.load, self._sessions)
        self._loop = loop
        if direct.IS_HERE:
            self.direct = direct.Direct()
            loop.add_reader(self.direct.fileno(), self._came)
        self._timer = loop.call_later(_TICK, self._tick)
        self.wake()

    async def inherit(self, fronts: Fronts) -> None:
        """Takes over what fronts have acknowledged before; they hold the sockets from now on."""
        await self._load()
        self.fronts = fronts
        await fronts.inherit()

    @property
    def connections(self) -> int:
        """Clients whose CONNECT was accepted."""
        return sum(1 for connection in self._sockets if connection.is_open)

    def publish(
        self,
        topic: str,
        payload: bytes,
        qos: int = 0,
        retain: bool = False,
        properties: Properties | None = None,
    ) -> int:
        """Sends a message of the platform to subscribers.

        Args:
            topic: a topic name without wildcards.
            payload: the bytes.
            qos: 0, 1 or 2; a subscriber gets at most what it asked for.
            retain: keep it for later subscribers.
            properties: MQTT 5 properties by number.

        Returns:
            To how many sessions it was sent or queued.

        Raises:
            InvalidInput: the topic is no topic name.
        """
        check_topic(topic)
        if self._loop is not None:
            self._be_brisk(_ANSWER)
        return self.broker.publish(topic, payload, qos, retain, properties)

    def retained(self, topic_filter: str) -> dict[str, bytes]:
        """The retained messages of topics that match, by topic."""
        found = self.broker.retained.match(topic_filter, self.broker.clock())
        return {delivery.topic: delivery.payload for delivery in found}

    def listeners(self, topic: str) -> list[Principal]:
        """Who is connected now and would get a message on this topic."""
        return self.broker.listeners(topic)

    def statistics(self) -> dict[str, int]:
        broker, fronts = self.broker, self.fronts
        return asdict(broker.counters) | {
            "fronts": fronts.count if fronts else 0,
            "front_restarts": fronts.restarts if fronts else 0,
            "connections": self.connections,
            "sockets": len(self._sockets),
            "sessions": len(broker.sessions),
            "subscriptions": broker.routes.count,
            "retained": len(broker.retained),
            "queued": sum(len(session.outgoing) for session in broker.sessions.values()),
            "undurable_bytes": broker.inbox.undurable + (fronts.waiting if fronts else 0),
            "commits": broker.journal.commits,
            "failed_commits": broker.journal.failures,
        }

    def waits_since(self) -> int:
        """When the oldest message came that the host was not given yet (ns); 0 if there is none."""
        inbox, fronts = self.broker.inbox, self.fronts
        since = (inbox.waits_since, fronts.waits_since() if fronts else 0)
        return min((one for one in since if one), default=0)

    def disconnect(self, is_meant: Callable[[Principal], bool]) -> int:
        """Closes all connections of such principals (a token was ended); how many there were."""
        found = [c for c in self._sockets if c.is_open and is_meant(c.who)]
        for connection in found:
            self.broker.end(connection, "refused", Reason.ADMINISTRATIVE)
        return len(found)

    async def close(self) -> None:
        """Takes nothing more in, waits up to 3 s for what is on its way, and closes.

        Wills are not sent: the server goes, not the devices.
        """
        if self._loop is None:
            self._executor.shutdown()
            return
        self.is_closing = True
        for listener in self._listeners:
            listener.close()
        for sock in list(self._sockets.values()):
            sock.read_or_wait()
        if self.fronts is not None:
            self.fronts.stop()
        self.wake()
        try:
            async with asyncio.timeout(_DRAIN):
                await self._until_settled()
        except TimeoutError:
            _log.warning("closing with messages that are not durable: devices send them again")
        for connection in list(self._sockets):
            if connection.session is None:
                connection.close()
            self.broker.end(connection, "goodbye", Reason.SHUTTING_DOWN, has_will=False)
        self._turn()
        await self._until_closed()
        if self.fronts is not None:
            await self.fronts.close()
        for timer in (self._timer, self._gathering, self._resting):
            if timer is not None:
                timer.cancel()
        if self._commit is not None:
            await asyncio.wait((self._commit,))
        if self.direct is not None:
            self._loop.remove_reader(self.direct.fileno())
            self.direct.close()
            self.direct = None
        self._executor.shutdown()

    # -- the loop ----------------------------------------------------------------------------

    def time(self) -> float:
        assert self._loop is not None
        return self._loop.time()

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        assert self._loop is not None
        self._loop.call_later(seconds, call)

    def receive(self, connection: Connection, data: bytes) -> None:
        """Takes what a client sent."""
        connection.seen = self.time()
        try:
            connection.receive(data)
        except Exception:  # noqa: BLE001 - logged; one client's bytes must not stop the server
            self.broker.counters.internal_errors += 1
            _log.exception("the connection of %s is closed", connection.peer)
            self.broker.end(connection, "lost", Reason.UNSPECIFIED)
        if self.broker.inbox.is_congested:
            self.congest()

    def _watch(self) -> None:
        """Reads directly from now on when something has come."""
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        if self.direct is not None:
            self.direct.watch()

    def _rest(self) -> None:
        """Lets more come before it reads again, where more is near: fewer calls."""
        assert self._loop is not None
        now = self._loop.time()
        is_brisk = now < self._brisk_until
        if is_brisk and now - self._read >= _SOON:
            self._watch()
        else:
            self._resting = self._loop.call_later(_SOON if is_brisk else _LATER, self._rested)
        self._read = now

    def _rested(self) -> None:
        self._resting = None
        if self.direct is None:
            return
        came = False
        try:
            came = self._receive_directly()
        finally:
            self._rest() if came else self._watch()

    def _be_brisk(self, seconds: float) -> None:
        """What comes is read soon from now on; also what has come."""
        self._brisk_until = max(self._brisk_until, self.time() + seconds)
        if self._resting is not None:
            self._watch()

    def _came(self) -> None:
        """One of the sockets that are read directly has something."""
        assert self.direct is not None
        self.direct.rest()
        try:
            self._receive_directly()
        finally:
            self._rest()

    def _receive_directly(self) -> bool:
        """Whether there was something."""
        assert self.direct is not None
        inbox = self.broker.inbox
        before, size, sockets, is_queued = inbox.count, 0, 0, False
        for _ in range(_CALLS):
            taken, came, waits = self._receive_once()
            size, sockets, is_queued = size + taken, sockets + came, is_queued or waits
            if came < direct.AT_ONCE or self.is_congested:
                break
        much = inbox.count - before > min(_FEW, sockets) or size > _FEW_BYTES
        is_thin = size < _THIN * sockets and sockets > _FEW
        if inbox.is_awaited or is_queued or (much and not is_thin):
            self._brisk_until = max(self._brisk_until, self.time() + _BRISK)
        return sockets > 0

    def _receive_once(self) -> tuple[int, int, bool]:
        """How many bytes came, of how many sockets; whether messages wait for one of them."""
        assert self.direct is not None
        now, seen, inbox = self.broker.clock(), self.time(), self.broker.inbox
        runs, rests, size = self.direct.receive(inbox.messages, now)
        for run in runs:
            run[0].seen = seen
        if runs:
            inbox.ran(runs, size, now)
        if inbox.is_congested:
            self.congest()
        is_queued = False
        for connection, data in rests:
            size += len(data)
            is_queued |= connection.session is not None and connection.session.is_backlogged
            sock = self._sockets.get(connection)
            if isinstance(sock, Socket):
                sock.received(data)
        return size, len(runs) + len(rests), is_queued

    def opened(self, sock: Socket | Remote) -> None:
        self._sockets[sock.connection] = sock
        if self.is_closing or len(self._sockets) > self.limits.connections:
            self.broker.counters.too_many_connections += 1
            sock.connection.close()
        elif self.is_congested:
            sock.read_or_wait()

    def lost(self, sock: Socket | Remote) -> None:
        self.broker.end(sock.connection, "lost")
        self._sockets.pop(sock.connection, None)
        self.wake()

    def congest(self) -> None:
        """Too much is not durable yet: no socket is read until half of it is."""
        if not self.is_congested:
            self._congested(True)

    def _congested(self, is_congested: bool) -> None:
        self.is_congested = is_congested
        for sock in self._sockets.values():
            sock.read_or_wait()
        if self.fronts is not None:
            self.fronts.hold(is_congested)

    def wake(self) -> None:
        if not self._is_due and self._loop is not None:
            self._is_due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Once a turn of the loop: hand in, commit, write."""
        self._is_due = False
        broker = self.broker
        self._gather(broker.inbox.flush(may_gather=not self._has_gathered))
        self._has_gathered = False
        if broker.journal.is_due:
            self._start_commit()
        dirty, broker.dirty = broker.dirty, []
        self._drain(dirty)
        if self.is_congested and broker.inbox.undurable * 2 < self.limits.undurable_bytes:
            self._congested(False)
        self._settled.set()

    def _gather(self, nanoseconds: int) -> None:
        """Comes back for what is gathered."""
        assert self._loop is not None
        if self._gathering is not None:
            until = self._loop.time() + nanoseconds / 1e9
            if nanoseconds and self._gathering.when() <= until + _SOON:
                return
            self._gathering.cancel()
            self._gathering = None
        if nanoseconds:
            self._gathering = self._loop.call_later(nanoseconds / 1e9, self._gathered)

    def _gathered(self) -> None:
        self._gathering = None
        if self.direct is not None and self._resting is not None:
            self._receive_directly()
        self._has_gathered = True
        self.wake()

    def _drain(self, dirty: list[Connection]) -> None:
        """Writes what is to be sent: in one call where sockets are free to take it."""
        pieces: list[tuple[int, bytes]] = []
        written: list[Connection] = []
        for connection in dirty:
            data = connection.take()
            descriptor = connection.free_descriptor
            if descriptor < 0 or connection.is_closing:
                sock = self._sockets.get(connection)
                if sock is None:
                    continue
                if connection.is_closing or (descriptor := sock.free()) < 0:
                    sock.write(data)
                    if connection.is_closing:
                        sock.finish()
                    else:
                        connection.taken()
                    continue
            pieces.append((descriptor, data))
            written.append(connection)
        if pieces and self._resting is not None and self.time() < self._brisk_until:
            self._watch()  # those who are answered send again
        for place, sent in direct.transmit(pieces) if pieces else ():
            self._sockets[written[place]].write(pieces[place][1][sent:])
        for connection in written:
            connection.taken()

    def _start_commit(self) -> None:
        assert self._loop is not None
        rows = self.broker.journal.take()
        self._commit = self._loop.run_in_executor(self._executor, self._sessions.commit, rows)
        self._commit.add_done_callback(self._committed)

    def _committed(self, future: asyncio.Future[None]) -> None:
        self._commit = None
        error = future.exception()
        if error is not None and not self.broker.journal.has_failed:
            _log.error("MQTT sessions cannot be stored: %s", error)
        self.broker.journal.finished(error if isinstance(error, Exception) else None)
        self.wake()

    def _tick(self) -> None:
        assert self._loop is not None
        self._timer = self._loop.call_later(_TICK, self._tick)
        now = self._loop.time()
        counters = self.broker.counters
        for connection, sock in list(self._sockets.items()):
            if connection.is_closing:
                continue
            if connection.session is None:
                if now - sock.opened > self.limits.greeting_seconds:
                    counters.greeting_timeouts += 1
                    connection.close()
            elif (
                connection.keep_alive
                and now - connection.seen > connection.keep_alive * 1.5
                and sock.is_reading
            ):
                counters.keep_alive_timeouts += 1
                self.broker.end(connection, "timeout", Reason.KEEP_ALIVE_TIMEOUT)
        self.broker.tick()
        self.wake()

    async def _until_closed(self) -> None:
        try:
            async with asyncio.timeout(_DRAIN):
                await self._until_settled()
                while self._sockets:
                    self._settled.clear()
                    await self._settled.wait()
        except TimeoutError:
            for sock in list(self._sockets.values()):
                sock.abort()

    async def _until_settled(self) -> None:
        while not (
            self.broker.inbox.is_idle
            and self.broker.journal.is_idle
            and (self.fronts is None or self.fronts.is_idle)
        ):
            self._settled.clear()
            await self._settled.wait()
