"""What describes nodes: their properties, the names of enumerations, what an attribute holds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from asyncua import ua

from gemel.connect.opcua.space import Space

UNITS, RANGE, LIMITS = "EngineeringUnits", "EURange", "InstrumentRange"
WRITABLE = 2
"""The bit of an access level that lets clients write."""


def value_in(found: ua.DataValue) -> Any:
    """What was read of an attribute; None if nothing was."""
    return found.Value.Value if found.Value is not None else None


async def properties_of(
    space: Space,
    nodes: Sequence[ua.NodeId],
    wanted: Collection[str] = (UNITS, RANGE, LIMITS),
) -> dict[ua.NodeId, dict[str, Any]]:
    """Values of what describes variables and methods, by node and name."""
    found: list[tuple[ua.NodeId, str, ua.NodeId]] = []
    for node, below in zip(nodes, await space.references(nodes), strict=True):
        found += [(node, one.name, one.node) for one in below if one.name in wanted]
    values = await space.read([one[2] for one in found], ua.AttributeIds.Value)
    made: dict[ua.NodeId, dict[str, Any]] = {}
    for (node, name, _), value in zip(found, values, strict=True):
        made.setdefault(node, {})[name] = value_in(value)
    return made


async def enumerations(space: Space, types: set[Any]) -> dict[ua.NodeId, dict[str, int]]:
    """The names of enumerations, by type; only of types of the server's own."""
    own = [one for one in types if isinstance(one, ua.NodeId) and one.NamespaceIndex]
    made: dict[ua.NodeId, dict[str, int]] = {}
    for node, below in zip(own, await space.references(own), strict=True):
        for one in below:
            if one.name not in ("EnumStrings", "EnumValues"):
                continue
            [found] = await space.read([one.node], ua.AttributeIds.Value)
            made[node] = _names(value_in(found))
    return made


def _names(found: Any) -> dict[str, int]:
    names: dict[str, int] = {}
    for number, one in enumerate(found or ()):
        if isinstance(one, ua.LocalizedText):
            names[str(one.Text)] = number
        elif isinstance(one, ua.EnumValueType):
            names[str(one.DisplayName.Text)] = int(one.Value)
    return names
