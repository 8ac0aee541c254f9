"""Twins and their models as an Asset Administration Shell environment.

A twin is a shell with a submodel for itself and one for each component; an interface, and each
of its contents, is a concept description that the elements name as their semantics.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from gemel.core.document import Json
from gemel.core.units import symbol
from gemel.interchange.aas_words import (
    ASSET,
    DTDL,
    IEC61360,
    KIND,
    MOST_NAME,
    MOST_TEXT,
    NAME,
    QUALITY,
    TIME,
    XSD,
    external,
    id_short,
    internal,
    literal,
    qualifier,
    shell_id,
    submodel_id,
    texts,
)
from gemel.interchange.facts import (
    Facts,
    Material,
    Value,
    content_id,
    kind_of,
    parts,
    path_of,
    signals,
    unit_of,
)
from gemel.interchange.losses import Losses
from gemel.twins.dtdl.interface import (
    Array,
    Command,
    Content,
    Enum,
    Interface,
    Map,
    Object,
    Payload,
    Primitive,
    Schema,
)

DEEPEST = 5
"""Levels of fields that are shown where there is no value."""
NUMBERS = (
    frozenset(XSD)
    - {"boolean", "string", "uuid", "bytes", "scaledDecimal"}
    - {*("date", "dateTime", "time", "duration")}
)


def environment(material: Material, losses: Losses) -> Json:
    """The whole environment: shells, submodels, concept descriptions."""
    made: Json = {}
    shells = [shell(twin, material.models) for twin in material.twins]
    submodels = [
        one for twin in material.twins for one in submodels_of(twin, material.models, losses)
    ]
    concepts = concept_descriptions(material.used(), losses)
    for name, found in (
        ("assetAdministrationShells", shells),
        ("submodels", submodels),
        ("conceptDescriptions", concepts),
    ):
        if found:
            made[name] = found
    return made


def shell(twin: Facts, models: Mapping[str, Interface]) -> Json:
    made: Json = {
        "modelType": "AssetAdministrationShell",
        "id": shell_id(twin.id),
        "idShort": id_short(twin.id),
        "assetInformation": {
            "assetKind": "Instance",
            "globalAssetId": ASSET + shell_id(twin.id).rpartition(":")[2],
            "assetType": twin.model,
        },
        "submodels": [
            internal(("Submodel", submodel_id(twin.id, name)))
            for name, _ in parts(models, twin.model)
        ]
        or None,
    }
    if twin.name:
        made["displayName"] = [{"language": "en", "text": twin.name[:MOST_NAME]}]
    return {name: value for name, value in made.items() if value is not None}


def submodels_of(twin: Facts, models: Mapping[str, Interface], losses: Losses) -> list[Json]:
    if twin.model not in models:
        losses.dropped(twin.model, "there is no such model, so its twins are empty shells", twin.id)
    return [
        _Submodel(twin, name, interface, losses).made()
        for name, interface in parts(models, twin.model)
    ]


class _Submodel:
    """One interface of one twin."""

    def __init__(self, twin: Facts, component: str, interface: Interface, losses: Losses) -> None:
        self._twin = twin
        self._component = component
        self._interface = interface
        self._losses = losses
        self._depth = 0

    def made(self) -> Json:
        interface, twin = self._interface, self._twin
        elements = [
            self._signal(name, content)
            for name, content in signals(interface).items()
            if path_of(self._component, name) not in twin.hidden
        ]
        elements += [
            self._operation(one)
            for one in interface.commands().values()
            if path_of(self._component, one.name) not in twin.hidden
        ]
        if not self._component:
            elements += self._relationships()
        made: Json = {
            "modelType": "Submodel",
            "id": submodel_id(twin.id, self._component),
            "idShort": id_short(self._component or "properties"),
            "kind": "Instance",
            "semanticId": external(interface.id),
        }
        names = texts(
            interface.display_name, MOST_NAME, self._losses, f"{interface.id}: displayName"
        )
        if names:
            made["displayName"] = names
        return made | ({"submodelElements": elements} if elements else {})

    # ---- values --------------------------------------------------------------------------

    def _signal(self, name: str, content: Any) -> Json:
        value = self._twin.value(path_of(self._component, name))
        place = f"{self._interface.id}: {name}"
        made = self._element(content.schema, value.value, place)
        return {**made, **self._head(name, content), "qualifiers": self._qualifiers(content, value)}

    def _head(self, name: str, content: Content) -> Json:
        place = f"{self._interface.id}: {name}"
        made: Json = {
            "idShort": id_short(name),
            "semanticId": external(content_id(self._interface, content)),
        }
        for field, found, most in (
            ("displayName", content.display_name, MOST_NAME),
            ("description", content.description, MOST_TEXT),
        ):
            said = texts(found, most, self._losses, f"{place}.{field}")
            if said:
                made[field] = said
        return made

    @staticmethod
    def _qualifiers(content: Content, value: Value) -> list[Json]:
        found = [qualifier(KIND, kind_of(content))]
        if value.value is not None and value.time:
            found.append(qualifier(TIME, value.time, "xs:dateTime"))
        if value.value is not None:
            found.append(qualifier(QUALITY, value.quality))
        return found

    def _element(self, schema: Schema, value: Any, place: str) -> Json:
        """A value as the element that its schema asks for, without a name."""
        if isinstance(schema, Object):
            return self._collection(schema.fields, value, place)
        if isinstance(schema, Map):
            return self._map(schema, value, place)
        if isinstance(schema, Array):
            return self._list(schema, value, place)
        return self._property(schema, value, place)

    def _property(self, schema: Schema, value: Any, place: str) -> Json:
        value_type = _value_type(schema)
        made: Json = {"modelType": "Property", "valueType": value_type}
        if isinstance(value, dict | list):
            self._losses.approximated(
                place, "a value that its schema does not know became JSON text"
            )
            value, value_type = orjson.dumps(value).decode(), "xs:string"
        found = literal(value, value_type)
        if found is not None:
            if found[1] != value_type:
                self._losses.approximated(
                    place, f"'{found[0][:40]}' is no {value_type}: written as a text", self._twin.id
                )
            made["value"], made["valueType"] = found
        return made

    def _collection(self, fields: Mapping[str, Schema], value: Any, place: str) -> Json:
        held = value if isinstance(value, dict) else {}
        if isinstance(value, dict):
            fields = {name: schema for name, schema in fields.items() if name in held}
        elif self._depth > DEEPEST:  # a schema may hold itself
            fields = {}
        self._depth += 1
        inner = [
            {**self._element(schema, held.get(name), f"{place}.{name}"), "idShort": id_short(name)}
            for name, schema in fields.items()
        ]
        self._depth -= 1
        return {"modelType": "SubmodelElementCollection"} | ({"value": inner} if inner else {})

    def _map(self, schema: Map, value: Any, place: str) -> Json:
        inner: list[Json] = []
        taken: set[str] = set()
        for name, one in (value if isinstance(value, dict) else {}).items():
            short = _free(id_short(name), taken)
            made = {**self._element(schema.value, one, place), "idShort": short}
            if short != name:
                self._losses.changed(
                    place, "keys of a map that are no names are kept beside others"
                )
                made["qualifiers"] = [qualifier(NAME, name)]
            inner.append(made)
        return {"modelType": "SubmodelElementCollection"} | ({"value": inner} if inner else {})

    def _list(self, schema: Array, value: Any, place: str) -> Json:
        items = [self._element(schema.element, one, place) for one in value or ()]
        kind = self._element(schema.element, None, place)["modelType"]
        made: Json = {"modelType": "SubmodelElementList", "typeValueListElement": kind}
        if kind == "Property":
            types = {one["valueType"] for one in items} or {_value_type(schema.element)}
            made["valueTypeListElement"] = types.pop() if len(types) == 1 else "xs:string"
            items = [{**one, "valueType": made["valueTypeListElement"]} for one in items]
        return made | ({"value": items} if items else {})

    # ---- commands and relationships ------------------------------------------------------

    def _operation(self, command: Command) -> Json:
        made = {"modelType": "Operation", **self._head(command.name, command)}
        for field, payload in (
            ("inputVariables", command.request),
            ("outputVariables", command.response),
        ):
            if payload is not None:
                made[field] = [{"value": self._variable(command, payload)}]
        return made

    def _variable(self, command: Command, payload: Payload) -> Json:
        place = f"{self._interface.id}: {command.name}.{payload.name}"
        made = {**self._element(payload.schema, None, place), "idShort": id_short(payload.name)}
        if payload.unit:
            made["qualifiers"] = [qualifier("gemel:unit", payload.unit)]
        return made

    def _relationships(self) -> list[Json]:
        taken: set[str] = {id_short(name) for name in self._interface.contents}
        return [self._relationship(one, taken) for one in self._twin.relationships]

    def _relationship(self, link: Json, taken: set[str]) -> Json:
        name, key = link["$relationshipName"], link["$relationshipId"]
        content = self._interface.contents.get(name)
        semantics = content_id(self._interface, content) if content is not None else name
        held = {k: v for k, v in link.items() if not k.startswith("$")}
        made: Json = {
            "modelType": "AnnotatedRelationshipElement" if held else "RelationshipElement",
            "idShort": _free(id_short(key), taken),
            "semanticId": external(semantics),
            "first": internal(("AssetAdministrationShell", shell_id(link["$sourceId"]))),
            "second": internal(("AssetAdministrationShell", shell_id(link["$targetId"]))),
            "qualifiers": [qualifier(KIND, "Relationship"), qualifier(NAME, key)],
        }
        if held:
            made["annotations"] = [self._annotation(name, one, held[one]) for one in sorted(held)]
        return made

    def _annotation(self, relationship: str, name: str, value: Any) -> Json:
        content = self._interface.relationships().get(relationship)
        known = content.properties.get(name) if content is not None else None
        place = f"{self._interface.id}: {relationship}.{name}"
        made = self._property(known.schema if known else Primitive("string"), value, place)
        return {**made, "idShort": id_short(name)}


def _free(name: str, taken: set[str]) -> str:
    free, number = name, 2
    while free in taken:
        free = f"{name[: MOST_NAME - 6]}_{number}"
        number += 1
    taken.add(free)
    return free


def _value_type(schema: Schema) -> str:
    if isinstance(schema, Enum):
        return "xs:string" if all(isinstance(v, str) for v in schema.values) else "xs:int"
    return XSD.get(schema.kind, "xs:string")


# ---- concept descriptions ------------------------------------------------------------------------


def concept_descriptions(models: Mapping[str, Interface], losses: Losses) -> list[Json]:
    """One for each interface, which holds its DTDL whole, and one for each of its own contents."""
    made: list[Json] = []
    met: set[str] = set()
    for interface in models.values():
        made.append(_concept_of_model(interface, losses))
        for content in interface.contents.values():
            key = content_id(interface, content)
            if key not in met:
                met.add(key)
                made.append(_concept_of_content(interface, content, key))
    return made


def _concept_of_model(interface: Interface, losses: Losses) -> Json:
    made: Json = {
        "modelType": "ConceptDescription",
        "id": interface.id,
        "idShort": id_short(interface.title),
        "extensions": [
            {
                "name": DTDL,
                "valueType": "xs:string",
                "value": orjson.dumps(interface.raw).decode(),
            }
        ],
    }
    for field, found, most in (
        ("displayName", interface.display_name, MOST_NAME),
        ("description", interface.description, MOST_TEXT),
    ):
        said = texts(found, most, losses, f"{interface.id}: {field}")
        if said:
            made[field] = said
    return made


def _concept_of_content(interface: Interface, content: Content, key: str) -> Json:
    names = {k: v for k, v in content.display_name.items() if v}
    names.setdefault("en", names.get("en") or next(iter(names.values()), content.name))
    about: Json = {
        "modelType": "DataSpecificationIec61360",
        "preferredName": [{"language": k, "text": v[:255]} for k, v in names.items()],
    }
    unit = unit_of(content)
    if unit:
        about["unit"] = symbol(unit) or unit
        about["unitId"] = external(f"dtmi:dtdl:instance:unit:{unit};2")
    kind = getattr(getattr(content, "schema", None), "kind", "")
    if kind:
        about["dataType"] = _data_type(kind, bool(unit))
    said = {k: v for k, v in content.description.items() if v}
    said.setdefault("en", f"{kind_of(content)} '{content.name}' of {interface.title}")
    about["definition"] = [{"language": k, "text": v[:MOST_TEXT]} for k, v in said.items()]
    about = {name: value for name, value in about.items() if value}
    return {
        "modelType": "ConceptDescription",
        "id": key,
        "idShort": id_short(content.name),
        "embeddedDataSpecifications": [
            {"dataSpecification": external(IEC61360), "dataSpecificationContent": about}
        ],
    }


def _data_type(kind: str, has_unit: bool) -> str:
    plain = {
        "boolean": "BOOLEAN",
        "date": "DATE",
        "time": "TIME",
        "dateTime": "TIMESTAMP",
    }.get(kind)
    if plain:
        return plain
    if kind in NUMBERS:
        stem = "REAL" if kind in ("double", "float", "decimal") else "INTEGER"
        return f"{stem}_{'MEASURE' if has_unit else 'COUNT'}"
    return "STRING" if kind in XSD else ""
