"""Which twins lie a number of hops away, along paths that use no relationship twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from gemel.twins.graph import Graph
from gemel.twins.query.meter import Meter
from gemel.twins.query.tree import Hop
from gemel.twins.records import Link, Twin

Options: TypeAlias = Iterator[Sequence[tuple[Link | None, Twin | Link]]]
"""What may come next and the relationship to it, some at a time; none is a pause."""

MOST_AT_ONCE = 256


def reach(graph: Graph, start: Twin, hop: Hop, direction: str, meter: Meter) -> Options:
    """Each twin that some path of `lowest` to `highest` hops leads to, once."""
    if hop.lowest == 1:
        yield from _nearest(graph, start, hop, direction, meter)
    else:
        yield from _exactly(graph, start, hop, direction, meter)


def edges(graph: Graph, twin: str, names: frozenset[str], direction: str) -> list[tuple[Link, str]]:
    """The relationships at a twin that a hop may take, each with its other end."""
    found: list[tuple[Link, str]] = []
    if direction != "in":
        found = [
            (link, link.target) for link in graph.outgoing(twin) if not names or link.name in names
        ]
    if direction != "out":
        found += [
            (link, link.source)
            for link in graph.incoming(twin)
            if (not names or link.name in names) and (direction == "in" or link.source != twin)
        ]
    return found


def _nearest(graph: Graph, start: Twin, hop: Hop, direction: str, meter: Meter) -> Options:
    """Up to so many hops: the shortest path to another twin never uses a relationship twice."""
    seen, level = {start.id}, [start.id]
    is_circular, is_either = False, direction == "any"
    find, ends = graph.find_twin, _ends(graph, hop.names, direction)
    for _ in range(hop.highest):
        following: list[str] = []
        for twin in level:
            near = ends(twin)
            if meter.spend(len(near)):
                yield []
            if start.id in near and not is_circular:
                is_circular = not is_either or _has_loop(graph, twin, start.id, hop)
            for far in near:
                if far not in seen:
                    seen.add(far)
                    following.append(far)
        for begin in range(0, len(following), MOST_AT_ONCE):
            found = map(find, following[begin : begin + MOST_AT_ONCE])
            yield [(None, twin) for twin in found if twin is not None]
        level = following
        if not level:
            break
    if not is_circular and is_either:
        for answer in _returns(graph, start, hop, meter):
            if answer is None:
                yield []
            is_circular = bool(answer)
    if is_circular:
        yield [(None, start)]


def _ends(graph: Graph, names: frozenset[str], direction: str) -> Callable[[str], list[str]]:
    """From a twin to the other ends of the relationships that a hop may take."""
    if direction == "any":
        return lambda twin: [far for _, far in edges(graph, twin, names, direction)]
    if direction == "out":
        near = graph.outgoing
        if not names:
            return lambda twin: [link.target for link in near(twin)]
        return lambda twin: [link.target for link in near(twin) if link.name in names]
    near = graph.incoming
    if not names:
        return lambda twin: [link.source for link in near(twin)]
    return lambda twin: [link.source for link in near(twin) if link.name in names]


def _has_loop(graph: Graph, twin: str, start: str, hop: Hop) -> bool:
    """Whether a relationship leads from the start to itself."""
    return twin == start and any(far == start for _, far in edges(graph, start, hop.names, "any"))


def _returns(graph: Graph, start: Twin, hop: Hop, meter: Meter) -> Iterator[bool | None]:
    """Whether a way leads back without taking a relationship twice; None is a pause."""
    for first, beside in edges(graph, start.id, hop.names, "any"):
        seen, level = {beside}, [beside]
        for _ in range(hop.highest - 1):
            following = []
            for twin in level:
                for link, far in edges(graph, twin, hop.names, "any"):
                    if meter.spend():
                        yield None
                    if link is not first and far == start.id:
                        yield True
                        return
                    if link is not first and far not in seen:
                        seen.add(far)
                        following.append(far)
            level = following
    yield False


def _exactly(graph: Graph, start: Twin, hop: Hop, direction: str, meter: Meter) -> Options:
    """All paths, one after the other; each twin at their ends is told once."""
    told: set[str] = set()
    used: list[Link] = []
    stack = [iter(edges(graph, start.id, hop.names, direction))]
    while stack:
        if meter.spend():
            yield []
        edge = next(stack[-1], None)
        if edge is None:
            stack.pop()
            if used:
                used.pop()
            continue
        link, far = edge
        if any(link is taken for taken in used):
            continue
        if len(stack) >= hop.lowest and far not in told:
            told.add(far)
            found = graph.find_twin(far)
            if found is not None:
                yield [(None, found)]
        if len(stack) < hop.highest:
            used.append(link)
            stack.append(iter(edges(graph, far, hop.names, direction)))
