"""A front: a process that owns clients' sockets, and acknowledges what it has made durable.

`python -m gemel.connect.mqtt.front FD` is started by `fronts`, with one end of a socket pair.
It has no say of its own: the main process decides who may connect and which topics a connection
may have kept here (`lane`); it answers all the rest. It ends with the main process.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, cast

from gemel.connect.mqtt import spool
from gemel.connect.mqtt.lane import Lane, Step
from gemel.connect.mqtt.sockets import LINGER, keep_open
from gemel.connect.mqtt.strait import Frames, Say, frame, written
from gemel.core.clock import system_clock

_log = logging.getLogger("gemel.mqtt.front")
_TICK = 0.5
_HELD_BACK = 256 * 1024
"""Bytes of one client that may wait for acknowledgements; then it is not read."""
_NAMED_BYTES = 1 << 20
"""After so much it is written again who the clients are."""
_ROUND_BYTES = 16 << 20
"""Bytes that may wait for the round under way; then nobody is read."""


class _Client(asyncio.Protocol):
    """One client's socket."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self.transport: asyncio.Transport
        self.lane: Lane
        self.identity = b""
        self.keep_alive = 0
        self.seen = 0.0
        self.is_full = False
        self._is_reading = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(self._front.settings["writeBytes"])
        self.seen = time.monotonic()
        self._front.opened(self, str(transport.get_extra_info("peername")))

    def data_received(self, data: bytes) -> None:
        self.seen = time.monotonic()
        self._front.take(self, self.lane.receive(data))
        if self.lane.waiting > _HELD_BACK:
            self.read_or_wait()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._front.lost(self)

    def pause_writing(self) -> None:
        self._front.say(Say.FULL, self.lane.channel)

    def resume_writing(self) -> None:
        self._front.say(Say.ROOM, self.lane.channel)
        self.is_full = False
        self.read_or_wait()

    def write(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self.transport.write(data)
        most = 4 * self._front.settings["writeBytes"]
        if not self.is_full and self.transport.get_write_buffer_size() > most:
            self.is_full = True
            self.read_or_wait()

    def read_or_wait(self) -> None:
        if self.transport.is_closing():
            return
        lane = self.lane
        is_held = lane.waiting > _HELD_BACK and (lane.unanswered > 0 or lane.undurable > 0)
        wanted = not (self.is_full or is_held or self._front.is_holding)
        if wanted != self._is_reading:
            self._is_reading = wanted
            self.seen = time.monotonic()
            if wanted:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    def is_silent(self, now: float) -> bool:
        is_long = now - self.seen > 1.5 * self.keep_alive
        return is_long and self._is_reading and self.keep_alive > 0


class _Round:
    """What is written together, and what is said after it."""

    def __init__(self) -> None:
        self.kept: list[tuple[_Client, Step, int]] = []
        self.bytes = 0
        self.after: list[bytes] = []

    def __bool__(self) -> bool:
        return bool(self.kept or self.after)


class Front:
    """All clients of this process, and its spool.

    Args:
        link: to the main process.
        settings: what BEGIN said.
    """

    def __init__(self, link: asyncio.Transport, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.is_holding = False
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._executor = ThreadPoolExecutor(1, "spool")
        self._writer = spool.Writer(Path(settings["folder"]))
        self._named: set[int] = set()
        """Channels whose identity was written to this file lately: damage must not cost more."""
        self._renamed = 0
        self._clients: dict[int, _Client] = {}
        self._channels = 0
        self._round = _Round()
        self._is_writing = False
        self._is_due = False
        self._is_stopping = False
        self._has_failed = False
        self._is_told_to_hold = False
        self._listeners: list[asyncio.Server] = []

    async def listen(self) -> None:
        for one in self.settings["listeners"]:
            context = None
            if one["certificate"]:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.minimum_version = ssl.TLSVersion.TLSv1_2
                context.load_cert_chain(one["certificate"], one["key"])
            listener = await self._loop.create_server(
                lambda: _Client(self),
                sock=socket.socket(fileno=one["fd"]),
                ssl=context,
                backlog=1024,
                ssl_handshake_timeout=self.settings["greetingSeconds"] if context else None,
            )
            self._listeners.append(listener)
        self._loop.call_later(_TICK, self._tick)

    # -- clients -------------------------------------------------------------------------------

    def opened(self, client: _Client, peer: str) -> None:
        self._channels += 1
        client.lane = Lane(self._channels, self.settings["greetingBytes"])
        self._clients[self._channels] = client
        keep_open(client.transport.get_extra_info("socket"))
        self.say(Say.OPENED, self._channels, peer.encode())
        client.read_or_wait()

    def lost(self, client: _Client) -> None:
        self._clients.pop(client.lane.channel, None)
        self._later(frame(Say.LOST, client.lane.channel))

    def take(self, client: _Client, steps: list[Step]) -> None:
        for step in steps:
            if step.is_kept:
                self._round.kept.append((client, step, system_clock()))
                self._round.bytes += len(step.data)
                self._wake()
            elif step.is_urgent:
                self.say(Say.URGENT, client.lane.channel, step.data)
            else:
                self._later(frame(Say.PASSED, client.lane.channel, step.data))
        if self._round.bytes > _ROUND_BYTES:
            self._hold_or_go()

    def _later(self, data: bytes) -> None:
        """Says something after all that was kept before."""
        if self._is_writing or self._round:
            self._round.after.append(data)
            self._wake()
        else:
            self._link.write(data)

    def say(self, what: Say, channel: int = 0, data: bytes = b"") -> None:
        self._link.write(frame(what, channel, data))

    # -- rounds --------------------------------------------------------------------------------

    def _wake(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._is_due = False
        if self._is_writing or not self._round:
            return
        made, self._round = self._round, _Round()
        if not made.kept:
            self._say_after(made)
            return
        self._is_writing = True
        writing = self._loop.run_in_executor(self._executor, self._write, made)
        writing.add_done_callback(partial(self._written, made))

    def _write(self, made: _Round) -> spool.Place:
        if self._writer.is_full:
            self._writer.rotate()
            self._renamed = 0
        if self._writer.place.offset >= self._renamed:
            self._renamed = self._writer.place.offset + _NAMED_BYTES
            self._named.clear()
        parts: list[bytes] = []
        named: set[int] = set()
        for client, step, received in made.kept:
            channel = client.lane.channel
            if channel not in self._named and channel not in named:
                named.add(channel)
                parts.append(spool.entry(spool.IDENTITY, channel, client.identity, received))
            parts.append(spool.entry(spool.PACKETS, channel, step.data, received))
        place = self._writer.append(parts)
        self._named |= named
        return place

    def _written(self, made: _Round, future: asyncio.Future[spool.Place]) -> None:
        self._is_writing = False
        error = future.exception()
        if error is not None:
            self._give_up(made, error)
            return
        if self._has_failed:
            self._has_failed = False
            _log.warning("the spool is written to again")
        place = future.result()
        self._link.write(written(place.file, place.offset, made.kept[0][2]))
        acks: dict[_Client, list[bytes]] = {}
        for client, step, _ in made.kept:
            if step.acks:
                acks.setdefault(client, []).append(step.acks)
        for client, given in acks.items():
            data = b"".join(given)
            client.lane.undurable -= len(data) // 4
            client.write(data)
            if client.lane.waiting:
                self._go_on(client)
        self._say_after(made)

    def _say_after(self, made: _Round) -> None:
        if made.after:
            self._link.write(b"".join(made.after))
        self._hold_or_go()
        if self._round:
            self._wake()
        elif self._is_stopping:
            self.say(Say.SETTLED)

    def _give_up(self, made: _Round, error: BaseException) -> None:
        """Nothing is written: the main process takes it all, and says what is wrong."""
        if not self._has_failed:
            self._has_failed = True
            _log.error("the spool cannot be written, all goes to the main process: %s", error)
        later, self._round = self._round, _Round()
        for one in (made, later):
            for client, step, _ in one.kept:
                lane = client.lane
                lane.undurable -= len(step.acks) // 4
                lane.unanswered += len(step.acks) // 4
                self.say(Say.PASSED, lane.channel, step.data)
            self._link.write(b"".join(one.after))
        self._say_after(_Round())

    def _go_on(self, client: _Client) -> None:
        """What was held back goes its way."""
        self.take(client, client.lane.receive(b""))
        client.read_or_wait()

    # -- what the main process says ------------------------------------------------------------

    def hear(self, what: int, channel: int, data: bytes) -> None:
        client = self._clients.get(channel)
        match what:
            case Say.HOLD | Say.GO:
                self._is_told_to_hold = what == Say.HOLD
                self._hold_or_go()
            case Say.STOP:
                self._stop()
            case _ if client is None:
                pass
            case Say.BYTES:
                client.write(data)
                if client.lane.answered(data):
                    self._go_on(client)
            case Say.GRANT:
                client.lane.grant(data)
            case Say.KNOWN:
                self._know(client, data)
            case Say.CLOSE:
                self._close(client, is_at_once=bool(data))

    def _know(self, client: _Client, data: bytes) -> None:
        found = json.loads(data)
        client.identity = data
        client.keep_alive = found["keepAlive"]
        client.lane.introduce(found["five"], found["quota"], self.settings["packetBytes"])

    def _close(self, client: _Client, *, is_at_once: bool) -> None:
        if is_at_once:
            client.transport.abort()
        elif not client.transport.is_closing():
            client.transport.close()
            self._loop.call_later(LINGER, client.transport.abort)

    def _hold_or_go(self) -> None:
        is_much = self._round.bytes > _ROUND_BYTES
        wanted = self._is_told_to_hold or self._is_stopping or is_much
        if wanted != self.is_holding:
            self.is_holding = wanted
            for client in list(self._clients.values()):
                client.read_or_wait()

    def _stop(self) -> None:
        self._is_stopping = True
        for listener in self._listeners:
            listener.close()
        self._hold_or_go()
        if not self._is_writing and not self._round:
            self.say(Say.SETTLED)

    def _tick(self) -> None:
        self._loop.call_later(_TICK, self._tick)
        now = time.monotonic()
        for client in self._clients.values():
            if client.is_silent(now):
                client.seen = now
                self.say(Say.SILENT, client.lane.channel)


class _Link(asyncio.Protocol):
    """The front's end of the socket pair."""

    def __init__(self, over: asyncio.Event) -> None:
        self._frames = Frames()
        self._over = over
        self._front: Front | None = None
        self._begun: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        for what, channel, value in self._frames.feed(data):
            if what == Say.BEGIN:
                self._front = Front(self._transport, json.loads(value))
                self._begun = asyncio.ensure_future(self._front.listen())
                self._begun.add_done_callback(self._listening)
            elif self._front is not None:
                self._front.hear(what, channel, value)

    def _listening(self, begun: asyncio.Task[None]) -> None:
        if not begun.cancelled() and (error := begun.exception()) is not None:
            _log.error("a front cannot listen: %s", error)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._over.set()


async def serve(descriptor: int) -> None:
    """Works until the main process is gone."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):  # the main process says when to end
        loop.add_signal_handler(number, lambda: None)
    over = asyncio.Event()
    await loop.create_unix_connection(lambda: _Link(over), sock=socket.socket(fileno=descriptor))
    await over.wait()


def main() -> None:
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    work = serve(int(sys.argv[1]))
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


if __name__ == "__main__":
    main()
