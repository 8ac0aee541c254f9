"""What is asked of a property against what the device reports: settled, still to do, overruled.

Pure. A wish is pending until the device reports it; the delta that the device is told holds the
pending ones. When the device reports something else of its own accord, the rule of the property
says who wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gemel.commands.confirm import agrees
from gemel.core.clock import from_iso, to_iso
from gemel.core.document import Json

PENDING, SETTLED, OVERRULED = "pending", "settled", "overruled"
PLATFORM, DEVICE, NEWEST = RULES = ("platform", "device", "newest")
"""Who wins: the wish always; the device's own change always; whichever is newer by source time."""


def asked(value: Any, who: str, now: int, reported: Any, tolerance: float) -> Json:
    """A wish as it is stored, given what the device reports now (None: nothing yet)."""
    is_so = reported is not None and agrees(value, reported, tolerance)
    return {
        "value": value,
        "who": who,
        "time": to_iso(now),
        "state": SETTLED if is_so else PENDING,
        "reported": reported,
    }


def judged(wish: Json, value: Any, time: int, rule: str, tolerance: float) -> str:
    """The state of a wish after a report.

    Args:
        wish: as `asked` gives it; its `reported` is what was reported before.
        value: what the device reports.
        time: of the report, by its source, in ns.
        rule: who wins.
        tolerance: within which numbers agree.
    """
    if agrees(wish["value"], value, tolerance):
        return SETTLED
    before = wish["reported"]
    is_repeated = (
        wish["state"] == PENDING and before is not None and agrees(before, value, tolerance)
    )
    is_first = wish["state"] == PENDING and before is None
    if is_repeated or is_first or rule == PLATFORM:
        return PENDING
    if rule == NEWEST and time <= from_iso(wish["time"]):
        return PENDING
    return OVERRULED


def delta(wishes: Mapping[str, Json]) -> Json:
    """What the device is still to do."""
    return {path: wish["value"] for path, wish in wishes.items() if wish["state"] == PENDING}
