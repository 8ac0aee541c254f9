"""The part `alarms` of a plant's files: the alarm philosophy, and who is told of what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemel.app.notify import check_receivers
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.alarms.philosophy import read_philosophy
from gemel.services.alarms.shifts import zone_of
from gemel.services.notices.policy import read_notification

if TYPE_CHECKING:
    from gemel.app.platform import Platform

FIELDS = ("philosophy", "receivers", "notifications")


def read_alarm_part(platform: Platform, plant: Json) -> list[tuple[str, str, Json]]:
    """The documents (kind, key, document) that a plant says about alarms.

    Raises:
        InvalidInput: names the field and what was expected.
    """
    found = plant.get("alarms") or {}
    if not isinstance(found, dict) or set(found) - set(FIELDS):
        raise InvalidInput("plant: alarms must be a mapping", hint="with: " + ", ".join(FIELDS))
    wanted: list[tuple[str, str, Json]] = []
    if found.get("philosophy") is not None:
        philosophy = _mapping(found, "philosophy")
        read = read_philosophy(philosophy)
        zone_of(read.time_zone)
        wanted.append(("philosophy", "plant", read.to_json()))
    known = set(platform.catalogue.plain["receiver"])
    for key, doc in _mapping(found, "receivers").items():
        known.add(key)
        made = platform.reactions.notify.checked_receiver(key, _entry("receivers", key, doc))
        wanted.append(("receiver", key, made))
    for key, doc in _mapping(found, "notifications").items():
        check_receivers(read_notification(key, _entry("notifications", key, doc)), known)
        wanted.append(("notification", key, doc))
    return wanted


def _mapping(found: Json, name: str) -> Json:
    value = found.get(name) or {}
    if not isinstance(value, dict):
        raise InvalidInput(f"plant: alarms.{name} must be a mapping")
    return value


def _entry(name: str, key: str, doc: object) -> Json:
    if not isinstance(doc, dict):
        raise InvalidInput(f"plant: alarms.{name}.{key} must be a mapping")
    return doc


def export_alarm_part(platform: Platform) -> Json:
    """The field `alarms` that reads back to the same, without secrets; none if there is nothing."""
    plain = platform.catalogue.plain
    philosophy = plain["philosophy"].get("plant")
    receivers = {
        key: {name: value for name, value in doc.items() if name != "secret"}
        for key, doc in sorted(plain["receiver"].items())
    }
    found = {
        "philosophy": philosophy,
        "receivers": receivers,
        "notifications": dict(sorted(plain["notification"].items())),
    }
    kept = {name: value for name, value in found.items() if value}
    return {"alarms": kept} if kept else {}
