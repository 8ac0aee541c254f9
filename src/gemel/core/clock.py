"""The only module that asks the operating system what time it is; all else is given a `Clock`."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from gemel.core.errors import InvalidInput

Clock = Callable[[], int]
"""Returns now as int nanoseconds since 1970 UTC."""

SECOND = 1_000_000_000
LAST = (1 << 63) - 1
"""The last moment that 64 bits of ns can tell, in 2262."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def system_clock() -> int:
    return time.time_ns()


class FakeClock:
    """A clock that tests set by hand."""

    def __init__(self, now: int = 1_700_000_000 * SECOND) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> int:
        self.now += round(seconds * SECOND)
        return self.now


def to_iso(ns: int) -> str:
    """ISO 8601 in UTC with as many fraction digits as needed (none, 3, 6 or 9)."""
    seconds, rest = divmod(ns, SECOND)
    text = (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    if rest == 0:
        return text + "Z"
    digits = f"{rest:09d}"
    if digits.endswith("000000"):
        digits = digits[:3]
    elif digits.endswith("000"):
        digits = digits[:6]
    return f"{text}.{digits}Z"


def from_iso(text: str) -> int:
    """Reads ISO 8601 (with offset, or taken as UTC) to nanoseconds, keeping 9 fraction digits.

    Raises:
        InvalidInput: the text is no ISO 8601 time.
    """
    head, dot, tail = text.partition(".")
    extra = 0
    try:
        if dot:
            count = 0
            while count < len(tail) and tail[count].isdigit():
                count += 1
            extra = int((tail[:count] + "000000000")[:9])
            head += tail[count:]
        moment = datetime.fromisoformat(head)
    except ValueError as error:
        raise InvalidInput(
            f"'{text}' is not an ISO 8601 time", hint="write it like 2026-11-22T10:00:00Z"
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND + extra


def is_expressible(time: int) -> bool:
    """Whether a moment, and what lies around it, stays within 64 bits of ns: 1824 to 2116."""
    return -(1 << 62) < time < 1 << 62
