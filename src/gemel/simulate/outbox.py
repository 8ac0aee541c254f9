"""What a device has measured and the server has not yet confirmed: kept, sent in order, counted."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple, Protocol

from gemel.core.errors import GemelError

KEPT = 50_000
WINDOW = 64
PAUSE = 0.5
"""Seconds before what failed is tried again."""


class Publisher(Protocol):
    """The part of an MQTT client that an outbox needs."""

    def publish_nowait(
        self, topic: str, payload: bytes, qos: int = 1, retain: bool = False
    ) -> asyncio.Future[None]: ...


class Letter(NamedTuple):
    number: int
    topic: str
    payload: bytes


class Outbox:
    """Sends in order with at most `window` unconfirmed; without a link, keeps the newest `kept`.

    A message counts only when the server has confirmed it. What the server refuses for good is
    not sent again: it is counted in `refused`, and `refusal` says why.
    """

    def __init__(self, qos: int = 1, kept: int = KEPT, window: int = WINDOW) -> None:
        self._qos = qos
        self._window = window
        self._waiting: deque[Letter] = deque(maxlen=kept)
        self._failed: list[Letter] = []
        self._flying = 0
        self._count = 0
        self._client: Publisher | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._empty.set()
        self._room = asyncio.Event()
        self._room.set()
        self.acknowledged = 0
        self.dropped = 0
        self.refused = 0
        self.refusal: GemelError | None = None

    def __len__(self) -> int:
        return len(self._waiting) + len(self._failed) + self._flying

    def add(self, topic: str, payload: bytes) -> None:
        if len(self._waiting) == self._waiting.maxlen:
            self.dropped += 1  # the deque lets go of its oldest
        self._count += 1
        self._waiting.append(Letter(self._count, topic, payload))
        self._empty.clear()
        self._send()
        if len(self._waiting) >= self._window:
            self._room.clear()

    def open(self, client: Publisher) -> None:
        """The link is there: send through it."""
        self._client = client
        self._send()

    def shut(self) -> None:
        """The link is gone: keep everything that was not confirmed."""
        self._client = None
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    async def emptied(self) -> None:
        """Waits until everything is confirmed or refused."""
        await self._empty.wait()

    async def room(self) -> None:
        """Waits while as much is waiting as may be on its way: a reader must not run off."""
        await self._room.wait()

    def _send(self) -> None:
        if self._client is None or self._retry is not None:
            return
        self._take_back()
        while self._waiting and self._flying < self._window:
            letter = self._waiting.popleft()
            self._flying += 1
            future = self._client.publish_nowait(letter.topic, letter.payload, qos=self._qos)
            future.add_done_callback(lambda done, letter=letter: self._done(done, letter))  # type: ignore[misc]

    def _take_back(self) -> None:
        """Puts what failed back at the front, in its old order."""
        for letter in sorted(self._failed, reverse=True):
            if len(self._waiting) == self._waiting.maxlen:
                self.dropped += 1
            else:
                self._waiting.appendleft(letter)
        self._failed.clear()

    def _done(self, future: asyncio.Future[None], letter: Letter) -> None:
        self._flying -= 1
        error = None if future.cancelled() else future.exception()
        if future.cancelled() or (isinstance(error, GemelError) and error.retry):
            self._failed.append(letter)
            if self._client is not None and self._retry is None:
                self._retry = asyncio.get_running_loop().call_later(PAUSE, self._again)
            return
        if isinstance(error, GemelError):
            self.refused += 1
            self.refusal = error
        elif error is not None:
            raise error
        else:
            self.acknowledged += 1
        self._send()
        if len(self._waiting) < self._window:
            self._room.set()
        if not len(self):
            self._empty.set()

    def _again(self) -> None:
        self._retry = None
        self._send()
