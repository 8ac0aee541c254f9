"""Checks twins and relationships against their models; says everything that is wrong at once."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gemel.core.clock import LAST, from_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput, PreconditionFailed, TwinInvalid
from gemel.twins.dtdl.interface import (
    Command,
    Component,
    Interface,
    Property,
    Relationship,
    Telemetry,
)
from gemel.twins.fitting import FindModel, fits, values_fit

ID = re.compile(r"[A-Za-z0-9\-.+%_#*?!(),=@$':]{1,128}", re.ASCII)
MOST_DETAILS = 50


def is_id(text: str) -> bool:
    """Whether a text can stand in a path, as Azure Digital Twins has it."""
    return ID.fullmatch(text) is not None and text not in (".", "..")


def check_id(text: str, what: str) -> None:
    """Refuses ids that cannot stand in a path.

    Raises:
        InvalidInput: too long, empty, or with other characters than Azure Digital Twins allows.
    """
    if not is_id(text):
        raise InvalidInput(
            f"'{text[:60]}' cannot be the id of a {what}",
            hint="use 1 to 128 of A-Z a-z 0-9 - . + % _ # * ? ! ( ) , = @ $ ' : but not . or ..",
        )


def check_match(
    etag: str | None, if_match: str | None, if_none_match: str | None, what: str
) -> None:
    """Holds the conditions of a request against the current etag (None: there is no such thing).

    Raises:
        PreconditionFailed: a condition does not hold.
    """
    if if_match is not None and not _matches(etag, if_match):
        raise PreconditionFailed(
            f"{what} was changed meanwhile: its etag is {etag}, not {if_match}",
            hint="read it again and repeat the change",
        )
    if if_none_match is not None and _matches(etag, if_none_match):
        raise PreconditionFailed(
            f"{what} is there already, with etag {etag}",
            hint="leave out If-None-Match to replace it",
        )


def _matches(etag: str | None, condition: str) -> bool:
    if etag is None:
        return False
    wanted = [part.strip().strip('"') for part in condition.replace('W/"', '"').split(",")]
    return "*" in wanted or etag.removeprefix("W/").strip('"') in wanted


def twin_problems(interface: Interface, doc: Json, find_model: FindModel) -> list[str]:
    """What is wrong with the properties and components of a twin, each with its path."""
    if fits(interface, doc, find_model):
        return []
    return _container_problems(interface, doc, find_model, "")


def _container_problems(
    interface: Interface, container: Json, find_model: FindModel, prefix: str
) -> list[str]:
    problems = _source_time_problems(container["$metadata"], prefix)
    for name, value in container.items():
        if name.startswith("$"):
            continue
        content = interface.contents.get(name)
        if isinstance(content, Property):
            problems += content.schema.check(value, prefix + name)
        elif not isinstance(content, Component):
            problems.append(f"{prefix}{name}: {_why_not(name, content, interface)}")
    for name, component in interface.components().items():
        problems += _component_problems(component, container.get(name), find_model, prefix)
    return problems


def _component_problems(
    component: Component, value: object, find_model: FindModel, prefix: str
) -> list[str]:
    path = prefix + component.name
    if value is None:
        return [f'{path}: the component is missing (give at least {{"$metadata": {{}}}})']
    if not isinstance(value, dict):
        return [f"{path}: a component must be an object"]
    if not isinstance(value.get("$metadata"), dict):
        return [f'{path}: a component needs "$metadata": {{}}']
    other = [name for name in value if name.startswith("$") and name != "$metadata"]
    if other:
        return [f"{path}.{other[0]}: a component has no such field (only $metadata)"]
    inner = find_model(component.schema)
    if inner is None:
        return [f"{path}: its model '{component.schema}' is not there"]
    return _container_problems(inner, value, find_model, path + ".")


def _why_not(name: str, content: object, interface: Interface) -> str:
    if isinstance(content, Telemetry):
        return f"is telemetry of '{interface.id}', not a property: send it as a reading"
    if isinstance(content, Command):
        return f"is a command of '{interface.id}', not a property: POST it to /commands"
    if isinstance(content, Relationship):
        return f"is a relationship of '{interface.id}': PUT it to .../relationships/{{id}}"
    known = ", ".join(interface.properties()) or "none"
    return f"'{interface.id}' has no such property (it has: {_cut(known)})"


def property_problems(kind: Relationship, values: Json) -> list[str]:
    """What is wrong with the properties of a relationship."""
    if values_fit(kind, values):
        return []
    properties, owner = kind.properties, f"the relationship '{kind.name}'"
    problems: list[str] = []
    for name, value in values.items():
        content = properties.get(name)
        if content is None:
            known = ", ".join(properties) or "none"
            problems.append(f"{name}: {owner} has no such property (it has: {_cut(known)})")
        else:
            problems += content.schema.check(value, name)
    return problems


def _source_time_problems(metadata: Json, prefix: str) -> list[str]:
    """What is wrong with the `sourceTime`s that a client gave in `$metadata`."""
    problems = []
    for name, entry in metadata.items():
        if name.startswith("$"):
            continue
        if not isinstance(entry, dict):
            problems.append(f"{prefix}$metadata.{name}: must be an object")
            continue
        text = entry.get("sourceTime")
        if text is not None and not is_time(text):
            problems.append(
                f"{prefix}$metadata.{name}.sourceTime: '{text}' is not an ISO 8601 time "
                "of 1970 to 2262"
            )
    return problems


def is_time(value: object) -> bool:
    """Whether it is a moment from 1970 to 2262, as readings have them."""
    try:
        return isinstance(value, str) and 0 <= from_iso(value) <= LAST
    except (InvalidInput, OverflowError):
        return False


def refuse(problems: Iterable[str], what: str, message: str) -> None:
    """Raises one error for all problems, or does nothing if there are none.

    Raises:
        TwinInvalid: there are some; each is one of its `details`.
    """
    found = list(problems)
    if not found:
        return
    raise TwinInvalid(
        f"{message}: {what}: {found[0]}" + (f" (and {len(found) - 1} more)" if found[1:] else ""),
        hint="compare it with its model: GET /models/{id}?includeModelDefinition=true",
        details=[{"code": "ValidationFailed", "message": text} for text in found[:MOST_DETAILS]],
    )


def _cut(text: str) -> str:
    return text if len(text) <= 300 else text[:297] + "..."
