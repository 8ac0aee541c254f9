"""Devices that send and that no twin stands for: what is known of them until they are adopted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gemel.core.clock import from_iso, to_iso
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.ingest.intake import Unknown

MOST_DEVICES = 10_000
MOST_NAMES = 1_000
SAMPLES = 5
__all__ = ["Device", "Discovery", "Name", "Unknown"]


@dataclass(slots=True)
class Name:
    """What was seen under one name."""

    kind: str
    """double, boolean, string or array; string where kinds were mixed."""
    samples: list[Any] = field(default_factory=list)
    """The newest few, newest last."""
    minimum: float = math.inf
    maximum: float = -math.inf

    def add(self, value: Any) -> None:
        kind = kind_of(value)
        if kind != self.kind:
            self.kind = "string"
        elif kind == "double":
            self.minimum = min(self.minimum, float(value))
            self.maximum = max(self.maximum, float(value))
        self.samples = [*self.samples[1 - SAMPLES :], value]


@dataclass(slots=True)
class Device:
    id: str
    source: str
    """The topic it was first heard on."""
    first_seen: int
    last_seen: int
    messages: int = 0
    names: dict[str, Name] = field(default_factory=dict)

    @property
    def sample(self) -> dict[str, Any]:
        """The newest value of each name."""
        return {path: name.samples[-1] for path, name in self.names.items() if name.samples}


def kind_of(value: Any) -> str:
    """The DTDL kind that a value suggests; every number is a double, since 12 may be 12.5 next."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "double"
    if isinstance(value, str):
        return "array" if value.startswith("[") else "string"
    return "array"


class Discovery:
    """All devices heard of; bounded to 10,000 devices of 1,000 names."""

    def __init__(self) -> None:
        self.devices: dict[str, Device] = {}

    def add(self, unknown: Mapping[str, Unknown], now: int) -> list[str]:
        """Takes note of what `accept` found, and says which devices are new."""
        new: list[str] = []
        for key, heard in unknown.items():
            device = self.devices.get(key)
            if device is None:
                if len(self.devices) >= MOST_DEVICES:
                    continue
                device = self.devices[key] = Device(key, heard.topic, now, now)
                new.append(key)
            device.last_seen = max(device.last_seen, now)
            device.messages += heard.count
            for path, value in heard.sample.items():
                name = device.names.get(path)
                if name is None:
                    if len(device.names) >= MOST_NAMES:
                        continue
                    name = device.names[path] = Name(kind_of(value))
                name.add(value)
        return new

    def forget(self, device: str) -> None:
        """Removes a device: it was adopted, or nobody wants it."""
        self.devices.pop(device, None)

    def to_json(self) -> dict[str, Json]:
        """One document a device, by its id."""
        return {key: _to_json(device) for key, device in self.devices.items()}

    def restore(self, documents: Iterable[Json]) -> None:
        """Reads documents of `to_json`.

        Raises:
            InvalidInput: one is damaged; the message names it.
        """
        for doc in documents:
            try:
                device = _from_json(doc)
            except (KeyError, TypeError, ValueError, AttributeError, InvalidInput) as error:
                raise InvalidInput(
                    f"the document of the discovered device '{doc.get('id', '')}' is damaged: "
                    f"{error!r}",
                    hint="delete it; the device is discovered again when it sends",
                ) from error
            self.devices[device.id] = device

    @classmethod
    def from_json(cls, documents: Mapping[str, Json]) -> Discovery:
        discovery = cls()
        discovery.restore(documents.values())
        return discovery


def _to_json(device: Device) -> Json:
    names: Json = {}
    for path, name in device.names.items():
        names[path] = {"kind": name.kind, "samples": list(name.samples)}
        if name.minimum <= name.maximum:
            names[path] |= {"minimum": name.minimum, "maximum": name.maximum}
    return {
        "id": device.id,
        "source": device.source,
        "firstSeen": to_iso(device.first_seen),
        "lastSeen": to_iso(device.last_seen),
        "messages": device.messages,
        "names": names,
    }


def _from_json(doc: Json) -> Device:
    device = Device(
        doc["id"],
        doc["source"],
        from_iso(doc["firstSeen"]),
        from_iso(doc["lastSeen"]),
        int(doc["messages"]),
    )
    for path, name in doc["names"].items():
        device.names[path] = Name(
            str(name["kind"]),
            list(name["samples"]),
            float(name.get("minimum", math.inf)),
            float(name.get("maximum", -math.inf)),
        )
    return device
