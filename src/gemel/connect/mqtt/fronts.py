"""The main process' side of its fronts: starts them, speaks for their clients, takes over.

Each front has a share of the connections (SO_REUSEPORT) and a spool of its own. To the broker a
client at a front is a connection like any other; only what the front keeps comes by its spool.
A front that dies is started again; what it had acknowledged is taken from its spool.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gemel.connect.mqtt import spool
from gemel.connect.mqtt.connection import Connection
from gemel.connect.mqtt.packets import Reason
from gemel.connect.mqtt.spool import Place, Spool
from gemel.connect.mqtt.strait import Frames, Say, frame, json_frame, read_written
from gemel.connect.mqtt.taker import Origin, Restore, Taker

if TYPE_CHECKING:
    from gemel.connect.mqtt.server import MqttServer

_log = logging.getLogger("gemel.mqtt")
_BACKLOG = 1024
_END_SECONDS = 5.0
_AGAIN_SECONDS = 0.2
_LONGEST_AGAIN = 5.0
_LONG_LIFE = 10.0


@dataclass(frozen=True, slots=True)
class Listening:
    """One address, with the PEM files of its TLS or ""."""

    sockets: tuple[socket.socket, ...]
    """One for each front."""
    certificate: str = ""
    key: str = ""


def bind(host: str, port: int, count: int) -> tuple[socket.socket, ...]:
    """Sockets that share a port, not listening yet.

    Raises:
        OSError: the port is taken, or the address is not ours.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:  # others' would be shared in silence
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        probe.listen(1)
    made: list[socket.socket] = []
    for _ in range(count):
        one = socket.socket(family, socket.SOCK_STREAM)
        made.append(one)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind((host, made[0].getsockname()[1] if len(made) > 1 else port))
        one.setblocking(False)
    return tuple(made)


class Remote:
    """A client at a front, in the place of its socket."""

    is_reading = False
    """Its front looks after the keep-alive."""

    def __init__(self, front: _Front, channel: int, peer: str) -> None:
        server = front.server
        self.opened = server.time()
        self.channel = channel
        self.connection = Connection(server.broker, peer)
        self.connection.granted = self._grant
        self._front = front
        self._is_known = False

    def receive(self, data: bytes) -> None:
        self._front.server.receive(self.connection, data)
        self._introduce()

    def _introduce(self) -> None:
        connection = self.connection
        session = connection.session
        if self._is_known or session is None:
            return
        self._is_known = True
        is_five = connection.version == 5
        who = connection.who
        self._front.taker.origins[self.channel] = Origin(who, is_five, session)
        identity = {
            "name": who.name,
            "role": who.role,
            "twins": list(who.twins),
            "session": session.key,
            "five": is_five,
            "quota": connection.quota,
            "keepAlive": connection.keep_alive,
        }
        self._front.write(json_frame(Say.KNOWN, self.channel, identity))

    def _grant(self, topic: str) -> None:
        self._introduce()
        self._front.write(frame(Say.GRANT, self.channel, topic.encode()))

    def write(self, data: bytes) -> None:
        if data:
            self._front.write(frame(Say.BYTES, self.channel, data))

    def free(self) -> int:
        return -1

    def finish(self) -> None:
        self._front.write(frame(Say.CLOSE, self.channel))

    def abort(self) -> None:
        self._front.write(frame(Say.CLOSE, self.channel, b"\1"))

    def read_or_wait(self) -> None:
        """Whether it is read is its front's affair: see `Fronts.hold`."""


