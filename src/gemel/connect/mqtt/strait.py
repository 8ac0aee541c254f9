"""Between the main process and a front: frames over a socket pair, in both directions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import IntEnum
from struct import Struct
from typing import Any

_head = Struct("<IBI")
_written = Struct("<QQq")


class Say(IntEnum):
    """What a frame says; the first group comes from a front, the second from the main process."""

    OPENED = 1
    """A client has connected; the data is its address."""
    PASSED = 2
    """Packets of a client, after all that was written before."""
    URGENT = 3
    """Packets of a client that need not wait for what was written before."""
    LOST = 4
    """The client's socket is closed."""
    FULL = 5
    """The client reads too slowly."""
    ROOM = 6
    """It has read what there was."""
    SILENT = 7
    """The keep-alive is over."""
    WRITTEN = 8
    """The spool is durable up to a place, and acknowledged; with the oldest receipt in it."""
    SETTLED = 9
    """Nothing more comes: the answer to STOP."""

    BEGIN = 32
    """How to work, as JSON."""
    BYTES = 33
    """For a client."""
    CLOSE = 34
    """Close the client's socket once it has its bytes; with data, at once."""
    KNOWN = 35
    """Who a client is, as JSON."""
    GRANT = 36
    """A topic that the front may keep for itself, of this client."""
    HOLD = 37
    """Read from no client."""
    GO = 38
    STOP = 39
    """Take nothing more in, finish what is under way."""


def frame(say: Say, channel: int = 0, data: bytes = b"") -> bytes:
    return _head.pack(len(data), say, channel) + data


def json_frame(say: Say, channel: int, value: Any) -> bytes:
    return frame(say, channel, json.dumps(value).encode())


def written(file: int, offset: int, since: int) -> bytes:
    return frame(Say.WRITTEN, 0, _written.pack(file, offset, since))


def read_written(data: bytes) -> tuple[int, int, int]:
    file, offset, since = _written.unpack(data)
    return file, offset, since


class Frames:
    """Cuts a stream into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """The frames that are whole now: (what, channel, data)."""
        buffer = self._buffer
        buffer += data
        at = 0
        found = []
        while at + _head.size <= len(buffer):
            size, say, channel = _head.unpack_from(buffer, at)
            end = at + _head.size + size
            if end > len(buffer):
                break
            found.append((say, channel, bytes(buffer[at + _head.size : end])))
            at = end
        del buffer[:at]
        return iter(found)
