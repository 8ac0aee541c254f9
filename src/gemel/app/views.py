"""What people see of twins: rows for tables and trees, and the whole faceplate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from gemel.app.computed import Computed, computed_with_values, stale_after
from gemel.app.directory import Line
from gemel.app.signals import CommandSignal
from gemel.app.values import shown_series, typed
from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.quality import CAUSES, Quality, is_bad, is_good
from gemel.core.series import MEASURED, quantile_of
from gemel.core.units import symbol
from gemel.twins.dtdl.interface import Enum, Object, Schema, title_of

if TYPE_CHECKING:
    from gemel.app.platform import Platform


def line_of(platform: Platform, twin: str, now: int) -> Line:
    """What speaks for itself is asked alone; what is as live as what it contains, the directory."""
    presence = platform.presence
    own = presence.status(twin, now)
    is_leaf = not platform.catalogue.children_of(twin)
    if is_leaf or (own != "never" and platform.reactions.alarms.abnormal() == set()):
        worst = platform.reactions.alarms.highest(twin)
        return Line(twin, own, presence.last_seen(twin), worst)
    return platform.directory.line(twin)


def row(platform: Platform, line: Line, now: int) -> Json:
    """One line of the table of twins."""
    catalogue, twin, seen = platform.catalogue, line.id, line.seen
    model = catalogue.require_twin(twin)
    interface = platform.graph.models.get(model)
    return {
        "id": twin,
        "name": catalogue.name_of(twin),
        "model": model,
        "modelName": interface.title if interface else model,
        "scope": catalogue.signals.setting(model, "scope", ""),
        "geometry": catalogue.signals.setting(model, "geometry", ""),
        "parent": catalogue.parent_of(twin),
        "contains": len(catalogue.children_of(twin)),
        "status": line.status,
        "lastSeen": to_iso(seen) if seen else None,
        "age": max(0.0, (now - seen) / 1e9) if seen else None,
        "alarms": platform.reactions.alarm_summary(twin),
        "worst": line.worst,
    }


def faceplate(platform: Platform, twin: str) -> Json:
    """Everything about one twin: values with age and quality, commands, relations, alarms."""
    now = platform.clock()
    platform.catalogue.require_twin(twin)
    line = row(platform, line_of(platform, twin, now), now)
    model = line["model"]
    signals = platform.catalogue.signals
    desired = platform.graph.desired_of(twin)
    stored = platform.graph.stored_values(twin)
    usual = platform.presence.stale_after(twin)
    own = [Computed(signal, usual) for signal in signals.of(model).values()]
    others = unmeasured(platform, twin)
    properties = [
        _property(platform, twin, one, now, desired.get(one.signal.path), stored)
        for one in (*own, *computed_with_values(platform, twin))
        if platform.series.is_shown(twin, one.signal.path)
    ]
    for one in properties:
        beside = others.get(one["path"], [])
        one["others"] = [
            o for o in beside if o["provenance"] != one["provenance"] or o["quantiles"]
        ]
    return {
        **line,
        "properties": properties,
        "commands": [
            _command(c, signals.guards_of(model, c.path))
            for c in signals.commands_of(model).values()
        ],
        "relationships": _relations(platform, twin),
        "alarms": platform.reactions.alarms.of_twin(twin),
        "rejects": sum(platform.history.reject_counts(twin).values()),
        "staleAfter": usual,
    }


def _property(
    platform: Platform,
    twin: str,
    shown_as: Computed,
    now: int,
    desired: object,
    stored: Json,
) -> Json:
    signal = shown_as.signal
    limit = shown_as.stale_after if signal.category == "telemetry" else 0.0
    shown = shown_series(platform, twin, signal.path)
    series = platform.series.id(twin, signal.path) if shown is None else shown
    state = platform.state
    value: object = None
    time = received = 0
    quality = int(Quality.GOOD)
    if shown is not None:
        time, received = int(state.time[series]), int(state.received[series])
        quality = int(state.quality[series])
        text = state.text.get(series)
        value = typed(float(state.value[series]), text, signal.schema.kind)
    if signal.category == "property" and signal.path in stored:
        stored_value, stored_time = stored[signal.path]
        if stored_time >= time:
            value, time, received, quality = stored_value, stored_time, stored_time, 0
    age = max(0.0, (now - time) / 1e9) if time else None
    return {
        "name": signal.name,
        "path": signal.path,
        "kind": signal.category,
        "schema": signal.schema.kind,
        "unit": signal.unit_symbol,
        "displayName": signal.display_name,
        "value": value,
        "time": to_iso(time) if time else None,
        "received": to_iso(received) if received else None,
        "age": age,
        "quality": "bad" if is_bad(quality) else "good" if is_good(quality) else "uncertain",
        "cause": "" if quality == 0 else CAUSES.get(quality, f"quality {quality}"),
        "isStale": limit > 0 and (age is None or age > limit),
        "staleAfter": limit,
        "writable": signal.is_writable,
        "desired": desired,
        "desiredProblem": platform.set_points.problem(twin, signal.path),
        "minimum": _finite(signal.minimum),
        "maximum": _finite(signal.maximum),
        "values": _names(signal.schema),
        "series": series,
        "provenance": platform.series.keys[series].provenance,
    }


def unmeasured(platform: Platform, twin: str) -> dict[str, list[Json]]:
    """By property: the newest derived, predicted and simulated values, with their quantiles."""
    keys, state = platform.series.keys, platform.state
    found: dict[tuple[str, str], Json] = {}
    levels: dict[tuple[str, str], dict[str, float]] = {}
    for number in platform.series.of_twin(twin):
        key = keys[number]
        latest = state.get(number)
        if latest is None:
            continue
        beside = quantile_of(key.path)
        if beside is not None:
            level = f"{beside[1]:g}"
            levels.setdefault((beside[0], key.provenance), {})[level] = latest.value
        elif key.provenance != MEASURED:
            found[key.path, key.provenance] = {
                "provenance": key.provenance,
                "value": typed(
                    latest.value, latest.text, platform.catalogue.kind_of(twin, key.path)
                ),
                "time": to_iso(latest.time),
                "received": to_iso(latest.received),
                "quality": "bad" if is_bad(latest.quality) else "good",
            }
    by_path: dict[str, list[Json]] = {}
    for place, value in found.items():
        by_path.setdefault(place[0], []).append({**value, "quantiles": levels.get(place, {})})
    return by_path


def _finite(limit: float) -> float | None:
    return limit if math.isfinite(limit) else None


def _names(schema: Schema) -> Json | None:
    return {str(k): v for k, v in schema.values.items()} if isinstance(schema, Enum) else None


def _command(found: CommandSignal, guards: Json) -> Json:
    request = found.command.request
    body: Json | None = None
    if request is not None:
        body = {
            "name": request.name,
            "displayName": title_of(request.display_name, ""),
            "schema": request.schema.kind,
            "unit": symbol(request.unit) if request.unit else "",
            "minimum": guards.get("minimum", _finite(found.minimum)),
            "maximum": guards.get("maximum", _finite(found.maximum)),
            "values": _names(request.schema),
            "fields": _fields(request.schema),
        }
    return {
        "name": found.path,
        "displayName": found.display_name,
        "description": title_of(found.command.description, ""),
        "request": body,
        "guards": guards,
    }


def _fields(schema: Schema) -> list[Json] | None:
    if not isinstance(schema, Object):
        return None
    return [{"name": n, "schema": s.kind, "values": _names(s)} for n, s in schema.fields.items()]


def _relations(platform: Platform, twin: str) -> list[Json]:
    name_of = platform.catalogue.name_of
    found: list[dict[str, Any]] = []
    for doc in platform.graph.relationships_of(twin):
        other = doc["$targetId"]
        found.append(_relation(doc, "out", other, name_of(other)))
    for doc in platform.graph.incoming_of(twin):
        other = doc["$sourceId"]
        found.append(_relation(doc, "in", other, name_of(other)))
    return found


def _relation(doc: Json, direction: str, other: str, name: str) -> Json:
    return {
        "id": doc["$relationshipId"],
        "name": doc["$relationshipName"],
        "direction": direction,
        "twin": other,
        "twinName": name,
    }


def units(platform: Platform) -> list[Json]:
    """By path: the symbols of the units that the models of the twins give it, "" for none.

    Cost: one look at the signals of each model in use.
    """
    catalogue = platform.catalogue
    found: dict[str, set[str]] = {}
    for model in platform.graph.models_in_use():
        for path, unit in catalogue.units_of(model).items():
            found.setdefault(path, set()).add(unit)
    return [{"path": path, "units": sorted(found[path])} for path in sorted(found)]


def kpis(platform: Platform) -> list[Json]:
    """The plant's key figures with their values now."""
    now = platform.clock()
    found = []
    for key, doc in platform.catalogue.plain["kpi"].items():
        twin, path = doc["twin"], doc["property"]
        latest = platform.value_of(twin)(path)
        value, time = latest if latest else (None, 0)
        found.append(
            {
                "id": key,
                "label": doc.get("label", path),
                "unit": doc.get("unit") or platform.catalogue.unit_of(twin, path),
                "twin": twin,
                "property": path,
                "value": value,
                "time": to_iso(time) if time else None,
                "age": max(0.0, (now - time) / 1e9) if time else None,
                "staleAfter": stale_after(platform, twin, path),
                "target": doc.get("target"),
                "targetLabel": doc.get("targetLabel", ""),
                "digits": doc.get("digits", 1),
                "order": doc.get("order", 0),
            }
        )
    return sorted(found, key=lambda kpi: (kpi["order"], kpi["id"]))
