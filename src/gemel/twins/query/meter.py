"""Counts the work of a query, so that it pauses often and ends at last."""

from __future__ import annotations

from gemel.core.errors import InvalidInput

MOST_STEPS = 3_000_000
PAUSE_STEPS = 400
"""Steps between pauses: about two milliseconds."""
TOO_LONG = "TimeoutError"


def too_long(what: str) -> InvalidInput:
    return InvalidInput(
        f"the query {what}",
        hint="name a twin with $dtId = '...', name relationships, or use fewer hops",
        code=TOO_LONG,
    )


class Meter:
    def __init__(self, most: int = MOST_STEPS) -> None:
        self.steps = 0
        self._most = most
        self._pause_at = PAUSE_STEPS
        self._ticks = 0

    def spend(self, steps: int = 1) -> bool:
        """Counts steps; true when it is time to pause.

        Raises:
            InvalidInput: the query has taken more steps than any may.
        """
        self.steps += steps
        if self.steps < self._pause_at:
            return False
        if self.steps > self._most:
            raise too_long(f"takes more than {self._most:,} steps")
        self._pause_at = self.steps + PAUSE_STEPS
        return True

    def tick(self) -> bool:
        """Work that later queries are spared: no charge, but pauses."""
        self._ticks += 1
        return self._ticks % PAUSE_STEPS == 0

    @property
    def charge(self) -> float:
        """What the query cost, as the header `query-charge` says."""
        return round(1 + self.steps / 1000, 2)
