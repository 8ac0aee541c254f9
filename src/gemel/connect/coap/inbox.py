"""The way inside and back: messages of many datagrams in one call, answered when it is over.

While one call is being made durable, what comes meanwhile waits and becomes the next: the more
comes, the more share one sync.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from gemel.connect.coap.codec import Options
from gemel.connect.coap.limits import MESSAGE_COST, Limits
from gemel.connect.coap.outgoing import Address
from gemel.connect.coap.words import CON
from gemel.core.clock import SECOND
from gemel.core.message import Message
from gemel.core.ports import Host

MOST_BYTES = 4 * 1024 * 1024
"""Of one call, and of all that are with the host at once."""


class Waiting(NamedTuple):
    """Who waits for an answer."""

    address: Address
    kind: int
    """CON or NON."""
    head: bytes
    """Message number and token, as they came."""
    key: int
    """For `Exchanges`."""
    options: Options
    """Of the answer."""
    since: float


class Batch:
    """What is handed over in one call."""

    __slots__ = ("messages", "received", "size", "told", "waiting")

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.waiting: list[Waiting] = []
        self.size = 0
        self.told = 0
        """How many were told that the answer comes later."""
        self.received = 0
        """When the first came, ns."""

    def add(self, message: Message, waiting: Waiting) -> int:
        size = len(message.payload) + MESSAGE_COST
        if not self.messages:
            self.received = message.received
        self.messages.append(message)
        self.waiting.append(waiting)
        self.size += size
        return size


class Inbox:
    """What is not durable yet.

    Args:
        host: the platform.
        limits: how much may wait.
        answer: called with a batch and None, or why it could not be stored.
    """

    def __init__(
        self, host: Host, limits: Limits, answer: Callable[[Batch, Exception | None], None]
    ) -> None:
        self.undurable = 0
        """Bytes, with what they cost beside."""
        self._host = host
        self._limits = limits
        self._answer = answer
        self._gathering = Batch()
        self._full: deque[Batch] = deque()
        self._handed: list[Batch] = []
        self._out = 0

    @property
    def is_idle(self) -> bool:
        return not self._handed and not self._full and not self._gathering.messages

    def is_behind(self, now: int) -> bool:
        """Whether the oldest message waits for longer than it may.

        Args:
            now: wall clock, ns.
        """
        since = self.waits_since
        return since > 0 and now - since > self._limits.behind_seconds * SECOND

    @property
    def waits_since(self) -> int:
        """When the oldest message came that is not durable (ns); 0 without any."""
        return min((batch.received for batch in self._batches() if batch.received), default=0)

    def _batches(self) -> Iterator[Batch]:
        yield from self._handed
        yield from self._full
        yield self._gathering

    def add(self, message: Message, waiting: Waiting) -> None:
        """Takes one message; it goes with the next `flush`."""
        batch = self._gathering
        self.undurable += batch.add(message, waiting)
        if batch.size >= MOST_BYTES:
            self._full.append(batch)
            self._gathering = Batch()

    def hurry(self, message: Message, waiting: Waiting) -> None:
        """Hands one message over before all that waits."""
        batch = Batch()
        self.undurable += batch.add(message, waiting)
        self._hand_over(batch)

    def flush(self) -> None:
        """Hands over what waits, if nothing is being made durable."""
        while self._full and not self._out:
            self._hand_over(self._full.popleft())
        if self._gathering.messages and not self._out and not self._full:
            batch, self._gathering = self._gathering, Batch()
            self._hand_over(batch)

    def _hand_over(self, batch: Batch) -> None:
        self._handed.append(batch)
        self._out += 1
        done = partial(self._done, batch)
        try:
            self._host.accept(batch.messages, done)
        except Exception as error:  # noqa: BLE001 - whatever is raised inside, devices are told
            done(error)

    def _done(self, batch: Batch, error: Exception | None) -> None:
        if batch not in self._handed:
            return
        self._handed.remove(batch)
        self._out -= 1
        self.undurable -= batch.size
        try:
            self._answer(batch, error)
        finally:
            self.flush()

    def late(self, now: float) -> Iterator[Waiting]:
        """Those who have waited for more than a moment and were not told; they count as told."""
        before = now - self._limits.moment_seconds
        for batch in self._batches():
            waiting = batch.waiting
            while batch.told < len(waiting) and waiting[batch.told].since <= before:
                one = waiting[batch.told]
                batch.told += 1
                if one.kind == CON:
                    yield one
