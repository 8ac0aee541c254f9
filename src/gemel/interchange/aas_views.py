"""Submodels and their elements as the API of the Asset Administration Shell shows them.

Whole, as metadata, as values only, as references and as paths. Source: IDTA-01002-3-0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gemel.core.document import Json
from gemel.core.errors import InvalidInput, NotFound
from gemel.interchange.aas_words import internal, value_of

STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
VALUES = ("value", "annotations", "submodelElements", "statements")
"""What metadata leaves out; the ends of a relationship stay, since it must have them."""
HOLDING = ("SubmodelElementCollection", "SubmodelElementList", "Entity")
"""Elements that others lie in."""


def elements_of(parent: Json) -> list[Json]:
    """What lies in a submodel or an element."""
    if parent["modelType"] == "Submodel":
        return list(parent.get("submodelElements", ()))
    return list(parent.get("value", ())) if parent["modelType"] in HOLDING else []


def find(submodel: Json, path: str) -> tuple[Json, list[tuple[str, str]]]:
    """An element by its idShort path, such as `limits.low` or `points[2].x`.

    Returns:
        The element, and the keys of a reference to it.

    Raises:
        NotFound: nothing is there.
    """
    keys = [("Submodel", str(submodel["id"]))]
    here = submodel
    for step in _steps(path):
        inner = elements_of(here)
        is_list = here["modelType"] == "SubmodelElementList"
        if isinstance(step, int) and is_list:
            found = inner[step] if step < len(inner) else None
        elif isinstance(step, str) and not is_list:
            found = next((one for one in inner if one.get("idShort") == step), None)
        else:
            found = None
        if found is None:
            raise NotFound(f"the submodel has no element '{path}'", hint="$path lists them")
        keys.append((found["modelType"], str(step)))
        here = found
    return here, keys


def _steps(path: str) -> list[str | int]:
    found: list[str | int] = []
    place = 0
    while place < len(path):
        if found and path[place] == ".":
            place += 1
        match = STEP.match(path, place)
        if match is None:
            raise InvalidInput(
                f"'{path[:80]}' is no idShort path", hint="like limits.low or a[2].b"
            )
        found.append(match[1] if match[1] is not None else int(match[2]))
        place = match.end()
    return found


def reference(keys: list[tuple[str, str]]) -> Json:
    return internal(*keys)


def metadata(found: Json) -> Json:
    """Everything but values and what lies inside.

    Raises:
        InvalidInput: an operation has none.
    """
    if found["modelType"] in ("Operation", "Capability"):
        raise InvalidInput(f"{found['modelType']} has no metadata of its own")
    return {name: value for name, value in found.items() if name not in VALUES}


def core(found: Json) -> Json:
    """With the elements in it, but nothing that lies in those."""
    name = "submodelElements" if found["modelType"] == "Submodel" else "value"
    if found["modelType"] not in ("Submodel", *HOLDING) or name not in found:
        return found
    return {**found, name: [_without_inner(one) for one in found[name]]}


def _without_inner(found: Json) -> Json:
    if found["modelType"] not in HOLDING:
        return found
    return {name: value for name, value in found.items() if name != "value"}


def value_only(found: Json) -> Any:
    """Values without anything about them; what has none is left out of what holds it.

    Raises:
        InvalidInput: the element can have none.
    """
    kind = found["modelType"]
    if kind == "Property":
        return _literal(found.get("value"), found.get("valueType", "xs:string"))
    if kind in ("Submodel", "SubmodelElementCollection"):
        return {
            one["idShort"]: value_only(one)
            for one in elements_of(found)
            if one["modelType"] not in ("Operation", "Capability")
        }
    if kind == "SubmodelElementList":
        return [value_only(one) for one in elements_of(found)]
    if kind in ("RelationshipElement", "AnnotatedRelationshipElement"):
        made = {"first": found["first"], "second": found["second"]}
        if "annotations" in found:
            made["annotations"] = {o["idShort"]: value_only(o) for o in found["annotations"]}
        return made
    raise InvalidInput(f"{kind} has no value", hint="operations are invoked, not read")


def _literal(text: Any, value_type: str) -> Any:
    if text is None:
        return None
    try:
        return value_of(text, value_type)
    except ValueError:
        return text


def paths(found: Json, prefix: str = "") -> Iterator[str]:
    """The idShort paths of all that lies in something."""
    is_list = found["modelType"] == "SubmodelElementList"
    for number, one in enumerate(elements_of(found)):
        step = f"[{number}]" if is_list else str(one["idShort"])
        path = prefix + step if is_list or not prefix else f"{prefix}.{step}"
        yield path
        yield from paths(one, path)
