"""Whether a reading agrees with what was asked; only then is a command confirmed."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from gemel.commands.command import (
    CONFIRMED,
    DELIVERED,
    SENT,
    SUCCEEDED,
    UNCONFIRMED,
    Check,
    Command,
    Step,
)
from gemel.core.clock import to_iso

LOOKS = frozenset({SENT, DELIVERED, SUCCEEDED})
"""States in which readings are looked at."""


def agrees(asked: Any, value: Any, tolerance: float) -> bool:
    """Whether two values are the same; numbers within a tolerance."""
    if isinstance(asked, bool) or isinstance(value, bool):
        return _as_truth(asked) is not None and _as_truth(asked) == _as_truth(value)
    if isinstance(asked, int | float) and isinstance(value, int | float):
        slack = 1e-9 * max(1.0, abs(asked))  # what conversion of units rounds
        return math.isfinite(value) and abs(value - asked) <= tolerance + slack
    return bool(asked == value)


def _as_truth(value: Any) -> bool | None:
    """Devices send 0 and 1 where a model says boolean."""
    return bool(value) if value in (0, 1, True, False) else None


def looked_at(command: Command, value: Any, time: int, received: int, now: int) -> Command | None:
    """After a reading of the property that confirms it; None if that changes nothing.

    Args:
        command: one that waits for a reading.
        value: in the unit of the property.
        time: of the reading, by its source.
        received: when it was seen; what was seen before the command left proves nothing.
        now: ns since 1970 UTC.
    """
    check = command.check
    if check is None or command.state not in LOOKS or received < command.sent_at:
        return None
    if not agrees(check.asked, value, check.tolerance):
        return None
    if command.state != SUCCEEDED and now >= command.deadline:
        return None
    check = replace(check, seen=value, seen_time=time)
    note = f"{check.path} is {shown(value)}, {shown(check.asked)} was asked"
    return command.moved(Step(CONFIRMED, now, command.twin, note), check=check)


def not_confirmed(command: Command, value: Any, time: int, now: int, who: str) -> Command:
    """At the end of the time in which a reading was to agree."""
    check = command.check
    assert check is not None
    if not time:
        note = f"the device says that it succeeded; there is no reading of {check.path}"
    else:
        note = (
            f"the device says that it succeeded, but {check.path} is {shown(value)} "
            f"(at {to_iso(time)}) and {shown(check.asked)} was asked"
        )
    return command.moved(
        Step(UNCONFIRMED, now, who, note), check=replace(check, seen=value, seen_time=time)
    )


def begun(check: Check, now: int) -> Check:
    """From the device's answer on."""
    return replace(check, until=now + check.within)


def shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "nothing" if value is None else str(value)[:100]
