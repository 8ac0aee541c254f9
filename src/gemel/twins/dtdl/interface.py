"""Interfaces: what the platform knows about a model once it was parsed, inherited contents too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from gemel.core.document import Json
from gemel.twins.dtdl.schema import Array, Enum, Map, Object, Primitive, Schema

__all__ = [
    "Array",
    "Command",
    "Component",
    "Content",
    "Enum",
    "Interface",
    "Map",
    "Object",
    "Payload",
    "Primitive",
    "Property",
    "Relationship",
    "Schema",
    "Telemetry",
    "title_of",
]

Language = dict[str, str]
"""Language code to text, such as `{"en": "Pump"}`."""


def title_of(names: Language, fallback: str) -> str:
    """The English text if there is one, else any, else the fallback."""
    for code, text in names.items():
        if text and (code == "en" or code.lower().startswith("en-")):
            return text
    return next((text for text in names.values() if text), fallback)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What a device sends again and again."""

    name: str
    schema: Schema
    semantic_types: tuple[str, ...] = ()
    unit: str = ""
    """Plain unit name such as `degreeCelsius`; "" if the model gives none."""
    display_name: Language = field(default_factory=dict)
    description: Language = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Property:
    """State of a twin; with `writable` it may also be asked for."""

    name: str
    schema: Schema
    semantic_types: tuple[str, ...] = ()
    unit: str = ""
    display_name: Language = field(default_factory=dict)
    description: Language = field(default_factory=dict)
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Payload:
    """The argument or the answer of a command."""

    name: str
    schema: Schema
    display_name: Language = field(default_factory=dict)
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    request: Payload | None = None
    response: Payload | None = None
    semantic_types: tuple[str, ...] = ()
    display_name: Language = field(default_factory=dict)
    description: Language = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Relationship:
    name: str
    target: str | None = None
    """Interface id that targets must have or extend; None allows any."""
    minimum: int | None = None
    maximum: int | None = None
    properties: dict[str, Property] = field(default_factory=dict)
    writable: bool = False
    semantic_types: tuple[str, ...] = ()
    display_name: Language = field(default_factory=dict)
    description: Language = field(default_factory=dict)
    shared: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)
    """What is worked out from this for all of its kind; see `twins.fitting`."""


@dataclass(frozen=True, slots=True)
class Component:
    name: str
    schema: str
    """Interface id."""
    semantic_types: tuple[str, ...] = ()
    display_name: Language = field(default_factory=dict)
    description: Language = field(default_factory=dict)


Content: TypeAlias = Telemetry | Property | Command | Relationship | Component


@dataclass(frozen=True, slots=True)
class Interface:
    id: str
    dtdl_version: int
    display_name: Language
    description: Language
    extends: tuple[str, ...]
    bases: frozenset[str]
    """Itself and everything it extends, at any distance."""
    contents: dict[str, Content]
    """Own and inherited, by name."""
    raw: Json = field(default_factory=dict)
    """The document as it was given."""
    shared: dict[str, Any] = field(default_factory=dict, init=False, compare=False, repr=False)
    """What is worked out from this for all its twins; see `twins.fitting`."""

    @property
    def title(self) -> str:
        """A name for people: the display name, else the last part of the id."""
        return title_of(self.display_name, self.id.split(";")[0].rsplit(":", 1)[-1])

    def properties(self) -> dict[str, Property]:
        return {n: c for n, c in self.contents.items() if isinstance(c, Property)}

    def telemetries(self) -> dict[str, Telemetry]:
        return {n: c for n, c in self.contents.items() if isinstance(c, Telemetry)}

    def commands(self) -> dict[str, Command]:
        return {n: c for n, c in self.contents.items() if isinstance(c, Command)}

    def relationships(self) -> dict[str, Relationship]:
        return {n: c for n, c in self.contents.items() if isinstance(c, Relationship)}

    def components(self) -> dict[str, Component]:
        return {n: c for n, c in self.contents.items() if isinstance(c, Component)}

    def dependencies(self) -> frozenset[str]:
        """Interface ids it extends or has as a component; those must exist with it."""
        parts = {c.schema for c in self.components().values()}
        return frozenset(self.bases | parts) - {self.id}
