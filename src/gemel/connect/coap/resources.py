"""What there is to ask for and to send to, and how it is written in each content format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cbor2
import orjson

from gemel.connect.coap.assembly import Refusal
from gemel.connect.coap.words import (
    BAD_REQUEST,
    CBOR,
    INTERNAL_ERROR,
    JSON,
    LINKS,
    NOT_ACCEPTABLE,
    SENML_CBOR,
    SENML_JSON,
    TEXT,
    UNAUTHORIZED,
    UNAVAILABLE,
)
from gemel.connect.coap.words import FORBIDDEN as FORBIDDEN_CODE
from gemel.connect.coap.words import NOT_FOUND as NOT_FOUND_CODE
from gemel.core.access import Principal
from gemel.core.errors import Forbidden, InvalidInput, NotAuthenticated, NotFound, Unavailable
from gemel.core.message import LastValue

STATE, DESIRED, COMMANDS, LINK_LIST = "state", "desired", "commands", "links"
PERSONAL = ("telemetry", "attributes")
_CODES: tuple[tuple[type[Exception], int], ...] = (
    (Unavailable, UNAVAILABLE),
    (NotAuthenticated, UNAUTHORIZED),
    (Forbidden, FORBIDDEN_CODE),
    (NotFound, NOT_FOUND_CODE),
    (InvalidInput, BAD_REQUEST),
)
_FORMATS = {
    STATE: (JSON, CBOR, SENML_JSON, SENML_CBOR),
    DESIRED: (JSON, CBOR),
    COMMANDS: (JSON, CBOR),
    LINK_LIST: (LINKS,),
}
_ONE_VALUE = (TEXT, *_FORMATS[STATE])


def code_of(error: Exception) -> int:
    """The code that answers an error of the platform."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return INTERNAL_ERROR


@dataclass(frozen=True, slots=True)
class Shown:
    """Something that can be asked for."""

    kind: str
    twin: str = ""
    name: str = ""
    """One value of a state; "" for all."""

    @property
    def topic(self) -> str:
        """What an observer of it subscribes to."""
        return f"devices/{self.twin}/{self.kind}"


class Rendered(NamedTuple):
    format: int
    body: bytes


def shown(path: Sequence[str]) -> Shown | None:
    """What a path asks for; None for what cannot be read."""
    if tuple(path) == (".well-known", "core"):
        return Shown(LINK_LIST)
    if len(path) == 3 and path[0] == "devices" and path[1] and path[2] in (DESIRED, COMMANDS):
        return Shown(path[2], path[1])
    if len(path) in (2, 3) and path[0] == "twins" and all(path):
        return Shown(STATE, path[1], path[2] if len(path) == 3 else "")
    return None


def target(path: Sequence[str], token: str) -> tuple[str, str]:
    """The topic that a path sends to, and the token that it shows.

    Raises:
        Refusal: 4.00 for a path that is no topic.
    """
    if len(path) == 4 and path[:2] == ("api", "v1") and path[3] in PERSONAL:
        return f"v1/devices/me/{path[3]}", path[2]
    if not path or not all(level and level.isprintable() for level in path):
        raise Refusal(BAD_REQUEST, "a level of the path is empty or cannot be printed")
    if any(character in level for level in path for character in "/+#"):
        raise Refusal(BAD_REQUEST, "a level of the path has '/', '+' or '#' in it")
    return "/".join(path), token


def chosen(what: Shown, accept: int | None) -> int:
    """The content format to answer in.

    Raises:
        Refusal: 4.06 where it is not to be had.
    """
    formats = _ONE_VALUE if what.name else _FORMATS[what.kind]
    if accept is None:
        return formats[0]
    if accept not in formats:
        there = ", ".join(map(str, formats))
        raise Refusal(
            NOT_ACCEPTABLE, f"content format {accept} is not to be had; there are {there}"
        )
    return accept


def written(data: Any, form: int) -> bytes:
    """Plain data as JSON or CBOR."""
    return cbor2.dumps(data) if form == CBOR else orjson.dumps(data)


def state(values: Sequence[LastValue], what: Shown, form: int) -> bytes:
    """Last values: of all names, or of one.

    Raises:
        Refusal: 4.04 where the one has no value.
    """
    if what.name:
        values = [one for one in values if one.name == what.name]
        if not values:
            raise Refusal(NOT_FOUND_CODE, f"twin '{what.twin}' has no value '{what.name}'")
    if form in (SENML_JSON, SENML_CBOR):
        return _senml(what.twin, values, form)
    if not what.name:
        return written({one.name: one.value for one in values}, form)
    value = values[0].value
    if form == TEXT:
        return value.encode() if isinstance(value, str) else orjson.dumps(value)
    return written(value, form)


_NAMES = {"bn": -2, "n": 0, "t": 6, "v": 2, "vs": 3, "vb": 4}
"""Labels of SenML in CBOR (RFC 8428, section 6)."""


def _senml(twin: str, values: Sequence[LastValue], form: int) -> bytes:
    pack: list[dict[Any, Any]] = []
    for one in values:
        if one.value is None:
            continue
        record: dict[Any, Any] = {} if pack else {"bn": f"{twin}/"}
        record["n"] = one.name
        record |= _value(one.value)
        record["t"] = one.time / 1e9
        pack.append(record)
    if form == SENML_JSON:
        return orjson.dumps(pack)
    return cbor2.dumps([{_NAMES[k]: v for k, v in record.items()} for record in pack])


def _value(value: object) -> dict[str, object]:
    if isinstance(value, bool):
        return {"vb": value}
    if isinstance(value, int | float):
        return {"v": value}
    return {"vs": value if isinstance(value, str) else orjson.dumps(value).decode()}


_UP = ';ct="50 60 110 112"'
ANYBODY = (
    "</.well-known/core>;ct=40,"
    '</devices>;title="POST devices/{twin}/telemetry?token=..., observe devices/{twin}/commands"'
)


def links(who: Principal | None) -> bytes:
    """The link format (RFC 6690) of what a principal may use; of its own twins for a device."""
    if who is None:
        return ANYBODY.encode()
    found = ["</.well-known/core>;ct=40"]
    for twin in who.twins:
        if set(twin) & set("*?["):
            continue
        place = f"</devices/{_quoted(twin)}"
        found += [
            f'{place}/telemetry>;rt="gemel.telemetry"{_UP}',
            f'{place}/reported>;rt="gemel.reported"{_UP}',
            f'{place}/desired>;rt="gemel.desired";ct="50 60";obs',
            f'{place}/commands>;rt="gemel.commands";ct="50 60";obs',
            f'</twins/{_quoted(twin)}>;rt="gemel.state";ct="50 60 110 112";obs',
        ]
    return ",".join(found).encode()


def _quoted(twin: str) -> str:
    safe = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,=:@")
    safe -= set(",>")
    return "".join(c if c in safe else "".join(f"%{byte:02X}" for byte in c.encode()) for c in twin)
