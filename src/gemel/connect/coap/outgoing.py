"""Messages of ours that must be confirmed: sent again until they are, five times in all."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Any

from gemel.connect.coap.words import ACK_RANDOM_FACTOR, ACK_TIMEOUT, MAX_RETRANSMIT

Address = tuple[Any, ...]
"""As the socket gives it."""
Place = tuple[Address, int]
"""Where it went, and its number."""
Ended = Callable[[str], None]
"""Called with "confirmed", "rejected" or "timeout"."""


@dataclass(slots=True)
class _Message:
    data: bytes
    ended: Ended
    timeout: float
    left: int = MAX_RETRANSMIT


class Outgoing:
    """What is under way.

    Args:
        send: writes one datagram.
        most: how many at once.
    """

    def __init__(self, send: Callable[[bytes, Address], None], most: int) -> None:
        self._send = send
        self._most = most
        self._messages: dict[Place, _Message] = {}
        self._due: list[tuple[float, int, Place]] = []
        self._order = count()
        self._random = random.Random()

    def __len__(self) -> int:
        return len(self._messages)

    def start(self, data: bytes, address: Address, now: float, ended: Ended) -> None:
        """Sends a message until it is confirmed; `ended` is told how that went.

        Where too many are under way it is not sent, and ends as if nobody had answered.
        """
        place = (address, data[2] << 8 | data[3])
        if len(self._messages) >= self._most or place in self._messages:
            ended("timeout")
            return
        timeout = ACK_TIMEOUT * self._random.uniform(1.0, ACK_RANDOM_FACTOR)
        self._messages[place] = _Message(data, ended, timeout)
        heappush(self._due, (now + timeout, next(self._order), place))
        self._send(data, address)

    def answered(self, address: Address, number: int, how: str) -> bool:
        """An ACK or RST came; whether it is for one of these."""
        message = self._messages.pop((address, number), None)
        if message is None:
            return False
        message.ended(how)
        return True

    def tick(self, now: float) -> None:
        """Sends again what is due, and gives up what was sent often enough."""
        while self._due and self._due[0][0] <= now:
            _, _, place = heappop(self._due)
            message = self._messages.get(place)
            if message is None:
                continue
            if not message.left:
                del self._messages[place]
                message.ended("timeout")
                continue
            message.left -= 1
            message.timeout *= 2
            heappush(self._due, (now + message.timeout, next(self._order), place))
            self._send(message.data, place[0])
