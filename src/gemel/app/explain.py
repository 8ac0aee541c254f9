"""Why a twin is shown as it is: from its colour to the alarm, rule, model, readings and device."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import numpy as np

from gemel.app.values import typed
from gemel.core.clock import SECOND, from_iso, to_iso
from gemel.core.document import Json
from gemel.core.quality import CAUSES
from gemel.core.series import MEASURED, split_beside
from gemel.twins.dtdl.interface import Interface

if TYPE_CHECKING:
    from gemel.app.platform import Platform

WINDOW = 600 * SECOND
"""Before and after an alarm was raised, in which its readings are looked for."""
BEFORE, AFTER = 5, 4
MOST_READ = 20_000


async def explain(platform: Platform, twin: str) -> Json:
    """What a twin's colour follows from, the most urgent alarm first.

    Raises:
        NotFound: there is no such twin.
    """
    model = platform.catalogue.require_twin(twin)
    alarms = sorted(platform.reactions.alarms.of_twin(twin), key=lambda a: a["priority"])
    active = [alarm for alarm in alarms if alarm["isActive"]]
    return {
        "twin": twin,
        "name": platform.catalogue.name_of(twin),
        "priority": platform.reactions.alarms.highest(twin),
        "status": _status(platform, twin),
        "alarms": [await _alarm(platform, twin, model, alarm) for alarm in active],
        "device": _device(platform, twin),
    }


def _status(platform: Platform, twin: str) -> Json:
    presence, now = platform.presence, platform.clock()
    status, seen = presence.status(twin, now), presence.last_seen(twin)
    limit = presence.stale_after(twin)
    inside = platform.catalogue.children_of(twin)
    if status == "never" and inside:
        line = platform.directory.line(twin)
        because = f"it has no readings of its own and is as live as the {len(inside)} it contains"
        return {"is": line.status, "because": because, "lastSeen": _moment(line.seen)}
    reasons = {
        "live": f"something came within the {limit:g} s of its model's staleAfter",
        "stale": f"nothing came for longer than the {limit:g} s of its model's staleAfter",
        "offline": "the connection of its device was lost, and nothing came since",
        "never": "no reading of it ever came",
    }
    return {"is": status, "because": reasons[status], "lastSeen": _moment(seen)}


def _moment(ns: int) -> str | None:
    return to_iso(ns) if ns else None


async def _alarm(platform: Platform, twin: str, model: str, alarm: Json) -> Json:
    subject = alarm.get("property")
    path, provenance = split_beside(subject) if subject else ("", MEASURED)
    series = platform.series.find(twin, path, provenance) if path else None
    samples: list[Json] = []
    if series is not None:
        raised = from_iso(alarm["lastRaised"])
        kind = platform.catalogue.kind_of(twin, path)
        samples = await asyncio.to_thread(_samples, platform, series, raised, kind)
    rule = platform.reactions.engine.rules.get(alarm["rule"])
    return {
        "alarm": {
            name: alarm[name]
            for name in ("id", "title", "priority", "state", "value", "unit", "limit")
        }
        | {"raised": alarm["lastRaised"]},
        "rule": {
            "id": alarm["rule"],
            "version": alarm["ruleVersion"],
            "when": alarm["condition"],
            "model": rule.model if rule else None,
            "isRunning": rule is not None,
        },
        "model": _model(platform, model, path) if path else None,
        "samples": samples,
    }


def _samples(platform: Platform, series: int, raised: int, kind: str) -> list[Json]:
    """The readings on both sides of the moment; an older one where none came shortly before."""
    history = platform.history
    found = history.read(
        series, raised - WINDOW, raised + WINDOW, bad=True, limit=MOST_READ, versions=False
    )
    turn = int(np.searchsorted(found.time, raised, "right"))
    rows = range(max(0, turn - BEFORE), min(len(found.time), turn + AFTER))
    samples = [
        {
            "time": to_iso(int(found.time[row])),
            "value": typed(float(found.value[row]), found.text.get(row), kind),
            "received": to_iso(int(found.received[row])),
            "cause": CAUSES.get(int(found.quality[row]), "") if found.quality[row] else "",
            "isTurn": row == turn - 1,
        }
        for row in rows
    ]
    if turn == 0 and (last := history.last(series, raised)) is not None:
        time, value, quality, received, text = last
        before = {"time": to_iso(time), "value": typed(value, text, kind)}
        cause = CAUSES.get(quality, "") if quality else ""
        more = {"received": to_iso(received), "cause": cause, "isTurn": True}
        samples.insert(0, before | more)
    return samples


def _model(platform: Platform, model: str, path: str) -> Json:
    """Where the property that the rule reads is defined, and how."""
    signal = platform.catalogue.signals.of(model).get(path)
    interface = platform.graph.find_model(model)
    return {
        "id": model,
        "title": interface.title if interface else model,
        "property": path,
        "displayName": signal.display_name if signal else path,
        "unit": signal.unit_symbol if signal else None,
        "schema": signal.schema.kind if signal else None,
        "definedIn": _definer(platform, interface, path.partition(".")[0]) if interface else model,
    }


def _definer(platform: Platform, interface: Interface, name: str) -> str:
    """The interface that a model has a property from, itself or one that it extends."""
    for base in interface.extends:
        found = platform.graph.find_model(base)
        if found is not None and name in found.contents:
            return _definer(platform, found, name)
    return interface.id


def _device(platform: Platform, twin: str) -> Json:
    """Where its readings come from."""
    bound = [
        {"binding": doc.get("id"), "topic": doc["topic"]}
        for doc in platform.catalogue.bindings_in_order()
        if doc.get("twin") == twin
    ]
    return {
        "topics": bound or [{"binding": None, "topic": f"devices/{twin}/telemetry"}],
        "isConnected": platform.presence.is_connected(twin),
        "lastSeen": _moment(platform.presence.last_seen(twin)),
        "rejects": sum(platform.history.reject_counts(twin).values()),
    }
