"""A value as JSON has it becomes one of OPC UA, of the type that its place has.

Source: OPC UA 1.05 part 3, 5.6.2 (ValueRank) and 8 (data types); part 6, 5.1.2 (built-in types).
"""

from __future__ import annotations

import base64
import binascii
import math
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from asyncua import ua

from gemel.connect.opcua.values import MOST_ELEMENTS
from gemel.core.errors import InvalidInput

_T = ua.VariantType
WHOLE: Mapping[Any, tuple[int, int]] = {
    _T.SByte: (-(2**7), 2**7 - 1),
    _T.Byte: (0, 2**8 - 1),
    _T.Int16: (-(2**15), 2**15 - 1),
    _T.UInt16: (0, 2**16 - 1),
    _T.Int32: (-(2**31), 2**31 - 1),
    _T.UInt32: (0, 2**32 - 1),
    _T.Int64: (-(2**63), 2**63 - 1),
    _T.UInt64: (0, 2**64 - 1),
}
LARGEST_FLOAT = 3.4028234663852886e38
LONGEST_TEXT = 65_536
SCALAR, ANY, SCALAR_OR_ONE = -1, -2, -3
"""Value ranks; from 0 on, arrays of at least so many dimensions."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a value of a variable, or an argument of a method, must be."""

    kind: Any
    """A `ua.VariantType`; None where nothing here stands for its type."""
    type: str
    """The type as people read it."""
    rank: int = SCALAR
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By the name of what says so, such as EURange."""
    names: Mapping[str, int] = field(default_factory=dict)
    """Of an enumeration; else empty."""


def encoded(form: Form, value: Any) -> ua.Variant:
    """A value as it is written.

    Raises:
        InvalidInput: it is not of this form, or beyond a range.
    """
    if form.kind is None or form.kind not in _MADE:
        raise InvalidInput(f"values of type {form.type} are not written")
    if isinstance(value, list):
        if form.rank == SCALAR:
            raise InvalidInput(f"it is one {form.type}, not an array of such")
        if form.rank > 1:
            raise InvalidInput("arrays of several dimensions are not written")
        if len(value) > MOST_ELEMENTS:
            raise InvalidInput(f"it is an array of more than {MOST_ELEMENTS:,} elements")
        return ua.Variant([_one(form, one) for one in value], form.kind, is_array=True)
    if form.rank >= 0:
        raise InvalidInput(f"it is an array of {form.type}, not one", hint="write it like [1, 2]")
    return ua.Variant(_one(form, value), form.kind)


def _one(form: Form, value: Any) -> Any:
    made = _MADE[form.kind](form, value)
    if isinstance(made, int | float) and not isinstance(made, bool):
        for name, (low, high) in form.ranges.items():
            if not low <= made <= high:
                raise InvalidInput(f"{made:g} is beyond its {name}", hint=f"{low:g} to {high:g}")
    return made


def _wrong(form: Form, value: Any, hint: str) -> InvalidInput:
    return InvalidInput(f"its type is {form.type}, and {str(value)[:80]!r} is none", hint=hint)


def _boolean(form: Form, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(form, value, "true or false")
    return value


def _whole(form: Form, value: Any) -> int:
    low, high = WHOLE[form.kind]
    if form.names and isinstance(value, str) and value in form.names:
        return form.names[value]
    if isinstance(value, str) and value.lstrip("-").isdecimal() and len(value) <= 20:
        value = int(value)  # beyond 2^53, whole numbers are texts here
    is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not is_whole:
        raise _wrong(form, value, f"a whole number, {low} to {high}")
    number = int(value)
    if not low <= number <= high:
        raise InvalidInput(f"{number} is beyond {form.type}", hint=f"{low} to {high}")
    if form.names and number not in form.names.values():
        known = ", ".join(f"{one} ({name})" for name, one in form.names.items())
        raise InvalidInput(f"{number} is none of {form.type}", hint=known[:500])
    return number


def _fraction(form: Form, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong(form, value, "a number")
    try:
        number = float(value)
    except OverflowError as error:
        raise _wrong(form, value, "up to 1.8e308") from error
    if form.kind == _T.Float and abs(number) > LARGEST_FLOAT:
        raise InvalidInput(f"{number:g} is beyond {form.type}", hint=f"up to {LARGEST_FLOAT:g}")
    return number


def _text(form: Form, value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise _wrong(form, value, f"a text of at most {LONGEST_TEXT:,} characters")
    return value


def _localized(form: Form, value: Any) -> ua.LocalizedText:
    return ua.LocalizedText(_text(form, value))


def _moment(form: Form, value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise _wrong(form, value, "ISO 8601, such as 2026-11-22T10:00:00Z") from error


def _guid(form: Form, value: Any) -> uuid.UUID:
    try:
        return uuid.UUID(value)
    except (TypeError, ValueError, AttributeError) as error:
        raise _wrong(form, value, "such as 5c3e0c5e-6d5b-4e55-9d4f-2f1f3c1c7f10") from error


def _bytes(form: Form, value: Any) -> bytes:
    try:
        return base64.b64decode(_text(form, value), validate=True)
    except binascii.Error as error:
        raise _wrong(form, value, "a text in base64") from error


_MADE: dict[Any, Callable[[Form, Any], Any]] = {
    _T.Boolean: _boolean,
    **dict.fromkeys(WHOLE, _whole),
    **dict.fromkeys((_T.Float, _T.Double), _fraction),
    _T.String: _text,
    _T.LocalizedText: _localized,
    _T.DateTime: _moment,
    _T.Guid: _guid,
    _T.ByteString: _bytes,
}
"""Types that are written, and how."""
