"""The devices behind one address, by their unit ids: who answers, and since when one does not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gemel.connect.modbus.blocks import Point
from gemel.core.clock import SECOND
from gemel.core.ports import Intake

SILENT_AFTER = 2
"""Requests in a row without an answer, until a device is taken for silent."""
FIRST_REST, LONGEST_REST = 1.0, 30.0
"""Seconds until a silent device is asked again; it doubles from the one to the other."""


@dataclass(slots=True, eq=False)
class Unit:
    """One device."""

    id: int
    topics: set[str] = field(default_factory=set)
    every: float = 0.0
    """The shortest period of its registers, s."""
    heard: int = 0
    """When it last answered, ns."""
    failures: int = 0
    """Requests in a row without an answer."""
    is_silent: bool = False
    is_back: bool = True
    """Its next answer is the first after a break."""
    why: str = ""
    rest: float = FIRST_REST
    asked_again: float = 0.0
    """When a silent one may be asked again, by the loop's clock."""

    def answered(self, now: int, intake: Intake) -> bool:
        """Notes an answer; tells a gap if it is the first for long. Whether something changed."""
        is_news, since = self.is_back, self.heard
        self.failures, self.heard = 0, now
        if not is_news:
            return False
        self.is_silent = self.is_back = False
        self.rest = FIRST_REST
        for topic in self.topics:
            last = since or intake.heard(topic)
            if last and now - last > 2 * self.every * SECOND:
                intake.missed([topic], last, now, "disconnected")
        return True

    def unanswered(self, why: str, now: float) -> bool:
        """Notes that there was no answer; whether it is taken for silent only since now."""
        self.failures += 1
        if self.failures < SILENT_AFTER and not self.is_silent:
            return False
        was_silent, self.is_silent, self.is_back, self.why = self.is_silent, True, True, why
        self.rest = min(2 * self.rest, LONGEST_REST) if was_silent else FIRST_REST
        self.asked_again = now + self.rest
        return not was_silent

    def begin(self) -> None:
        """On a new connection it is asked at once."""
        self.is_back = True
        self.asked_again = 0.0


def units_of(points: Iterable[Point]) -> dict[int, Unit]:
    found: dict[int, Unit] = {}
    for point in points:
        register = point.register
        unit = found.setdefault(register.unit_id, Unit(register.unit_id))
        unit.topics.add(point.topic)
        unit.every = min(unit.every or register.every, register.every)
    return found


def silent_words(units: Sequence[Unit]) -> str:
    """Which are silent, in words; "" if none is."""
    silent = [one for one in units if one.is_silent]
    if not silent:
        return ""
    ids = ", ".join(str(one.id) for one in silent[:20]) + (", ..." if len(silent) > 20 else "")
    return f"unit {ids} does not answer: {silent[0].why}"
