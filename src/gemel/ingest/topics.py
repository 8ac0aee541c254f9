"""From topics to twins: the topics known by default, and bindings for all others.

A pattern is an MQTT topic filter in which `{name}` captures one level, `plant/{twin}/{property}`,
or what a level has behind a text, `influx/cpu/host={host}`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gemel.core.access import Principal
from gemel.core.document import Json
from gemel.core.errors import InvalidInput

_CAPTURE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_LEVEL = re.compile(r"([^{}+#]*)" + _CAPTURE.pattern)
_NOT_IN_ID = re.compile(r"[^\w\-.+%#*?!(),=@$':~;]")
"""Ids that twins may have pass through unchanged; letters of any script stay, so that devices
stay apart."""
ID_LENGTH = 128
PROPERTY = "property"
"""The capture that names the property of a topic that carries one value."""


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Where a source field goes: the property's path, and the unit that the source reports in."""

    property: str
    unit: str = ""


@dataclass(frozen=True)
class Binding:
    """What the messages of a family of topics mean."""

    id: str
    topic: str
    twin: str = "{twin}"
    """The twin's id, made of the captures."""
    fields: Mapping[str, FieldMap] = field(default_factory=dict)
    """By source field; nested fields are joined by '.'."""
    only: bool = False
    """Whether fields that are not among `fields` are ignored; else they keep their name."""
    time: str = ""
    """The field that carries the time; "" is time, timestamp, ts or t."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """Command to what it sets: a Sparkplug metric, or a name of a connector that writes."""
    pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pattern", _compile(self))

    def match(self, topic: str) -> tuple[str, str] | None:
        """The twin and (where the topic names it) the property; None if this is not its topic."""
        found = self.pattern.fullmatch(topic)
        if found is None:
            return None
        captures = found.groupdict()
        twin = _CAPTURE.sub(lambda m: captures[m.group(1)], self.twin)
        return device_id(twin), captures.get(PROPERTY) or ""


def binding_from_json(doc: Json) -> Binding:
    """Reads `{"id", "topic", "twin"?, "fields"?, "only"?, "time"?, "commands"?}`.

    `fields` maps a source field to a property name or to `{"property", "unit"?}`.

    Raises:
        InvalidInput: it is no binding; the message names the place.
    """
    place = f"binding '{doc.get('id', '')}'"
    for name, kind in _SCHEMA.items():
        if name in doc and not isinstance(doc[name], kind):
            raise InvalidInput(f"{place}: '{name}' must be {_KIND_WORDS[kind]}")
    if not doc.get("id") or not doc.get("topic"):
        raise InvalidInput(f"{place}: 'id' and 'topic' are needed", hint=_EXAMPLE)
    unknown = sorted(doc.keys() - _SCHEMA.keys())
    if unknown:
        raise InvalidInput(
            f"{place}: unknown field '{unknown[0]}'", hint="known: " + ", ".join(_SCHEMA)
        )
    fields = {k: _field_map(place, k, v) for k, v in doc.get("fields", {}).items()}
    return Binding(
        doc["id"],
        doc["topic"],
        doc.get("twin") or "{twin}",
        fields,
        doc.get("only", False),
        doc.get("time", ""),
        _commands(place, doc.get("commands", {})),
    )


_SCHEMA: dict[str, type] = {
    "id": str,
    "topic": str,
    "twin": str,
    "fields": dict,
    "only": bool,
    "time": str,
    "commands": dict,
}
_KIND_WORDS = {str: "text", dict: "an object", bool: "true or false"}
_EXAMPLE = (
    'write it like {"id": "line1", "topic": "plant/{twin}/state", '
    '"fields": {"Tmp": {"property": "temperature", "unit": "°F"}}}'
)


def _commands(place: str, doc: Json) -> dict[str, str]:
    for name, metric in doc.items():
        if not isinstance(metric, str) or not metric:
            raise InvalidInput(
                f"{place}: command '{name}' names nothing that it sets",
                hint='"commands": {"setSpeed": "Motor/Speed Setpoint"}',
            )
    return dict(doc)


def _field_map(place: str, name: str, doc: object) -> FieldMap:
    if isinstance(doc, str) and doc:
        return FieldMap(doc)
    if isinstance(doc, dict) and doc.keys() <= {"property", "unit"}:
        path, unit = doc.get("property"), doc.get("unit", "")
        if isinstance(path, str) and path and isinstance(unit, str):
            return FieldMap(path, unit)
    raise InvalidInput(f"{place}: field '{name}' maps to nothing that makes sense", hint=_EXAMPLE)


def _compile(binding: Binding) -> re.Pattern[str]:
    place = f"binding '{binding.id}'"
    levels = binding.topic.split("/")
    parts: list[str] = []
    names: set[str] = set()
    for i, level in enumerate(levels):
        capture = _LEVEL.fullmatch(level) if level.isprintable() else None
        if level == "#" and i == len(levels) - 1:
            parts.append("#")
        elif level == "+":
            parts.append("[^/]*")
        elif capture:
            text, name = capture.groups()
            if name in names:
                raise InvalidInput(f"{place}: '{{{name}}}' occurs twice in '{binding.topic}'")
            names.add(name)
            parts.append(f"{re.escape(text)}(?P<{name}>[^/]+)")
        elif not level.isprintable() or any(c in level for c in "+#{}"):
            raise InvalidInput(
                f"{place}: level '{level}' of '{binding.topic}'",
                hint="+ is a whole level, {name} one or its end, # all levels at the end",
            )
        else:
            parts.append(re.escape(level))
    for name in _CAPTURE.findall(binding.twin):
        if name not in names:
            raise InvalidInput(
                f"{place}: the twin is '{binding.twin}' but '{binding.topic}' has no '{{{name}}}'",
                hint="name the twin by text and by captures of the topic",
            )
    if not binding.twin:
        raise InvalidInput(f"{place}: the twin is empty", hint="leave it out for {twin}")
    if parts[-1] == "#":
        tail = "(?:/.*)?" if len(parts) > 1 else ".*"
        return re.compile("/".join(parts[:-1]) + tail, re.DOTALL)
    return re.compile("/".join(parts), re.DOTALL)


class BindingIndex:
    """Finds the first binding for a topic, asking only those whose first level can match."""

    def __init__(self, bindings: Iterable[Binding]) -> None:
        self._by_first: dict[str, list[tuple[int, Binding]]] = {}
        self._wild: list[tuple[int, Binding]] = []
        for number, binding in enumerate(bindings):
            first = binding.topic.split("/", 1)[0]
            if first in ("+", "#") or "{" in first:
                self._wild.append((number, binding))
            else:
                self._by_first.setdefault(first, []).append((number, binding))

    def find(self, topic: str) -> tuple[Binding, str, str] | None:
        """The binding, the twin and the property (or ""); in the order of the bindings."""
        if topic.startswith("$"):
            return None
        candidates = self._by_first.get(topic.split("/", 1)[0], [])
        if self._wild:
            candidates = sorted([*candidates, *self._wild], key=lambda c: c[0])
        for _, binding in candidates:
            found = binding.match(topic)
            if found is not None:
                return binding, *found
        return None


def device_id(text: str) -> str:
    """Turns any text into an id that a twin may have: '/' becomes '.', what is odd becomes '_'.

    What is too long is cut and ends with its digest, so that devices stay apart.
    """
    found = _NOT_IN_ID.sub("_", text.strip("/").replace("/", "."))
    if len(found) > ID_LENGTH:
        digest = hashlib.blake2b(text.encode(errors="replace"), digest_size=8).hexdigest()
        found = f"{found[: ID_LENGTH - 17]}~{digest}"
    return found.replace(".", "_") if found in (".", "..") else found


def default_route(topic: str, who: Principal) -> tuple[str, str] | None:
    """The twin and property that a topic of ours means; None if it carries no telemetry.

    A topic that is nobody's gives a twin named after the topic.
    """
    levels = topic.split("/")
    if levels[0] == "devices":
        if len(levels) == 3 and levels[2] in ("telemetry", "reported") and levels[1]:
            return device_id(levels[1]), ""
        if len(levels) >= 4 and levels[2] == "telemetry" and levels[1] and levels[3]:
            return device_id(levels[1]), ".".join(levels[3:])
        return None
    if levels[0] == "v1" and len(levels) > 1 and levels[1] in ("devices", "gateway"):
        return (only_twin(who), "") if is_personal(topic) else None
    if topic.startswith("$") or not topic.strip("/"):
        return None
    return device_id(topic), ""


def is_personal(topic: str) -> bool:
    """Whether who sends decides which twin it is."""
    return topic in ("v1/devices/me/telemetry", "v1/devices/me/attributes")


def only_twin(who: Principal) -> str:
    """The one twin that a device stands for; "" if there is not exactly one."""
    if len(who.twins) == 1 and not any(c in who.twins[0] for c in "*?["):
        return who.twins[0]
    return ""


def is_ours(topic: str) -> bool:
    """Whether a topic has a meaning by default (so that it cannot name an unknown device)."""
    return topic.startswith(("devices/", "v1/devices/", "v1/gateway", "$"))
