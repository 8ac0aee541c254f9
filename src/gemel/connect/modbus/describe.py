"""Registers in words: to look at, and a device as a model is made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gemel.connect.modbus.blocks import Point
from gemel.connect.modbus.registers import Register
from gemel.core.document import Json
from gemel.core.errors import NotFound

MOST_ROWS = 1_000
TYPES = {
    "bool": "Boolean",
    "u16": "UInt16",
    "i16": "Int16",
    "u32": "UInt32",
    "i32": "Int32",
    "u64": "UInt64",
    "i64": "Int64",
    "f32": "Float",
    "f64": "Double",
    "string": "String",
}


def type_of(register: Register) -> str:
    """What its values are; a whole number that is scaled is a fraction."""
    if register.is_boolean:
        return "Boolean"
    return "Double" if register.is_scaled else TYPES[register.type]


def listed(
    connector: str, points: Sequence[Point], node: str, problem: Callable[[Point], str]
) -> Json:
    """The registers of a device, or of all, each with its value, or why it has none of now."""
    found = _below(connector, points, node)
    return {
        "node": node,
        "path": node,
        "value": [_row(one, problem(one)) for one in found[:MOST_ROWS]],
        "isWhole": len(found) <= MOST_ROWS,
    }


def described(connector: str, points: Sequence[Point], node: str) -> Json:
    """A device with its registers; those of a twin that is named in the map are no part of it."""
    device = node.strip("/")
    found = [one for one in points if one.register.device == device and not one.register.twin]
    if not found:
        raise _nothing(connector, points, node)
    return {
        "space": "modbus",
        "kind": "object",
        "path": node,
        "name": device.rpartition("/")[2] or connector,
        "type": "",
        "topic": found[0].topic,
        "variables": [
            {
                "within": [],
                "topic": one.topic,
                "name": one.register.name,
                "isProperty": False,
                "isWritable": one.register.is_writable,
                "isArray": False,
                "type": type_of(one.register),
                **({"unit": one.register.unit} if one.register.unit else {}),
            }
            for one in found
        ],
        "methods": [],
        "left": [],
    }


def _below(connector: str, points: Sequence[Point], node: str) -> list[Point]:
    path = node.strip("/")
    found = [
        one
        for one in points
        if not path or path in (_path(one), one.register.device, one.register.twin)
    ]
    if not found:
        raise _nothing(connector, points, node)
    return found


def _nothing(connector: str, points: Sequence[Point], node: str) -> NotFound:
    known = sorted({one.register.device or one.register.twin for one in points} - {""})
    return NotFound(
        f"connector '{connector}' has no '{node[:80]}'",
        hint="it has: " + ", ".join(["/", *known[:20]]),
    )


def _path(point: Point) -> str:
    register = point.register
    return "/".join(filter(None, (register.twin or register.device, register.name)))


def _shown(point: Point) -> object:
    """Of 32 bits with the digits that they have: 4.2, not 4.199999809265137."""
    is_single = point.register.type == "f32" and not point.register.is_scaled
    return float(str(np.float32(point.value))) if is_single else point.value  # type: ignore[arg-type]


def _row(point: Point, problem: str) -> Json:
    register = point.register
    return {
        "node": register.place,
        "path": f"/{_path(point)}",
        "kind": "variable",
        "type": type_of(register),
        "isArray": False,
        "isWritable": register.is_writable,
        **({"value": _shown(point)} if point.time and point.value is not None else {}),
        **({"status": problem or "Good"} if point.time or problem else {}),
        **({"unit": register.unit} if register.unit else {}),
    }
