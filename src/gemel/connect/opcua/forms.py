"""What may be written at a server, and in which form: asked of the server once a connection.

Source: OPC UA 1.05 part 3, 5.6 (variables), 5.7 (methods), 8 (data types); part 8, 5.3.2 (ranges).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asyncua import ua

from gemel.connect.opcua.attributes import (
    LIMITS,
    RANGE,
    WRITABLE,
    enumerations,
    properties_of,
    value_in,
)
from gemel.connect.opcua.encode import SCALAR, Form
from gemel.connect.opcua.space import DEEPEST, Contents, Found, Space
from gemel.connect.opcua.values import Item

LAST_BUILT_IN = 25
ENUMERATION = 29
ABSTRACT = frozenset((0, number) for number in (24, 26, 27, 28))
"""BaseDataType, Number, Integer, UInteger: the type is that of the value."""
ARGUMENT = ua.uaprotocol_auto.Argument
"""What the library reads; `ua.Argument` is a kind of it for those who write."""
INPUTS, OUTPUTS = "InputArguments", "OutputArguments"


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that may be written, or may not."""

    node: ua.NodeId
    form: Form
    is_writable: bool


@dataclass(frozen=True, slots=True)
class Method:
    """A method, and the object on which it is called."""

    node: ua.NodeId
    above: ua.NodeId
    is_executable: bool
    inputs: Mapping[str, Form] = field(default_factory=dict)
    outputs: Mapping[str, Form] = field(default_factory=dict)


Place = Variable | Method


async def places_of(space: Space, contents: Contents) -> dict[tuple[str, str], Place]:
    """All variables and methods of what is read, by topic and name."""
    found: dict[tuple[str, str], Place] = {}
    found |= await _variables(space, contents.items)
    found |= await methods_of(space, contents.methods)
    return found


async def _variables(space: Space, items: Sequence[Item]) -> dict[tuple[str, str], Place]:
    """Types and ranges are asked only of those that may be written."""
    access = await space.read([one.node for one in items], ua.AttributeIds.UserAccessLevel)
    may = [found is None or bool(found & WRITABLE) for found in map(value_in, access)]
    open_ = [one.node for one, is_open in zip(items, may, strict=True) if is_open]
    forms = dict(zip(open_, await _forms(space, open_), strict=True))
    closed = Form(None, "unknown")
    return {
        (one.topic, one.name): Variable(one.node, forms.get(one.node, closed), is_open)
        for one, is_open in zip(items, may, strict=True)
    }


async def _forms(space: Space, nodes: Sequence[ua.NodeId]) -> list[Form]:
    types = [value_in(one) for one in await space.read(nodes, ua.AttributeIds.DataType)]
    ranks = [value_in(one) for one in await space.read(nodes, ua.AttributeIds.ValueRank)]
    kinds = await _kinds(space, {one for one in types if one is not None})
    extra = await properties_of(space, nodes)
    names = await enumerations(space, set(types))
    made = []
    for node, of, rank in zip(nodes, types, ranks, strict=True):
        kind = kinds.get(of)
        if of is not None and kind is None and (of.NamespaceIndex, of.Identifier) in ABSTRACT:
            [now] = await space.read([node], ua.AttributeIds.Value)
            kind = now.Value.VariantType if now.Value is not None else None
        ranges = _ranges(extra.get(node, {}))
        made.append(_form(kind, of, rank, ranges, names.get(of, {})))
    return made


def _form(
    kind: Any,
    of: ua.NodeId | None,
    rank: int | None,
    ranges: Mapping[str, tuple[float, float]],
    names: Mapping[str, int],
) -> Form:
    if kind in (None, ua.VariantType.Null):
        return Form(None, of.to_string() if of is not None else "unknown")
    is_own = of is not None and of.NamespaceIndex
    label = f"{kind.name} ({of.to_string()})" if of is not None and is_own else kind.name
    return Form(kind, label, SCALAR if rank is None else rank, ranges, names)


def _ranges(extra: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    return {
        name: (found.Low, found.High)
        for name in (RANGE, LIMITS)
        if isinstance(found := extra.get(name), ua.Range) and found.Low < found.High
    }


async def _kinds(space: Space, types: Iterable[ua.NodeId]) -> dict[ua.NodeId, Any]:
    """The built-in types that data types are kinds of; without those that are of no one."""
    ends: dict[ua.NodeId, ua.NodeId | None] = {one: one for one in types}
    for _ in range(DEEPEST):
        open_ = list({end for end in ends.values() if end is not None and not _is_built_in(end)})
        if not open_:
            break
        above = dict(zip(open_, await space.supertypes(open_), strict=True))
        ends = {one: above.get(end, end) if end is not None else None for one, end in ends.items()}
    return {one: _built_in(end) for one, end in ends.items() if end is not None and _built_in(end)}


def _is_built_in(of: ua.NodeId) -> bool:
    number = of.Identifier
    return of.NamespaceIndex == 0 and isinstance(number, int) and number <= ENUMERATION


def _built_in(of: ua.NodeId) -> Any:
    """The type that a value of a data type is sent as; None if that is not said."""
    if not _is_built_in(of) or (0, of.Identifier) in ABSTRACT:
        return None
    if of.Identifier == ENUMERATION:
        return ua.VariantType.Int32
    return ua.VariantType(of.Identifier) if of.Identifier <= LAST_BUILT_IN else None


# ---- methods -------------------------------------------------------------------------------


async def methods_of(
    space: Space, methods: Mapping[tuple[str, str], Found]
) -> dict[tuple[str, str], Method]:
    """What methods take and give."""
    nodes = [one.node for one in methods.values()]
    may = await space.read(nodes, ua.AttributeIds.UserExecutable)
    told = await properties_of(space, nodes, (INPUTS, OUTPUTS))
    found = {}
    for (place, one), is_open in zip(methods.items(), may, strict=True):
        if one.above is None:
            continue
        inputs, outputs = [
            await _arguments(space, told.get(one.node, {}).get(side)) for side in (INPUTS, OUTPUTS)
        ]
        is_executable = value_in(is_open) is not False
        found[place] = Method(one.node, one.above, is_executable, inputs, outputs)
    return found


async def _arguments(space: Space, told: Any) -> dict[str, Form]:
    found = [one for one in told or () if isinstance(one, ARGUMENT)]
    types = {one.DataType for one in found}
    kinds, names = await _kinds(space, types), await enumerations(space, types)
    return {
        str(one.Name or f"argument{at + 1}"): _form(
            kinds.get(one.DataType),
            one.DataType,
            one.ValueRank,
            {},
            names.get(one.DataType, {}),
        )
        for at, one in enumerate(found)
    }
