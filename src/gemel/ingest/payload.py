"""Payload bytes to plain Python data, whatever they are: JSON, CBOR, or a bare text."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import cbor2
import orjson

from gemel.core.message import Message, Samples
from gemel.ingest.senml import LABELS, Problem, with_names

DEEPEST = 32
MOST_NAMES = 10_000
MOST_NODES = 1_000_000
_NAMES = {str}
_SCALARS = frozenset({float, int, bool, str})
FIRST_CBOR = 0x80
_CBOR_STARTS = frozenset(range(FIRST_CBOR, 0xC0)) | {0xF9, 0xFA, 0xFB}
"""First bytes that begin a CBOR array, map or float and can begin neither JSON nor UTF-8."""


class Odd:
    """Stands for a decoded thing that JSON has no word for; it is of no property's type."""

    __slots__ = ("text",)

    def __init__(self, value: object) -> None:
        try:
            self.text = repr(value)[:200]
        except Exception:  # noqa: BLE001  (a stranger's repr)
            self.text = type(value).__name__


def decode(payload: bytes, content_type: str = "", *, text_allowed: bool = False) -> Any:
    """Reads a payload.

    Args:
        payload: as it was sent.
        content_type: "" is found out from the bytes.
        text_allowed: whether bytes that are neither JSON nor CBOR may be a bare text.

    Returns:
        dicts with text keys, lists, str, int, float, bool, None and `Odd`, at most 32 deep.

    Raises:
        Problem: it cannot be read, or is nested too deeply or too large.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind in ("application/cbor", "application/senml+cbor", "application/sensml+cbor"):
        return _cbor(payload)
    if kind in ("text/plain", "application/octet-stream") and not text_allowed:
        kind = ""
    if payload[:3] == b"\xd9\xd9\xf7" or (payload and not kind and payload[0] in _CBOR_STARTS):
        return _cbor(payload)
    try:
        data = orjson.loads(payload)
    except ValueError as error:
        return _not_plain(payload, error, text_allowed)
    _measure(data)
    return data


def _not_plain(payload: bytes, error: ValueError, text_allowed: bool) -> Any:
    """JSON with NaN and Infinity as Python and C write it, or a bare text."""
    if b"NaN" in payload or b"Infinity" in payload:
        try:
            return _Plain().tree(json.loads(payload), 0)
        except (ValueError, RecursionError):
            pass
    if text_allowed:
        try:
            text = payload.decode().strip()
        except UnicodeDecodeError:
            raise Problem("neither JSON nor UTF-8 text") from None
        if text and text[0] not in '{["' and "\0" not in text:
            return text
    raise Problem(f"not JSON: {error}") from None


def _cbor(payload: bytes) -> Any:
    try:
        data = cbor2.loads(payload)
    except Exception as error:  # noqa: BLE001  (tags run a library's own readers, which may raise anything)
        raise Problem(f"not CBOR: {str(error)[:200]}") from None
    if type(data) is dict and is_flat(data):
        return data
    return _Plain().tree(data, 0)


def is_flat(data: dict[Any, Any]) -> bool:
    """Whether it holds nothing but finite numbers, texts and booleans that JSON could say too."""
    if len(data) > MOST_NAMES or set(map(type, data)) != _NAMES:
        return False
    kinds = set(map(type, data.values()))
    if not kinds <= _SCALARS:
        return False
    for value in data.values():
        if type(value) is float:
            if not math.isfinite(value):
                return False
        elif type(value) is int and not -(2**63) <= value < 2**64:
            return False
    return True


def _measure(data: Any) -> None:
    """Raises Problem for what is nested too deeply or has too many names; JSON needs no more."""
    level = [data]
    depth = 0
    while level:
        below: list[Any] = []
        for item in level:
            if type(item) is dict:
                if len(item) > MOST_NAMES:
                    raise Problem(f"more than {MOST_NAMES} names in one object")
                below += [v for v in item.values() if type(v) is dict or type(v) is list]
            elif type(item) is list:
                below += [v for v in item if type(v) is dict or type(v) is list]
        level = below
        depth += 1
        if depth >= DEEPEST and level:
            raise Problem(f"nested more than {DEEPEST} deep")


class _Plain:
    """Copies foreign data to plain data; counts what it visits, as shared parts may multiply."""

    def __init__(self) -> None:
        self.nodes = 0

    def tree(self, value: Any, depth: int) -> Any:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise Problem("too large")
        if depth >= DEEPEST and isinstance(value, (Mapping, list, tuple, set, frozenset)):
            raise Problem(f"nested more than {DEEPEST} deep")
        if isinstance(value, Mapping):
            if len(value) > MOST_NAMES:
                raise Problem(f"more than {MOST_NAMES} names in one object")
            pairs = self._names(value).items()
            return {k: self.tree(v, depth + 1) for k, v in pairs}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.tree(v, depth + 1) for v in value]
        return _scalar(value)

    def _names(self, value: Mapping[Any, Any]) -> dict[str, Any]:
        names = dict(value)
        if names and all(type(k) is int and k in LABELS for k in names):
            return with_names(names)
        return {_name(k): v for k, v in names.items()}


def _name(key: Any) -> str:
    if isinstance(key, str):
        return _text(key)
    if isinstance(key, (int, float)):
        return str(key)[:100]
    raise Problem("a name in a map is no text")


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Problem("a text with a lone surrogate") from None
    return value


def _scalar(value: Any) -> Any:
    if value is None or value is cbor2.undefined:
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes):
        return base64.urlsafe_b64encode(value).decode().rstrip("=")
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return _decimal(value)
    return Odd(value)


def _integer(value: int) -> int | float | Odd:
    if -(2**63) <= value < 2**64:
        return value
    return float(value) if value.bit_length() < 1000 else Odd("an integer beyond float64")


def _decimal(value: Decimal) -> float | Odd:
    number = float(value)
    if math.isinf(number) and value.is_finite():
        return Odd("a decimal beyond float64")
    return number


def shown(message: Message | Samples) -> str:
    """What a message holds, as `show`."""
    if isinstance(message, Message):
        return show(message.payload)
    return show({row.name: row.value for row in message.rows})


def show(value: Any) -> str:
    """What was sent, as text of at most 1,000 characters that every store takes."""
    if isinstance(value, bytes):
        return value[:1000].decode(errors="backslashreplace")[:1000]
    if isinstance(value, Odd):
        return value.text
    if isinstance(value, (str, int, float)):
        text = str(value) if not isinstance(value, bool) else str(value).lower()
    else:
        try:
            text = orjson.dumps(value, default=lambda odd: odd.text).decode()
        except (TypeError, AttributeError):
            text = repr(value)
    return text[:1000].encode(errors="backslashreplace").decode()[:1000]
