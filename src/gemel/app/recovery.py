"""Restart: state is the last checkpoint plus the log after it; replay applies and sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gemel.app.platform import Platform


def rebuild(platform: Platform) -> None:
    """Brings state and rules to where they were when the last reading became durable."""
    blobs = platform.history.checkpoints()
    if "state" in blobs:
        platform.state.restore(blobs["state"])
        platform.reactions.restore(blobs)
    for batch in platform.history.replay():
        platform.state.apply(batch)
        platform.reactions.replay(batch)
    _recall_presence(platform)


def _recall_presence(platform: Platform) -> None:
    """When each twin was last heard of: the newest receipt among its series."""
    state = platform.state
    seen: dict[str, int] = {}
    for number, received in enumerate(state.received.tolist()):
        if received:
            twin = platform.series.keys[number].twin
            seen[twin] = max(seen.get(twin, 0), received)
    platform.presence.seen(seen)


def checkpoint(platform: Platform) -> dict[str, bytes]:
    """The state after everything that was applied so far."""
    return {"state": platform.state.snapshot(), **platform.reactions.snapshot()}
