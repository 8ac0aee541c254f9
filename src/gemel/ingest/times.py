"""Times as devices write them: ISO 8601, or an epoch whose unit its size tells."""

from __future__ import annotations

import re
from decimal import Decimal

from gemel.core.clock import SECOND, from_iso
from gemel.core.errors import InvalidInput

TIME_NAMES = ("time", "timestamp", "ts", "t")
"""Names that carry the time of the values beside them, the first found wins."""
OWN_TIME = "$time"
"""Comes before all others, and no property or binding takes it: in what we put together."""

SECONDS_END = 10**11
MILLIS_END = 10**14
MICROS_END = 10**17
NANOS_END = 2**63
EARLIEST_T_NS = 10**17
"""A number called `t` before this moment (1973) is a value (a temperature), not a time."""

NO_TIME = -1
_NUMBER = re.compile(r"-?\d{1,19}(\.\d{1,20})?")
_ISO = re.compile(r"\d{4}-?\d\d-?\d\d.{0,40}", re.ASCII)


def read_time(raw: object) -> int | None:
    """Reads a time to ns since 1970 UTC.

    Shapes: below 1e11 is seconds (until the year 5138), below 1e14 ms, below 1e17 us, else ns.

    Returns:
        None if it is no time, lies before 1970, or cannot be expressed in 64 bits.
    """
    kind = type(raw)
    if kind is int:
        found = _from_integer(raw)  # type: ignore[arg-type]
    elif kind is float:
        found = _from_fraction(raw)  # type: ignore[arg-type]
    elif kind is str:
        found = _from_text(raw)  # type: ignore[arg-type]
    else:
        return None
    return found if 0 <= found < NANOS_END else None


def _from_integer(raw: int) -> int:
    if raw < SECONDS_END:
        return raw * SECOND
    if raw < MILLIS_END:
        return raw * 1_000_000
    return raw * 1_000 if raw < MICROS_END else raw


def _from_fraction(raw: float) -> int:
    """A float64 of today's seconds or milliseconds resolves 0.24 us, so it is read to the us."""
    if not 0 <= raw < NANOS_END:
        return NO_TIME
    whole = int(raw)
    rest = raw - whole
    if raw < SECONDS_END:
        return whole * SECOND + round(rest * 1e6) * 1_000
    if raw < MILLIS_END:
        return whole * 1_000_000 + round(rest * 1e3) * 1_000
    return whole * 1_000 if raw < MICROS_END else whole


def _from_text(raw: str) -> int:
    text = raw.strip()
    if _NUMBER.fullmatch(text):
        return _from_decimal(Decimal(text)) if "." in text else _from_integer(int(text))
    if not _ISO.fullmatch(text):
        return NO_TIME
    try:
        return from_iso(text)
    except (InvalidInput, OverflowError):
        return NO_TIME


def _from_decimal(number: Decimal) -> int:
    if number < SECONDS_END:
        return int(number * SECOND)
    if number < MILLIS_END:
        return int(number * 1_000_000)
    return int(number * 1_000) if number < MICROS_END else int(number)
