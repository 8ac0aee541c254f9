"""Builds interfaces from elements that were found valid."""

from __future__ import annotations

from collections.abc import Mapping

from gemel.core.document import Json
from gemel.twins.dtdl.elements import Element
from gemel.twins.dtdl.interface import (
    Array,
    Command,
    Component,
    Content,
    Enum,
    Interface,
    Map,
    Object,
    Payload,
    Primitive,
    Property,
    Relationship,
    Schema,
    Telemetry,
)
from gemel.twins.dtdl.structure import Structure, targets


class Builder:
    """Turns elements into interfaces; inherited contents are shared, not copied."""

    def __init__(self, structure: Structure, known: Mapping[str, Interface]) -> None:
        self.structure = structure
        self.known = known
        self.schemas: dict[Element, Schema] = {}
        self.made: dict[Element, Content] = {}
        self.bases: dict[Element, frozenset[str]] = {}

    def interface(self, element: Element) -> Interface:
        contents = {
            name: self.content(link.target)
            for name, link in self.structure.contents(element).items()
            if link.target is not None
        }
        return Interface(
            element.id,
            element.version,
            element.values.get("displayName", {}),
            element.values.get("description", {}),
            tuple(base.id for base in targets(element, ("extends",))),
            self.bases_of(element),
            contents,
            self.raw_of(element),
        )

    def raw_of(self, element: Element) -> Json:
        """The document; one that stood inside another gets the context it had there."""
        if "@context" in element.raw and element.parent is None:
            return element.raw
        context: list[object] = []
        around: Element | None = element
        while around is not None:
            own = around.raw.get("@context", [])
            context[:0] = own if isinstance(own, list) else [own]
            around = around.parent
        kept = [x for n, x in enumerate(context) if x not in context[:n]]
        language = [x for x in kept if str(x).startswith("dtmi:dtdl:context;")][-1:]
        others = [x for x in kept if not str(x).startswith("dtmi:dtdl:context;")]
        return {"@context": [*language, *others], **_without_context(element.raw)}

    def bases_of(self, element: Element) -> frozenset[str]:
        if element not in self.bases:
            found = {element}
            stack = [element]
            while stack:
                for base in targets(stack.pop(), ("extends",)):
                    if base not in found:
                        found.add(base)
                        stack.append(base)
            self.bases[element] = frozenset(base.id for base in found)
        return self.bases[element]

    def content(self, element: Element) -> Content:
        if element not in self.made:
            self.made[element] = self.make_content(element)
        return self.made[element]

    def make_content(self, element: Element) -> Content:
        name = element.values["name"]
        types = tuple(one.name for one in element.supplements) + element.loose
        display = element.values.get("displayName", {})
        description = element.values.get("description", {})
        kind = element.kind.name
        if kind == "Telemetry":
            return Telemetry(
                name, self.schema_of(element), types, unit_of(element), display, description
            )
        if kind == "Property":
            return self.property(element)
        if kind == "Command":
            request, response = self.payload(element, "request"), self.payload(element, "response")
            return Command(name, request, response, types, display, description)
        if kind == "Component":
            target = element.links["schema"][0].target
            return Component(name, target.id if target else "", types, display, description)
        return Relationship(
            name,
            element.values.get("target"),
            element.values.get("minMultiplicity"),
            element.values.get("maxMultiplicity"),
            {p.values["name"]: self.property(p) for p in targets(element, ("properties",))},
            element.values.get("writable", False),
            types,
            display,
            description,
        )

    def property(self, element: Element) -> Property:
        return Property(
            element.values["name"],
            self.schema_of(element),
            tuple(one.name for one in element.supplements) + element.loose,
            unit_of(element),
            element.values.get("displayName", {}),
            element.values.get("description", {}),
            element.values.get("writable", False),
        )

    def payload(self, element: Element, name: str) -> Payload | None:
        for target in targets(element, (name,)):
            return Payload(
                target.values["name"],
                self.schema_of(target),
                target.values.get("displayName", {}),
                unit_of(target),
            )
        return None

    def schema_of(self, element: Element, name: str = "schema") -> Schema:
        for target in targets(element, (name,)):
            return self.schema(target)
        raise AssertionError(f"{element.place}: no '{name}'")

    def schema(self, element: Element) -> Schema:
        known = self.schemas.get(element)
        if known is not None:
            return known
        kind = element.kind.name
        if kind == "Object":
            fields: dict[str, Schema] = {}
            # known before its fields are made: a schema may contain itself
            self.schemas[element] = made = Object(fields)
            for field in targets(element, ("fields",)):
                fields[field.values["name"]] = self.schema_of(field)
            return made
        made_other: Schema
        if kind == "Array":
            made_other = self.wrap(element, "elementSchema")
        elif kind == "Map":
            made_other = self.wrap(element, "mapValue")
        elif kind == "Enum":
            values = targets(element, ("enumValues",))
            made_other = Enum(
                next(iter(targets(element, ("valueSchema",)))).values["name"],
                {one.values["enumValue"]: one.values["name"] for one in values},
            )
        else:
            made_other = Primitive(kind[:1].lower() + kind[1:])
        self.schemas[element] = made_other
        return made_other

    def wrap(self, element: Element, name: str) -> Schema:
        """An array or map; one that contains itself is closed after its element is known."""
        made = Array(NOTHING) if name == "elementSchema" else Map(NOTHING)
        self.schemas[element] = made
        inner = next(iter(targets(element, (name,))))
        schema = self.schema_of(inner) if name == "mapValue" else self.schema(inner)
        object.__setattr__(made, "value" if name == "mapValue" else "element", schema)
        return made


NOTHING = Primitive("string")


def unit_of(element: Element) -> str:
    """The plain name of the unit, "" when there is none."""
    for key, links in element.links.items():
        if key.startswith("dtmi:") and links and links[0].facet.name == "unit":
            target = links[0].target
            return target.values["name"] if target is not None else ""
    return ""


def _without_context(raw: Json) -> Json:
    return {key: value for key, value in raw.items() if key != "@context"}