class _Front(asyncio.Protocol):
    """One life of one front."""

    def __init__(self, server: MqttServer, taker: Taker, changed: Callable[[], None]) -> None:
        self.server = server
        self.taker = taker
        self.is_settled = False
        self.is_holding = False
        self.over = asyncio.Event()
        self._changed = changed
        self._frames = Frames()
        self._remotes: dict[int, Remote] = {}
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        for remote in list(self._remotes.values()):
            self.server.lost(remote)
        self._remotes.clear()
        self.over.set()

    def pause_writing(self) -> None:
        for remote in self._remotes.values():
            remote.connection.is_paused = True

    def resume_writing(self) -> None:
        for remote in list(self._remotes.values()):
            remote.connection.resume_writing()

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        for what, channel, value in self._frames.feed(data):
            if what == Say.OPENED:
                remote = Remote(self, channel, value.decode())
                self._remotes[channel] = remote
                self.server.opened(remote)
            elif what == Say.WRITTEN:
                file, offset, since = read_written(value)
                self.taker.written(Place(file, offset), since)
            elif what == Say.SETTLED:
                self.taker.then(self._settle)
            elif what == Say.LOST:
                self.taker.then(partial(self._lost, channel))
            elif (found := self._remotes.get(channel)) is not None:
                self._hear(found, what, value)

    def _hear(self, remote: Remote, what: int, value: bytes) -> None:
        connection = remote.connection
        match what:
            case Say.PASSED:
                self.taker.then(partial(remote.receive, value))
            case Say.URGENT:
                remote.receive(value)
            case Say.FULL:
                connection.is_paused = True
            case Say.ROOM:
                connection.resume_writing()
            case Say.SILENT:
                broker = self.server.broker
                broker.counters.keep_alive_timeouts += 1
                broker.end(connection, "timeout", Reason.KEEP_ALIVE_TIMEOUT)

    def _lost(self, channel: int) -> None:
        remote = self._remotes.pop(channel, None)
        if remote is not None:
            self.server.lost(remote)

    def _settle(self) -> None:
        self.is_settled = True
        self._changed()

    def hold_or_go(self, is_wanted: bool) -> None:
        if is_wanted != self.is_holding:
            self.is_holding = is_wanted
            self.write(frame(Say.HOLD if is_wanted else Say.GO))

    def end(self) -> None:
        self._transport.close()


