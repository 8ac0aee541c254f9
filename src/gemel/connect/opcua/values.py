"""What a value of OPC UA, its status and its times become here.

Source: OPC UA 1.05 part 4, 7.11 (DataValue), 7.39 (StatusCode); part 6, 5.1.2 (built-in types).
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Any

from asyncua import ua

from gemel.core.message import Sample
from gemel.core.quality import Quality, is_bad

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MOST_ELEMENTS = 10_000
"""Of an array; a longer one is not taken."""
UNCERTAIN, BAD = 1, 2
"""The two highest bits of a status."""
IS_OF_VALUE, OVERFLOW = 0x0400, 0x0080
"""Bits of a status: it speaks of a value; some before this one were dropped by the server."""
CAUSES = {
    ua.StatusCodes.BadSensorFailure: Quality.SENSOR_FAULT,
    ua.StatusCodes.BadDeviceFailure: Quality.SENSOR_FAULT,
    ua.StatusCodes.BadOutOfRange: Quality.OUT_OF_RANGE,
}
"""Statuses for which there is a quality of their own; the others have that of their severity."""


class Unsupported(Exception):
    """A value of a type that nothing here stands for."""


@dataclass(slots=True)
class Item:
    """A variable that is subscribed to."""

    node: ua.NodeId
    topic: str
    """Of the object that it belongs to."""
    name: str
    last: int = 0
    """Source time of its newest value, ns."""
    number: int = 0
    """Of its monitored item at the server; 0 while there is none."""
    status: str = ""
    """Why the server does not watch it."""
    unsupported: str = ""
    times: dict[str, int] = field(default_factory=dict)

    @property
    def problem(self) -> str:
        what = self.status or self.unsupported
        return f"{self.node.to_string()} ({self.topic}/{self.name}): {what}" if what else ""


def quality_of(status: int) -> int:
    """Our quality for a status code."""
    severity = status >> 30
    if severity == 0:
        return Quality.GOOD
    known = CAUSES.get(status & 0xFFFF0000)
    if known is not None:
        return known
    return Quality.UNCERTAIN if severity == UNCERTAIN else Quality.BAD


def has_overflowed(status: int) -> bool:
    return bool(status & IS_OF_VALUE) and bool(status & OVERFLOW)


def nanoseconds(moment: datetime) -> int:
    """Since 1970 UTC; to the microsecond, as the library reads them."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // MICROSECOND * 1000


def time_of(found: ua.DataValue, prefer: str, received: int) -> tuple[int, str]:
    """When a value was true, and by whose clock: the first of source, server, received there is."""
    if prefer == "source" and found.SourceTimestamp is not None:
        return nanoseconds(found.SourceTimestamp), "source"
    if prefer != "received" and found.ServerTimestamp is not None:
        return nanoseconds(found.ServerTimestamp), "server"
    return received, "received"


def sample_of(item: Item, found: ua.DataValue, prefer: str, received: int, doubt: int) -> Sample:
    """A value as a sample.

    Args:
        item: whose it is; whose clock was taken is counted there.
        found: as the server sent it.
        prefer: which time to take, see `time_of`.
        received: ns.
        doubt: the quality of a good value, if the server's clock is not to be trusted.

    Raises:
        Unsupported: nothing here stands for its type.
    """
    status = found.StatusCode.value if found.StatusCode is not None else 0
    quality = quality_of(status) or doubt
    time, clock = time_of(found, prefer, received)
    item.times[clock] = item.times.get(clock, 0) + 1
    value = plain(found.Value)
    if is_bad(quality) and type(value) is float and not isfinite(value):
        value = None
    if value is None:
        quality = max(quality, Quality.BAD)
    return Sample(item.name, value, time, quality)


def plain(found: ua.Variant | None) -> Any:
    """A variant as JSON has it; arrays of several dimensions are arrays of arrays.

    Raises:
        Unsupported: nothing here stands for its type, or the array is too long.
    """
    if found is None or found.Value is None:
        return None
    kind = found.VariantType
    if kind not in _PLAIN:
        raise Unsupported(f"values of type {_type_name(found)} are not read")
    change = _PLAIN[kind]
    if not isinstance(found.Value, list):
        return found.Value if change is None else change(found.Value)
    values = found.Value if change is None else _each(found.Value, change)
    if _count(values) > MOST_ELEMENTS:
        raise Unsupported(f"it is an array of more than {MOST_ELEMENTS:,} elements")
    return values


def _type_name(found: ua.Variant) -> str:
    value = found.Value[0] if isinstance(found.Value, list) and found.Value else found.Value
    name = found.VariantType.name
    return f"{name} ({type(value).__name__})" if name == "ExtensionObject" else name


def _each(values: list[Any], change: Callable[[Any], Any]) -> list[Any]:
    return [
        None if v is None else _each(v, change) if isinstance(v, list) else change(v)
        for v in values
    ]


def _count(values: Any) -> int:
    return sum(_count(v) for v in values) if isinstance(values, list) else 1


def _moment(value: datetime) -> str:
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return value.isoformat().replace("+00:00", "Z")


_T = ua.VariantType
_PLAIN: dict[Any, Callable[[Any], Any] | None] = {
    **dict.fromkeys((_T.Boolean, _T.Float, _T.Double, _T.String)),
    **dict.fromkeys((_T.SByte, _T.Byte, _T.Int16, _T.UInt16, _T.Int32, _T.UInt32), int),
    **dict.fromkeys((_T.Int64, _T.UInt64), int),
    _T.DateTime: _moment,
    _T.Guid: str,
    _T.ByteString: lambda value: base64.b64encode(value).decode(),
    _T.XmlElement: lambda value: getattr(value, "Value", value) or "",
    _T.NodeId: lambda value: value.to_string(),
    _T.ExpandedNodeId: lambda value: value.to_string(),
    _T.StatusCode: lambda value: value.name,
    _T.QualifiedName: lambda value: value.Name or "",
    _T.LocalizedText: lambda value: value.Text or "",
}
"""Types that are taken, and how; None as they are."""
