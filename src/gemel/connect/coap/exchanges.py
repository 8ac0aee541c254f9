"""What was answered to whom: a message that comes again is the same message, not another."""

from __future__ import annotations

from collections import deque
from itertools import islice

from gemel.connect.coap.words import EXCHANGE_LIFETIME, MAX_TRANSMIT_SPAN

PENDING = b""
"""Stands for an answer that is not there yet, and for none at all."""


class Exchanges:
    """Answers by (endpoint, message number), for as long as these mean one message.

    Args:
        most: how many are remembered.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._answers: dict[int, bytes] = {}
        """In the order of their receipt."""
        self._marks: deque[tuple[float, int]] = deque()
        """(moment, how many had been added by then)."""
        self._added = 0
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._answers)

    def find(self, key: int) -> bytes | None:
        """The answer to repeat; `PENDING` if a repeat gets none (now), None for a new message."""
        return self._answers.get(key)

    def add(self, key: int, now: float) -> bool:
        """Remembers a new message; False where there is no room."""
        if len(self._answers) >= self._most and not self._make_room(now):
            return False
        self._answers[key] = PENDING
        self._added += 1
        return True

    def answered(self, key: int, answer: bytes) -> None:
        """What a repeat gets from now on."""
        if key in self._answers:
            self._answers[key] = answer

    def mark(self, now: float) -> None:
        """Call once a second or so: forgets what is over."""
        self._marks.append((now, self._added))
        self._drop(now - EXCHANGE_LIFETIME)

    def _make_room(self, now: float) -> bool:
        self._drop(now - MAX_TRANSMIT_SPAN)
        return len(self._answers) < self._most

    def _drop(self, before: float) -> None:
        upto = self._dropped
        while self._marks and self._marks[0][0] <= before:
            upto = self._marks.popleft()[1]
        for key in list(islice(self._answers, upto - self._dropped)):
            del self._answers[key]
        self._dropped = upto
