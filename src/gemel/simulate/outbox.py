"""What a device has measured and the server has not yet confirmed: kept, sent in order, counted."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

KEPT = 50_000
WINDOW = 64


class Publisher(Protocol):
    """The part of an MQTT client that an outbox needs."""

    def publish_nowait(
        self, topic: str, payload: bytes, qos: int = 1, retain: bool = False
    ) -> asyncio.Future[None]: ...


class Outbox:
    """Sends in order with at most `WINDOW` unconfirmed; without a link, keeps the newest `KEPT`.

    A message counts as sent only when the server has confirmed it.
    """

    def __init__(self, qos: int = 1, kept: int = KEPT, window: int = WINDOW) -> None:
        self._qos = qos
        self._window = window
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=kept)
        self._flying = 0
        self._client: Publisher | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._empty.set()
        self._room = asyncio.Event()
        self._room.set()
        self.acknowledged = 0
        self.dropped = 0
        self.failures = 0

    def __len__(self) -> int:
        return len(self._waiting) + self._flying

    def add(self, topic: str, payload: bytes) -> None:
        if len(self._waiting) == self._waiting.maxlen:
            self.dropped += 1
        self._waiting.append((topic, payload))
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
        """Waits until everything is confirmed."""
        await self._empty.wait()

    async def room(self) -> None:
        """Waits while as much is waiting as may be on its way: a reader must not run off."""
        await self._room.wait()

    def _send(self) -> None:
        while self._client is not None and self._waiting and self._flying < self._window:
            topic, payload = self._waiting.popleft()
            self._flying += 1
            future = self._client.publish_nowait(topic, payload, qos=self._qos)
            future.add_done_callback(
                lambda done, topic=topic, payload=payload: self._done(done, topic, payload)  # type: ignore[misc]
            )

    def _done(self, future: asyncio.Future[None], topic: str, payload: bytes) -> None:
        self._flying -= 1
        if future.cancelled() or future.exception() is not None:
            self.failures += 1
            if len(self._waiting) == self._waiting.maxlen:
                self.dropped += 1
            else:
                self._waiting.appendleft((topic, payload))
            if self._client is not None and self._retry is None:
                self._retry = asyncio.get_running_loop().call_later(0.5, self._again)
            return
        self.acknowledged += 1
        self._send()
        if len(self._waiting) < self._window:
            self._room.set()
        if not self._waiting and not self._flying:
            self._empty.set()

    def _again(self) -> None:
        self._retry = None
        self._send()
