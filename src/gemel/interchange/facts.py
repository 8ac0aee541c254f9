"""What a conversion is given of the twins: their values with time and quality, their relations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gemel.core.document import Json
from gemel.twins.dtdl.interface import Command, Content, Interface, Property, Telemetry


@dataclass(frozen=True, slots=True)
class Value:
    """A value as it is shown; None if there is none."""

    value: Any = None
    time: str = ""
    """ISO 8601, when it was true; "" if not known."""
    quality: str = "good"


NONE = Value()


@dataclass(frozen=True, slots=True)
class Facts:
    """One twin as somebody may see it."""

    id: str
    model: str
    name: str
    values: Mapping[str, Value]
    """By path; those of components with the component's name before a dot."""
    relationships: tuple[Json, ...] = ()
    """In the Azure Digital Twins form."""
    hidden: frozenset[str] = frozenset()
    """Paths that policies hide."""

    def value(self, path: str) -> Value:
        return self.values.get(path, NONE)


@dataclass(frozen=True, slots=True)
class Material:
    """Models and twins that are converted together."""

    models: Mapping[str, Interface]
    twins: tuple[Facts, ...] = ()
    base: str = ""
    """Where the server is reached over HTTP, for forms that lead back to it."""
    mqtt: str = ""
    details: Mapping[str, str] = field(default_factory=dict)

    def used(self) -> dict[str, Interface]:
        """The models of the twins and all that these need; all models where there is no twin."""
        if not self.twins:
            return dict(sorted(self.models.items()))
        found: dict[str, Interface] = {}
        waiting = [twin.model for twin in self.twins]
        while waiting:
            key = waiting.pop()
            interface = self.models.get(key)
            if interface is not None and key not in found:
                found[key] = interface
                waiting += interface.dependencies()
        return dict(sorted(found.items()))


def parts(models: Mapping[str, Interface], model: str) -> Iterator[tuple[str, Interface]]:
    """The interface of a twin and those of its components, each with the component's name or ""."""
    interface = models.get(model)
    if interface is None:
        return
    yield "", interface
    for name, component in interface.components().items():
        inner = models.get(component.schema)
        if inner is not None:
            yield name, inner


def signals(interface: Interface) -> dict[str, Telemetry | Property]:
    """What has values."""
    return {n: c for n, c in interface.contents.items() if isinstance(c, Telemetry | Property)}


def path_of(component: str, name: str) -> str:
    return f"{component}.{name}" if component else name


def content_id(interface: Interface, content: Content) -> str:
    """The id that DTDL gives to a content: `dtmi:x:Pump:_contents:__flow;1`."""
    head, _, version = interface.id.partition(";")
    return f"{head}:_contents:__{content.name}" + (f";{version}" if version else "")


def kind_of(content: Content) -> str:
    """Its class in DTDL."""
    return type(content).__name__


def unit_of(content: Content) -> str:
    return content.unit if isinstance(content, Telemetry | Property) else ""


def commands(interface: Interface) -> dict[str, Command]:
    return interface.commands()
