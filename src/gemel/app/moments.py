"""The plant as of a moment: the value of every property and what was live, from the history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gemel.app.values import typed
from gemel.app.views import STATUS_ORDER
from gemel.core.clock import SECOND
from gemel.core.document import Json

if TYPE_CHECKING:
    from gemel.app.platform import Platform

Last = tuple[int, float, int, int, str | None]


def state_at(platform: Platform, at: int, provenance: str, twins: list[str]) -> dict[str, Json]:
    """Each twin with its `status` and its `values` as of `at` (ns): path -> [value, ms, quality].

    Args:
        twins: only of these; of all if empty.

    Cost:
        One search in the history for each series.
    """
    wanted = twins or list(platform.graph.twins)
    found: dict[str, Json] = {}
    newest: dict[str, int] = {}
    for twin in wanted:
        values, seen = _values(platform, twin, at, provenance)
        found[twin] = {"values": values}
        newest[twin] = seen
    for twin in wanted:
        found[twin]["status"] = _status(platform, twin, at, newest)
    return found


def _values(platform: Platform, twin: str, at: int, provenance: str) -> tuple[Json, int]:
    """(path -> [value, ms, quality], when its newest telemetry was)."""
    catalogue = platform.catalogue
    model = catalogue.model_of(twin) or ""
    signals = catalogue.signals.of(model)
    values: dict[str, list[Any]] = {}
    seen = 0
    for number in platform.series.of_twin(twin):
        key = platform.series.keys[number]
        signal = signals.get(key.path)
        if key.provenance != provenance or signal is None:
            continue
        last = platform.history.last(number, at)
        if last is None:
            continue
        time, value, quality, _, text = last
        values[key.path] = [typed(value, text, signal.schema.kind), time / 1e6, quality]
        if signal.category == "telemetry":
            seen = max(seen, time)
    return values, seen


def _status(platform: Platform, twin: str, at: int, newest: dict[str, int]) -> str:
    """As `views.status_of`, of then; that a connection was lost is not in the history."""
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
