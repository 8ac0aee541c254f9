"""What CoAP clients may cost the server; every table and queue has an end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Units: bytes, seconds, messages. Beyond a limit the answer is 5.03 with Max-Age."""

    endpoints: int = 100_000
    """Addresses that have shown a valid token within EXCHANGE_LIFETIME."""
    exchanges: int = 500_000
    """Messages remembered so that their repeats are known; when there are more, those that are
    older than MAX_TRANSMIT_SPAN are forgotten."""
    undurable_bytes: int = 64 * 1024 * 1024
    """Received and not yet durable."""
    behind_seconds: float = 5.0
    """How long the oldest message may have waited to be durable."""
    payload_bytes: int = 1024 * 1024
    """Of one message, block by block."""
    assembling_bytes: int = 32 * 1024 * 1024
    """Of all payloads that are not complete."""
    assemblies_each: int = 4
    """Payloads that one address sends at a time."""
    observers: int = 20_000
    observers_each: int = 64
    commands: int = 100
    """That wait for one observer while it has not confirmed the ones before."""
    outgoing: int = 50_000
    """Messages of ours that wait for their confirmation."""
    plans: int = 100_000
    """Requests whose options were understood, kept for when the same come again."""
    moment_seconds: float = 0.5
    """What takes longer is confirmed with an empty message, and answered by one of its own."""
    notify_seconds: float = 1.0
    """Between two notifications of values to one observer."""
    confirm_seconds: float = 60.0
    """A notification must be confirmed when the last confirmation is older."""
    quiet_seconds: float = 120.0
    """After so long without a confirmation an observer is sent one more, to see if it is there."""
    retry_seconds: int = 5
    """Told with 5.03 as Max-Age."""


MESSAGE_COST = 250
"""Bytes that a message takes beside its payload while it waits."""
