"""Plain TCP sockets of this process, read and written many at a time.

An epoll descriptor of their own tells of them. The event loop watches another that tells of this
one, once, and again when it is asked to: between that nothing wakes it. When it does one call reads
from all sockets that have something, and after a commit one call writes to all that are answered.
Their transports stay with the event loop, paused: they keep what a socket does not take at once,
and they close. Without the compiled part both calls are made in Python, with the same results.
"""

from __future__ import annotations

import os
import select
from typing import Generic, TypeVar

from gemel.core import fast

L = TypeVar("L", bound=fast.Line)
IS_HERE = hasattr(select, "epoll")
"""Whether the system can do it."""
AT_ONCE = 256
"""Sockets that one call reads."""
OF_ONE = 65_536
"""Bytes that it reads from each of them at the most ..."""
OF_ALL = 1 << 20
"""... and from all."""


class Direct(Generic[L]):
    """Whose sockets they are, by descriptor."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._gate = select.epoll()
        self._gate.register(self._poll, select.EPOLLIN | select.EPOLLONESHOT)
        self._owners: dict[int, L] = {}
        self._most = AT_ONCE

    def fileno(self) -> int:
        """It is readable when one of the sockets is, until `rest`, and again after `watch`."""
        return self._gate.fileno()

    def watch(self) -> None:
        self._gate.modify(self._poll, select.EPOLLIN | select.EPOLLONESHOT)

    def rest(self) -> None:
        self._gate.poll(0, 1)

    def add(self, descriptor: int, owner: L) -> None:
        self._owners[descriptor] = owner
        self._poll.register(descriptor, select.EPOLLIN)

    def remove(self, descriptor: int, owner: L) -> None:
        """Reads from it no more; it may be closed already, and its number another's."""
        if self._owners.get(descriptor) is owner:
            del self._owners[descriptor]
            try:
                self._poll.unregister(descriptor)
            except OSError:
                return  # closed: the system has taken it out

    def receive(
        self, messages: fast.Messages, now: int
    ) -> tuple[list[tuple[L, int, int, bytes]], list[tuple[L, bytes]], int]:
        """Reads what has come.

        Args:
            messages: receives the plain messages.
            now: the moment of receipt.

        Returns:
            (owner, place of the first message, how many, their PUBACKs) of messages that were
            taken; then (owner, what comes after them) where there is more, or what is not plain,
            no bytes where the other side has closed or the connection failed; then how many bytes
            the messages took. The twin in Python takes none: its callers do.
        """
        runs: list[tuple[L, int, int, bytes]] = []
        size = 0
        if fast.READS_MANY:
            poll = self._poll.fileno()
            runs, rests, size, is_full = fast.receive(poll, self._owners, messages, now, self._most)
        else:
            rests, is_full = plain_receive(self._poll, self._owners, self._most)
        # epoll puts those that it has told of behind all others. After a call that had no room for
        # some it is asked for no more than there is room for, so that all have their turn.
        self._most = OF_ALL // OF_ONE if is_full else AT_ONCE
        return runs, rests, size

    def close(self) -> None:
        self._gate.close()
        self._poll.close()
        self._owners.clear()


def transmit(pieces: list[tuple[int, bytes]]) -> list[tuple[int, int]]:
    """Writes to each descriptor what it takes at once.

    Returns:
        (place among the pieces, how many bytes were taken) of those that were not taken whole;
        what is wrong with a socket is found out by whoever writes the rest.
    """
    return fast.transmit(pieces) if fast.READS_MANY else plain_transmit(pieces)


def plain_receive(
    poll: select.epoll, owners: dict[int, L], most: int
) -> tuple[list[tuple[L, bytes]], bool]:
    found = []
    room = OF_ALL
    for descriptor, _ in poll.poll(0, most):
        owner = owners.get(descriptor)
        if owner is None or room < OF_ONE:
            continue
        try:
            data = os.read(descriptor, OF_ONE)
        except (BlockingIOError, InterruptedError):
            continue
        except OSError:
            data = b""
        room -= len(data)
        found.append((owner, data))
    return found, room < OF_ONE


def plain_transmit(pieces: list[tuple[int, bytes]]) -> list[tuple[int, int]]:
    left = []
    for place, (descriptor, data) in enumerate(pieces):
        try:
            sent = os.write(descriptor, data)
        except OSError:
            sent = 0
        if sent < len(data):
            left.append((place, sent))
    return left
