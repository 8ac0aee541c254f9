"""A new version of a model: what breaks, and what becomes of a twin that moves to it.

`compare` says what is different of two models, `read_mapping` reads what people want done about it,
and `moved` makes the document of a twin as the new model wants it. Nothing here changes anything.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.core.units import conversion
from gemel.twins.dtdl.interface import (
    Command,
    Component,
    Content,
    Interface,
    Property,
    Relationship,
    Telemetry,
)
from gemel.twins.graph import Graph

DEEPEST = 8
WORDS: dict[type[Content], str] = {
    Property: "property",
    Telemetry: "telemetry",
    Command: "command",
    Relationship: "relationship",
    Component: "component",
}
FIELDS = ("rename", "default", "convert", "drop")


class Change(NamedTuple):
    """What is different of one content of two models."""

    act: str
    """`added`, `removed`, `schema`, `unit`, `kind`, `target` or `writable`."""
    kind: str
    path: str
    message: str
    breaks: bool
    """Whether twins, devices or programs that use the old model may not go on as they are."""
    suggestion: Json

    def view(self) -> Json:
        return {
            "act": self.act,
            "kind": self.kind,
            "path": self.path,
            "message": self.message,
            "breaks": self.breaks,
            "suggestion": self.suggestion,
        }


@dataclass(frozen=True, slots=True)
class Mapping:
    """What is done to values on the way; paths are dotted, components included."""

    rename: dict[str, str] = field(default_factory=dict)
    default: Json = field(default_factory=dict)
    convert: dict[str, tuple[float, float]] = field(default_factory=dict)
    """New path to scale and offset."""
    drop: tuple[str, ...] = ()


def contents_of(
    graph: Graph, interface: Interface, prefix: str = ""
) -> Iterator[tuple[str, Content]]:
    """Every content by path, those of components too."""
    for name, content in interface.contents.items():
        path = prefix + name
        yield path, content
        if isinstance(content, Component) and path.count(".") < DEEPEST:
            inner = graph.find_model(content.schema)
            if inner is not None:
                yield from contents_of(graph, inner, f"{path}.")


# ---- comparing ---------------------------------------------------------------------------


def compare(graph: Graph, old: Interface, new: Interface) -> list[Change]:
    """What is different of two models, what breaks first."""
    before, after = dict(contents_of(graph, old)), dict(contents_of(graph, new))
    added = {path: after[path] for path in after if path not in before}
    found: list[Change] = []
    for path, content in before.items():
        if path in after:
            found += _differences(path, content, after[path])
        else:
            found.append(_removed(path, content, added))
    for path, content in added.items():
        word = WORDS[type(content)]
        found.append(Change("added", word, path, f"the {word} '{path}' is new", False, {}))
    return sorted(found, key=lambda one: (not one.breaks, one.path))


def _removed(path: str, content: Content, added: dict[str, Content]) -> Change:
    word = WORDS[type(content)]
    alike = [other for other, one in added.items() if _is_alike(content, one)]
    near = difflib.get_close_matches(path, alike, 1, 0.5) or (alike if len(alike) == 1 else [])
    suggestion: Json = {}
    if isinstance(content, Property):
        suggestion = {"rename": {path: near[0]}} if near else {"drop": [path]}
    more = {
        "telemetry": "; its history stays under its name",
        "relationship": "; twins that have such a relationship cannot move",
    }.get(word, "")
    renamed = f", perhaps it is now '{near[0]}'" if near else ""
    message = f"the {word} '{path}' is gone{renamed}{more}"
    return Change("removed", word, path, message, True, suggestion)


def _is_alike(one: Content, other: Content) -> bool:
    if isinstance(one, Property | Telemetry) and isinstance(other, Property | Telemetry):
        return type(one) is type(other) and one.schema == other.schema
    return type(one) is type(other)


def _differences(path: str, old: Content, new: Content) -> Iterator[Change]:
    word = WORDS[type(new)]
    if type(old) is not type(new):
        was = WORDS[type(old)]
        message = f"'{path}' was {_article(was)} and is {_article(word)}"
        suggestion: Json = {"drop": [path]} if isinstance(old, Property) else {}
        yield Change("kind", word, path, message, True, suggestion)
    elif isinstance(old, Property | Telemetry) and isinstance(new, Property | Telemetry):
        yield from _value_differences(path, word, old, new)
    elif isinstance(old, Relationship) and isinstance(new, Relationship):
        if old.target != new.target:
            message = (
                f"'{path}' pointed at {old.target or 'any twin'}, now at {new.target or 'any'}"
            )
            yield Change("target", word, path, message, new.target is not None, {})
        gone = ", ".join(sorted(old.properties.keys() - new.properties.keys()))
        if gone:
            message = f"relationships '{path}' lose the properties {gone}"
            yield Change("schema", word, path, message, True, {})
    elif isinstance(old, Command) and isinstance(new, Command):
        one = old.request.schema if old.request else None
        other = new.request.schema if new.request else None
        if one != other:
            yield Change(
                "schema", word, path, f"the command '{path}' takes another request", True, {}
            )
    elif isinstance(old, Component) and isinstance(new, Component) and old.schema != new.schema:
        message = f"the component '{path}' was a '{old.schema}' and is a '{new.schema}'"
        yield Change("schema", word, path, message, False, {})


def _value_differences(
    path: str, word: str, old: Property | Telemetry, new: Property | Telemetry
) -> Iterator[Change]:
    if old.schema != new.schema:
        message = f"the {word} '{path}' was {old.schema.kind} and is {new.schema.kind}"
        yield Change(
            "schema", word, path, message, True, {"drop": [path]} if word == "property" else {}
        )
    if old.unit != new.unit:
        suggestion: Json = {}
        if word == "property" and old.unit and new.unit:
            suggestion = {"convert": [path]}
        message = (
            f"the {word} '{path}' was in {old.unit or 'no unit'} and is in {new.unit or 'none'}"
        )
        yield Change("unit", word, path, message, True, suggestion)
    if isinstance(old, Property) and isinstance(new, Property) and old.writable != new.writable:
        can = "can" if new.writable else "can no longer"
        message = f"the property '{path}' {can} be asked for"
        yield Change("writable", word, path, message, not new.writable, {})


def _article(word: str) -> str:
    return word if word == "telemetry" else f"a {word}"


# ---- what people want --------------------------------------------------------------------


def read_mapping(graph: Graph, old: Interface, new: Interface, body: object) -> Mapping:
    """Reads and checks `{"rename", "default", "convert", "drop"}`.

    Raises:
        InvalidInput: a path is not in the models, or units do not convert into each other.
    """
    if not isinstance(body, dict) or body.keys() - set(FIELDS):
        raise InvalidInput(
            "the mapping must be an object of " + ", ".join(f"'{name}'" for name in FIELDS),
            hint='like {"rename": {"speed": "targetSpeed"}, "drop": ["note"]}',
        )
    before = {p: c for p, c in contents_of(graph, old) if isinstance(c, Property)}
    after = {p: c for p, c in contents_of(graph, new) if isinstance(c, Property)}
    rename, default = body.get("rename", {}), body.get("default", {})
    drop, convert = body.get("drop", []), body.get("convert", [])
    if not isinstance(rename, dict) or not isinstance(default, dict) or not isinstance(drop, list):
        raise InvalidInput("'rename' and 'default' are objects, 'drop' is a list of paths")
    for path in [*rename, *drop]:
        _require(path, before, old)
    for path in [*rename.values(), *default]:
        _require(path, after, new)
    if len(set(rename.values())) < len(rename):
        raise InvalidInput("two properties are renamed to the same", hint="drop one of them")
    return Mapping(rename, default, _conversions(convert, before, after, rename, new), tuple(drop))


def _require(path: object, known: dict[str, Property], model: Interface) -> Property:
    if not isinstance(path, str) or path not in known:
        near = difflib.get_close_matches(str(path), known, 3)
        names = ", ".join(near or list(known)[:10]) or "none"
        raise InvalidInput(
            f"the mapping names '{str(path)[:80]}', which is no property of '{model.id}'",
            hint=f"there are: {names}",
        )
    return known[path]


def _conversions(
    wanted: object,
    before: dict[str, Property],
    after: dict[str, Property],
    rename: dict[str, str],
    new: Interface,
) -> dict[str, tuple[float, float]]:
    """New path to scale and offset: of the units of both models, or as given."""
    if not isinstance(wanted, list | dict):
        raise InvalidInput('\'convert\' is a list of paths, or path to {"scale", "offset"}')
    origin = {target: source for source, target in rename.items()}
    found: dict[str, tuple[float, float]] = {}
    for path in map(str, wanted):
        target = _require(path, after, new)
        given = wanted[path] if isinstance(wanted, dict) else None
        if isinstance(given, dict):
            scale, offset = given.get("scale", 1.0), given.get("offset", 0.0)
            if not all(
                isinstance(n, int | float) and not isinstance(n, bool) for n in (scale, offset)
            ):
                raise InvalidInput(f"convert '{path}': 'scale' and 'offset' are numbers")
            found[path] = (float(scale), float(offset))
            continue
        source = before.get(origin.get(path, path))
        if source is None or not source.unit or not target.unit:
            raise InvalidInput(
                f"convert '{path}': both models must give it a unit",
                hint='or say how: {"convert": {"' + path + '": {"scale": 0.001, "offset": 0}}}',
            )
        found[path] = conversion(source.unit, target.unit)
    return found


# ---- moving a twin -----------------------------------------------------------------------


def moved(graph: Graph, doc: Json, new: Interface, mapping: Mapping) -> Json:
    """The document of a twin as it is to be: another model, values renamed, converted, dropped.

    Times of values stay; what is not mapped and not in the new model stays too, so that checking
    the document against the model finds it.
    """
    taken: dict[str, tuple[object, object]] = {}
    for path in (*mapping.drop, *mapping.rename):
        found = _take(doc, path)
        if found is not None and path in mapping.rename:
            taken[mapping.rename[path]] = found
    _fill_components(graph, new, doc)
    for path, (value, stamp) in taken.items():
        _set(doc, path, value, stamp)
    for path, (scale, offset) in mapping.convert.items():
        container, name = _container(doc, path)
        value = None if container is None else container.get(name)
        if container is not None and isinstance(value, int | float) and not isinstance(value, bool):
            container[name] = value * scale + offset
    for path, value in mapping.default.items():
        container, name = _container(doc, path)
        if container is not None and name not in container:
            container[name] = value
    doc["$metadata"]["$model"] = new.id
    return doc


def _fill_components(graph: Graph, interface: Interface, container: Json) -> None:
    for name, component in interface.components().items():
        inner = graph.find_model(component.schema)
        below = container.setdefault(name, {"$metadata": {}})
        if inner is not None and isinstance(below, dict):
            _fill_components(graph, inner, below)


def _container(doc: Json, path: str) -> tuple[Json | None, str]:
    *parts, name = path.split(".")
    found: object = doc
    for part in parts:
        found = found.get(part) if isinstance(found, dict) else None
    return (found if isinstance(found, dict) else None), name


def _take(doc: Json, path: str) -> tuple[object, object] | None:
    container, name = _container(doc, path)
    if container is None or name not in container:
        return None
    stamp = container.get("$metadata", {}).pop(name, None)
    return container.pop(name), stamp


def _set(doc: Json, path: str, value: object, stamp: object) -> None:
    container, name = _container(doc, path)
    if container is not None:
        container[name] = value
        if stamp is not None:
            container.setdefault("$metadata", {})[name] = stamp
