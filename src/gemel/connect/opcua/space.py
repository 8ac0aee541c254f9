"""A server's address space: which nodes are meant, and what their values are called here.

A variable belongs to the object above it: `/Plant/Motor/Speed` of the connector `press` is the
value `Speed` on the topic `press/Plant/Motor`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from asyncua import ua

from gemel.connect.opcua.settings import check_node
from gemel.connect.opcua.values import Item
from gemel.core.errors import InvalidInput, NotFound

T = TypeVar("T")
R = TypeVar("R")
MOST_ITEMS = 10_000
MOST_NODES = 50_000
"""Nodes that are looked at for one browse."""
DEEPEST = 16
AT_ONCE = 100
"""Nodes asked about in one request: what servers take differs, and this all do."""
OBJECTS = ua.NodeId(85, 0)
SERVER = ua.NodeId(2253, 0)
HIERARCHICAL, HAS_PROPERTY, HAS_TYPE = ua.NodeId(33, 0), ua.NodeId(46, 0), ua.NodeId(40, 0)
HAS_SUBTYPE = ua.NodeId(45, 0)
SHOWN = ua.NodeClass.Object | ua.NodeClass.Variable | ua.NodeClass.Method
_NOT_IN_LEVEL = re.compile(r"[/+#\x00-\x1f]")


async def in_parts(
    ask: Callable[[Sequence[T]], Awaitable[Sequence[R]]], things: Sequence[T]
) -> list[R]:
    """Asks about things, `AT_ONCE` at a time, or fewer where that is more than a server takes."""
    found: list[R] = []
    size = AT_ONCE
    while len(found) < len(things):
        part = things[len(found) : len(found) + size]
        try:
            found += await ask(part)
        except ua.uaerrors.BadTooManyOperations:
            if size == 1:
                raise
            size = max(1, size // 4)
    return found


@dataclass(slots=True)
class Found:
    """A node below another."""

    node: ua.NodeId
    name: str
    kind: ua.NodeClass
    path: tuple[str, ...]
    """Names from the Objects folder on, its own last."""
    is_property: bool = False
    """Of a variable or object, such as its range."""
    type: ua.NodeId | None = None
    above: ua.NodeId | None = None
    """What it was found below: a method is called on it."""
    below: list[Found] = field(default_factory=list)


class Space:
    """Looks at nodes; nothing is kept from one look to the next but the namespaces.

    Args:
        service: of a session that is open.
    """

    def __init__(self, service: Any) -> None:
        self._service = service
        self._namespaces: list[str] = []

    async def node(self, text: str) -> tuple[ua.NodeId, tuple[str, ...]]:
        """The node that a node id or a browse path means, and its path.

        Raises:
            InvalidInput: it is neither.
            NotFound: there is no such node.
        """
        if text.startswith("/"):
            return await self._walk(text)
        node = await self.node_id(text)
        return node, await self._path_of(node)

    async def node_id(self, text: str) -> ua.NodeId:
        """A node id; `nsu=URI;` stands for the number that the server gives to a namespace."""
        check_node(text)
        if text.startswith("nsu="):
            uri, _, rest = text[4:].partition(";")
            names = await self._names()
            if uri not in names:
                raise NotFound(
                    f"the server has no namespace '{uri}'", hint="it has: " + ", ".join(names)
                )
            text = f"ns={names.index(uri)};{rest}"
        return _parsed(text)

    async def _names(self) -> list[str]:
        if not self._namespaces:
            [found] = await self._service.read_attributes(
                [ua.NodeId(2255, 0)], ua.AttributeIds.Value
            )
            self._namespaces = [str(one) for one in found.Value.Value or ()]
        return self._namespaces

    async def _walk(self, text: str) -> tuple[ua.NodeId, tuple[str, ...]]:
        here: ua.NodeId = OBJECTS
        path: tuple[str, ...] = ()
        for level in filter(None, text.split("/")):
            name = re.sub(r"^\d+:", "", level)
            below = await self.children([Found(here, "", ua.NodeClass.Object, path)])
            fitting = [one for one in below if one.name == name]
            if not fitting:
                names = ", ".join(one.name for one in below[:20]) or "nothing"
                place = "/" + "/".join(path)
                raise NotFound(
                    f"there is no node '{text}': '{place}' has no '{name}'",
                    hint=f"it has: {names}",
                )
            here, path = fitting[0].node, fitting[0].path
        return here, path

    async def _path_of(self, node: ua.NodeId) -> tuple[str, ...]:
        """The names from the Objects folder on; only its own if it hangs nowhere below."""
        names: list[str] = []
        here = node
        for _ in range(DEEPEST):
            if here in (OBJECTS, ua.NodeId(84, 0)):
                break
            [name] = await self._service.read_attributes([here], ua.AttributeIds.BrowseName)
            if name.StatusCode is not None and not name.StatusCode.is_good():
                raise NotFound(
                    f"there is no node '{node.to_string()}' ({name.StatusCode.name})",
                    hint="gemel connector browse shows what there is",
                )
            names.insert(0, str(name.Value.Value.Name))
            [above] = await self._browse([here], ua.BrowseDirection.Inverse)
            if not above:
                break
            here = _local(above[0].NodeId)
        return tuple(names)

    async def class_of(self, node: ua.NodeId) -> ua.NodeClass:
        """What a node is.

        Raises:
            NotFound: there is no such node.
        """
        [found] = await self._service.read_attributes([node], ua.AttributeIds.NodeClass)
        if found.Value is None or found.Value.Value is None:
            raise NotFound(
                f"there is no node '{node.to_string()}'",
                hint="gemel connector browse shows what there is",
            )
        return ua.NodeClass(found.Value.Value)

    async def children(self, parents: Sequence[Found]) -> list[Found]:
        """Objects, variables and methods right below some nodes, each put into its parent too."""
        found: list[Found] = []
        answers = await self._browse([one.node for one in parents], ua.BrowseDirection.Forward)
        for parent, references in zip(parents, answers, strict=True):
            parent.below = [_child(parent, one) for one in references if _is_kept(parent, one)]
            found += parent.below
        return found

    async def below(self, root: Found, most: int = MOST_NODES, depth: int = DEEPEST) -> list[Found]:
        """All that hangs below a node, level by level, each node once; properties have none."""
        seen: set[Any] = {root.node}
        level = [root]
        found: list[Found] = []
        for _ in range(depth):
            fresh = []
            for one in await self.children(level):
                is_method = one.kind == ua.NodeClass.Method  # objects of a type may share them
                mark = (one.above, one.node) if is_method else one.node
                if mark not in seen and len(found) < most:
                    seen.add(mark)
                    found.append(one)
                    if not one.is_property and not is_method:
                        fresh.append(one)
            level = fresh
            if not level:
                break
        return found

    async def _browse(
        self,
        nodes: Sequence[ua.NodeId],
        direction: ua.BrowseDirection,
        reference: ua.NodeId = HIERARCHICAL,
    ) -> list[list[ua.ReferenceDescription]]:
        return await in_parts(lambda some: self._browse_some(some, direction, reference), nodes)

    async def _browse_some(
        self, nodes: Sequence[ua.NodeId], direction: ua.BrowseDirection, reference: ua.NodeId
    ) -> list[list[ua.ReferenceDescription]]:
        wanted = ua.BrowseParameters()
        wanted.RequestedMaxReferencesPerNode = 0
        wanted.NodesToBrowse = [_description(node, direction, reference) for node in nodes]
        answers = await self._service.browse(wanted)
        found = [list(one.References or ()) for one in answers]
        open_at = {i: one.ContinuationPoint for i, one in enumerate(answers)}
        while open_at := {i: point for i, point in open_at.items() if point}:
            more = ua.BrowseNextParameters()
            more.ContinuationPoints = list(open_at.values())
            parts = await self._service.browse_next(more)
            for place, part in zip(list(open_at), parts, strict=True):
                found[place] += part.References or ()
                open_at[place] = part.ContinuationPoint
        for place, one in enumerate(answers):
            if one.StatusCode.value == ua.StatusCodes.BadNoContinuationPoints and len(nodes) > 1:
                [found[place]] = await self._browse_some([nodes[place]], direction, reference)
        return found

    async def references(self, nodes: Sequence[ua.NodeId]) -> list[list[Found]]:
        """All that hangs right below each node, properties too."""
        answers = await self._browse(nodes, ua.BrowseDirection.Forward)
        return [
            [_child(Found(node, "", ua.NodeClass.Variable, ()), one) for one in below]
            for node, below in zip(nodes, answers, strict=True)
        ]

    async def type_of(self, node: ua.NodeId) -> ua.NodeId | None:
        """The type that an object or variable says it is of."""
        wanted = ua.BrowseParameters()
        wanted.NodesToBrowse = [_description(node, ua.BrowseDirection.Forward, HAS_TYPE)]
        [found] = await self._service.browse(wanted)
        return _local(found.References[0].NodeId) if found.References else None

    async def supertypes(self, types: Sequence[ua.NodeId]) -> list[ua.NodeId | None]:
        """What each type is a kind of."""
        answers = await self._browse(types, ua.BrowseDirection.Inverse, HAS_SUBTYPE)
        return [_local(above[0].NodeId) if above else None for above in answers]

    async def parent(self, node: ua.NodeId) -> ua.NodeId | None:
        """What a node hangs below."""
        [above] = await self._browse([node], ua.BrowseDirection.Inverse)
        return _local(above[0].NodeId) if above else None

    async def read(
        self, nodes: Sequence[ua.NodeId], attribute: ua.AttributeIds
    ) -> list[ua.DataValue]:
        return await in_parts(
            lambda some: self._service.read_attributes(list(some), attribute), nodes
        )


class Contents(NamedTuple):
    """What there is to read and to write of a server."""

    items: list[Item]
    """Variables, to subscribe to."""
    methods: dict[tuple[str, str], Found]
    """By topic and name."""
    problems: list[str]
    """In words, what of the names could not be found."""


async def contents_of(space: Space, name: str, nodes: Iterable[str]) -> Contents:
    """The variables and methods that are named, and those below objects that are."""
    items: dict[ua.NodeId, Item] = {}
    methods: list[Found] = []
    problems: list[str] = []
    for text in nodes:
        try:
            root = await _root(space, text)
        except (NotFound, InvalidInput) as error:
            problems.append(str(error))
            continue
        is_leaf = root.kind in (ua.NodeClass.Variable, ua.NodeClass.Method)
        for one in [root] if is_leaf else await space.below(root):
            if one.kind == ua.NodeClass.Method:
                methods.append(one)
            if one.kind == ua.NodeClass.Variable and one.node not in items:
                if len(items) >= MOST_ITEMS:
                    problems.append(f"there are more than {MOST_ITEMS:,} variables: name fewer")
                    break
                items[one.node] = Item(one.node, topic_of(name, one.path[:-1]), level(one.name))
    named = _named_apart(list(items.values()))
    taken = {(one.topic, one.name) for one in named}
    by_place: dict[tuple[str, str], Found] = {}
    for one in methods:
        place = topic_of(name, one.path[:-1]), level(one.name)
        if place not in taken:
            by_place.setdefault(place, one)
    return Contents(named, by_place, problems)


async def _root(space: Space, text: str) -> Found:
    node, path = await space.node(text)
    found = Found(node, path[-1] if path else "", await space.class_of(node), path)
    if found.kind == ua.NodeClass.Method:
        found.above = await space.parent(node)
    return found


def topic_of(name: str, path: Sequence[str]) -> str:
    """Where the values of an object come."""
    return "/".join([name, *map(level, path)])


def level(name: str) -> str:
    """A name as a level of a topic."""
    return _NOT_IN_LEVEL.sub("_", name) or "_"


def _named_apart(items: list[Item]) -> list[Item]:
    """Of several of one name below one object, all but the first bear their node id too."""
    taken: set[tuple[str, str]] = set()
    for item in items:
        if (item.topic, item.name) in taken:
            item.name = f"{item.name} {item.node.to_string()}"
        taken.add((item.topic, item.name))
    return items


def _parsed(text: str) -> ua.NodeId:
    try:
        return ua.NodeId.from_string(text)
    except (ua.UaError, ValueError) as error:
        raise InvalidInput(
            f"'{text[:200]}' is no node id: {error}", hint="write it like ns=2;s=Press.Speed"
        ) from error


def _description(
    node: ua.NodeId, direction: ua.BrowseDirection, reference: ua.NodeId = HIERARCHICAL
) -> ua.BrowseDescription:
    return ua.BrowseDescription(
        NodeId=node,
        BrowseDirection=direction,
        ReferenceTypeId=reference,
        IncludeSubtypes=True,
        NodeClassMask=SHOWN if reference == HIERARCHICAL else 0,
        ResultMask=ua.BrowseResultMask.All,
    )


def _child(parent: Found, one: ua.ReferenceDescription) -> Found:
    name = str(one.BrowseName.Name or "")
    return Found(
        _local(one.NodeId),
        name,
        ua.NodeClass(one.NodeClass),
        (*parent.path, name),
        one.ReferenceTypeId == HAS_PROPERTY,
        _local(one.TypeDefinition) if one.TypeDefinition else None,
        parent.node,
    )


def _is_kept(parent: Found, one: ua.ReferenceDescription) -> bool:
    """Not what every server says of itself, nor what describes a variable."""
    if parent.node == OBJECTS and one.NodeId.NamespaceIndex == 0:
        return False
    return bool(parent.kind != ua.NodeClass.Variable or one.ReferenceTypeId != HAS_PROPERTY)


def _local(node: ua.NodeId) -> ua.NodeId:
    return ua.NodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType)
