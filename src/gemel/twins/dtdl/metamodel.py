"""The rules of DTDL 2, 3 and 4 as a table: what a model may contain, read once from a data file.

`metamodel.json` is made by `scripts/dtdl_metamodel.py`; docs/reference/dtdl.md describes its shape.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

Limit: TypeAlias = int | Mapping[str, int] | None
"""A number, or one for each limit specification ("" is the standard one), or no limit."""


def limit_in(limit: Limit, specification: str) -> int | None:
    if limit is None or isinstance(limit, int):
        return limit
    return limit.get(specification, limit[""])


@dataclass(frozen=True, slots=True)
class Facet:
    """What one property of an element may be."""

    name: str
    id: str
    kind: str
    """element, identifier, string, integer, boolean, langString, any, duration, decimal, term."""
    plural: bool = False
    minimum: int = 0
    maximum: Limit = None
    length: Limit = None
    pattern: re.Pattern[str] | None = None
    shape: str = ""
    """The pattern in words."""
    least: int | None = None
    most: int | None = None
    exactly: tuple[int, ...] = ()
    class_name: str = ""
    versions: frozenset[int] = frozenset()
    among: frozenset[str] = frozenset()
    """Names of the only standard elements allowed."""
    unique: tuple[str, ...] = ()
    typed: bool = False
    identified: bool = False
    child_of: str = ""
    """Id of the enum that the value must belong to."""
    sibling: bool = False
    """Whether siblings must have different values."""
    segment: str = ""
    """Property of the elements held that makes their ids."""


@dataclass(frozen=True, slots=True)
class Instance:
    """What a value of an element must be to conform to it."""

    json: str = ""
    """Its JSON type; "" when what it refers to says it."""
    datatype: str = ""
    """As XML Schema names it."""
    pattern: re.Pattern[str] | None = None
    through: tuple[str, ...] = ()
    """Properties whose elements it must conform to."""
    inner: tuple[str, ...] = ()
    """Properties whose elements its members must conform to."""
    value: str = ""
    """The property whose value it must be."""
    name: str = ""
    """The property whose value its name must be."""
    words: str = ""
    standard: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of elements (Telemetry, Map...) in one version of the language."""

    name: str
    version: int
    ancestors: frozenset[str]
    facets: dict[str, Facet]
    """By name and by id."""
    ordered: tuple[Facet, ...]
    usable: bool
    """Whether models may make elements of it, rather than refer to standard ones."""
    identified: bool
    untyped: bool
    instance: Instance | None = None
    """None when it describes no value by itself."""


@dataclass(frozen=True, slots=True)
class Constraint:
    property: str
    types: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()
    inverse: bool = False
    alone: str = ""
    """No sibling may have this type."""
    beside: str = ""
    """Some sibling must have this type."""


@dataclass(frozen=True, slots=True)
class SiblingRule:
    keyref: str
    types: frozenset[str] = frozenset()
    banned: str = ""
    property: str = ""
    once: str = ""


