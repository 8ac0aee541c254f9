"""Types of metrics: what a sent value means, and a value of ours as it is to be sent."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from gemel.core.clock import from_iso, to_iso
from gemel.core.errors import InvalidInput
from gemel.core.quality import Quality
from gemel.ingest.senml import Problem
from gemel.ingest.sparkplug.wire import (
    BOOLEAN,
    DATASET,
    DOUBLE,
    FLOAT,
    INT,
    LONG,
    RAW,
    STRING,
    TEMPLATE,
    Metric,
)

WHOLE: Final = {1: -8, 2: -16, 3: -32, 4: -64, 5: 8, 6: 16, 7: 32, 8: 64}
"""Types of whole numbers, with their bits; negative where they have a sign."""
A_FLOAT, A_DOUBLE, A_BOOLEAN, A_STRING, A_DATETIME, A_TEXT, A_UUID = range(9, 16)
A_DATASET, A_BYTES, A_FILE, A_TEMPLATE, A_SET, A_SET_LIST = range(16, 22)
ARRAYS: Final = {
    22: "i1",
    23: "<i2",
    24: "<i4",
    25: "<i8",
    26: "u1",
    27: "<u2",
    28: "<u4",
    29: "<u8",
    30: "<f4",
    31: "<f8",
}
BOOLEANS, STRINGS, DATETIMES = 32, 33, 34
UNTAKEN: Final = {
    A_DATASET: "a DataSet",
    A_FILE: "a File",
    A_TEMPLATE: "a Template",
    A_SET: "a PropertySet",
    A_SET_LIST: "a PropertySetList",
}
NAMES: Final = (
    "Unknown",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Float",
    "Double",
    "Boolean",
    "String",
    "DateTime",
    "Text",
    "UUID",
    "DataSet",
    "Bytes",
    "File",
    "Template",
    "PropertySet",
    "PropertySetList",
    "Int8Array",
    "Int16Array",
    "Int32Array",
    "Int64Array",
    "UInt8Array",
    "UInt16Array",
    "UInt32Array",
    "UInt64Array",
    "FloatArray",
    "DoubleArray",
    "BooleanArray",
    "StringArray",
    "DateTimeArray",
)
PLAIN: Final = dict.fromkeys(WHOLE, int) | {A_FLOAT: float, A_DOUBLE: float, A_BOOLEAN: bool}
"""Types that columns of numbers take, and as what they are read."""
MILLISECOND = 1_000_000
STALE = 500
"""What Sparkplug hosts write for a value whose source is gone."""
MASK = 2**64 - 1


def name_of(datatype: int) -> str:
    return NAMES[datatype] if 0 < datatype < len(NAMES) else f"type {datatype}"


def whole(datatype: int, raw: int) -> int:
    """A whole number as it was meant: negative ones are sent as if they had no sign."""
    bits = WHOLE[datatype]
    if bits > 0:
        return raw & ((1 << bits) - 1)
    raw &= (1 << -bits) - 1
    return raw - (1 << -bits) if raw >> (-bits - 1) else raw


def value_of(metric: Metric, datatype: int) -> Any:
    """What a metric says.

    Args:
        metric: as it was sent.
        datatype: its own, or where it has none the birth's; 0 where neither said it.

    Returns:
        A number, boolean, text or list; None where there is no value. A moment is ISO 8601.

    Raises:
        Problem: its type is not taken, or does not have such a value.
    """
    kind, value = metric.kind, metric.value
    if metric.is_null or not kind:
        return None
    if datatype in UNTAKEN or kind in (DATASET, TEMPLATE):
        said = UNTAKEN.get(datatype) or ("a DataSet" if kind == DATASET else "a Template")
        raise Problem(f"{said} is not taken: let its parts be metrics of their own")
    if datatype in KINDS and kind in KINDS[datatype]:
        return _READ[datatype](value) if datatype in _READ else value
    if datatype in WHOLE and kind in (INT, LONG):
        return whole(datatype, value)
    if BOOLEANS - 10 <= datatype <= DATETIMES and kind == RAW:
        return _array(datatype, value)
    if not datatype and kind in (FLOAT, DOUBLE, BOOLEAN, STRING):
        return value
    raise Problem(f"{name_of(datatype)}, and the value is in field {kind}")


def _moment(milliseconds: int) -> str:
    try:
        return to_iso(milliseconds * MILLISECOND)
    except (OverflowError, ValueError):
        raise Problem("a DateTime that cannot be expressed") from None


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


KINDS: Final = {
    A_FLOAT: (FLOAT, DOUBLE),
    A_DOUBLE: (DOUBLE, FLOAT),
    A_BOOLEAN: (BOOLEAN, INT, LONG),
    A_STRING: (STRING,),
    A_TEXT: (STRING,),
    A_UUID: (STRING,),
    A_DATETIME: (LONG, INT),
    A_BYTES: (RAW,),
}
"""In which fields values of a type may be."""
_READ: Final[dict[int, Callable[[Any], Any]]] = {
    A_BOOLEAN: bool,
    A_DATETIME: _moment,
    A_BYTES: _encoded,
}


def _array(datatype: int, data: bytes) -> list[Any]:
    if datatype in ARRAYS:
        kind = np.dtype(ARRAYS[datatype])
        if len(data) % kind.itemsize:
            raise Problem(f"{name_of(datatype)} of {len(data)} bytes")
        found: list[Any] = np.frombuffer(data, kind).tolist()
        return found
    if datatype == STRINGS:
        try:
            return data.decode().removesuffix("\0").split("\0") if data else []
        except UnicodeDecodeError:
            raise Problem("a text is not UTF-8") from None
    if datatype == DATETIMES:
        if len(data) % 8:
            raise Problem(f"DateTimeArray of {len(data)} bytes")
        return [_moment(one) for one in np.frombuffer(data, "<i8").tolist()]
    count = int.from_bytes(data[:4], "little")
    if len(data) < 4 or len(data) - 4 != (count + 7) // 8:
        raise Problem(f"BooleanArray of {count} in {len(data)} bytes")
    bits = np.unpackbits(np.frombuffer(data, np.uint8, offset=4), count=count)
    return [bool(one) for one in bits.tolist()]


def quality_of(said: int) -> Quality:
    """The property `Quality`: 192 is good, 500 stale, others as in OPC (below 64 bad)."""
    if said < 0 or 192 <= said < 256:
        return Quality.GOOD
    return Quality.BAD if said < 64 or 256 <= said != STALE else Quality.UNCERTAIN


# ---- back --------------------------------------------------------------------------------------


def sent_as(datatype: int, value: Any) -> tuple[int, Any]:
    """The field and the raw value under which a value of ours is sent.

    Raises:
        InvalidInput: the type cannot hold it; the message says why.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if datatype in WHOLE and is_number:
        return _sent_whole(datatype, value)
    if datatype in (A_FLOAT, A_DOUBLE) and is_number:
        number = float(value)
        if datatype == A_FLOAT and abs(number) > 3.4028234663852886e38:
            raise InvalidInput(f"{value} is beyond the metric's type Float")
        return (FLOAT if datatype == A_FLOAT else DOUBLE), number
    if datatype == A_BOOLEAN and isinstance(value, bool):
        return BOOLEAN, value
    if datatype in (A_STRING, A_TEXT, A_UUID) and isinstance(value, str):
        return STRING, value
    if datatype == A_DATETIME and isinstance(value, str):
        return LONG, from_iso(value) // MILLISECOND & MASK
    raise InvalidInput(
        f"{str(value)[:60]} does not fit the metric's type {name_of(datatype)}",
        hint="numbers, booleans, texts and moments can be sent",
    )


def _sent_whole(datatype: int, value: float) -> tuple[int, int]:
    nearest = round(value) if math.isfinite(value) else 0
    bits = WHOLE[datatype]
    low, high = (0, (1 << bits) - 1) if bits > 0 else (-(1 << -bits - 1), (1 << -bits - 1) - 1)
    is_whole = math.isfinite(value) and abs(value - nearest) <= 1e-9 * max(1.0, abs(value))
    if not is_whole or not low <= nearest <= high:
        raise InvalidInput(
            f"{value} does not fit the metric's type {name_of(datatype)}",
            hint=f"it takes whole numbers from {low} to {high}",
        )
    if abs(bits) == 64:
        return LONG, nearest & MASK
    return INT, nearest & 0xFFFF_FFFF
