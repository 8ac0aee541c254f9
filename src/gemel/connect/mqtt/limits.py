"""What one client may cost the server; every queue has an end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _may_be_repeated(_topic: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Limits:
    """Units: bytes, seconds, messages."""

    connections: int = 10_000
    packet_bytes: int = 4 * 1024 * 1024
    greeting_seconds: float = 5.0
    """A connection without a valid CONNECT is closed after this long ..."""
    greeting_bytes: int = 64 * 1024
    """... or this much."""
    undurable_bytes: int = 64 * 1024 * 1024
    """Received and not yet durable; beyond this, no socket is read until half of it is durable."""
    handed_bytes: int = 4 * 1024 * 1024
    """Of these, so many are with the host at once; the others wait for their turn."""
    behind_seconds: float = 5.0
    """QoS 0 messages that have waited longer are dropped; and, the oldest first, what is beyond
    `undurable_bytes` once so much has waited for longer."""
    receive_maximum: int = 10_000
    """QoS 1 and 2 messages of one MQTT 5 client that may be unacknowledged."""
    topic_aliases: int = 64
    queue_messages: int = 10_000
    """QoS 1 and 2 messages waiting for one session; then the oldest is dropped and counted."""
    queue_bytes: int = 16 * 1024 * 1024
    """The same in bytes; QoS 0 messages for a slow subscriber have such a queue of their own."""
    write_bytes: int = 1024 * 1024
    """Unsent bytes at which a subscriber counts as slow."""
    inflight: int = 100
    """QoS 1 and 2 messages sent and unacknowledged to a client that names no receive maximum."""
    subscriptions: int = 1_000
    retained: int = 100_000
    retained_bytes: int = 64 * 1024 * 1024
    sessions: int = 100_000
    session_seconds: int = 7 * 86_400
    """The longest a session is kept without a connection."""
    never_twice: Callable[[str], bool] = _may_be_repeated
    """Topics whose messages are not sent again to a client that was lost before it confirmed."""
    keep_alive_seconds: int = 0
    """The longest keep alive (MQTT 5 clients are told); 0 leaves it to the client."""

    def __post_init__(self) -> None:
        if not 1 <= self.queue_messages <= 60_000:
            raise ValueError("queue_messages must be 1 to 60,000: packet identifiers have 16 bits")
        if not 1 <= self.receive_maximum <= 65_535 or not 0 <= self.topic_aliases <= 65_535:
            raise ValueError("receive_maximum and topic_aliases have 16 bits")