@dataclass(frozen=True, slots=True)
class Supplement:
    """A type that stands beside the class of an element: a quantity, Historized, Mqtt..."""

    id: str
    name: str
    kind: str
    abstract: bool
    lineage: frozenset[str]
    """Ids of itself and its parents."""
    on: frozenset[str]
    versions: frozenset[int]
    needs: tuple[str, ...]
    bars: tuple[str, ...]
    instead: tuple[str, ...]
    facets: dict[str, Facet]
    """By id; those of parents too."""
    constraints: tuple[Constraint, ...]
    siblings: tuple[SiblingRule, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A limit on what may lie below an element."""

    root: str
    properties: frozenset[str]
    narrow: bool
    """Whether only these properties are followed; else all are, and these are counted."""
    depth: Limit
    count: Limit
    excluded: str
    imports: tuple[str, ...]
    datatype: str
    allow_self: bool


@dataclass(frozen=True, slots=True)
class Version:
    number: int
    id_pattern: re.Pattern[str]
    id_length: Limit
    reference_pattern: re.Pattern[str]
    interface_id_length: Limit
    bytes: Limit
    open: bool
    """Whether unknown extension contexts are accepted unless asked otherwise."""
    strict_keywords: bool
    limitless: bool
    as_type: Mapping[str, str]
    as_property: Mapping[str, str]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Metamodel:
    versions: dict[int, Version]
    kinds: dict[tuple[str, int], Kind]
    contexts: dict[str, dict[str, str]]
    """Terms and their ids, for each context."""
    supplements: dict[str, Supplement]
    units: dict[str, tuple[str, str, int]]
    """Unit id -> (name, id of its family, DTDL version)."""
    families: dict[str, tuple[int, tuple[str, ...]]]
    """Family id -> (DTDL version, names of its units)."""
    schemas: dict[str, tuple[int, list[Any]]]
    """Id of a standard schema -> (DTDL version, [class, id, body])."""
    implicit: dict[str, int]
    limits: dict[str, str]
    reserved: dict[str, list[str]]
    class_ids: dict[str, tuple[str, int]] = field(default_factory=dict)
    class_names: frozenset[str] = frozenset()
    """In any version of the language."""


@cache
def metamodel() -> Metamodel:
    """The table, read on first use."""
    raw = json.loads((Path(__file__).with_name("metamodel.json")).read_text(encoding="utf-8"))
    versions = {int(v): _version(int(v), one, raw["descent"]) for v, one in raw["versions"].items()}
    kinds = {
        (name, version): _kind(name, version, raw["classes"])
        for name, one in raw["classes"].items()
        for version in one["versions"]
    }
    contexts = {name: _terms(one) for name, one in raw["contexts"].items()}
    units: dict[str, tuple[str, str, int]] = {}
    families: dict[str, tuple[int, tuple[str, ...]]] = {}
    types = dict(raw["types"])
    for context, table in raw["quantities"].items():
        _expand_quantities(context, table, contexts[context], types, units, families)
    return Metamodel(
        versions,
        kinds,
        contexts,
        {identifier: _supplement(identifier, types) for identifier in types},
        units,
        families,
        dict(_schemas(raw["schemas"])),
        raw["implicitVersions"],
        raw["limits"],
        raw["reserved"],
        {f"dtmi:dtdl:class:{name};{version}": (name, version) for name, version in kinds},
        frozenset(name for name, _ in kinds),
    )


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    if pattern.endswith("$"):  # Python's $ would also accept a newline at the end
        pattern = pattern[:-1] + r"\Z"
    return re.compile(pattern, re.ASCII)


def _version(number: int, raw: dict[str, Any], descent: list[dict[str, Any]]) -> Version:
    id_pattern, reference = _compiled(raw["id"]["pattern"]), _compiled(raw["reference"]["pattern"])
    assert id_pattern is not None
    assert reference is not None
    return Version(
        number,
        id_pattern,
        raw["id"]["maxLength"],
        reference,
        raw["interfaceId"],
        raw["bytes"],
        raw["openByDefault"],
        raw["strictKeywords"],
        raw["limitless"],
        raw["asType"],
        raw["asProperty"],
        tuple(_rule(one) for one in descent if one["dtdlVersion"] == number),
    )


def _rule(raw: dict[str, Any]) -> Rule:
    return Rule(
        raw["rootClass"],
        frozenset(raw["properties"]),
        raw.get("narrow", False),
        raw.get("maxDepth"),
        raw.get("maxCount"),
        raw.get("excludeType", ""),
        tuple(raw.get("importProperties", ())),
        raw.get("datatypeProperty", ""),
        raw.get("allowSelf", False),
    )


def _facet(name: str, identifier: str, raw: dict[str, Any]) -> Facet:
    return Facet(
        name,
        identifier,
        raw["kind"],
        raw.get("plural", False),
        raw.get("min", 0),
        raw.get("max"),
        raw.get("length"),
        _compiled(raw.get("pattern")),
        raw.get("shape", ""),
        raw.get("least"),
        raw.get("most"),
        tuple(raw.get("exactly", ())),
        raw.get("class", ""),
        frozenset(raw.get("versions", ())),
        frozenset(raw.get("among", ())),
        tuple(raw.get("unique", ())),
        raw.get("typed", False),
        raw.get("identified", False),
        raw["in"] if isinstance(raw.get("in"), str) else "",
        raw.get("sibling", False),
        raw.get("segment", ""),
    )


def _kind(name: str, version: int, classes: dict[str, Any]) -> Kind:
    ancestors = []
    facets: dict[str, Facet] = {}
    ordered: list[Facet] = []
    parent: str | None = name
    while parent:
        ancestors.append(parent)
        for own, raw in classes[parent].get("properties", {}).items():
            if str(version) in raw["in"] and own not in facets:
                merged = {**raw, **raw["in"][str(version)], "in": None}
                facet = _facet(own, f"dtmi:dtdl:property:{own};{version}", merged)
                facets[own] = facets[facet.id] = facet
                ordered.append(facet)
        parent = classes[parent].get("parent")
    one = classes[name]
    return Kind(
        name,
        version,
        frozenset(ancestors),
        facets,
        tuple(ordered),
        version in one.get("usable", ()) and not one.get("elemental", False),
        one.get("identified", False),
        one.get("untyped", False),
        _instance(one["instance"]) if "instance" in one else None,
    )


def _instance(raw: dict[str, Any]) -> Instance:
    return Instance(
        raw.get("json", ""),
        raw.get("datatype", ""),
        _compiled(raw.get("pattern")),
        tuple(raw.get("through", ())),
        tuple(raw.get("inner", ())),
        raw.get("value", ""),
        raw.get("name", ""),
        raw.get("words", ""),
        raw.get("standard", ""),
    )


def _terms(raw: dict[str, Any]) -> dict[str, str]:
    terms = dict(raw.get("others", {}))
    for pattern, names in raw.get("groups", {}).items():
        for name in names.split():
            terms[name] = pattern.replace("*", name)
    return terms


def _expand_quantities(
    context: str,
    table: dict[str, Any],
    terms: dict[str, str],
    types: dict[str, Any],
    units: dict[str, tuple[str, str, int]],
    families: dict[str, tuple[int, tuple[str, ...]]],
) -> None:
    base = types[table["base"]]
    ((unit_id, unit_facet),) = base["properties"].items()
    version = base["versions"][0]
    for family, names in table["units"].items():
        families[terms[family]] = (version, tuple(names.split()))
        for name in names.split():
            units[terms[name]] = (name, terms[family], version)
    for quantity, family in table["types"].items():
        facet = dict(unit_facet, **{"in": terms[family]})
        types[terms[quantity]] = {
            "kind": "SemanticType",
            "parent": table["base"],
            "on": base["on"],
            "versions": base["versions"],
            "properties": {unit_id: facet},
        }


def _lineage(identifier: str, types: dict[str, Any]) -> list[str]:
    chain = []
    parent: str | None = identifier
    while parent and parent in types:
        chain.append(parent)
        parent = types[parent].get("parent")
    return chain


def _supplement(identifier: str, types: dict[str, Any]) -> Supplement:
    one = types[identifier]
    lineage = _lineage(identifier, types)
    facets: dict[str, Facet] = {}
    for parent in reversed(lineage):
        for own, raw in types[parent].get("properties", {}).items():
            facets[own] = _facet(raw["name"], own, raw)
    return Supplement(
        identifier,
        identifier.partition(";")[0].rpartition(":")[2],
        one.get("kind", ""),
        one.get("abstract", False),
        frozenset(lineage),
        frozenset(one.get("on", ())),
        frozenset(one.get("versions", ())),
        tuple(one.get("with", ())),
        tuple(one.get("without", ())),
        tuple(one.get("or", ())),
        facets,
        tuple(_constraint(raw) for p in lineage for raw in types[p].get("constraints", ())),
        tuple(_sibling_rule(raw) for p in lineage for raw in types[p].get("siblings", ())),
    )


def _constraint(raw: dict[str, Any]) -> Constraint:
    return Constraint(
        raw["property"],
        frozenset(raw.get("types", ())),
        frozenset(raw.get("values", ())),
        raw.get("inverse", False),
        raw.get("alone", ""),
        raw.get("beside", ""),
    )


def _sibling_rule(raw: dict[str, Any]) -> SiblingRule:
    return SiblingRule(
        raw["keyref"],
        frozenset(raw.get("types", ())),
        raw.get("not", ""),
        raw.get("property", ""),
        raw.get("once", ""),
    )


def _schemas(raw: list[dict[str, Any]]) -> list[tuple[str, tuple[int, list[Any]]]]:
    made = []
    for one in raw:
        for version in one["versions"]:
            body = json.loads(json.dumps(one["schema"]).replace(";*", f";{version}"))
            made.append((f"{one['id']};{version}", (version, body)))
    return made
