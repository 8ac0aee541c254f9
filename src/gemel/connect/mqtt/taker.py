"""Takes over what a front has acknowledged: from its spool to the host, in order.

One call is with the host at a time; while it is made durable, what comes is gathered for the next.
What the host cannot store for now stays in the spool and is given again: it is acknowledged.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from gemel.connect.mqtt.broker import Broker
from gemel.connect.mqtt.codec import Decoder, topic_at
from gemel.connect.mqtt.fields import decode_topic
from gemel.connect.mqtt.packets import ProtocolError, Publish
from gemel.connect.mqtt.session import Session
from gemel.connect.mqtt.spool import IDENTITY, PACKETS, Place, Record, Spool
from gemel.core import fast
from gemel.core.access import Principal
from gemel.core.errors import Unavailable
from gemel.core.message import Message

_log = logging.getLogger("gemel.mqtt")
ENOUGH_BYTES = 1 << 20
"""So much is given to the host at once."""
GATHER_NS = 10_000_000
RETRY_SECONDS = 1.0
_MOST_TOPICS = 65_536
_UNBOUND = 1 << 62

Restore = Callable[[str, str, tuple[str, ...]], Principal]
"""The principal of this name, role and twins, as policies narrow it now."""


class Later(Protocol):
    def __call__(self, seconds: float, call: Callable[[], None], /) -> object: ...


@dataclass(slots=True)
class Origin:
    """Who sent what stands in the spool under a channel."""

    who: Principal
    is_five: bool
    session: Session | None = None


@dataclass(slots=True)
class _Range:
    begin: Place
    end: Place
    since: int

    @property
    def size(self) -> int:
        return self.end.offset - self.begin.offset


@dataclass(slots=True)
class _Load:
    """One call of the host."""

    end: Place
    since: int
    bytes: int = 0
    messages: fast.Messages = field(default_factory=fast.Messages)
    runs: list[tuple[Session | None, int, int]] = field(default_factory=list)
    packets: dict[int, Publish] = field(default_factory=dict)
    """Of what was not scanned, by place among the messages."""

    def each(self) -> Iterator[tuple[Session | None, Publish]]:
        for session, first, count in self.runs:
            for index in range(first, first + count):
                packet = self.packets.get(index)
                yield session, packet or Publish(*self.messages.packet(index))


class Taker:
    """What lies between one spool and the host.

    Args:
        spool: what is read.
        broker: whose host takes it, and whose subscribers get it.
        restore: makes a principal of what stands in the spool.
        later: calls back on the loop.
        changed: called when something was taken over, or could not be.
    """

    def __init__(
        self,
        spool: Spool,
        broker: Broker,
        restore: Restore,
        later: Later,
        changed: Callable[[], None],
    ) -> None:
        self.spool = spool
        self.origins: dict[int, Origin] = {}
        """By channel; of those of an earlier process, as they stand in the spool."""
        self.waiting = 0
        """Bytes that are not taken over."""
        self.has_failed = False
        self._broker = broker
        self._restore = restore
        self._later = later
        self._changed = changed
        self._queue: deque[_Range | Record | Callable[[], None]] = deque()
        self._end = Place(0, 0)
        self._load: _Load | None = None
        self._began = 0
        self._is_due = False
        self._calls = 0
        """Of the queue, those that wait for what stands before them: nothing is gathered then."""
        self._topics: dict[bytes, str] = {}

    @property
    def is_idle(self) -> bool:
        return self._load is None and not self._queue

    @property
    def waits_since(self) -> int:
        """When the oldest message was received that is not taken over; 0 if there is none."""
        if self._load is not None and self._load.since:
            return self._load.since
        first = next((one for one in self._queue if not callable(one)), None)
        if isinstance(first, Record):
            return first.entries[0].received
        return first.since if first is not None else 0

    def written(self, end: Place, since: int) -> None:
        """The spool is durable up to a place."""
        begin = self._end if self._end.file == end.file else Place(end.file, 8)
        self._end = end
        last = self._queue[-1] if self._queue else None
        if isinstance(last, _Range) and last.end == begin and last.size < ENOUGH_BYTES:
            last.end = end  # one read for many small records
        else:
            self._queue.append(_Range(begin, end, since))
        self.waiting += end.offset - begin.offset
        self.advance()

    def then(self, call: Callable[[], None]) -> None:
        """Calls when all that came before is with the host."""
        if self._queue:
            self._queue.append(call)
            self._calls += 1
            self.advance()
        else:
            call()

    def rest(self) -> None:
        """Takes all that is in the spool, whatever was said about it: its front is gone."""
        known = self._end
        if not known.file:
            known = self.spool.taken()
            for entry in self.spool.identities(known):
                self.origins[entry.channel] = self._origin(entry.data)
        for record in self.spool.rest(known):
            self._queue.append(record)
            self._end = record.end
            self.waiting += record.end.offset - record.begin.offset
        self.advance()

    # -- to the host ---------------------------------------------------------------------------

    def advance(self) -> None:
        """Gives the host the next call, if there is none and enough waits, or for long enough."""
        while self._load is None and self._queue:
            if callable(self._queue[0]):
                call = self._queue.popleft()
                assert callable(call)
                self._calls -= 1
                call()
                continue
            now = self._broker.clock()
            is_little = self.waiting < ENOUGH_BYTES and not self._calls
            if is_little and 0 <= now - self._began < GATHER_NS:
                if not self._is_due:
                    self._is_due = True
                    self._later((GATHER_NS - (now - self._began)) / 1e9, self._gathered)
                return
            self._began = now
            self._give(self._next())

    def _gathered(self) -> None:
        self._is_due = False
        self.advance()

    def _next(self) -> _Load:
        load = _Load(self._end, self.waits_since)
        self._load = load
        while self._queue and not callable(self._queue[0]) and load.bytes < ENOUGH_BYTES:
            one = self._queue.popleft()
            assert not callable(one)
            load.bytes += one.end.offset - one.begin.offset
            load.end = one.end
            for record in [one] if isinstance(one, Record) else self._records(one):
                self._read(record, load)
        self._tell_holes()
        return load

    def _records(self, some: _Range) -> list[Record]:
        try:
            return list(self.spool.read(some.begin, some.end))
        except OSError as error:  # nothing brings it back, and what follows must not wait for it
            _log.error(
                "%d bytes that were acknowledged are lost, their spool was deleted or fails: %s",
                some.size,
                error,
            )
            return []

    def _tell_holes(self) -> None:
        for hole in self.spool.holes:
            if not hole.is_torn_tail:
                place = self.spool.folder / hole.file
                _log.error("%s is damaged: %d bytes at %d", place, hole.length, hole.offset)
        self.spool.holes.clear()

    def _read(self, record: Record, load: _Load) -> None:
        counters = self._broker.counters
        for entry in record.entries:
            if entry.kind == IDENTITY and entry.channel not in self.origins:
                self.origins[entry.channel] = self._origin(entry.data)
            elif entry.kind == PACKETS:
                origin = self.origins.get(entry.channel)
                if origin is None:  # who it was stood in what is damaged
                    place = self.spool.folder / f"{record.begin.file:08}.log"
                    _log.error("%s: nobody's messages at %d", place, record.begin.offset)
                    continue
                first = len(load.messages)
                self._scan(load, origin, entry.data, entry.received)
                count = len(load.messages) - first
                load.runs.append((origin.session, first, count))
                counters.received_messages += count
                counters.received_bytes += len(entry.data)

    def _origin(self, data: bytes) -> Origin:
        found = json.loads(data)
        who = self._restore(found["name"], found["role"], tuple(found["twins"]))
        return Origin(who, found["five"], self._broker.sessions.get(found["session"]))

    def _scan(self, load: _Load, origin: Origin, data: bytes, received: int) -> None:
        messages, topics = load.messages, self._topics
        if len(topics) >= _MOST_TOPICS:
            topics.clear()
        at = 0
        while fast.IS_COMPILED and at < len(data):
            at, _, _ = fast.scan(
                messages,
                data,
                at,
                origin.is_five,
                self._broker.limits.packet_bytes,
                topics,
                _UNBOUND,
                origin.who,
                received,
            )
            topic = topic_at(data, at)
            if not topic or topic in topics:
                break
            topics[topic] = decode_topic(topic)
        if at < len(data):
            self._parse(load, origin, data[at:], received)

    def _parse(self, load: _Load, origin: Origin, data: bytes, received: int) -> None:
        """The same in Python, and for what was kept by an earlier version's rules."""
        decoder = Decoder(5 if origin.is_five else 4)
        try:
            packets = decoder.parse(data)
        except ProtocolError as error:
            _log.error("%s holds what is not MQTT: %s", self.spool.folder, error)
            packets = error.packets
        for packet in packets:
            if isinstance(packet, Publish):
                load.packets[len(load.messages)] = packet
                load.messages.append(Message(packet.topic, packet.payload, received, origin.who))

    def _give(self, load: _Load) -> None:
        def done(error: Exception | None) -> None:
            if isinstance(error, Unavailable):
                if not self.has_failed:
                    self.has_failed = True
                    _log.error("what fronts acknowledged waits in the spool: %s", error)
                self._later(RETRY_SECONDS, again)
                self._changed()
                return
            if error is not None:
                self._broker.counters.internal_errors += 1
                _log.error("what a front acknowledged could not be taken in: %s", error)
            self.has_failed = False
            self._durable(load)

        def again() -> None:
            if not load.messages:
                done(None)
                return
            try:
                self._broker.host.accept(load.messages, done)
            except Exception as error:  # noqa: BLE001 - as the inbox: what is wrong is said once
                done(error)

        again()

    def _durable(self, load: _Load) -> None:
        """It is stored: subscribers get it, and the spool need not keep it."""
        broker = self._broker
        if broker.routes:
            now = broker.clock()
            for session, packet in load.each():
                broker.route(session, packet, now)
        broker.journal.then(lambda _: self._taken(load))
        broker.wake()

    def _taken(self, load: _Load) -> None:
        self._load = None
        self.waiting -= load.bytes
        try:
            self.spool.take(load.end)
        except OSError as error:
            _log.error("%s: %s", self.spool.folder, error)
        self._changed()
        self.advance()
