"""Finds what FROM, JOIN and MATCH describe, starting where the least is to be looked through."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gemel.twins.graph import Graph
from gemel.twins.query.columns import Table
from gemel.twins.query.conditions import Compiler, Test, aliases, conjuncts
from gemel.twins.query.meter import Meter
from gemel.twins.query.reach import MOST_AT_ONCE, Options, edges, reach
from gemel.twins.query.reading import Reader
from gemel.twins.query.scan import Scan, paths_of
from gemel.twins.query.tree import AnyOf, Compare, Condition, Hop, Literal, Path, Query, Within
from gemel.twins.records import Link, Twin

Found: TypeAlias = Generator[list[tuple[Any, ...]], None, None]
"""Rows by slot, some at a time; none is a pause."""
Option: TypeAlias = tuple[Link | None, Twin | Link]

FEWEST_AT_ONCE = 16
"""The first rows of a collection come so many at a time: a page may want no more."""
OPPOSITE = {"out": "in", "in": "out", "any": "any"}


@dataclass(slots=True)
class Step:
    """Binds one thing more, and checks what can be checked then."""

    slot: int
    tests: list[Test]
    hop: Hop | None = None
    origin: int = -1
    direction: str = "out"
    edge: int = -1
    """Slot of the relationship."""
    earlier: list[int] = field(default_factory=list)
    """Slots of relationships that this one must differ from."""
    is_closing: bool = False
    """Whether the far end is bound already."""


class Finder:
    """One query's pattern over a graph."""

    def __init__(
        self, query: Query, graph: Graph, table: Table, reader: Reader, meter: Meter
    ) -> None:
        self.query = query
        self._graph = graph
        self.table = table
        self.reader = reader
        self._meter = meter
        names = [*query.nodes, *(_edge_name(hop, i) for i, hop in enumerate(query.hops))]
        self.slots = {name: slot for slot, name in enumerate(names)}
        self.compiler = Compiler(graph, reader, self.slots)
        self.conditions = conjuncts(query.where)

    def rows(self, after: str | None = None) -> Found:
        """All that the pattern and WHERE describe; of a plain collection in order of id.

        Args:
            after: begin behind this id (of a plain collection of twins only).
        """
        start = self._start()
        anchors = self._anchors(start)
        if self.query.collection == "relationships":
            yield from self._walk(self._plan(start, []), _in_pieces(self._links()))
        elif anchors is not None:
            ids = sorted(anchor for anchor in anchors if after is None or anchor > after)
            yield from self._walk(self._plan(start, []), self._twins(ids))
        else:
            own = [c for c in self.conditions if aliases(c) <= {start}]
            judged = [c for c in own if paths_of(c) is not None]
            for _ in self.prepare(judged):
                yield []
            twins = self._scanned(judged, after)
            yield from self._walk(self._plan(start, judged), twins)

    def prepare(self, judged: Sequence[Condition]) -> Generator[None, None, None]:
        """Has the columns at hand that conditions need."""
        paths: set[tuple[str, ...]] = set()
        for condition in judged:
            paths |= paths_of(condition) or set()
        yield from self.table.prepare(paths, self._meter)

    def mask(self, judged: Sequence[Condition]) -> NDArray[np.bool_]:
        """Which twins meet conditions whose columns are prepared."""
        table, reader = self.table, self.reader
        count = len(table.twins)
        self._meter.spend(count // 1000)
        scan = Scan(self._graph, count, lambda path: table.cells(path, reader))
        mask = np.ones(count, np.bool_)
        for condition in judged:
            mask &= scan.judge(condition) > 0
        return mask

    def _scanned(self, judged: Sequence[Condition], after: str | None) -> Options:
        twins, rows = self.table.twins, np.flatnonzero(self.mask(judged)).tolist()
        found = (twins[row] for row in rows)
        return _in_pieces((None, twin) for twin in found if after is None or twin.id > after)

    def _twins(self, ids: Iterable[str]) -> Options:
        found = map(self._graph.find_twin, ids)
        return _in_pieces((None, twin) for twin in found if twin is not None)

    def _links(self) -> Iterator[Option]:
        """Relationships in order of key, from the twin that is named if one is."""
        graph, base = self._graph, self.query.base
        sources = self._named(base, "$sourceId")
        targets = self._named(base, "$targetId") if sources is None else None
        if targets is not None:
            for target in sorted(targets):
                for link in graph.incoming(target):
                    yield None, link
            return
        for source in sorted(graph.sources() if sources is None else sources):
            for link in sorted(graph.outgoing(source), key=lambda link: link.id):
                yield None, link

    # ---- planning ------------------------------------------------------------------------

    def _start(self) -> str:
        """Where to begin: a twin that is named, else the one with the most conditions."""
        nodes = self.query.nodes

        def cost(node: str) -> tuple[float, int]:
            anchors = self._anchors(node)
            own = [c for c in self.conditions if aliases(c) == {node}]
            return (float("inf") if anchors is None else len(anchors), -len(own))

        return min(nodes, key=cost)

    def _anchors(self, node: str) -> set[str] | None:
        return self._named(node, "$dtId")

    def _named(self, alias: str, field_name: str) -> set[str] | None:
        """The ids that conditions allow, None if they allow any."""
        wanted = Path(alias, (field_name,))
        found = [ids for c in self.conditions if (ids := _ids(c, wanted)) is not None]
        return set.intersection(*found) if found else None

    def _plan(self, start: str, judged: Sequence[Condition]) -> list[Step]:
        waiting = [c for c in self.conditions if not any(c is done for done in judged)]
        bound = {start}
        steps = [Step(self.slots[start], self._ready(waiting, bound))]
        hops = list(enumerate(self.query.hops))
        edges: list[int] = []
        while hops:
            index, hop = next(
                (pair for pair in hops if {pair[1].source, pair[1].target} <= bound),
                None,
            ) or next(pair for pair in hops if {pair[1].source, pair[1].target} & bound)
            hops.remove((index, hop))
            is_forward = hop.source in bound
            origin, target = (hop.source, hop.target) if is_forward else (hop.target, hop.source)
            is_closing = target in bound
            name = _edge_name(hop, index)
            bound |= {target, name}
            edge = self.slots[name]
            step = Step(
                self.slots[target],
                self._ready(waiting, bound),
                hop,
                self.slots[origin],
                hop.direction if is_forward else OPPOSITE[hop.direction],
                edge,
                list(edges) if self.query.is_match and hop.is_single else [],
                is_closing,
            )
            if hop.is_single:
                edges.append(edge)
            steps.append(step)
        return steps

    def _ready(self, waiting: list[Condition], bound: set[str]) -> list[Test]:
        ready = [c for c in waiting if aliases(c) <= bound]
        waiting[:] = [c for c in waiting if not any(c is done for done in ready)]
        return [self.compiler.test(condition) for condition in ready]

    # ---- walking -------------------------------------------------------------------------

    def _walk(self, steps: list[Step], start: Options) -> Found:
        row: list[Any] = [None] * len(self.slots)
        if len(steps) == 1:
            yield from self._last(steps[0], row, start)
            return
        stack = [_singly(start)]
        while stack:
            if self._meter.spend():
                yield []
            try:
                option = next(stack[-1])
            except StopIteration:
                stack.pop()
                continue
            if option is None:
                yield []
                continue
            step = steps[len(stack) - 1]
            if not (_bind(step, row, option) and all(test(row) for test in step.tests)):
                continue
            following = steps[len(stack)]
            options = self._options(following, row[following.origin])
            if following is steps[-1]:
                yield from self._last(following, row, options)
            else:
                stack.append(_singly(options))

    def _last(self, step: Step, row: list[Any], options: Options) -> Found:
        """The rows that the last step makes of a row that lacks only it."""
        spend, tests = self._meter.spend, step.tests
        is_free = not (step.is_closing or step.earlier or tests)
        for some in options:
            if spend(len(some)) or not some:
                yield []
            if is_free:  # as most are, and there may be many
                found = _filled(step, row, some)
            else:
                bound = (tuple(row) for option in some if _bind(step, row, option))
                found = [one for one in bound if all(test(one) for test in tests)]
            if found:
                yield found

    def _options(self, step: Step, twin: Twin) -> Options:
        hop, find = step.hop, self._graph.find_twin
        assert hop is not None, "only the first step has none"
        if not hop.is_single:
            return reach(self._graph, twin, hop, step.direction, self._meter)
        near = edges(self._graph, twin.id, hop.names, step.direction)
        found = [(link, far) for link, end in near if (far := find(end)) is not None]
        return iter([found]) if 0 < len(found) <= MOST_AT_ONCE else _in_pieces(found)


def _in_pieces(options: Iterable[Option]) -> Options:
    source, size = iter(options), FEWEST_AT_ONCE
    while some := list(islice(source, size)):
        yield some
        size = min(2 * size, MOST_AT_ONCE)


def _singly(options: Options) -> Iterator[Option | None]:
    """One after the other; None is a pause."""
    for some in options:
        if not some:
            yield None
        yield from some


def _filled(step: Step, row: list[Any], some: Sequence[Option]) -> list[tuple[Any, ...]]:
    """Rows that differ only in what a step binds; what hops are called stands behind all ends."""
    slot, edge = step.slot, step.edge
    before = row[:slot]
    if edge < 0:
        behind = row[slot + 1 :]
        return [(*before, item, *behind) for _, item in some]
    between, behind = row[slot + 1 : edge], row[edge + 1 :]
    return [(*before, item, *between, link, *behind) for link, item in some]


def _bind(step: Step, row: list[Any], option: Option) -> bool:
    link, item = option
    if step.is_closing and row[step.slot].id != item.id:
        return False
    if step.earlier and any(row[slot] is link for slot in step.earlier):
        return False
    row[step.slot] = item
    if step.edge >= 0:
        row[step.edge] = link
    return True


def _edge_name(hop: Hop, index: int) -> str:
    return hop.variable or f"#edge{index}"


def _ids(condition: Condition, wanted: Path) -> set[str] | None:
    """The ids that one condition allows, None if it allows others too."""
    if isinstance(condition, Compare) and condition.operator == "=":
        for one, other in (
            (condition.left, condition.right),
            (condition.right, condition.left),
        ):
            if _is(one, wanted) and isinstance(other, Literal):
                return {other.value} if isinstance(other.value, str) else set()
    if isinstance(condition, Within) and _is(condition.operand, wanted):
        if condition.is_negative:
            return None
        return {value for value in condition.values if isinstance(value, str)}
    if isinstance(condition, AnyOf):
        whole: set[str] = set()
        for operand in condition.operands:
            part = _ids(operand, wanted)
            if part is None:
                return None
            whole |= part
        return whole
    return None


def _is(found: Condition, wanted: Path) -> bool:
    return isinstance(found, Path) and found.alias == wanted.alias and found.steps == wanted.steps
