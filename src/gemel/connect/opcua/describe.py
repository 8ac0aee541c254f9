"""Nodes in words: a part of the address space to look at, and an object as a model is made of it.

Source: OPC UA 1.05 part 8, 5.3.2 (AnalogItemType) and 5.6.3 (EUInformation); part 3, 8.40 (enums).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asyncua import ua

from gemel.connect.opcua.attributes import (
    LIMITS,
    RANGE,
    UNITS,
    WRITABLE,
    enumerations,
    properties_of,
    value_in,
)
from gemel.connect.opcua.encode import SCALAR, Form
from gemel.connect.opcua.forms import methods_of
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
    """An object with its variables and methods, those of objects in it as its parts."""
    node, path = await space.node(text)
    root = Found(node, path[-1] if path else "Objects", await space.class_of(node), path)
    below = await space.below(root, 10 * MOST_VARIABLES, DEEPEST_PART)
    variables = [one for one in below if one.kind == ua.NodeClass.Variable]
    methods = [one for one in below if one.kind == ua.NodeClass.Method]
    about = await _about(space, variables[:MOST_VARIABLES])

    def placed(one: Found) -> Json:
        return {
            "topic": topic_of(connector, one.path[:-1]),
            "name": level(one.name),
            "within": list(one.path[len(path) : -1]),
        }

    return {
        "space": "opcua",
        "kind": KINDS.get(root.kind, "other"),
        "path": "/" + "/".join(path),
        "name": root.name,
        "type": await _type_name(space, node),
        "topic": topic_of(connector, path),
        "variables": [
            {**placed(one), "isProperty": one.is_property, **about[one.node]}
            for one in variables[:MOST_VARIABLES]
        ],
        "methods": [
            {**placed(one), **taken} for one, taken in await _taken(space, methods[:MOST_VARIABLES])
        ],
        "left": [
            f"{one.name} (beyond {MOST_VARIABLES})"
            for one in (*variables[MOST_VARIABLES:], *methods[MOST_VARIABLES:])
        ],
    }


async def _taken(space: Space, methods: Sequence[Found]) -> list[tuple[Found, Json]]:
    """Methods with what they take and give."""
    found = await methods_of(space, {("", str(at)): one for at, one in enumerate(methods)})
    return [
        (
            methods[int(at)],
            {
                "inputs": [_form(name, form) for name, form in one.inputs.items()],
                "outputs": [_form(name, form) for name, form in one.outputs.items()],
            },
        )
        for (_, at), one in found.items()
    ]


def _form(name: str, form: Form) -> Json:
    made: Json = {
        "name": name,
        "type": form.kind.name if form.kind is not None else "",
        "isArray": form.rank > SCALAR,
    }
    return {**made, "names": dict(form.names)} if form.names else made


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
    extra = await properties_of(space, nodes)
    enums = await enumerations(space, {value_in(one) for one in types})
    made: dict[ua.NodeId, Json] = {}
    for node, value, of, may in zip(nodes, values, types, access, strict=True):
        found: Json = {
            **_typed(value),
            "isWritable": bool((value_in(may) or 0) & WRITABLE),
            **_measured(extra.get(node, {})),
        }
        if value_in(of) in enums:
            found["names"] = enums[value_in(of)]
        made[node] = found
    return made


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


async def _type_name(space: Space, node: ua.NodeId) -> str:
    """The name of an object's type, if it is one of the server's own."""
    found = await space.type_of(node)
    if found is None or not found.NamespaceIndex:
        return ""
    [name] = await space.read([found], ua.AttributeIds.BrowseName)
    return str(value_in(name).Name) if value_in(name) is not None else ""
