"""A client's socket in the server's own process; all it decides is when to read.

Its first bytes come by the event loop. What follows on plain TCP is read with other sockets'
(`direct`), where the system can do that.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, cast

from gemel.connect.mqtt.connection import Connection

if TYPE_CHECKING:
    from gemel.connect.mqtt.server import MqttServer

LINGER = 5.0
"""Seconds that a closed connection has to take its last bytes."""


class Socket(asyncio.Protocol):
    """One client's socket; all it decides is when to read."""

    def __init__(self, server: MqttServer) -> None:
        self._server = server
        self.transport: asyncio.Transport
        self.connection: Connection
        self.opened = 0.0
        self.is_reading = True
        self.is_full = False
        """The client does not read what it is sent: its own bytes must wait too."""
        self._descriptor = -1
        """Of the socket, once it is read and written directly."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        server = self._server
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so
        self.opened = server.time()
        peer = transport.get_extra_info("peername")
        self.connection = Connection(server.broker, str(peer))
        self.connection.seen = self.opened
        self.transport.set_write_buffer_limits(server.limits.write_bytes)
        keep_open(transport.get_extra_info("socket"))
        server.opened(self)

    def data_received(self, data: bytes) -> None:
        self._server.receive(self.connection, data)
        direct = self._server.direct
        if direct is None or not self.is_reading or self.transport.is_closing():
            return
        if self.transport.get_extra_info("ssl_object") is None:
            descriptor = self.transport.get_extra_info("socket").fileno()
            direct.add(descriptor, self.connection)
            self._descriptor = self.connection.free_descriptor = descriptor
            self.transport.pause_reading()

    def received(self, data: bytes) -> None:
        """As `data_received`, of what was read directly; no bytes at the end."""
        if data:
            self._server.receive(self.connection, data)
        else:
            self._forget()
            self.transport.close()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        self._server.lost(self)

    def _forget(self) -> None:
        """From now on nothing is read or written directly."""
        self.connection.free_descriptor = -1
        if self._descriptor >= 0:
            self._pause()
            self._descriptor = -1

    def _pause(self) -> None:
        if self._server.direct is not None:
            self._server.direct.remove(self._descriptor, self.connection)

    def pause_writing(self) -> None:
        self.connection.is_paused = True

    def resume_writing(self) -> None:
        self.connection.resume_writing()
        if self.is_full:
            self.is_full = False
            self.read_or_wait()

    def read_or_wait(self) -> None:
        """Reads from the socket unless there is a reason not to."""
        if self.transport.is_closing():
            return
        server = self._server
        wanted = not (self.is_full or server.is_congested or server.is_closing)
        if wanted == self.is_reading:
            return
        self.is_reading = wanted
        if wanted:
            self.connection.seen = server.time()
        if self._descriptor >= 0 and server.direct is not None:
            if wanted:
                server.direct.add(self._descriptor, self.connection)
            else:
                self._pause()
        elif wanted:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def free(self) -> int:
        """Where bytes may be written directly; -1 while the transport has some to write first."""
        transport = self.transport
        if self._descriptor >= 0 and not (
            transport.is_closing() or transport.get_write_buffer_size()
        ):
            self.connection.free_descriptor = self._descriptor
        return self.connection.free_descriptor

    def write(self, data: bytes) -> None:
        if data and not self.transport.is_closing():
            self.connection.free_descriptor = -1
            self.transport.write(data)
            most = 4 * self._server.limits.write_bytes
            if not self.is_full and self.transport.get_write_buffer_size() > most:
                self.is_full = True
                self.read_or_wait()
            if self.transport.is_closing():
                self._forget()

    def finish(self) -> None:
        """Closes the socket once its last bytes are sent, or after a while."""
        if not self.transport.is_closing():
            self._forget()
            self.transport.close()
            self._server.later(LINGER, self.transport.abort)

    def abort(self) -> None:
        self._forget()
        self.transport.abort()


def keep_open(sock: Any) -> None:
    """Lets the kernel find out about peers that vanished."""
    if sock is None:
        return
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
    except OSError:
        return  # a socket that is gone already is closed by its transport
