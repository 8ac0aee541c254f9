"""One connection of a load: bytes out, acknowledgements in, nothing that blocks."""

from __future__ import annotations

import socket
import ssl
import struct
from collections import deque
from dataclasses import dataclass

import numpy as np

from gemel.connect.mqtt.codec import Decoder, encode_connect
from gemel.connect.mqtt.packets import ConnAck, Connect
from gemel.core.errors import Unavailable
from gemel.load.frames import PACKET_IDS, Frames, packet_ids

READ = 262_144
CONNECT_SECONDS = 20
PUBACK = 0x40
WRITE = 262_144
"""At most so many bytes are handed to the system at once."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where to, and as whom."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    tls: ssl.SSLContext | None = None
    keep_alive: int = 0

    def open(self, client_id: str) -> socket.socket:
        """A connection whose CONNECT was accepted.

        Raises:
            Unavailable: it was not, with the reason.
        """
        try:
            made = socket.create_connection((self.host, self.port), CONNECT_SECONDS)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                made = self.tls.wrap_socket(made, server_hostname=self.host)
            made.sendall(encode_connect(self._connect(client_id)))
            packets: list[object] = []
            decoder = Decoder(4)
            while not packets:
                data = made.recv(4)
                if not data:
                    raise ConnectionResetError("it closed the connection")
                packets += decoder.feed(data)
        except OSError as error:
            raise Unavailable(
                f"no MQTT connection to {self.host}:{self.port}: {error}",
                hint="is the server running, and is it MQTT?",
            ) from error
        answer = packets[0]
        if not isinstance(answer, ConnAck) or answer.reason:
            made.close()
            reason = answer.reason if isinstance(answer, ConnAck) else answer
            raise Unavailable(
                f"{self.host}:{self.port} refused the connection (reason {reason})",
                hint="name a token that may write the devices, --token",
            )
        made.setblocking(False)
        return made

    def _connect(self, client_id: str) -> Connect:
        is_known = bool(self.user or self.password)
        return Connect(
            client_id,
            keep_alive=self.keep_alive,
            username=self.user or "load" if is_known else None,
            password=self.password.encode() if self.password else None,
        )


class Link:
    """Message numbers of one connection: `sent` were handed over, `acknowledged` came back."""

    def __init__(self, number: int, frames: Frames, ahead: int, qos: int) -> None:
        self.number = number
        self.sent = self.acknowledged = 0
        self.early: set[int] = set()
        """Acknowledged before one that was sent earlier."""
        self.marks: deque[tuple[int, float]] = deque()
        """(messages sent, when): for the times of acknowledgements."""
        self.socket: socket.socket | None = None
        self.rest: bytes | memoryview = b""
        self._frames = frames
        self._ahead = ahead
        self._qos = qos
        self._chunk = memoryview(b"")
        self._chunk_first = 0
        self._tail = b""

    def open(self, server: Server, client_id: str) -> None:
        """Connects; what was sent and not acknowledged is to be sent once more."""
        self.socket = server.open(client_id)
        if self._qos:
            self.sent = self.acknowledged
        self.rest, self._tail = b"", b""
        self.marks.clear()

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def prepare(self) -> None:
        """Makes the next packets."""
        self._chunk = memoryview(self._frames.chunk(self.number, self.sent, self._ahead))
        self._chunk_first = self.sent

    def send(self, until: int, is_apart: bool) -> bool:
        """Sends messages up to number `until`; false when the socket takes no more now.

        Args:
            until: the number after the last message.
            is_apart: each message in a packet of its own.
        """
        assert self.socket is not None
        length = self._frames.length
        most = length if is_apart else max(WRITE // length, 1) * length
        try:
            while self.rest:
                self.rest = self.rest[self.socket.send(self.rest) :]
            while self.sent < until:
                self._send_some(until, most)
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return False
        return True

    def _send_some(self, until: int, most: int) -> None:
        """Sends what is prepared of messages up to a number, at most so many bytes at once.

        The loop is all that a small message costs this program: the system has the rest.
        """
        assert self.socket is not None
        length, send, done = self._frames.length, self.socket.send, 0
        packets = self.packets(until)
        size = len(packets)
        try:
            while done < size:
                done += send(packets[done : done - done % length + most])
        finally:
            self.went(packets, done)

    def packets(self, until: int) -> memoryview:
        """Those that are prepared of the messages up to a number, one at the least."""
        length = self._frames.length
        at = (self.sent - self._chunk_first) * length
        if not 0 <= at < len(self._chunk):
            self.prepare()
            at = 0
        return self._chunk[at : (until - self._chunk_first) * length]

    def went(self, packets: memoryview, done: int) -> None:
        """So many bytes of packets were sent; the rest of one that was begun comes first."""
        length = self._frames.length
        begun = -(-done // length)
        self.sent += begun
        self.rest = packets[done : begun * length]

    def read(self) -> int:
        """Takes what came; how many more messages are acknowledged.

        Raises:
            OSError: the connection is over.
        """
        assert self.socket is not None
        before = self.acknowledged
        while True:
            try:
                data = self.socket.recv(READ)
            except (BlockingIOError, ssl.SSLWantReadError):
                break
            if not data:
                raise ConnectionResetError("the server closed the connection")
            self._take(data)
            if len(data) < READ and not isinstance(self.socket, ssl.SSLSocket):
                break
        return self.acknowledged - before

    def _take(self, data: bytes) -> None:
        if self._tail:
            data = self._tail + data
        count = len(data) // 4
        self._tail = data[count * 4 :]
        if count == 1 and not self.early:
            kind, _, packet = struct.unpack_from(">BBH", data)
            if kind == PUBACK and packet == self.acknowledged % PACKET_IDS + 1:
                self.acknowledged += 1
                return
        words = np.frombuffer(data, ">u4", count)
        expected = packet_ids(np.arange(self.acknowledged, self.acknowledged + count))
        if not self.early and (words == (PUBACK << 24 | 2 << 16 | expected)).all():
            self.acknowledged += count
            return
        for word in words.tolist():
            if word >> 24 != PUBACK:
                raise ConnectionResetError(f"the server sent {word >> 24:#x}, no PUBACK")
            ahead = ((word & 0xFFFF) - 1 - self.acknowledged) % PACKET_IDS
            self.early.add(self.acknowledged + ahead)
            while self.acknowledged in self.early:
                self.early.remove(self.acknowledged)
                self.acknowledged += 1
