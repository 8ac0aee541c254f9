"""What is said of an export over the API, as it is kept and as it is shown."""

from __future__ import annotations

import dataclasses
from typing import Any, get_type_hints

from gemel.app.connection_settings import camel, typed
from gemel.core.document import Json
from gemel.core.errors import ConfigInvalid, InvalidInput
from gemel.exports.settings import KINDS, SECRETS, Export


def kind_in(found: Json, place: str) -> type[Export]:
    """The kind, by the setting that says where it goes.

    Raises:
        ConfigInvalid: there is none, or several.
    """
    there = [name for name in KINDS if name in found]
    if len(there) != 1:
        raise ConfigInvalid(
            f"{place} must say where it goes, once",
            hint="one of " + ", ".join(f"'{name}'" for name in KINDS),
        )
    return KINDS[there[0]]


def from_body(body: Json, before: Json) -> Export:
    """An export as the API says it; a password or token that is left out stays as it was.

    Raises:
        InvalidInput: a field is unknown or not of its form.
    """
    try:
        kind = kind_in(body, "an export")
    except ConfigInvalid as error:
        raise InvalidInput(error.message, hint=error.hint) from error
    fields = {camel(one.name): one.name for one in dataclasses.fields(kind)}
    unknown = [name for name in body if name not in fields]
    if unknown:
        raise InvalidInput(f"an export of this kind has no '{unknown[0]}'", hint=", ".join(fields))
    types = get_type_hints(kind)
    values = {fields[name]: typed(value, types[fields[name]], name) for name, value in body.items()}
    for secret in SECRETS:
        if secret in types and before.get(secret):
            values.setdefault(secret, before[secret])
    made = kind(**values)
    made.check()
    return made


def to_document(of: Export) -> Json:
    """As it is kept; secrets only if there are any."""
    doc = {camel(name): value for name, value in dataclasses.asdict(of).items()}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in doc.items()
        if name not in SECRETS or value
    }


def to_job(of: Export) -> Json:
    """As its process gets it."""
    return {
        "kind": next(name for name, kind in KINDS.items() if isinstance(of, kind)),
        "export": dataclasses.asdict(of),
    }


def all_fields() -> dict[str, Any]:
    """Every field of any kind, as JSON names it, and its type."""
    found: dict[str, Any] = {}
    for kind in KINDS.values():
        types = get_type_hints(kind)
        found |= {camel(one.name): types[one.name] for one in dataclasses.fields(kind)}
    return found
