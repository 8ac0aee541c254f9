"""What may be said of an endpoint of events, by kind: `PUT /endpoints/{name}`.

A kind is a dataclass here, and in `endpoint_kinds` what makes a `core.ports.EventSender` of it.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, get_type_hints

from gemel.app import webhooks
from gemel.app.addresses import address
from gemel.app.connection_settings import camel
from gemel.connect.mqtt.sender import V3, V5
from gemel.core.cloud_event import BINARY, MODES
from gemel.core.document import Json
from gemel.core.errors import GemelError, InvalidInput

CLOUD_EVENTS, EVENT_GRID = "cloudevents", "eventgrid"
SCHEMAS = (CLOUD_EVENTS, EVENT_GRID)
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
MOST_BROKERS = 20
LONGEST = 2_000
LONGEST_SECRET = 8_000
SMALLEST, LARGEST = 1_000, 100_000_000
KAFKA_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}", re.ASCII)
HOST_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}", re.ASCII)


@dataclass(frozen=True)
class WebhookEndpoint:
    """A webhook, in CloudEvents or in Event Grid's own schema."""

    kind: ClassVar[str] = "webhook"
    secret: ClassVar[str] = "authorization"
    url: str = ""
    authorization: str = ""
    schema: str = CLOUD_EVENTS
    origin: str = ""
    """The name under which we ask first whether we may send; "" does not ask."""

    def check(self) -> None:
        """Raises InvalidInput if something is not of its form."""
        webhooks.read_url(self.url)
        if not self.authorization.isascii():
            raise _invalid("'authorization' must be one line of ASCII characters")
        _check_one_of("schema", self.schema, SCHEMAS)
        if self.origin and not HOST_NAME.fullmatch(self.origin):
            raise _invalid("'origin' must be a DNS name", "like gemel.plant.example")


@dataclass(frozen=True)
class KafkaEndpoint:
    """A topic of Kafka, or of what speaks its protocol."""

    kind: ClassVar[str] = "kafka"
    secret: ClassVar[str] = "password"
    brokers: tuple[str, ...] = ()
    """HOST:PORT of some of them."""
    topic: str = ""
    mode: str = BINARY
    tls: bool = False
    username: str = ""
    password: str = ""
    mechanism: str = "SCRAM-SHA-512"
    largest: int = 1_000_000

    def check(self) -> None:
        """Raises InvalidInput if something is not of its form."""
        if not 1 <= len(self.brokers) <= MOST_BROKERS:
            raise _invalid(f"'brokers' must be 1 to {MOST_BROKERS} addresses", '["kafka-1:9092"]')
        for one in self.brokers:
            _check_address("brokers", one)
        if not KAFKA_TOPIC.fullmatch(self.topic) or self.topic in (".", ".."):
            raise _invalid("'topic' is no name of a Kafka topic", "A-Z a-z 0-9 . _ -, 249 at most")
        _check_one_of("mode", self.mode, MODES)
        _check_one_of("mechanism", self.mechanism, MECHANISMS)
        _check_largest(self.largest)


@dataclass(frozen=True)
class MqttEndpoint:
    """Topics of an MQTT broker."""

    kind: ClassVar[str] = "mqtt"
    secret: ClassVar[str] = "password"
    broker: str = ""
    """HOST:PORT."""
    topic: str = "gemel/{twin}/{type}"
    mode: str = BINARY
    version: str = V5
    tls: bool = False
    username: str = ""
    password: str = ""
    client_id: str = ""
    largest: int = 1_000_000

    def check(self) -> None:
        """Raises InvalidInput if something is not of its form."""
        _check_address("broker", self.broker)
        plain = self.topic.replace("{twin}", "t").replace("{type}", "t")
        if not plain or plain.startswith("$") or set("+#{}") & set(plain):
            hint = "levels of {twin}, {type} and text without + # and $, like gemel/{twin}/{type}"
            raise _invalid(f"'{self.topic[:100]}' is no topic for events", hint)
        _check_one_of("mode", self.mode, MODES)
        _check_one_of("version", self.version, (V5, V3))
        _check_largest(self.largest)


