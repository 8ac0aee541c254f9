"""A client's socket in the server's own process; all it decides is when to read."""

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

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.lost(self)

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
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def write(self, data: bytes) -> None:
        if data and not self.transport.is_closing():
            self.transport.write(data)
            most = 4 * self._server.limits.write_bytes
            if not self.is_full and self.transport.get_write_buffer_size() > most:
                self.is_full = True
                self.read_or_wait()

    def finish(self) -> None:
        """Closes the socket once its last bytes are sent, or after a while."""
        if not self.transport.is_closing():
            self.transport.close()
            self._server.later(LINGER, self.transport.abort)

    def abort(self) -> None:
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
