"""What holds alarms back by design: another rule that stands, or a property, here or upstream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from gemel.core.document import Json
from gemel.services.alarms.states import REMOVED
from gemel.services.rules.design import Suppressor


class Surroundings(Protocol):
    """What alarms know of the twins around theirs."""

    def relatives(
        self, twin: str, over: Sequence[str], direction: str, hops: int
    ) -> Mapping[str, int]:
        """Twins over relationships, with how many hops away; the nearest first, without itself."""
        ...

    def value(self, twin: str, path: str) -> object:
        """The last value of a property, None where there is none."""
        ...

    def name(self, twin: str) -> str:
        """What people call a twin."""
        ...


class Alone:
    """Surroundings without anything around."""

    def relatives(
        self, twin: str, over: Sequence[str], direction: str, hops: int
    ) -> Mapping[str, int]:
        return {}

    def value(self, twin: str, path: str) -> object:
        return None

    def name(self, twin: str) -> str:
        return twin


Standing = Callable[[str, str], Json | None]
"""(rule, twin) to an alarm whose condition stands and that is in service."""


def counts_as_standing(doc: Json) -> bool:
    return bool(doc["stands"]) and doc["state"] != REMOVED


def find_suppressor(
    suppressors: Sequence[Suppressor], twin: str, standing: Standing, around: Surroundings
) -> Json | None:
    """The first thing that holds the alarms of a twin back, as it stands in the alarm."""
    for one in suppressors:
        places = [twin]
        if one.over:
            places = list(around.relatives(twin, one.over, one.direction, one.hops))
        for place in places:
            found = _at(one, place, standing, around)
            if found is not None:
                return found
    return None


def _at(one: Suppressor, place: str, standing: Standing, around: Surroundings) -> Json | None:
    if one.rule:
        alarm = standing(one.rule, place)
        return None if alarm is None else {"alarm": alarm["id"], "rule": one.rule, "twin": place}
    value = around.value(place, one.property)
    if value is None or type(value) is bool is not type(one.value) is bool or value != one.value:
        return None
    return {"property": one.property, "is": one.value, "twin": place}