Endpoint: TypeAlias = WebhookEndpoint | KafkaEndpoint | MqttEndpoint
KINDS: dict[str, type[Endpoint]] = {
    one.kind: one for one in (WebhookEndpoint, KafkaEndpoint, MqttEndpoint)
}


def from_body(body: Json, before: Json) -> Endpoint:
    """An endpoint as the API says it; a secret that is left out stays as it was.

    Raises:
        InvalidInput: a field is unknown or not of its form.
    """
    name = body.get("kind", WebhookEndpoint.kind)
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise _invalid(f"'kind' is '{str(name)[:80]}'", "one of " + ", ".join(KINDS))
    fields = {camel(one.name): one.name for one in dataclasses.fields(kind)}
    types = get_type_hints(kind)
    values: dict[str, Any] = {}
    for given, value in body.items():
        if given == "kind":
            continue
        if given not in fields:
            hint = ", ".join(("kind", *fields))
            raise _invalid(f"an endpoint of kind {kind.kind} has no '{given}'", hint)
        values[fields[given]] = _typed(value, types[fields[given]], given, kind.secret)
    if before.get("kind") == kind.kind:
        values.setdefault(kind.secret, before.get(kind.secret, ""))
    made = kind(**values)
    made.check()
    return made


def to_document(of: Endpoint) -> Json:
    """As it is kept; a secret only if there is one."""
    doc: Json = {"kind": of.kind}
    for name, value in dataclasses.asdict(of).items():
        if name != of.secret or value:
            doc[camel(name)] = list(value) if isinstance(value, tuple) else value
    return doc


BESIDE = ("name", "since")
"""Fields of a document that its kind does not say."""


def from_document(doc: Json) -> Endpoint:
    """Reads what `to_document` wrote, with what stands beside it."""
    return from_body({name: value for name, value in doc.items() if name not in BESIDE}, {})


def all_fields() -> dict[str, Any]:
    """Every field of any kind, as JSON names it, and its type."""
    found: dict[str, Any] = {"kind": str}
    for kind in KINDS.values():
        types = get_type_hints(kind)
        found |= {camel(one.name): types[one.name] for one in dataclasses.fields(kind)}
    return found


def _typed(value: Any, kind: Any, name: str, secret: str) -> Any:
    if kind is str:
        longest = LONGEST_SECRET if name == secret else LONGEST
        if not isinstance(value, str) or not (value.isprintable() and len(value) <= longest):
            raise _invalid(f"'{name}' must be one line of at most {longest:,} characters")
        return value
    if kind is bool:
        if not isinstance(value, bool):
            raise _invalid(f"'{name}' must be true or false")
        return value
    if kind is int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise _invalid(f"'{name}' must be a whole number")
        return value
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _invalid(f"'{name}' must be a list of texts")
    return tuple(value)


def _check_address(name: str, text: str) -> None:
    hint = "write it like 10.0.0.5:1883"
    try:
        host, port = address(text, name)
    except GemelError as error:
        raise _invalid(f"'{text[:100]}' in '{name}' is not HOST:PORT", hint) from error
    if not host or not port or text.startswith(":") or not text.isascii():
        raise _invalid(f"'{text[:100]}' in '{name}' names no host and port", hint)


def _check_one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise _invalid(f"'{name}' is '{value[:80]}'", "one of " + ", ".join(known))


def _check_largest(value: int) -> None:
    if not SMALLEST <= value <= LARGEST:
        raise _invalid(f"'largest' must be {SMALLEST:,} to {LARGEST:,} bytes")


def _invalid(what: str, hint: str = "") -> InvalidInput:
    return InvalidInput(what, hint=hint, code="EndpointInvalid")
