"""What is different between two twins as they are now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.twins.difference import differences

if TYPE_CHECKING:
    from gemel.app.platform import Platform

OWN = frozenset({"$dtId", "$etag"})
"""What is another for any two twins."""
MOST_LINKS = 500


def of_two(platform: Platform, one: str, other: str) -> Json:
    """Properties, telemetry and relationships in which two twins differ.

    `before` is of the first, `after` of the second; `added` is only with the second.

    Raises:
        NotFound: one of them is not there.
    """
    for twin in (one, other):
        platform.catalogue.require_twin(twin)
    found = differences(_shown(platform, one), _shown(platform, other))
    changes = [change.view() for change in found]
    values = _values(platform, one, other)
    links = _links(platform, one, other)
    is_same = not (changes or values or links)
    return {
        "twin": one,
        "with": other,
        "act": "same" if is_same else "changed",
        "changes": changes,
        "values": values,
        "relationships": links,
    }


def _shown(platform: Platform, twin: str) -> Json:
    view = platform.queries.engine.view(platform.graph.twin(twin))
    model = view["$metadata"]["$model"]
    return {name: v for name, v in _plain(view).items() if name not in OWN} | {"$model": model}


def _plain(doc: Json) -> Json:
    """Without metadata: when a value was set is no difference between two twins."""
    return {
        name: _plain(value) if isinstance(value, dict) else value
        for name, value in doc.items()
        if name != "$metadata"
    }


def _values(platform: Platform, one: str, other: str) -> list[Json]:
    paths: set[str] = set()
    for twin in (one, other):
        signals = platform.catalogue.signals.of(platform.catalogue.require_twin(twin))
        paths |= {path for path, signal in signals.items() if signal.category == "telemetry"}
    found = []
    for path in sorted(paths):
        before, after = (_value(platform, twin, path) for twin in (one, other))
        if (before or {}).get("value") != (after or {}).get("value"):
            found.append({"path": path, "before": before, "after": after})
    return found


def _value(platform: Platform, twin: str, path: str) -> Json | None:
    latest = platform.value_of(twin)(path)
    return None if latest is None else {"value": latest[0], "time": to_iso(latest[1])}


def _links(platform: Platform, one: str, other: str) -> list[Json]:
    """Relationships that only one of the two has; those between the two are left out."""
    first, second = (_ends(platform, twin) for twin in (one, other))
    found = []
    for name, direction, twin in sorted(first ^ second)[:MOST_LINKS]:
        if twin in (one, other):
            continue
        act = "removed" if (name, direction, twin) in first else "added"
        found.append({"name": name, "direction": direction, "twin": twin, "act": act})
    return found


def _ends(platform: Platform, twin: str) -> set[tuple[str, str, str]]:
    graph = platform.graph
    return {(name, "out", target) for target, name in graph.targets_of(twin)} | {
        (name, "in", source) for source, name in graph.sources_of(twin)
    }
