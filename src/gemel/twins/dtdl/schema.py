"""Schemas: what values a telemetry, property or payload may have, and what is wrong with one."""

from __future__ import annotations

import base64
import binascii
import math
import re
import reprlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeAlias

INTEGER_RANGES: dict[str, tuple[int, int]] = {
    "byte": (-(2**7), 2**7 - 1),
    "short": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
    "unsignedByte": (0, 2**8 - 1),
    "unsignedShort": (0, 2**16 - 1),
    "unsignedInteger": (0, 2**32 - 1),
    "unsignedLong": (0, 2**64 - 1),
}
FLOAT_LIMIT = 3.4028235677973366e38  # half a step above the largest single-precision number
NUMERIC_KINDS = frozenset({"double", "float", "decimal", *INTEGER_RANGES})

DURATION = re.compile(
    r"-?P(?=.)(?:\d+W|(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?)",
    re.ASCII,
)
TIME = re.compile(
    r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]([01]\d|2[0-3]):?[0-5]\d)?", re.ASCII
)
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


_SHORT = reprlib.Repr()
_SHORT.maxlevel = 2
_SHORT.maxdict = _SHORT.maxlist = _SHORT.maxtuple = 4
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


def shown(value: object) -> str:
    """A value as people can read it in a message: never long, however deep or large it is."""
    return _SHORT.repr(value)


def _is_too_deep(path: str) -> bool:
    """A schema may contain itself (DTDL 4), so the depth of a value must end somewhere."""
    return len(path) > 200 and path.count(".") + path.count("[") > 100


def _at(path: str, problem: str) -> list[str]:
    return [f"{path}: {problem}" if path else problem]


@dataclass(frozen=True, slots=True)
class Primitive:
    """A number, text, boolean, date or the like; `kind` is the DTDL name."""

    kind: str

    def check(self, value: object, path: str = "") -> list[str]:
        problem = _PRIMITIVE_CHECKS[self.kind](value, self.kind)
        return _at(path, problem) if problem else []


def _check_boolean(value: object, kind: str) -> str:
    return "" if isinstance(value, bool) else f"{shown(value)} is not a boolean (true or false)"


def _check_string(value: object, kind: str) -> str:
    return "" if isinstance(value, str) else f"{shown(value)} is not a string"


def _check_integer(value: object, kind: str) -> str:
    lowest, highest = INTEGER_RANGES[kind]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return f"{shown(value)} is not an integer"
    if not lowest <= value <= highest:
        return f"{value} is outside the range of {kind}, {lowest} to {highest}"
    return ""


def _check_real(value: object, kind: str) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{shown(value)} is not a number"
    try:
        number = float(value)
    except OverflowError:
        return f"{shown(value)} is outside the range of {kind}"
    if not math.isfinite(number):
        return f"{number} is not a finite number"
    if kind == "float" and abs(number) >= FLOAT_LIMIT:
        return f"{shown(value)} is outside the range of float"
    return ""


def _check_decimal(value: object, kind: str) -> str:
    if isinstance(value, str):
        return "" if DECIMAL.fullmatch(value) else f"{shown(value)} is not a decimal number"
    return _check_real(value, kind)


def _check_date(value: object, kind: str) -> str:
    if isinstance(value, str) and DATE.fullmatch(value):
        try:
            date.fromisoformat(value)
        except ValueError as error:
            return f"'{value}' is not a date: {error}"
        return ""
    return f"{shown(value)} is not a date such as '2026-11-22'"


def _check_date_time(value: object, kind: str) -> str:
    if isinstance(value, str) and len(value) > 10 and value[10] in "Tt ":
        # Python reads at most 6 fraction digits, and no leap second; both are valid here.
        plain = re.sub(r"(?<=\d)\.\d+", "", value, count=1).replace(":60", ":59", 1)
        if DATE.match(plain) and TIME.fullmatch(plain[11:].replace("z", "Z")):
            try:
                datetime.fromisoformat(plain.replace("z", "Z"))
            except ValueError as error:
                return f"'{value}' is not a date and time: {error}"
            return ""
    return f"{shown(value)} is not a date and time such as '2026-11-22T10:00:00Z'"


