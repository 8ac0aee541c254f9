"""The way inside: messages of all connections, handed to the host in one call a turn.

More than the host can take waits here, with a bound: QoS 0 messages are shed oldest first (the host
is told, and keeps a record of the gap); QoS 1 and 2 are held back by not reading their sockets.
What is urgent passes by all that waits.

Once the host says they are durable they are routed to subscribers, the rows that sessions need are
committed, and only then are they acknowledged: in order, one write for each connection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from struct import Struct
from typing import TYPE_CHECKING

from gemel.connect.mqtt.codec import encode_ack
from gemel.connect.mqtt.connection import (
    ACCEPTED,
    KNOWN,
    MESSAGE_COST,
    PROMPT_NS,
    REPEATED,
    SCANNED,
    WILL,
    Connection,
    Run,
)
from gemel.connect.mqtt.journal import Journal
from gemel.connect.mqtt.packets import Kind, Properties, Property, Publish, Reason
from gemel.connect.mqtt.session import Session
from gemel.core import fast
from gemel.core.clock import SECOND
from gemel.core.errors import Forbidden, InvalidInput, NotAuthenticated, Unavailable
from gemel.core.message import Message
from gemel.core.ports import Host

if TYPE_CHECKING:
    from gemel.connect.mqtt.broker import Broker

Entry = tuple[Connection | Session, Publish | Run, int]
"""(origin, packet, status): a `Session` is the origin of its will."""

_puback = Struct(">BBH").pack
_run = tuple.__new__
ENOUGH_BYTES = 512 * 1024
"""So much is handed over at once: what follows is quickest with columns that fit into a cache."""
GATHER_NS = 30_000_000
"""So long after the last call at most, what nobody waits for is gathered for the next one."""
PATIENCE_NS = 5_000_000
"""So long at most, those who wait for an acknowledgement wait for others like them."""


@dataclass(slots=True)
class _Urgent:
    """What became of a message that was handed over at once."""

    is_done: bool = False
    error: Exception | None = None


@dataclass(slots=True)
class _Batch:
    entries: list[Entry]
    messages: fast.Messages
    size: int
    since: int
    """When its first message was received."""
    urgent: list[_Urgent]
    is_thin: bool = False
    """Nothing in it may be shed."""
    is_done: bool = False
    error: Exception | None = None
    handed: int = 0
    """When the host was given it."""
    acks: dict[Connection, list[bytes]] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        return self.is_done and all(one.is_done for one in self.urgent)

    def thin(self) -> list[Message]:
        """Takes its QoS 0 messages out, but those that are retained, and returns them."""
        self.is_thin = True
        entries: list[Entry] = []
        messages = fast.Messages()
        out: list[Message] = []
        place = 0
        for origin, packet, status in self.entries:
            if isinstance(packet, Run):
                place = packet.first + packet.size
                span = range(packet.first, place)
                if not packet.acks:
                    out += [self.messages[index] for index in span]
                    continue
                for index in span:
                    single = Publish(*self.messages.packet(index))
                    if single.flags & 6:
                        entries.append((origin, single, ACCEPTED))
                        messages.append(self.messages[index])
                    else:
                        out.append(self.messages[index])
                continue
            if status > WILL:
                entries.append((origin, packet, status))
                continue
            if status == ACCEPTED and not packet.flags & 7:
                out.append(self.messages[place])
            else:
                entries.append((origin, packet, status))
                messages.append(self.messages[place])
            place += 1
        self.entries, self.messages = entries, messages
        return out

    def each(self) -> Iterator[tuple[Connection | Session, Publish, int]]:
        """All entries, with a packet for each message of a run."""
        for origin, packet, status in self.entries:
            if isinstance(packet, Run):
                for index in range(packet.first, packet.first + packet.size):
                    yield origin, Publish(*self.messages.packet(index)), ACCEPTED
            else:
                yield origin, packet, status


class Inbox:
    def __init__(self, host: Host, journal: Journal, broker: Broker) -> None:
        self.messages = fast.Messages()
        self.entries: list[Entry] = []
        self.in_runs = 0
        """Messages beyond one an entry, ever."""
        self.undurable = 0
        """Bytes received whose acknowledgement was not given yet."""
        self._batch_size = 0
        self._bytes = 0
        self._since = 0
        self._flushed = 0
        """When something was last handed over."""
        self.is_awaited = False
        """Whether what was received since holds up a client."""
        self._is_gathering = False
        """Whether `flush` is called again in time without being asked to."""
        self._expected = 0
        """Clients that were just acknowledged, and likely send at once as they did before."""
        self._patience = 0
        """When they are waited for no more."""
        self._urgent: list[_Urgent] = []
        self._waiting: deque[_Batch] = deque()
        self._full_since = 0
        """Since when too much has waited, or has again before all of it had its turn; 0: not."""
        self._handed = 0
        self._batches: deque[_Batch] = deque()
        """Handed over, in their order."""
        self._host = host
        self._journal = journal
        self._broker = broker

    @property
    def is_idle(self) -> bool:
        return not self._batches and not self._waiting and not self.entries

    @property
    def count(self) -> int:
        """Messages received, but for some that were handed over; it grows with each."""
        return len(self.entries) + self.in_runs

    @property
    def is_congested(self) -> bool:
        return self.undurable > self._broker.limits.undurable_bytes

    @property
    def waits_since(self) -> int:
        """When the oldest message that is not handed over was received; 0 if there is none."""
        return self._waiting[0].since if self._waiting else self._since

    def held(self, size: int, cost: int = 0, *, awaited: int = 0) -> None:
        """So many bytes came in that are not durable yet, and what they cost in memory beside.

        `awaited`: how many of their clients send no more before they have acknowledgements.
        """
        if not self._since:
            self._since = self._broker.clock()
        self.is_awaited |= awaited > 0
        self._expected -= awaited
        self._bytes += size
        self._batch_size += size + cost
        self.undurable += size + cost
        if self._bytes >= ENOUGH_BYTES:
            self.flush()
        if awaited or not self._is_gathering or self.is_congested:
            self._broker.wake()

    def ran(self, runs: list[tuple[Connection, int, int, bytes]], size: int, now: int) -> None:
        """Plain messages of several connections came in: (whose, first, how many, PUBACKs).

        Args:
            runs: as `direct.Direct.receive` gives them.
            size: bytes of all.
            now: the moment of receipt.
        """
        entries = self.entries
        count = awaited = 0
        for connection, first, length, acks in runs:
            entries.append((connection, _run(Run, (first, length, acks)), SCANNED))
            count += length
            connection.is_prompt = now - connection.acknowledged < PROMPT_NS
            awaited += connection.is_prompt
        self.in_runs += count - len(runs)
        self._broker.counters.received_messages += count
        self._broker.counters.received_bytes += size
        self.held(size, MESSAGE_COST * count, awaited=awaited)

    def flush(self, *, may_gather: bool = True) -> int:
        """Hands what was received since the last call to the host, in one call.

        While that call's forerunner is being made durable, little waits, and nor does it so soon
        after it that more will come of what nobody waits for: one call for what many devices send
        costs a fraction of many calls.

        Returns:
            In how many ns to call again at the latest, for what is gathered; 0 for nothing.
        """
        is_free = not self._batches and not self._waiting
        if self.entries and is_free and may_gather and (gathers := self._gathers()):
            self._is_gathering = True
            return gathers
        self._is_gathering = False
        if self.entries and (is_free or self._bytes >= ENOUGH_BYTES or self._is_behind()):
            self._flushed, self.is_awaited = self._broker.clock(), False
            batch = _Batch(self.entries, self.messages, self._batch_size, self._since, self._urgent)
            self._waiting.append(batch)
            self.entries, self.messages, self._urgent = [], fast.Messages(), []
            self._batch_size = self._bytes = self._since = 0
        self._hand_over()
        if self._waiting:
            self._shed()
        else:
            self._full_since = 0
        return 0

    def _gathers(self) -> int:
        """How long (ns) what came waits for more; 0 after a pause, or where clients wait.

        Clients that each send one message and wait for its acknowledgement wait for one another
        first, half as long as the last call took: one call for all of them costs little more than
        the two or more into which they would fall for good.
        """
        is_more = self._bytes < ENOUGH_BYTES and not self.is_congested
        if self._urgent or not is_more:
            return 0
        now = self._broker.clock()
        if self.is_awaited:
            return max(0, self._patience - now) if self._expected > 0 else 0
        passed = now - self._flushed
        return GATHER_NS - passed if 0 <= passed < GATHER_NS else 0

    def hurry(self, message: Message) -> None:
        """Hands one message to the host before all that waits.

        The caller adds its entry, so that it is acknowledged in its turn.
        """
        one = _Urgent()
        self._urgent.append(one)
        self._broker.counters.hurried += 1

        def done(error: Exception | None) -> None:
            if not one.is_done:
                one.is_done, one.error = True, error
                self._advance()

        try:
            self._host.accept([message], done)
        except Exception as error:  # noqa: BLE001 - as in `_hand_over`
            done(error)

    def _hand_over(self) -> None:
        """Gives the host what it may have at once; the loop turns before it gets more."""
        while self._waiting and self._handed < self._broker.limits.handed_bytes:
            batch = self._waiting.popleft()
            batch.handed = self._broker.clock()
            self._batches.append(batch)
            self._handed += batch.size
            if not batch.messages:
                self._done(batch, None)
                continue
            try:
                self._host.accept(batch.messages, partial(self._done, batch))
            except Exception as error:  # noqa: BLE001 - whatever is raised inside, devices are told
                self._done(batch, error)

    def _shed(self) -> None:
        """Drops QoS 0 messages that wait too long, the oldest first.

        And where too much waits for that long: a burst is only held back, as QoS 1 is.
        """
        eldest = self._eldest()
        if self.is_congested and not self._full_since:
            self._full_since = self._broker.clock()
        is_lasting = 0 < self._full_since < eldest
        for batch in self._waiting:
            if batch.since >= eldest and not (is_lasting and self.is_congested):
                return
            if batch.is_thin:
                continue
            out = batch.thin()
            if not out:
                continue
            size = sum(len(m.payload) + len(m.topic) + MESSAGE_COST for m in out)
            size = min(size, batch.size) if batch.entries else batch.size
            batch.size -= size
            self.undurable -= size
            self._broker.counters.shed += len(out)
            self._host.lost(out, "behind")

    def _is_behind(self) -> bool:
        """Whether what was just received would be shed if it waited."""
        return self.is_congested or self._since < self._eldest()

    def _eldest(self) -> int:
        return self._broker.clock() - round(self._broker.limits.behind_seconds * SECOND)

    def _done(self, batch: _Batch, error: Exception | None) -> None:
        if batch.is_done:
            return
        batch.is_done, batch.error = True, error
        self._handed -= batch.size
        self._advance()

    def _advance(self) -> None:
        """Finishes what is over, in the order of receipt."""
        while self._batches and self._batches[0].is_over:
            self._finish(self._batches.popleft())
        self._broker.wake()

    def _finish(self, batch: _Batch) -> None:
        now = self._broker.clock()
        error = batch.error or next((one.error for one in batch.urgent if one.error), None)
        if error is None:
            self._settle(batch, now)
        else:
            self._reject(batch, error)
            if batch.error is not None and (lost := batch.thin()):
                self._host.lost(lost, "refused")
        self._journal.then(lambda error: self._acknowledge(batch, error))

    def _settle(self, batch: _Batch, now: int) -> None:
        """Routes what is durable and makes the acknowledgements."""
        broker = self._broker
        is_routing = bool(broker.routes)
        last: Connection | Session | None = None
        acks: list[bytes] = []
        for origin, packet, status in batch.each() if is_routing else batch.entries:
            if isinstance(packet, Run):
                assert isinstance(origin, Connection)
                if packet.acks:
                    batch.acks.setdefault(origin, []).append(packet.acks)
                continue
            flags = packet[0]
            if status < KNOWN and (is_routing or flags & 1):
                broker.route(origin, packet, now)
            if not flags & 6 or status == WILL:
                continue
            if origin is not last:
                assert isinstance(origin, Connection)
                last, acks = origin, batch.acks.setdefault(origin, [])
            if flags & 6 == 2 and not status:
                acks.append(_puback(0x40, 2, packet[2]))
            else:
                acks.append(self._answer(origin, packet, status))

    def _answer(self, origin: Connection | Session, packet: Publish, status: int) -> bytes:
        """PUBACK or PUBREC; nothing for a refusal that MQTT 3.1.1 cannot express."""
        assert isinstance(origin, Connection)
        reason = status if status >= Reason.UNSPECIFIED else 0
        if packet.qos == 2 and not reason:
            reason = self._received(origin, packet.packet_id, status)
        if reason and origin.version != 5:
            return b""
        kind = Kind.PUBACK if packet.qos == 1 else Kind.PUBREC
        return encode_ack(origin.version, kind, packet.packet_id, reason)

    def _received(self, origin: Connection, packet_id: int, status: int) -> int:
        """A QoS 2 message is durable; from now on its identifier stands for it."""
        session = origin.session
        assert session is not None
        if status == KNOWN:
            return 0
        if status == REPEATED:
            # If what it repeats was refused meanwhile, the client must send it once more.
            return 0 if packet_id in session.received else Reason.UNSPECIFIED
        session.receiving.discard(packet_id)
        session.received.add(packet_id)
        if session.is_persistent:
            self._journal.put("received", session.received_key(packet_id), b"")
        return 0

    def _reject(self, batch: _Batch, error: Exception) -> None:
        reason = reason_of(error)
        for origin, packet, status in batch.each():
            if status < KNOWN:
                self._broker.counters.refused_accept += 1
            if not packet.qos or status == WILL or not isinstance(origin, Connection):
                continue
            if packet.qos == 2 and origin.session is not None:
                origin.session.receiving.discard(packet.packet_id)
            kind = Kind.PUBACK if packet.qos == 1 else Kind.PUBREC
            values: Properties | None = None
            if origin.wants_problems:
                values = {Property.REASON_STRING: str(error)[:200]}
            data = b""
            if origin.version == 5:
                data = encode_ack(5, kind, packet.packet_id, reason, values)
            batch.acks.setdefault(origin, []).append(data)

    def _acknowledge(self, batch: _Batch, error: Exception | None) -> None:
        """The last step: one write for each connection, or the end of it."""
        self.undurable -= batch.size
        now = self._broker.clock()
        self._expected = 0
        self._patience = now + min((now - batch.handed) // 2, PATIENCE_NS)
        for connection, acks in batch.acks.items():
            if connection.is_closing:
                continue
            if error is not None and connection.version == 5:
                connection.say_goodbye(Reason.UNSPECIFIED, "a session could not be stored")
            if error is not None:
                self._broker.end(connection, "refused")
                continue
            if b"" in acks:
                connection.write(b"".join(acks[: acks.index(b"")]))
                self._broker.end(connection, "refused")
                continue
            connection.acknowledged = now
            self._expected += connection.is_prompt
            if connection.version == 5:
                connection.unacknowledged = max(0, connection.unacknowledged - _freed(acks))
            connection.write(b"".join(acks))
        self._broker.wake()


def _freed(acks: list[bytes]) -> int:
    """How many of these acknowledgements give the client its send quota back."""
    count = 0
    for ack in acks:
        if ack[1] == 2:  # one without a reason, or a run of such
            count += len(ack) // 4 if ack[0] == Kind.PUBACK << 4 else 0
        elif ack[0] == Kind.PUBACK << 4 or ack[4] >= 128:
            count += 1
    return count


def reason_of(error: Exception) -> int:
    """The MQTT 5 reason code of an error of the platform."""
    if isinstance(error, Unavailable):
        return Reason.QUOTA_EXCEEDED
    if isinstance(error, Forbidden | NotAuthenticated):
        return Reason.NOT_AUTHORIZED
    if isinstance(error, InvalidInput):
        return Reason.IMPLEMENTATION_SPECIFIC
    return Reason.UNSPECIFIED
