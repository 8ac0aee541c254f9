"""The addresses that have shown a valid token lately, and the numbers of messages to them."""

from __future__ import annotations

import random

from gemel.connect.coap.outgoing import Address
from gemel.connect.coap.words import EXCHANGE_LIFETIME


class Endpoint:
    __slots__ = ("_next", "number", "seen")

    def __init__(self, number: int, first: int) -> None:
        self.number = number
        """Never given twice."""
        self._next = first
        self.seen = 0.0

    def message_number(self) -> int:
        """For the next message to it."""
        self._next = (self._next + 1) & 0xFFFF
        return self._next


class Endpoints:
    """Known addresses.

    Args:
        most: how many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[Address, Endpoint] = {}
        self._given = 0
        self._random = random.Random()

    def __len__(self) -> int:
        return len(self._known)

    def find(self, address: Address) -> Endpoint | None:
        return self._known.get(address)

    def get(self, address: Address, now: float) -> Endpoint | None:
        """The endpoint of an address; None where there is no room for one more."""
        found = self._known.get(address)
        if found is None:
            if len(self._known) >= self._most:
                return None
            self._given += 1
            found = Endpoint(self._given, self._random.getrandbits(16))
            self._known[address] = found
        found.seen = now
        return found

    def any_number(self) -> int:
        """For an answer to somebody who is not known."""
        return self._random.getrandbits(16)

    def expire(self, now: float, is_needed: set[Address]) -> None:
        """Forgets who was silent for so long that its message numbers mean others."""
        before = now - EXCHANGE_LIFETIME
        over = [a for a, e in self._known.items() if e.seen < before and a not in is_needed]
        for address in over:
            del self._known[address]
