"""What sessions must not forget: rows gathered for one commit, and the row formats.

Tables: `session` (who, subscriptions, expiry), `message` (queued or in flight to a subscriber),
`received` (QoS 2 packet identifiers taken in and not released), `retained`.
Rows of one table and key gathered before a commit fold into the last one.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import Any

import orjson

from gemel.connect.mqtt.codec import Decoder, encode_publish
from gemel.connect.mqtt.packets import ProtocolError, Publish
from gemel.core.errors import Damaged

Row = tuple[str, str, bytes | None]
Waiter = Callable[[Exception | None], None]

_HEAD = Struct(">QB")


class MemorySessions:
    """`MqttSessions` without a file: sessions end with the process."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], bytes] = {}

    def load(self) -> Iterable[tuple[str, str, bytes]]:
        return [(table, key, value) for (table, key), value in self.rows.items()]

    def commit(self, rows: Sequence[Row]) -> None:
        for table, key, value in rows:
            if value is None:
                self.rows.pop((table, key), None)
            else:
                self.rows[table, key] = value


class Journal:
    """Gathers rows and whoever waits for them to be durable; does no I/O itself.

    Whoever runs it calls `take` when `is_due`, commits, and calls `finished`. Waiters are called
    in the order in which they came, whether rows of theirs are pending or not.

    Args:
        wake: called when there is something to take.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._rows: dict[tuple[str, str], bytes | None] = {}
        self._fresh: set[tuple[str, str]] = set()
        self._waiters: list[Waiter] = []
        self._taken: tuple[dict[tuple[str, str], bytes | None], set[tuple[str, str]]] | None = None
        self._taken_waiters: list[Waiter] = []
        self.has_failed = False
        self.commits = 0
        self.failures = 0

    def put(self, table: str, key: str, value: bytes) -> None:
        self._rows[table, key] = value
        self._wake()

    def insert(self, table: str, key: str, value: bytes) -> None:
        """As `put`, for a key that was never used before."""
        self._rows[table, key] = value
        self._fresh.add((table, key))
        self._wake()

    def delete(self, table: str, key: str) -> None:
        if (table, key) in self._fresh:
            self._fresh.discard((table, key))
            del self._rows[table, key]
        else:
            self._rows[table, key] = None
            self._wake()

    def then(self, waiter: Waiter) -> None:
        """Calls `waiter` when all rows so far are durable: at once when nothing is pending."""
        if self._rows or self._taken is not None:
            self._waiters.append(waiter)
            self._wake()
        else:
            waiter(None)

    @property
    def is_idle(self) -> bool:
        return not self._rows and self._taken is None and not self._waiters

    @property
    def is_due(self) -> bool:
        if self._taken is not None or not (self._rows or self._waiters):
            return False
        return bool(self._waiters) or not self.has_failed

    def take(self) -> list[Row]:
        """The rows of the next commit; exactly one `finished` must follow."""
        self._taken = (self._rows, self._fresh)
        self._taken_waiters = self._waiters
        self._rows, self._fresh, self._waiters = {}, set(), []
        return [(table, key, value) for (table, key), value in self._taken[0].items()]

    def finished(self, error: Exception | None) -> None:
        """The commit ended; after an error its rows are kept and tried again with the next."""
        taken, waiters = self._taken, self._taken_waiters
        self._taken, self._taken_waiters = None, []
        self.has_failed = error is not None
        if error is None:
            self.commits += 1
        elif taken is not None:
            self.failures += 1
            self._restore(*taken)
        for waiter in waiters:
            waiter(error)

    def _restore(
        self, rows: dict[tuple[str, str], bytes | None], fresh: set[tuple[str, str]]
    ) -> None:
        later = self._rows
        # A key that never reached the disk and is deleted by now needs no row at all.
        gone = {key for key in fresh if key in later and later[key] is None}
        self._rows = {k: v for k, v in (rows | later).items() if k not in gone}
        self._fresh |= fresh - gone


def encode_message(
    topic: str,
    payload: bytes,
    flags: int,
    packet_id: int,
    properties: dict[int, Any] | None,
    expires: int = 0,
    state: int = 0,
) -> bytes:
    """A message as a row: expiry (ns, 0 never), state, then an MQTT 5 PUBLISH packet."""
    return _HEAD.pack(expires, state) + encode_publish(
        5, topic, payload, flags, packet_id, properties
    )


def decode_message(value: bytes) -> tuple[Publish, int, int]:
    """The message of a row, its expiry and its state.

    Raises:
        Damaged: the row is not what `encode_message` wrote.
    """
    try:
        expires, state = _HEAD.unpack_from(value)
        (packet,) = Decoder(5).feed(value[_HEAD.size :])
    except (ProtocolError, ValueError, StructError) as error:
        raise Damaged("a stored MQTT message cannot be read") from error
    if not isinstance(packet, Publish):
        raise Damaged("a stored MQTT message is another packet")
    return packet, expires, state


def encode_json(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value)


def decode_json(value: bytes) -> dict[str, Any]:
    try:
        decoded = orjson.loads(value)
    except ValueError as error:
        raise Damaged("a stored MQTT session cannot be read") from error
    if not isinstance(decoded, dict):
        raise Damaged("a stored MQTT session is no JSON object")
    return decoded


def to_text(value: bytes) -> str:
    return b64encode(value).decode()


def from_text(value: str) -> bytes:
    try:
        return b64decode(value, validate=True)
    except ValueError as error:
        raise Damaged("a stored MQTT message is no base64") from error
