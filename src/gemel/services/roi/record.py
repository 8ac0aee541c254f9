"""The record that value is measured from: alarms and when they stood, orders, commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from gemel.core.clock import SECOND
from gemel.core.document import Json, Version

DAY = 86_400 * SECOND
SERVICE = "service:"
"""How the rule of an alarm begins that a service has raised."""
Changed = tuple[str, Version, Json | None]
"""(key, version, the document before it)."""


@dataclass(frozen=True, slots=True)
class Record:
    """What happened in `begin <= time < end`; `stood` reaches back to `before`."""

    begin: int
    end: int
    before: int
    alarms: Sequence[Json] = ()
    orders: Sequence[Json] = ()
    commands: Sequence[Json] = ()
    stood: Sequence[tuple[str, int, int, int]] = field(default=())
    """(twin, priority, from, to) of each span in which an alarm stood."""


def stood(changes: Iterable[Changed], begin: int, end: int) -> list[tuple[str, int, int, int]]:
    """The spans in which alarms stood, from the versions of their documents in order of time."""
    found: list[tuple[str, int, int, int]] = []
    open_: dict[str, tuple[str, int, int]] = {}
    for key, version, before in changes:
        if before is not None and key not in open_ and _stands(before):
            open_[key] = (before["twin"], before["priority"], begin)
        doc = version.doc
        if doc is not None and _stands(doc):
            open_.setdefault(key, (doc["twin"], doc["priority"], max(version.time, begin)))
        elif key in open_:
            twin, priority, since = open_.pop(key)
            found.append((twin, priority, since, min(version.time, end)))
    found += [(twin, priority, since, end) for twin, priority, since in open_.values()]
    return [span for span in found if span[2] < span[3]]


def _stands(doc: Json) -> bool:
    return bool(doc.get("stands", doc.get("isActive", False)))


def hours_a_day(
    spans: Iterable[tuple[str, int, int, int]], begin: int, days: int, priority: int
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Hours in which a twin stood, by day; alarms of one twin at one time count once."""
    total = np.zeros(days)
    edges = begin + DAY * np.arange(days + 1, dtype=np.int64)
    reached: dict[str, int] = {}
    for twin, level, since, until in sorted(spans, key=lambda s: s[2]):
        first = max(since, reached.get(twin, since))
        if level > priority or until <= first:
            continue
        reached[twin] = until
        overlap = np.minimum(until, edges[1:]) - np.maximum(first, edges[:-1])
        total += np.maximum(overlap, 0) / (3600 * SECOND)
    return total
