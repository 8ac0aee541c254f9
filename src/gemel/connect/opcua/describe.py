"""Nodes in words: a part of the address space to look at, and an object as a model is made of it.

Source: OPC UA 1.05 part 8, 5.3.2 (AnalogItemType) and 5.6.3 (EUInformation); part 3, 8.40 (enums).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asyncua import ua

from gemel.connect.opcua.space import Found, Space, level, topic_of
from gemel.connect.opcua.values import Unsupported, plain
from gemel.core.document import Json

MOST_ROWS = 1_000
MOST_VARIABLES = 500
"""Of an object that a model is made of."""
DEEPEST_PART = 5
KINDS = {
    ua.NodeClass.Object: "object",
    ua.NodeClass.Variable: "variable",
    ua.NodeClass.Method: "method",
}
UNITS, RANGE, LIMITS = "EngineeringUnits", "EURange", "InstrumentRange"
WRITABLE = 2
"""The bit of an access level that lets clients write."""


async def listed(space: Space, text: str, depth: int) -> Json:
    """What hangs below a node, each with its value, type and unit."""
    node, path = await space.node(text)
    root = Found(node, path[-1] if path else "Objects", await space.class_of(node), path)
    below = await space.below(root, MOST_ROWS + 1, depth)
    rows = [root] if root.kind == ua.NodeClass.Variable else below[:MOST_ROWS]
    about = await _about(space, [one for one in rows if one.kind == ua.NodeClass.Variable])
    return {
        "node": node.to_string(),
        "path": "/" + "/".join(path),
        "value": [_row(one, about.get(one.node)) for one in rows],
        "isWhole": len(below) <= MOST_ROWS,
    }


async def described(space: Space, connector: str, text: str) -> Json:
    """An object with the variables that belong to it, those of objects in it as its parts."""
    node, path = await space.node(text)
    root = Found(node, path[-1] if path else "Objects", await space.class_of(node), path)
    below = await space.below(root, 10 * MOST_VARIABLES, DEEPEST_PART)
    variables = [one for one in below if one.kind == ua.NodeClass.Variable]
    about = await _about(space, variables[:MOST_VARIABLES])
    return {
        "kind": KINDS.get(root.kind, "other"),
        "path": "/" + "/".join(path),
        "name": root.name,
        "type": await _type_name(space, node),
        "topic": topic_of(connector, path),
        "variables": [
            {
                "topic": topic_of(connector, one.path[:-1]),
                "name": level(one.name),
                "within": list(one.path[len(path) : -1]),
                "isProperty": one.is_property,
                **about[one.node],
            }
            for one in variables[:MOST_VARIABLES]
        ],
        "left": [f"{one.name} (a method)" for one in below if one.kind == ua.NodeClass.Method]
        + [f"{one.name} (beyond {MOST_VARIABLES} variables)" for one in variables[MOST_VARIABLES:]],
    }


def _row(one: Found, about: Json | None) -> Json:
    return {
        "node": one.node.to_string(),
        "path": "/" + "/".join(one.path),
        "kind": KINDS.get(one.kind, "other"),
        **(about or {}),
    }


async def _about(space: Space, variables: Sequence[Found]) -> dict[ua.NodeId, Json]:
    """Type, value, unit and range of variables."""
    nodes = [one.node for one in variables]
    values = await space.read(nodes, ua.AttributeIds.Value)
    types = await space.read(nodes, ua.AttributeIds.DataType)
    access = await space.read(nodes, ua.AttributeIds.UserAccessLevel)
    extra = await _properties(space, nodes)
    enums = await _enumerations(space, {_value(one) for one in types})
    made: dict[ua.NodeId, Json] = {}
    for node, value, of, may in zip(nodes, values, types, access, strict=True):
        found: Json = {
            **_typed(value),
            "isWritable": bool((_value(may) or 0) & WRITABLE),
            **_measured(extra.get(node, {})),
        }
        if _value(of) in enums:
            found["names"] = enums[_value(of)]
        made[node] = found
    return made


def _value(found: ua.DataValue) -> Any:
    return found.Value.Value if found.Value is not None else None


def _typed(found: ua.DataValue) -> Json:
    """The type of a value as it came, and what it is now."""
    variant = found.Value
    if variant is None or variant.Value is None:
        name = found.StatusCode.name if found.StatusCode is not None else "Good"
        return {"type": "", "isArray": False, "value": None, "status": name}
    try:
        value = plain(variant)
    except Unsupported:
        value = None
    is_array = isinstance(variant.Value, list)
    return {"type": variant.VariantType.name, "isArray": is_array, "value": value, "status": "Good"}


def _measured(extra: dict[str, Any]) -> Json:
    """Unit and ranges of what is measured."""
    made: Json = {}
    unit = extra.get(UNITS)
    if isinstance(unit, ua.EUInformation):
        made["unit"] = str(unit.DisplayName.Text or "") if unit.DisplayName else ""
        made["unitCode"] = _code(unit.UnitId)
    for name, field in ((RANGE, "range"), (LIMITS, "limits")):
        found = extra.get(name)
        if isinstance(found, ua.Range) and found.Low < found.High:
            made[field] = [found.Low, found.High]
    return made


def _code(number: int) -> str:
    """The common code of a unit: its letters are the bytes of the number."""
    if not 0 < number < 2**24:
        return ""
    code = number.to_bytes(3, "big").strip(b"\0")
    return code.decode("ascii") if code.isalnum() else ""


async def _properties(space: Space, nodes: Sequence[ua.NodeId]) -> dict[ua.NodeId, dict[str, Any]]:
    """Values of what describes variables, by variable and name."""
    found: list[tuple[ua.NodeId, str, ua.NodeId]] = []
    for node, below in zip(nodes, await space.references(nodes), strict=True):
        found += [(node, one.name, one.node) for one in below if one.name in (UNITS, RANGE, LIMITS)]
    values = await space.read([one[2] for one in found], ua.AttributeIds.Value)
    made: dict[ua.NodeId, dict[str, Any]] = {}
    for (node, name, _), value in zip(found, values, strict=True):
        made.setdefault(node, {})[name] = _value(value)
    return made


async def _enumerations(space: Space, types: set[Any]) -> dict[ua.NodeId, dict[str, int]]:
    """The names of enumerations, by type; only of types of the server's own."""
    own = [one for one in types if isinstance(one, ua.NodeId) and one.NamespaceIndex]
    made: dict[ua.NodeId, dict[str, int]] = {}
    for node, below in zip(own, await space.references(own), strict=True):
        for one in below:
            if one.name not in ("EnumStrings", "EnumValues"):
                continue
            [found] = await space.read([one.node], ua.AttributeIds.Value)
            made[node] = _names(_value(found))
    return made


def _names(found: Any) -> dict[str, int]:
    names: dict[str, int] = {}
    for number, one in enumerate(found or ()):
        if isinstance(one, ua.LocalizedText):
            names[str(one.Text)] = number
        elif isinstance(one, ua.EnumValueType):
            names[str(one.DisplayName.Text)] = int(one.Value)
    return names


async def _type_name(space: Space, node: ua.NodeId) -> str:
    """The name of an object's type, if it is one of the server's own."""
    found = await space.type_of(node)
    if found is None or not found.NamespaceIndex:
        return ""
    [name] = await space.read([found], ua.AttributeIds.BrowseName)
    return str(_value(name).Name) if _value(name) is not None else ""
