"""What may be said of a connector, by kind: `[connections.NAME]` and `PUT /connections/{name}`.

A kind is a dataclass, here or beside its connector, and in `connection_kinds` what makes a
`core.ports.Connector` of it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, get_type_hints

from gemel.app.addresses import address
from gemel.connect.modbus.settings import ModbusConnection
from gemel.connect.mqtt.packets import ProtocolError
from gemel.connect.mqtt.topics import check_filter, split_shared
from gemel.connect.opcua.settings import OpcUaConnection
from gemel.core.document import Json
from gemel.core.errors import ConfigInvalid, InvalidInput

MOST_TOPICS = 100
"""Of one connector."""
LONGEST = 500
SECRET = "password"


@dataclass(frozen=True)
class MqttConnection:
    """An MQTT broker that already exists, to subscribe to."""

    kind: ClassVar[str] = "mqtt"
    broker: str = ""
    """HOST:PORT."""
    topics: tuple[str, ...] = ("#",)
    username: str = ""
    password: str = ""
    tls: bool = False
    client_id: str = ""
    sparkplug: bool = False
    """Whether to be a Sparkplug host there: tell the state of this host, send commands."""

    def check(self) -> None:
        """Raises InvalidInput if something is not of its form."""
        host, _ = address(self.broker, "broker")
        if not host or self.broker.startswith(":"):
            raise InvalidInput("'broker' names no host", hint="write it like 10.0.0.5:1883")
        if not 1 <= len(self.topics) <= MOST_TOPICS:
            raise InvalidInput(
                f"'topics' must be 1 to {MOST_TOPICS} topic filters", hint='["plant/#"]'
            )
        for one in self.topics:
            try:
                check_filter(split_shared(one)[1])
            except ProtocolError as error:
                raise InvalidInput(f"'{one[:200]}' is no topic filter", hint=str(error)) from error


Connection: TypeAlias = MqttConnection | OpcUaConnection | ModbusConnection
KINDS: dict[str, type[Connection]] = {
    "broker": MqttConnection,
    "opcua": OpcUaConnection,
    "modbus": ModbusConnection,
}
"""By the setting that says where the source is: which of them is there tells the kind."""


def kind_in(found: Json, place: str) -> tuple[str, type[Connection]]:
    """The setting that says where, and the kind.

    Raises:
        ConfigInvalid: there is none, or several.
    """
    there = [name for name in KINDS if name in found]
    if len(there) != 1:
        raise ConfigInvalid(
            f"{place} must say where its source is, once",
            hint="one of " + ", ".join(f"'{name}'" for name in KINDS),
        )
    return there[0], KINDS[there[0]]


def from_body(body: Json, before: Json) -> Connection:
    """A connector as the API says it; a password that is left out stays as it was.

    Raises:
        InvalidInput: a field is unknown or not of its form.
    """
    try:
        _, kind = kind_in(body, "a connector")
    except ConfigInvalid as error:
        raise InvalidInput(error.message, hint=error.hint) from error
    fields = {camel(one.name): one.name for one in dataclasses.fields(kind)}
    unknown = [name for name in body if name not in fields]
    if unknown:
        raise InvalidInput(
            f"a connector of this kind has no '{unknown[0]}'", hint=", ".join(fields)
        )
    types = get_type_hints(kind)
    values = {fields[name]: typed(value, types[fields[name]], name) for name, value in body.items()}
    if SECRET in fields:
        values.setdefault(SECRET, before.get(SECRET, ""))
    made = kind(**values)
    try:
        made.check()
    except ConfigInvalid as error:
        raise InvalidInput(error.message, hint=error.hint) from error
    return made


def to_document(of: Connection) -> Json:
    """As it is kept; a password only if there is one."""
    doc = {camel(name): value for name, value in dataclasses.asdict(of).items()}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in doc.items()
        if name != SECRET or value
    }


def from_document(doc: Json) -> Connection:
    """Reads what `to_document` wrote."""
    return from_body(doc, {})


def all_fields() -> dict[str, Any]:
    """Every field of any kind, as JSON names it, and its type."""
    found: dict[str, Any] = {}
    for kind in KINDS.values():
        types = get_type_hints(kind)
        found |= {camel(one.name): types[one.name] for one in dataclasses.fields(kind)}
    return found


def camel(name: str) -> str:
    """`client_id` as JSON has it: `clientId`."""
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def typed(value: Any, kind: Any, name: str) -> Any:
    """A field of JSON as what it must be.

    Raises:
        InvalidInput: it is something else.
    """
    if kind is str:
        return _line(value, name)
    if kind is bool:
        if not isinstance(value, bool):
            raise InvalidInput(f"'{name}' must be true or false")
        return value
    if kind in (int, float):
        is_right = isinstance(value, int if kind is int else int | float)
        if not is_right or isinstance(value, bool):
            raise InvalidInput(f"'{name}' must be a {'whole ' if kind is int else ''}number")
        return kind(value)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InvalidInput(f"'{name}' must be a list of texts")
    return tuple(_line(one, name) for one in value)


def _line(value: Any, name: str) -> str:
    if not isinstance(value, str) or len(value) > LONGEST or not (value.isprintable() or not value):
        raise InvalidInput(f"'{name}' must be one line of at most {LONGEST} characters")
    return value.strip() if name != SECRET else value
