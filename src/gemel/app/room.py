"""How far behind the installation is, and whether it takes more over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gemel.core.clock import SECOND
from gemel.core.errors import Overloaded

if TYPE_CHECKING:
    from gemel.app.platform import Platform

MOST_HELD = 256 << 20
"""Bytes of HTTP bodies that may wait to be durable; one body alone may be larger."""


class Room:
    """What waits to be taken in."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.held = 0
        """Bytes of bodies whose senders wait for an answer."""
        self.refused = 0
        """Requests answered with 429 since the start."""

    def behind(self) -> float:
        """Age in s of the oldest message that was received and does not count yet."""
        platform = self._platform
        now = platform.clock()
        oldest = platform.oldest_pending() or now
        return max(0, now - min(oldest, platform.mqtt_waits_since() or now)) / SECOND

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        """Counts a body while it is read and taken in.

        Raises:
            Overloaded: too much waits already.
        """
        behind = self.behind()
        if behind > self._platform.config.max_behind or (
            self.held and self.held + size > MOST_HELD
        ):
            self.refused += 1
            raise Overloaded(
                f"{self.held:,} bytes wait already, {behind:.1f} s behind; nothing was taken",
                hint="send it again in a few seconds, and more slowly",
            )
        self.held += size
        try:
            yield
        finally:
            self.held -= size