def _check_duration(value: object, kind: str) -> str:
    if isinstance(value, str) and DURATION.fullmatch(value):
        return ""
    return f"{shown(value)} is not an ISO 8601 duration such as 'PT5M'"


def _check_time(value: object, kind: str) -> str:
    if isinstance(value, str) and TIME.fullmatch(value):
        return ""
    return f"{shown(value)} is not a time of day such as '10:00:00'"


def _check_bytes(value: object, kind: str) -> str:
    if isinstance(value, str):
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            return f"{shown(value)} is not base64"
        return ""
    return f"{shown(value)} is not bytes written in base64"


def _check_uuid(value: object, kind: str) -> str:
    if isinstance(value, str) and UUID.fullmatch(value):
        return ""
    return f"{shown(value)} is not a UUID such as '01234567-89ab-cdef-0123-456789abcdef'"


_PRIMITIVE_CHECKS: dict[str, Callable[[object, str], str]] = {
    "boolean": _check_boolean,
    "bytes": _check_bytes,
    "date": _check_date,
    "dateTime": _check_date_time,
    "decimal": _check_decimal,
    "double": _check_real,
    "duration": _check_duration,
    "float": _check_real,
    "string": _check_string,
    "time": _check_time,
    "uuid": _check_uuid,
    **dict.fromkeys(INTEGER_RANGES, _check_integer),
}


@dataclass(frozen=True, slots=True)
class Enum:
    """One of a list of values; `values` maps each value to its name."""

    value_kind: str
    values: dict[Any, str]
    kind: str = field(default="enum", init=False)

    def check(self, value: object, path: str = "") -> list[str]:
        wanted = str if self.value_kind == "string" else int
        if isinstance(value, wanted) and not isinstance(value, bool) and value in self.values:
            return []
        allowed = ", ".join(shown(known) for known in list(self.values)[:20])
        return _at(path, f"{shown(value)} is not one of {allowed}")


@dataclass(frozen=True, slots=True)
class Object:
    """A JSON object with the given fields, each of which may be left out."""

    fields: dict[str, Schema]
    kind: str = field(default="object", init=False)

    def check(self, value: object, path: str = "") -> list[str]:
        if not isinstance(value, dict):
            return _at(path, f"{shown(value)} is not an object")
        if _is_too_deep(path):
            return _at(path, "it is nested too deep; at most 100 levels are read")
        problems: list[str] = []
        for name, item in value.items():
            inner = f"{path}.{name}" if path else str(name)
            schema = self.fields.get(name)
            if schema is None:
                known = ", ".join(self.fields) or "none"
                problems += _at(inner, f"the schema has no such field (fields: {known})")
            else:
                problems += schema.check(item, inner)
        return problems


@dataclass(frozen=True, slots=True)
class Array:
    element: Schema
    kind: str = field(default="array", init=False)

    def check(self, value: object, path: str = "") -> list[str]:
        if not isinstance(value, list | tuple):
            return _at(path, f"{shown(value)} is not an array")
        if _is_too_deep(path):
            return _at(path, "it is nested too deep; at most 100 levels are read")
        problems: list[str] = []
        for index, item in enumerate(value):
            problems += self.element.check(item, f"{path}[{index}]")
        return problems


@dataclass(frozen=True, slots=True)
class Map:
    """A JSON object with free names and values of one schema."""

    value: Schema
    kind: str = field(default="map", init=False)

    def check(self, value: object, path: str = "") -> list[str]:
        if not isinstance(value, dict):
            return _at(path, f"{shown(value)} is not an object that maps names to values")
        if _is_too_deep(path):
            return _at(path, "it is nested too deep; at most 100 levels are read")
        problems: list[str] = []
        for name, item in value.items():
            inner = f"{path}.{name}" if path else str(name)
            if not isinstance(name, str):
                problems += _at(inner, "a name in a map must be a string")
            problems += self.value.check(item, inner)
        return problems


Schema: TypeAlias = Primitive | Enum | Object | Array | Map
