"""The plant as of a moment: the value of every property and what was live, from the history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.app.directory import STATUS_ORDER
from gemel.app.values import typed
from gemel.core.clock import SECOND
from gemel.core.document import Json

if TYPE_CHECKING:
    from gemel.app.platform import Platform

Last = tuple[int, float, int, str | None]
"""Time, value, quality, text."""


def state_at(platform: Platform, at: int, provenance: str, twins: list[str]) -> dict[str, Json]:
    """Each twin with its `status` and its `values` as of `at` (ns): path -> [value, ms, quality].

    Args:
        twins: only of these; of all if empty.

    Cost:
        One search in the history for all series together.
    """
    wanted = twins or list(platform.graph.twins)
    last = _last(platform, wanted, at, provenance)
    found: dict[str, Json] = {}
    newest: dict[str, int] = {}
    for twin in wanted:
        values, seen = _values(platform, twin, last)
        found[twin] = {"values": values}
        newest[twin] = seen
    for twin in wanted:
        found[twin]["status"] = _status(platform, twin, at, newest)
    return found


def _last(platform: Platform, twins: list[str], at: int, provenance: str) -> dict[int, Last]:
    """The newest reading as of then of each series of some twins that had one."""
    series, keys = platform.series, platform.series.keys
    numbers = [
        n for twin in twins for n in series.of_twin(twin) if keys[n].provenance == provenance
    ]
    found, columns = platform.history.last_of_many(np.array(numbers, np.int32), at)
    text = columns.text
    times, values = columns.time.tolist(), columns.value.tolist()
    rows = zip(found.tolist(), times, values, columns.quality.tolist(), strict=True)
    return {n: (time, v, q, text.get(row)) for row, (n, time, v, q) in enumerate(rows)}


def _values(platform: Platform, twin: str, found: dict[int, Last]) -> tuple[Json, int]:
    """(path -> [value, ms, quality], when its newest telemetry was)."""
    catalogue = platform.catalogue
    model = catalogue.model_of(twin) or ""
    signals = catalogue.signals.of(model)
    values: dict[str, list[Any]] = {}
    seen = 0
    for number in platform.series.of_twin(twin):
        key = platform.series.keys[number]
        signal = signals.get(key.path)
        last = found.get(number)
        if signal is None or last is None:
            continue
        time, value, quality, text = last
        values[key.path] = [typed(value, text, signal.schema.kind), time / 1e6, quality]
        if signal.category == "telemetry":
            seen = max(seen, time)
    return values, seen


def _status(platform: Platform, twin: str, at: int, newest: dict[str, int]) -> str:
    """As the directory has it, of then; that a connection was lost is not in the history."""
    waiting, met = [twin], {twin}
    statuses = []
    while waiting:
        one = waiting.pop()
        own = _own_status(platform, one, at, newest.get(one, 0))
        inner = [t for t in platform.catalogue.children_of(one) if t not in met]
        if own == "never" and inner:
            met.update(inner)
            waiting += inner
        else:
            statuses.append(own)
    return min(statuses, key=lambda status: STATUS_ORDER[status])


def _own_status(platform: Platform, twin: str, at: int, seen: int) -> str:
    if not seen:
        return "never"
    is_stale = (at - seen) / SECOND > platform.presence.stale_after(twin)
    return "stale" if is_stale else "live"
