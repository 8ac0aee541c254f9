"""What the answer looks like: its columns, groups with aggregates, and the order of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import total_ordering
from typing import Any

from gemel.core.document import Json
from gemel.twins.query.cells import Alike, Steps
from gemel.twins.query.check import BASE
from gemel.twins.query.conditions import Compiler, Row
from gemel.twins.query.tree import AGGREGATES, Call, Path, Query, Sort
from gemel.twins.query.values import NUMBER, UNDEFINED, kind_of, order_key
from gemel.twins.records import Link

Key = tuple[Any, ...]
MOST_GROUPS = 100_000
SUMS = ("SUM", "AVG")


@total_ordering
class Backwards:
    """A part of a sort key that sorts from last to first."""

    __slots__ = ("key",)

    def __init__(self, key: Any) -> None:
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Backwards) and self.key == other.key

    def __lt__(self, other: Backwards) -> bool:
        return bool(other.key < self.key)

    def __hash__(self) -> int:
        return hash(self.key)


def sort_key(sorts: Sequence[Sort], values: Sequence[Any], last: Any) -> Key:
    """What rows are sorted by: the values of ORDER BY, then what tells rows apart."""
    parts = [
        Backwards(value) if sort.is_descending else value
        for sort, value in zip(sorts, values, strict=True)
    ]
    return (*parts, last)


def plain_key(key: Key) -> list[Any]:
    """A sort key as JSON."""
    return [part.key if isinstance(part, Backwards) else part for part in key]


def tuples(found: Any) -> Any:
    """JSON arrays as tuples, at any depth."""
    return tuple(map(tuples, found)) if isinstance(found, list) else found


def identity(query: Query, slots: dict[str, int]) -> Callable[[Row], tuple[str, ...]]:
    """What tells a row from others: of a MATCH the keys of all that has a name, else of all.

    Two relationships between the same twins make two rows of a JOIN, also where nothing names them.
    """
    names = [*query.nodes, *(hop.variable for hop in query.hops if hop.variable)]
    named = [name for name in names if not name.startswith("#")]
    places = [slots[name] for name in named]
    if not query.is_match or not named:  # what has a name counts before what has none
        places += [place for name, place in slots.items() if name not in named]
    if query.nodes == (BASE,):
        places = [slots[BASE]]
    twins = {slots[name] for name in query.nodes if query.collection == "twins"}
    if set(places) <= twins and len(places) <= 2:  # as most are, and there may be many rows
        first, last = places[0], places[-1]
        if first == last:
            return lambda row: (row[first].id,)
        return lambda row: (row[first].id, row[last].id)

    def keys(row: Row) -> tuple[str, ...]:
        return tuple(
            item.key if isinstance(item, Link) else item.id
            for item in (row[place] for place in places)
            if item is not None
        )

    return keys


def _is_unique(query: Query) -> bool:
    """Whether all that tells two ways through a pattern apart has a name.

    Ends of a hop of several steps are told once each, whatever ways lead there.
    """
    ends = all(not name.startswith("#") for name in query.nodes)
    return ends and all(hop.variable or not hop.is_single for hop in query.hops)


class Shape:
    """Rows of twins and relationships as rows of the answer."""

    def __init__(self, query: Query, slots: dict[str, int], compiler: Compiler) -> None:
        self._sorts = query.order
        self.identity = identity(query, slots)
        self._columns = [(c.name, compiler.value(c.value)) for c in query.columns]
        self._orders = [compiler.value(s.value) for s in query.order]
        if not query.columns:
            self._columns = [("*", compiler.value(Path(query.base, ())))]
        self._is_whole = not query.columns
        self.is_unique = not query.is_match or _is_unique(query)
        """Whether no two rows of a pattern are the same row of the answer."""

    def key(self, row: Row) -> Key:
        if not self._sorts:
            return (self.identity(row),)
        values = [order_key(value(row)) for value in self._orders]
        return sort_key(self._sorts, values, self.identity(row))

    def keyed(self, rows: Sequence[Row]) -> list[tuple[Key, Row]]:
        """Rows with what they sort by."""
        if self._sorts:
            return [(self.key(row), row) for row in rows]
        identity = self.identity
        return [((identity(row),), row) for row in rows]

    def answer(self, row: Row) -> Json:
        """One row of the answer; what is undefined is left out."""
        if self._is_whole:
            whole: Any = self._columns[0][1](row)
            return dict(whole)
        answer = {}
        for name, value in self._columns:
            found = value(row)
            if found is not UNDEFINED:
                answer[name] = found
        return answer


@dataclass(slots=True)
class Tally:
    """One aggregate of one group."""

    name: str
    count: int = 0
    total: int | float = 0
    numbers: int = 0
    extreme: object = UNDEFINED

    def add(self, value: object, times: int = 1) -> None:
        """Takes in a value; `times` may be more than 1 where sums are not asked for."""
        if value is UNDEFINED or value is None:
            return
        self.count += times
        if kind_of(value) == NUMBER:
            self.numbers += 1
            self.total += value  # type: ignore[operator]
        if self.name in ("MIN", "MAX"):
            if self.extreme is UNDEFINED:
                self.extreme = value
                return
            is_less = order_key(value) < order_key(self.extreme)
            is_more = order_key(value) > order_key(self.extreme)
            if is_less if self.name == "MIN" else is_more:
                self.extreme = value

    def add_sum(self, total: float, numbers: int) -> None:
        """Takes in the sum of many numbers at once."""
        self.numbers += numbers
        self.total += total

    def result(self) -> object:
        if self.name == "COUNT":
            return self.count
        if self.name in ("MIN", "MAX"):
            return self.extreme
        if not self.numbers:
            return UNDEFINED
        return self.total if self.name == "SUM" else self.total / self.numbers


@dataclass(slots=True)
class Group:
    values: list[object]
    """Of GROUP BY."""
    tallies: list[Tally] = field(default_factory=list)


class Groups:
    """Aggregates by group, in one pass over the rows."""

    def __init__(self, query: Query, compiler: Compiler) -> None:
        self._query = query
        self._by = [compiler.value(path) for path in query.group]
        wanted: list[Path | Call] = [c.value for c in query.columns]
        wanted += [sort.value for sort in query.order]
        calls = [v for v in wanted if isinstance(v, Call) and v.name in AGGREGATES]
        self._calls = list({_call_key(call): call for call in calls}.values())
        self._values = [
            compiler.value(c.arguments[0]) if c.arguments else None for c in self._calls
        ]
        self._groups: dict[Key, Group] = {}
        if not query.group:
            self._groups[()] = self._new([])

    def _new(self, values: list[object]) -> Group:
        return Group(values, [Tally(call.name) for call in self._calls])

    def add(self, row: Row) -> None:
        group = self._group([value(row) for value in self._by])
        for tally, value in zip(group.tallies, self._values, strict=True):
            tally.add(True if value is None else value(row))

    @property
    def are_kinds(self) -> bool:
        """Whether twins of one group are alike in all that is asked of them, but for sums."""
        return bool(self._by) and len(self.alike_by) == len(self._query.group)

    def key_of(self, found: Alike) -> Key:
        """What the group sorts by to which twins belong."""
        return tuple(order_key(found.values[path.steps]) for path in self._query.group)

    def add_alike(self, found: Alike) -> Group:
        """Takes in many twins at once; their group."""
        group = self._group([found.values[path.steps] for path in self._query.group])
        for tally, call in zip(group.tallies, self._calls, strict=True):
            if call.name in SUMS:
                tally.add_sum(*found.sums[_argument(call)])
            elif call.arguments:
                tally.add(found.values[_argument(call)], found.count)
            else:
                tally.add(True, found.count)
        return group

    def _group(self, values: list[object]) -> Group:
        key = tuple(map(order_key, values))
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = self._new(values)
        return group

    def count(self, rows: int) -> None:
        """All rows of the only group, where COUNT() is all that is asked."""
        self._groups[()].tallies[0].count = rows

    @property
    def is_plain_count(self) -> bool:
        return not self._by and all(v is None for v in self._values) and len(self._calls) == 1

    @property
    def alike_by(self) -> list[Path]:
        """Twins that are alike in these count as one many times, but for SUM and AVG."""
        calls = [call for call in self._calls if call.name not in SUMS]
        values = [a for call in calls for a in call.arguments if isinstance(a, Path)]
        return [*self._query.group, *values]

    @property
    def summed(self) -> set[Steps]:
        """What SUM and AVG ask for."""
        return {_argument(call) for call in self._calls if call.name in SUMS}

    def __len__(self) -> int:
        return len(self._groups)

    def keys(self) -> list[tuple[Key, Group]]:
        """(sort key, group) of each group."""
        order = self._query.order
        if not order:
            return [((key,), group) for key, group in self._groups.items()]
        return [
            (sort_key(order, [order_key(self._value(s.value, group)) for s in order], key), group)
            for key, group in self._groups.items()
        ]

    def answer(self, group: Group) -> Json:
        """One row of the answer; what is undefined is left out."""
        found = ((c.name, self._value(c.value, group)) for c in self._query.columns)
        return {name: value for name, value in found if value is not UNDEFINED}

    def _value(self, wanted: Path | Call, group: Group) -> object:
        if isinstance(wanted, Path):
            at = [(p.alias, p.steps) for p in self._query.group].index((wanted.alias, wanted.steps))
            return group.values[at]
        at = [_call_key(call) for call in self._calls].index(_call_key(wanted))
        return group.tallies[at].result()


def _argument(call: Call) -> Steps:
    (path,) = call.arguments
    assert isinstance(path, Path), "checked"
    return path.steps


def _call_key(call: Call) -> tuple[Any, ...]:
    return call.name, tuple((a.alias, a.steps) for a in call.arguments if isinstance(a, Path))
