"""What rules do: raise and clear."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gemel.core.document import Json


@dataclass(frozen=True, slots=True)
class Transition:
    """A rule raises or clears on a twin. Times of one rule and twin strictly increase."""

    rule_id: str
    version: int
    twin: str
    kind: str
    """`raise` or `clear`."""
    time: int
    value: float
    """Of the rule's subject at that time; NaN if it is a text or unknown."""
    series: int
    """Of the subject; -1 if it never reported."""
    text: str | None = None
    """JSON of the subject's value when it is not a number."""
    details: Json | None = None
    """Further fields of the alarm that it raises."""


def by_time(found: Iterable[Transition]) -> list[Transition]:
    return sorted(found, key=lambda t: (t.time, t.rule_id, t.twin))
