"""One client's bytes at a front, without I/O: what the front keeps, and what it passes on.

A front keeps plain messages of topics that the main process has granted to the connection: it
stores and acknowledges them itself. All else goes to the main process as it is, packet by packet.
Acknowledgements keep the order of their messages, as MQTT wants it: while a message that was
passed on is not acknowledged, those that the front would keep wait.
"""

from __future__ import annotations

from typing import NamedTuple

from gemel.connect.mqtt.codec import topic_at
from gemel.core import fast
from gemel.core.access import SYSTEM

_MOST_TOPICS = 4_096
_UNBOUND = 1 << 62


class Step(NamedTuple):
    """What becomes of a stretch of bytes."""

    data: bytes
    is_kept: bool
    acks: bytes = b""
    """PUBACKs to give once it is durable; only of what is kept."""
    is_urgent: bool = False
    """It need not wait for what is kept before it."""


class Lane:
    """One connection's way through a front.

    Args:
        channel: the connection's number.
        most: bytes of a packet that are waited for; the main process tells who sends more.
    """

    def __init__(self, channel: int, most: int) -> None:
        self.channel = channel
        self.most = most
        self.is_five = False
        self.quota = _UNBOUND
        self.unanswered = 0
        """QoS 1 and 2 messages that were passed on and not acknowledged."""
        self.undurable = 0
        """QoS 1 messages that are kept and not acknowledged."""
        self.topics: dict[bytes, str] = {}
        self._waiting = b""
        self._is_through = False
        """All that comes is passed on, whatever it is: the main process ends the connection."""

    @property
    def waiting(self) -> int:
        """Bytes that are held back or no whole packet yet."""
        return len(self._waiting)

    def introduce(self, is_five: bool, quota: int, most: int) -> None:
        """The main process has accepted the connection."""
        self.is_five, self.quota, self.most = is_five, quota or _UNBOUND, most

    def grant(self, topic: bytes) -> None:
        if len(self.topics) >= _MOST_TOPICS:
            self.topics.clear()
        self.topics[topic] = topic.decode()

    def receive(self, data: bytes) -> list[Step]:
        """Takes bytes; called again without any when something was acknowledged or granted."""
        if self._waiting:
            data = self._waiting + data
        steps: list[Step] = []
        at, passed = 0, 0
        while at < len(data) and not self._is_through:
            if self.topics and not self.unanswered:
                end, acks = self._scan(data, at)
                if end > at:
                    self._pass(steps, data[passed:at])
                    steps.append(Step(data[at:end], True, acks))
                    self.undurable += len(acks) // 4
                    at = passed = end
                    continue
            end = packet_end(data, at)
            if end == 0:
                self._is_through = len(data) - at > self.most
                break
            if end < 0:
                self._is_through = True
                break
            if self._must_wait(data, at):
                break
            if data[at] & 0xF0 == 0x30 and data[at] & 6:
                self.unanswered += 1
            at = end
        if self._is_through:
            at = len(data)
        self._pass(steps, data[passed:at])
        self._waiting = data[at:]
        return steps

    def _must_wait(self, data: bytes, at: int) -> bool:
        topic = topic_at(data, at)
        if not topic or topic not in self.topics:
            return False
        return self.unanswered > 0 or self.undurable >= self.quota

    def _scan(self, data: bytes, at: int) -> tuple[int, bytes]:
        quota = self.quota - self.undurable
        if not fast.IS_COMPILED:
            return plain_scan(data, at, self.is_five, self.most, self.topics, quota)
        found = fast.Messages()
        scanned = fast.scan(found, data, at, self.is_five, self.most, self.topics, quota, SYSTEM, 0)
        return scanned[0], scanned[2]

    def _pass(self, steps: list[Step], data: bytes) -> None:
        if data:
            steps.append(Step(data, False, is_urgent=self._is_urgent(data)))

    def _is_urgent(self, data: bytes) -> bool:
        """Whether it is an answer to a command, or acknowledges one: somebody waits for it."""
        kind = data[0] >> 4
        if packet_end(data, 0) != len(data):
            return False
        if kind == 3:
            return b"/responses/" in topic_at(data, 0) and self.unanswered <= 1
        return kind in (4, 5, 6, 7, 12)

    def answered(self, data: bytes) -> bool:
        """Counts acknowledgements among what the main process sends; whether waiting may end."""
        if not self.unanswered:
            return False
        at = 0
        while at < len(data):
            if data[at] >> 4 in (4, 5):
                self.unanswered -= 1
            at = packet_end(data, at)
            if at <= 0:
                break
        self.unanswered = max(0, self.unanswered)
        return not self.unanswered and bool(self._waiting)


def packet_end(data: bytes, at: int) -> int:
    """Where the packet at a place ends; 0 when it is not whole, -1 when its length is none."""
    length = 0
    for place in range(4):
        here = at + 1 + place
        if here >= len(data):
            return 0
        byte = data[here]
        length |= (byte & 127) << 7 * place
        if byte < 128:
            end = here + 1 + length
            return end if end <= len(data) else 0
    return -1


def plain_scan(
    data: bytes, at: int, is_five: bool, most: int, topics: dict[bytes, str], quota: int
) -> tuple[int, bytes]:
    """What `core.fast.scan` finds, in Python: the end of the plain messages, and their PUBACKs."""
    acks = bytearray()
    while at < len(data):
        first, end = data[at], packet_end(data, at)
        if first not in (0x30, 0x32, 0x3A) or end <= 0:
            break
        if first != 0x30 and len(acks) // 4 >= quota:
            break
        here = at + 1
        while data[here] > 127:
            here += 1
        is_padded = here > at + 1 and data[here] == 0
        here += 1
        if is_padded or end - here > most or end - here < 2:
            break
        name = here + 2 + (data[here] << 8 | data[here + 1])
        if name > end or data[here + 2 : name] not in topics:
            break
        identifier = b""
        if first != 0x30:
            identifier, name = data[name : name + 2], name + 2
            if name > end or identifier == b"\0\0":
                break
        if is_five and (name >= end or data[name]):
            break
        if identifier:
            acks += b"\x40\x02" + identifier
        at = end
    return at, bytes(acks)
