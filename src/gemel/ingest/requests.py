"""Bodies of `POST /ingest` to messages, as if each device had sent its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from gemel.core.access import Principal
from gemel.core.errors import InvalidInput
from gemel.core.message import Message
from gemel.ingest.payload import Odd, decode
from gemel.ingest.senml import Problem, Record, device_of, is_senml, resolve
from gemel.ingest.topics import device_id

LINES = frozenset(
    {
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/json-lines",
    }
)
_CBOR = ("application/cbor", "application/senml+cbor", "application/sensml+cbor")
_EXAMPLE = 'write {"twin": "pump-1", "flow": 12.4} or {"pump-1": {"flow": 12.4}}'


def http_messages(
    body: bytes, content_type: str, twin: str | None, who: Principal, received: int
) -> list[Message]:
    """The messages that a request body stands for.

    Args:
        body: without content encoding.
        content_type: of the request; "" is found out from the bytes.
        twin: of `POST /ingest/{twin}`; None where the body names the twins.
        who: the sender.
        received: ns since 1970 UTC.

    Raises:
        InvalidInput: the body cannot be read or names no twin; nothing of it is taken.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if not body.strip():
        raise InvalidInput("the body is empty", hint=_EXAMPLE)
    if kind in LINES or (kind not in _CBOR and _is_lines(body)):
        return _of_lines(body, twin, who, received)
    data = _decode(body, kind, "the body")
    if twin is not None:
        return [Message(_topic(twin), body, received, who, _told(kind))]
    if is_senml(data, kind):
        return _of_senml(data, who, received)
    return list(_of_data(data, who, received, "the body"))


def _told(kind: str) -> str:
    """The content type as far as it says more than the bytes do."""
    return kind if "senml" in kind or "sensml" in kind or kind in _CBOR else ""


def _is_lines(body: bytes) -> bool:
    """Whether the bytes are more than one line and the first is JSON by itself."""
    first, _, rest = body.lstrip().partition(b"\n")
    if not rest.strip() or first[:1] not in (b"{", b"["):
        return False
    try:
        orjson.loads(first)
    except ValueError:
        return False
    return True


def _of_lines(body: bytes, twin: str | None, who: Principal, received: int) -> list[Message]:
    messages: list[Message] = []
    for number, line in enumerate(body.split(b"\n"), 1):
        if not line.strip():
            continue
        place = f"line {number}"
        data = _decode(line, "", place)
        if twin is not None:
            messages.append(Message(_topic(twin), line.strip(), received, who))
        else:
            messages += _of_data(data, who, received, place)
    return messages


def _decode(body: bytes, kind: str, place: str) -> Any:
    try:
        return decode(body, kind)
    except Problem as problem:
        raise InvalidInput(f"{place} cannot be read: {problem}", hint=_EXAMPLE) from None


def _of_data(data: Any, who: Principal, received: int, place: str) -> Iterator[Message]:
    """An object with `twin`, an array of such, or an object of twins to payloads."""
    if type(data) is list:
        for number, item in enumerate(data, 1):
            if type(item) is not dict or type(item.get("twin")) is not str:
                raise InvalidInput(f"{place}: item {number} names no twin", hint=_EXAMPLE)
            yield from _of_data(item, who, received, place)
        return
    if type(data) is not dict:
        raise InvalidInput(f"{place} is neither an object nor an array", hint=_EXAMPLE)
    if type(data.get("twin")) is str:
        twin = data["twin"]
        rest = {k: v for k, v in data.items() if k != "twin"}
        yield _message(twin, rest, received, who)
        return
    for twin, payload in data.items():
        if type(payload) is not dict and type(payload) is not list:
            raise InvalidInput(
                f"{place}: '{twin[:100]}' holds a bare value and no twin is named", hint=_EXAMPLE
            )
        yield _message(twin, payload, received, who)


def _of_senml(data: Any, who: Principal, received: int) -> list[Message]:
    """One message a device; records are resolved first, as base values reach over devices."""
    try:
        records = resolve(data, received)
    except Problem as problem:
        raise InvalidInput(f"the body cannot be read: {problem}") from None
    by_device: dict[str, list[Record]] = {}
    for record in records:
        device, path = device_of(record)
        if not device or not path:
            raise InvalidInput(
                f"the SenML name '{(record.base + record.name)[:100]}' names no device",
                hint="write a base name such as 'pump-1/' or post to /ingest/{twin}",
            )
        by_device.setdefault(device, []).append(record._replace(base="", name=path))
    return [
        _message(device_id(device), [_plain(r) for r in found], received, who)
        for device, found in by_device.items()
    ]


def _plain(record: Record) -> dict[str, Any]:
    """A resolved record as an object; a unit rides along in the form that `intake` reads."""
    value = {"value": record.value, "unit": record.unit} if record.unit else record.value
    name = f"{record.name}.sum" if record.is_sum else record.name
    return {name: value, "time": -1 if record.time is None else record.time}


def _message(twin: str, payload: Any, received: int, who: Principal) -> Message:
    if not twin:
        raise InvalidInput("a twin's name is empty", hint=_EXAMPLE)
    body = orjson.dumps(payload, default=_odd)
    return Message(_topic(twin), body, received, who)


def _odd(value: object) -> str:
    return value.text if isinstance(value, Odd) else str(value)


def _topic(twin: str) -> str:
    return f"devices/{device_id(twin)}/telemetry"
