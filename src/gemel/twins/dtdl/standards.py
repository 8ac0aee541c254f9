"""Elements that the language itself defines: primitive schemas, GeoJSON shapes, units."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from gemel.twins.dtdl.context import Context
from gemel.twins.dtdl.elements import Element, Link, Place
from gemel.twins.dtdl.metamodel import Kind, metamodel

INSTANCE = "dtmi:dtdl:instance:"
FAMILY = "family"
"""Key in `extra` of a unit: the id of the family of units it belongs to."""


@lru_cache(maxsize=4096)  # ids that do not exist come from outside, without end
def standard_element(identifier: str) -> Element | None:
    """The element with this id, None when the language defines none."""
    model = metamodel()
    if identifier.startswith(INSTANCE):
        name, _, version = identifier.removeprefix(INSTANCE).partition(";")
        group, _, name = name.partition(":")
        return _primitive(name, int(version), group) if version.isdecimal() else None
    if identifier in model.schemas:
        version_number, body = model.schemas[identifier]
        return _schema(body, version_number)
    if identifier in model.units:
        name, family, number = model.units[identifier]
        return _unit(identifier, name, family, number)
    if identifier in model.families and identifier.startswith("dtmi:dtdl:"):
        return _family(identifier)
    return None


def _make(kind: Kind, identifier: str) -> Element:
    element = Element(kind, Context(metamodel().versions[kind.version]), Place(identifier), None)
    element.id = identifier
    element.is_own = False
    return element


def _primitive(name: str, version: int, group: str) -> Element | None:
    class_name = name[:1].upper() + name[1:] if group == "Schema" else group
    kind = metamodel().kinds.get((class_name, version))
    if kind is None or (group != "Schema" and name not in ("synchronous", "asynchronous")):
        return None
    element = _make(kind, f"{INSTANCE}{group}:{name};{version}")
    element.values["name"] = name
    return element


def _schema(body: Any, version: int) -> Element:
    class_name, identifier, inner = body
    kind = metamodel().kinds[class_name, version]
    element = _make(kind, identifier)
    if class_name == "Array":
        element.links["elementSchema"] = [_link(element, "elementSchema", inner, version)]
    elif class_name == "Enum":
        _fill_enum(element, dict(inner))
    else:
        fields = []
        for name, schema in inner.items():
            field = _make(metamodel().kinds["Field", version], "")
            field.values["name"] = name
            field.links["schema"] = [_link(field, "schema", schema, version)]
            fields.append(Link("", element.place, kind.facets["fields"], field))
        element.links["fields"] = fields
    return element


def _link(element: Element, name: str, inner: Any, version: int) -> Link:
    facet = element.kind.facets[name]
    if isinstance(inner, str):
        identifier = inner if inner.startswith("dtmi:") else f"{INSTANCE}Schema:{inner};{version}"
        target = standard_element(identifier)
    else:
        identifier, target = inner[1], _schema(inner, version)
    return Link(identifier, element.place, facet, target)


def _fill_enum(element: Element, values: dict[str, str]) -> None:
    kinds, version = metamodel().kinds, element.version
    element.links["valueSchema"] = [_link(element, "valueSchema", "string", version)]
    links = []
    for name, value in values.items():
        one = _make(kinds["EnumValue", version], "")
        one.values = {"name": name, "enumValue": value}
        links.append(Link("", element.place, element.kind.facets["enumValues"], one))
    element.links["enumValues"] = links


def _unit(identifier: str, name: str, family: str, version: int) -> Element:
    class_name = "Unit" if version == 2 else "EnumValue"
    element = _make(metamodel().kinds[class_name, version], identifier)
    element.values = {"name": name, "enumValue": name}
    element.extra[FAMILY] = family
    return element


def _family(identifier: str) -> Element:
    version, names = metamodel().families[identifier]
    element = _make(metamodel().kinds["Enum", version], identifier)
    _fill_enum(element, {name: name for name in names})
    return element
