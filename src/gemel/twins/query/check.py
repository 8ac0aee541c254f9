"""Names and rules: what the grammar cannot say. Every path gets the twin it belongs to."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from dataclasses import replace

from gemel.core.errors import GemelError
from gemel.twins.query.mistakes import mistake
from gemel.twins.query.tree import (
    AGGREGATES,
    READINGS,
    TEXT_TESTS,
    TYPE_TESTS,
    AllOf,
    AnyOf,
    Call,
    Column,
    Compare,
    Condition,
    Literal,
    Negate,
    Path,
    Query,
    Sort,
    Within,
)

BASE = "#base"
"""What a collection without a name is called inside."""
COLLECTION = re.compile(r"digitaltwins|relationships", re.IGNORECASE)


def resolve(query: Query, text: str) -> Query:
    """The same query with every path bound to a name, and every column named.

    Raises:
        InvalidInput: a name is unknown or given twice, or clauses do not go together.
    """
    return _Resolver(query, text).resolved()


def relationship_names(query: Query) -> frozenset[str]:
    """The names in a query that stand for relationships."""
    found = {hop.variable for hop in query.hops if hop.variable}
    if query.collection == "relationships":
        found.add(query.base)
    return frozenset(found)


class _Resolver:
    def __init__(self, query: Query, text: str) -> None:
        self._text = text
        self._is_bare = not query.base
        if self._is_bare:
            query = replace(query, base=BASE, nodes=(BASE,))
        elif not query.nodes:
            query = replace(query, nodes=(query.base,))
        self._query = query
        self._variables = [hop.variable for hop in query.hops if hop.variable]
        self._names = [n for n in (*query.nodes, *self._variables) if not n.startswith("#")]
        self._relationships = relationship_names(query)

    def _wrong(self, at: int, what: str, expected: str = "") -> GemelError:
        return mistake(self._text, at, what, expected)

    def resolved(self) -> Query:
        query = self._query
        self._check_pattern()
        where = None if query.where is None else self._condition(query.where)
        columns = tuple(self._column(column) for column in query.columns)
        if not columns and (query.hops or query.is_match):
            columns = self._all_columns()
        group = tuple(self._path(path) for path in query.group)
        order = tuple(Sort(self._ordered(s.value, columns), s.is_descending) for s in query.order)
        found = replace(query, where=where, columns=columns, group=group, order=order)
        self._check_columns(found)
        return found

    def _check_pattern(self) -> None:
        query = self._query
        if query.hops and query.collection == "relationships":
            raise self._wrong(
                query.base_at, "RELATIONSHIPS cannot be joined", "use FROM DIGITALTWINS T JOIN ..."
            )
        twice = [n for n, count in Counter(self._names).items() if count > 1]
        if not query.is_match:
            known = {query.base}
            for hop in query.hops:
                if hop.source not in known:
                    raise self._unknown(hop.source, hop.at)
                if hop.target in known or hop.target in self._variables:
                    twice.append(hop.target)
                known.add(hop.target)
        if twice:
            raise self._wrong(
                query.hops[0].at if query.hops else query.base_at,
                f"the name '{twice[0]}' is given twice",
                "give each twin and relationship a name of its own",
            )

    def _unknown(self, name: str, at: int) -> GemelError:
        near = difflib.get_close_matches(name, self._names, 1)
        known = ", ".join(self._names) or "none: the collection has no name"
        hint = f"did you mean '{near[0]}'? " if near else ""
        return self._wrong(at, f"there is no '{name}' in FROM", f"{hint}the names are: {known}")

    # ---- paths and conditions ------------------------------------------------------------

    def _path(self, path: Path) -> Path:
        first, *rest = path.steps
        if first in self._names:
            return Path(first, tuple(rest), path.at)
        base = self._query.base
        if self._is_bare:
            if COLLECTION.fullmatch(first) and rest:
                return Path(base, tuple(rest), path.at)
            return Path(base, path.steps, path.at)
        if first.startswith("$") and len(self._names) == 1:
            return Path(base, path.steps, path.at)
        raise self._unknown(first, path.at)

    def _condition(self, found: Condition) -> Condition:
        if isinstance(found, Path):
            return self._path(found)
        if isinstance(found, Call):
            if found.name in AGGREGATES:
                raise self._wrong(
                    found.at, f"{found.name} cannot stand in WHERE", "put it after SELECT"
                )
            return self._call(found)
        if isinstance(found, Compare):
            left, right = self._condition(found.left), self._condition(found.right)
            return Compare(found.operator, left, right, found.at)
        if isinstance(found, Within):
            return replace(found, operand=self._condition(found.operand))
        if isinstance(found, Negate):
            return Negate(self._condition(found.operand))
        if isinstance(found, AllOf):
            return AllOf(tuple(map(self._condition, found.operands)))
        if isinstance(found, AnyOf):
            return AnyOf(tuple(map(self._condition, found.operands)))
        return found

    def _call(self, call: Call) -> Call:
        name = call.name
        if name == "IS_OF_MODEL":
            return self._is_of_model(call)
        count = len(call.arguments)
        wanted = 2 if name in TEXT_TESTS or name == "ARRAY_CONTAINS" else 1
        if name == "COUNT" and count == 0:
            return call
        if count != wanted:
            raise self._wrong(
                call.at, f"{name} takes {wanted} argument{'s'[: wanted - 1]}, not {count}"
            )
        first, *rest = call.arguments
        if not isinstance(first, Path):
            raise self._wrong(first.at, f"{name} needs a property", f"like {name}(T.name, ...)")
        path = self._path(first)
        arguments = tuple(self._path(a) if isinstance(a, Path) else a for a in rest)
        if name in TEXT_TESTS and isinstance(rest[0], Literal) and type(rest[0].value) is not str:
            raise self._wrong(rest[0].at, f"{name} compares with a text", "put it in 'quotes'")
        if name in READINGS and (path.alias in self._relationships or not path.steps):
            raise self._wrong(path.at, f"{name} needs a property or telemetry of a twin")
        if name in (AGGREGATES - {"COUNT"}) | TEXT_TESTS and not path.steps:
            raise self._wrong(path.at, f"{name} needs a property, not a whole twin")
        return replace(call, arguments=(path, *arguments))

    def _is_of_model(self, call: Call) -> Call:
        arguments = list(call.arguments)
        if len(arguments) == 1 and isinstance(arguments[0], Literal):
            if len(self._query.nodes) > 1:
                raise self._wrong(
                    call.at,
                    "IS_OF_MODEL needs to know of which twin",
                    f"IS_OF_MODEL({self._names[0] if self._names else 'T'}, 'dtmi:...;1')",
                )
            arguments.insert(0, Path(self._query.base, (), call.at))
        elif arguments and isinstance(arguments[0], Path):
            arguments[0] = self._path(arguments[0])
        if (
            len(arguments) != 2
            or not (isinstance(arguments[0], Path) and not arguments[0].steps)
            or not (isinstance(arguments[1], Literal) and isinstance(arguments[1].value, str))
        ):
            raise self._wrong(
                call.at, "IS_OF_MODEL takes a twin and a model", "IS_OF_MODEL(T, 'dtmi:...;1')"
            )
        if arguments[0].alias in self._relationships:
            raise self._wrong(call.at, "a relationship has no model", "name a twin")
        return replace(call, arguments=tuple(arguments))

    # ---- columns, groups, order ----------------------------------------------------------

    def _all_columns(self) -> tuple[Column, ...]:
        """`SELECT *` where several things are found."""
        query = self._query
        if query.is_match and len(query.nodes) == 1 and not query.hops:
            return ()
        raise self._wrong(
            query.star_at,
            "SELECT * cannot be used with JOIN or MATCH",
            "say which ones: SELECT " + (", ".join(self._names) or "T"),
        )

    def _column(self, column: Column) -> Column:
        value = column.value
        if isinstance(value, Path):
            path = self._path(value)
            name = column.name or (path.steps[-1] if path.steps else path.alias)
            return Column(path, name, column.at)
        call = self._call(value)
        if call.name not in AGGREGATES | READINGS | TYPE_TESTS | TEXT_TESTS and (
            call.name not in ("IS_OF_MODEL", "ARRAY_CONTAINS")
        ):
            raise self._wrong(call.at, f"{call.name} cannot stand after SELECT")
        return Column(call, column.name or call.name, column.at)

    def _ordered(self, value: Path | Call, columns: tuple[Column, ...]) -> Path | Call:
        """What is sorted by: a column's own name counts where no twin has it."""
        if isinstance(value, Path) and len(value.steps) == 1 and value.steps[0] not in self._names:
            named = [c.value for c in columns if c.name == value.steps[0]]
            if named:
                return named[0]
        return self._path(value) if isinstance(value, Path) else self._call(value)

    def _check_columns(self, query: Query) -> None:
        names = Counter(column.name for column in query.columns)
        for column in query.columns:
            if names[column.name] > 1:
                raise self._wrong(
                    column.at,
                    f"two columns are called '{column.name}'",
                    "name one of them: ... AS other",
                )
        values = [c.value for c in query.columns]
        is_grouped = bool(query.group) or any(_is_aggregate(v) for v in values)
        if not is_grouped:
            if any(_is_aggregate(s.value) for s in query.order):
                raise self._wrong(
                    query.order[0].value.at, "an aggregate here needs GROUP BY", "SELECT it too"
                )
            return
        if not query.columns:
            raise self._wrong(
                query.star_at, "SELECT * cannot be grouped", "SELECT T.x, COUNT() ... GROUP BY T.x"
            )
        plain = {(path.alias, path.steps) for path in query.group}
        for value in (*values, *(sort.value for sort in query.order)):
            if not _is_aggregate(value) and not (
                isinstance(value, Path) and (value.alias, value.steps) in plain
            ):
                raise self._wrong(
                    value.at, "this is neither an aggregate nor in GROUP BY", "add it to GROUP BY"
                )


def _is_aggregate(value: Path | Call) -> bool:
    return isinstance(value, Call) and value.name in AGGREGATES


def is_grouped(query: Query) -> bool:
    """Whether the answer's rows stand for groups of what was found."""
    return bool(query.group) or any(_is_aggregate(column.value) for column in query.columns)
