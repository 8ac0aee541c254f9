"""The words of the short form of models, and what it takes from a unit (docs/formats/models.md)."""

from __future__ import annotations

from functools import cache

from gemel.core.units import all_units, find, symbol
from gemel.twins.dtdl.metamodel import metamodel

SECTIONS = {
    "telemetry": "Telemetry",
    "properties": "Property",
    "commands": "Command",
    "relationships": "Relationship",
    "components": "Component",
}
"""The name of a section and the class of what stands in it."""
SECTION_OF = {kind: section for section, kind in SECTIONS.items()}
RENAMED = {"title": "displayName", "id": "@id"}
"""Short names and what DTDL calls them; every other member keeps its name."""
ORIGINAL = {dtdl: short for short, dtdl in RENAMED.items()}
INTERFACE = (
    "model",
    "dtdl",
    "extensions",
    "context",
    "title",
    "description",
    "comment",
    "types",
    "extends",
    "schemas",
    *SECTIONS,
    "contents",
    "order",
)
"""The members of a model in its short form."""
LANGUAGE = "dtmi:dtdl:context;"
EXTENSION = "dtmi:dtdl:extension:"
NEWEST = 4
QUANTITATIVE = {3: "quantitativeTypes;1", 4: "quantitativeTypes;3"}
"""What a model with units is taken to use; DTDL 2 has units built in."""
PRIMITIVES = frozenset(
    {
        *("boolean", "double", "float", "integer", "long", "string", "decimal", "scaledDecimal"),
        *("byte", "bytes", "short", "unsignedByte", "unsignedShort", "unsignedInteger"),
        *("unsignedLong", "uuid", "date", "dateTime", "time", "duration"),
        *("point", "multiPoint", "lineString", "multiLineString", "polygon", "multiPolygon"),
    }
)
"""Schemas that have a name in some version of the language."""


@cache
def _quantities() -> dict[str, str]:
    """Unit name -> the quantity it is of, where one stands out among those of its family."""
    found: dict[str, str] = {}
    model = metamodel()
    by_family: dict[str, list[str]] = {}
    for supplement in model.supplements.values():
        for facet in supplement.facets.values():
            if facet.child_of in model.families:
                by_family.setdefault(facet.child_of, []).append(supplement.name)
    for family, quantities in by_family.items():
        stem = family.partition(";")[0].rpartition(":")[2].removesuffix("Unit")
        among = set(quantities)
        plain = stem if stem in among else next(iter(among)) if len(among) == 1 else ""
        for unit in model.families[family][1]:
            if plain:
                found.setdefault(unit, plain)
    return found


def quantity_of(unit: str) -> str:
    """The semantic type that goes with a unit, such as `Temperature`; "" if several could."""
    return _quantities().get(unit, "")


def unit_text(name: str) -> str:
    """How a unit is written: by its symbol where that is read back as the same unit."""
    if name not in all_units():
        return name
    text = symbol(name)
    if text and text not in PRIMITIVES and " " not in text and find(text).name == name:
        return text
    return name
