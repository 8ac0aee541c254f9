"""Twins as NGSI-LD entities, normalized, with a context that says what each word means.

A component is an entity of its own that its twin has a relationship to. Source: ETSI GS CIM 009
V1.6.1, clause 4.5, and its core context.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gemel.core.document import Json
from gemel.interchange.building import free
from gemel.interchange.facts import (
    Facts,
    Material,
    Value,
    content_id,
    parts,
    path_of,
    signals,
    unit_of,
)
from gemel.interchange.losses import Losses
from gemel.interchange.unece import CODES
from gemel.twins.dtdl.interface import Interface

CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.6.jsonld"
ENTITY = "urn:ngsi-ld:"
GEOMETRIES = frozenset(
    {"Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon"}
)
TAKEN = frozenset(
    {
        *("id", "type", "value", "object", "languageMap", "values", "objects", "coordinates"),
        *("observedAt", "unitCode", "datasetId", "instanceId", "createdAt", "modifiedAt", "key"),
        *("deletedAt", "scope", "properties", "geometry", "bbox", "features", "mode", "status"),
        *("min", "max", "avg", "sum", "sumsq", "stddev", "format", "reason", "title", "lang"),
        *("name", "q", "uri", "data", "detail", "error", "errors", "updated", "success", "tenant"),
        *("attributes", "entities", "endpoint", "information", "isActive", "management"),
    }
) - {"name"}
"""Words of the core context, which nobody may give another meaning."""
FRACTION = re.compile(r"(\.\d{6})\d+")


def entities(material: Material, losses: Losses) -> list[Json]:
    """All twins with their components."""
    types = _types(material.models)
    made: list[Json] = []
    for twin in material.twins:
        if twin.model not in material.models:
            losses.dropped(twin.model, "there is no such model, so its twins have no type", twin.id)
            continue
        for part, interface in parts(material.models, twin.model):
            made.append(_Entity(twin, part, interface, material, types, losses).made())
    if not material.twins:
        for key in material.models:
            losses.dropped(key, "NGSI-LD has entities, and no models: export twins")
    return made


def _types(models: Mapping[str, Interface]) -> dict[str, str]:
    """DTMI to the name of its type; the same name twice gets a number."""
    found: dict[str, str] = {}
    for key in sorted(models):
        label = key.split(";")[0].rpartition(":")[2]
        found[key] = free(label, set(found.values()))
    return found


def entity_id(types: Mapping[str, str], model: str, twin: str, part: str = "") -> str:
    tail = f":{quote(part, safe='')}" if part else ""
    return f"{ENTITY}{types.get(model, 'Thing')}:{quote(twin, safe='')}{tail}"


class _Entity:
    def __init__(
        self,
        twin: Facts,
        part: str,
        interface: Interface,
        material: Material,
        types: Mapping[str, str],
        losses: Losses,
    ) -> None:
        self._twin = twin
        self._part = part
        self._interface = interface
        self._material = material
        self._types = types
        self._losses = losses
        self._words: dict[str, Any] = {types[interface.id]: interface.id}

    def made(self) -> Json:
        made: Json = {
            "id": entity_id(self._types, self._twin.model, self._twin.id, self._part),
            "type": self._types[self._interface.id],
        }
        for name, content in signals(self._interface).items():
            value = self._twin.value(path_of(self._part, name))
            if value.value is not None:
                made[self._word(name)] = self._attribute(name, value, unit_of(content))
        self._losses.dropped(
            f"{self._interface.id}: definition",
            "schemas, display names and descriptions are no part of entities",
            self._twin.id,
        )
        for name in self._interface.commands():
            place = f"{self._interface.id}: {name}"
            self._losses.dropped(place, "NGSI-LD has no commands", self._twin.id)
        if not self._part:
            made |= self._relationships()
        return made | {"@context": [self._words, CORE]}

    def _word(self, name: str) -> str:
        """The word for a name, with what it means written into the context."""
        word = f"dtdl_{name}" if name in TAKEN else name
        if word != name:
            place = f"{self._interface.id}: {name}"
            self._losses.changed(place, f"'{name}' is a word of NGSI-LD: it is '{word}' there")
        content = self._interface.contents.get(name)
        if content is not None:
            self._words[word] = content_id(self._interface, content)
        return word

    def _attribute(self, name: str, value: Value, unit: str) -> Json:
        place = f"{self._interface.id}: {name}"
        held = value.value
        if isinstance(held, dict) and held.get("type") in GEOMETRIES and "coordinates" in held:
            made: Json = {"type": "GeoProperty", "value": held}
        else:
            made = {"type": "Property", "value": self._typed(name, held)}
        if unit in CODES:
            made["unitCode"] = CODES[unit]
        elif unit:
            self._losses.dropped(f"{place}.unit", f"'{unit}' has no common code of UN/CEFACT")
        if value.time:
            made["observedAt"] = FRACTION.sub(r"\1", value.time)
            if made["observedAt"] != value.time:
                self._losses.approximated(place, "times are cut to microseconds", self._twin.id)
        if value.quality != "good":
            made["quality"] = {"type": "Property", "value": value.quality}
            self._words["quality"] = "urn:gemel:quality"
        return made

    def _typed(self, name: str, held: Any) -> Any:
        """Times say that they are such, as NGSI-LD wants it."""
        content = signals(self._interface)[name]
        kind = {"dateTime": "DateTime", "date": "Date", "time": "Time"}.get(content.schema.kind)
        return {"@type": kind, "@value": held} if kind and isinstance(held, str) else held

    # ---- relationships -------------------------------------------------------------------

    def _relationships(self) -> Json:
        """Components and relationships; several of one name are told apart by a dataset id."""
        found: dict[str, list[Json]] = {}
        models, twin = self._material.models, self._twin
        for part, _ in parts(models, twin.model):
            if part:
                target = entity_id(self._types, twin.model, twin.id, part)
                found.setdefault(part, []).append({"type": "Relationship", "object": target})
        known = {one.id: one.model for one in self._material.twins}
        for link in twin.relationships:
            name, target = link["$relationshipName"], link["$targetId"]
            if target not in known:
                place = f"{self._interface.id}: {name}"
                self._losses.approximated(
                    place, "leads to a twin that is not exported: its type is not told", twin.id
                )
            made: Json = {
                "type": "Relationship",
                "object": entity_id(self._types, known.get(target, ""), target),
                "datasetId": f"urn:gemel:relationship:{quote(link['$relationshipId'], safe='')}",
            }
            for held, value in link.items():
                if not held.startswith("$"):
                    made[held if held not in TAKEN else f"dtdl_{held}"] = {
                        "type": "Property",
                        "value": value,
                    }
            found.setdefault(name, []).append(made)
        return {
            self._word(name): several[0] if len(several) == 1 else several
            for name, several in found.items()
        }