class Fronts:
    """All fronts, and the spools that earlier ones left.

    Args:
        server: whose connections they hold.
        data: the data folder.
        count: so many processes; 0 only takes over what earlier ones left.
        restore: makes a principal of what stands in a spool.
    """

    def __init__(self, server: MqttServer, data: Path, count: int, restore: Restore) -> None:
        self.count = count
        self.restarts = 0
        self.listening: list[Listening] = []
        self._server = server
        self._data = data
        self._restore = restore
        self._fronts: list[_Front] = []
        self._takers: list[Taker] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._number = 0
        self._is_closing = False
        self._is_congested = False

    def listen(self, host: str, port: int, files: tuple[Path, Path] | None) -> tuple[str, int]:
        """One more address, with the files of its TLS; returns it with the port that was taken.

        Raises:
            OSError: the port is taken, or the address is not ours.
        """
        sockets = bind(host, port, self.count)
        self.listening.append(Listening(sockets, *map(str, files or ("", ""))))
        found = sockets[0].getsockname()
        return str(found[0]), int(found[1])

    # -- what the server asks --------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Bytes acknowledged and not taken over."""
        return sum(taker.waiting for taker in self._takers)

    @property
    def is_idle(self) -> bool:
        is_settled = all(front.is_settled for front in self._fronts) or not self._is_closing
        return is_settled and all(taker.is_idle or taker.has_failed for taker in self._takers)

    def waits_since(self) -> int:
        return min((t.waits_since for t in self._takers if t.waits_since), default=0)

    def hold(self, is_congested: bool) -> None:
        """Reads nobody while the server takes nothing more."""
        self._is_congested = is_congested
        for front in self._fronts:
            self._hold_or_go(front)

    def _hold_or_go(self, front: _Front) -> None:
        most = self._server.limits.undurable_bytes
        waiting = front.taker.waiting
        is_much = waiting > most or (front.is_holding and waiting * 2 > most)
        front.hold_or_go(self._is_congested or is_much)

    def _changed(self) -> None:
        for front in self._fronts:
            self._hold_or_go(front)
        self._server.wake()

    # -- start and end ---------------------------------------------------------------------------

    async def inherit(self) -> None:
        """Takes over what the fronts of an earlier process left."""
        found = spool.folders(self._data)
        self._number = int(found[-1].name) if found else 0
        for folder in found:
            await self._inherit(folder)

    async def start(self) -> None:
        """Starts as many as wanted, on all that is listened to.

        Raises:
            OSError: one cannot be started.
        """
        for one in self.listening:
            for sock in one.sockets:
                sock.listen(_BACKLOG)
        for place in range(self.count):
            ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._keepers.append(asyncio.ensure_future(self._keep(place, ready)))
            await ready

    async def _inherit(self, folder: Path) -> None:
        kept = Spool(folder)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, kept.await_writer)
        over = asyncio.Event()
        taker = self._taker(kept, over.set)
        taker.rest()
        while not (taker.is_idle or taker.has_failed):
            over.clear()
            await over.wait()
        if taker.is_idle:
            self._drop(taker)
        else:
            self._keepers.append(asyncio.ensure_future(self._drained(taker, over)))

    def _taker(self, kept: Spool, changed: Callable[[], None]) -> Taker:
        later = cast(Any, asyncio.get_running_loop().call_later)
        taker = Taker(kept, self._server.broker, self._restore, later, changed)
        self._takers.append(taker)
        return taker

    async def _drained(self, taker: Taker, changed: asyncio.Event) -> None:
        while not taker.is_idle:
            changed.clear()
            await changed.wait()
        self._drop(taker)

    def _drop(self, taker: Taker) -> None:
        self._takers.remove(taker)
        taker.spool.delete()
        self._server.wake()

    async def _keep(self, place: int, ready: asyncio.Future[None]) -> None:
        """Keeps one front alive."""
        loop = asyncio.get_running_loop()
        wait = _AGAIN_SECONDS
        while not self._is_closing:
            began = loop.time()
            try:
                await self._live(place, ready)
            except OSError as error:
                if not ready.done():
                    ready.set_exception(error)
                    return
                _log.error("a front cannot be started: %s", error)
            if self._is_closing:
                return
            self.restarts += 1
            is_well = loop.time() - began > _LONG_LIFE
            wait = _AGAIN_SECONDS if is_well else min(2 * wait, _LONGEST_AGAIN)
            _log.error("an MQTT front ended; the next is started in %.1f s", wait)
            await asyncio.sleep(wait)

    async def _live(self, place: int, ready: asyncio.Future[None]) -> None:
        self._number += 1
        folder = self._data / spool.FOLDER / f"{self._number:08}"
        folder.mkdir(mode=0o700, parents=True)
        changed = asyncio.Event()

        def told() -> None:
            changed.set()
            self._changed()

        taker = self._taker(Spool(folder), told)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setblocking(False)
        inherited = [one.sockets[place] for one in self.listening]
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "gemel.connect.mqtt.front",
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                pass_fds=[theirs.fileno(), *(one.fileno() for one in inherited)],
            )
        loop = asyncio.get_running_loop()
        _, front = await loop.create_unix_connection(
            lambda: _Front(self._server, taker, told), sock=ours
        )
        front.write(json_frame(Say.BEGIN, 0, self._settings(folder, inherited)))
        self._fronts.append(front)
        self._hold_or_go(front)
        if not ready.done():
            ready.set_result(None)
        await front.over.wait()
        await _ended(process)
        self._fronts.remove(front)
        if not self._is_closing:
            taker.rest()
            self._keepers.append(asyncio.ensure_future(self._drained(taker, changed)))

    def _settings(self, folder: Path, inherited: list[socket.socket]) -> dict[str, Any]:
        limits = self._server.limits
        listeners = [
            {"fd": sock.fileno(), "certificate": one.certificate, "key": one.key}
            for sock, one in zip(inherited, self.listening, strict=True)
        ]
        return {
            "folder": str(folder),
            "listeners": listeners,
            "writeBytes": limits.write_bytes,
            "packetBytes": limits.packet_bytes,
            "greetingBytes": limits.greeting_bytes,
            "greetingSeconds": limits.greeting_seconds,
        }

    def stop(self) -> None:
        """Takes nothing more in; `is_idle` once all that was acknowledged is taken over."""
        self._is_closing = True
        for front in self._fronts:
            front.write(frame(Say.STOP))

    async def close(self) -> None:
        """Ends the processes; what could not be taken over stays in its spool."""
        self._is_closing = True
        done = [f.taker for f in self._fronts if f.is_settled and f.taker.is_idle]
        for front in list(self._fronts):
            front.end()
        if self._keepers:
            await asyncio.wait(self._keepers, timeout=_END_SECONDS)
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for taker in list(self._takers):
            if taker in done:
                self._drop(taker)
            else:
                taker.spool.close()
        for one in self.listening:
            for sock in one.sockets:
                sock.close()


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Waits for a front that lost its link: it ends by itself."""
    try:
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
