"""The part `alarms` of a plant's files: the alarm philosophy, and who is told of what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.alarms.philosophy import read_philosophy

if TYPE_CHECKING:
    from gemel.app.platform import Platform

FIELDS = ("philosophy",)


def read_alarm_part(plant: Json) -> list[tuple[str, str, Json]]:
    """The documents (kind, key, document) that a plant says about alarms.

    Raises:
        InvalidInput: names the field and what was expected.
    """
    found = plant.get("alarms") or {}
    if not isinstance(found, dict) or set(found) - set(FIELDS):
        raise InvalidInput("plant: alarms must be a mapping", hint="with: " + ", ".join(FIELDS))
    wanted: list[tuple[str, str, Json]] = []
    philosophy = found.get("philosophy")
    if philosophy is not None:
        if not isinstance(philosophy, dict):
            raise InvalidInput("plant: alarms.philosophy must be a mapping")
        wanted.append(("philosophy", "plant", read_philosophy(philosophy).to_json()))
    return wanted


def export_alarm_part(platform: Platform) -> Json:
    """The field `alarms` that reads back to the same; no field where all is as by default."""
    plain = platform.catalogue.plain
    philosophy = plain["philosophy"].get("plant")
    found = {"philosophy": philosophy} if philosophy else {}
    return {"alarms": found} if found else {}
