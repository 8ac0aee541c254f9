"""The query language evaluated in the plainest way: every combination of everything, tested."""

from __future__ import annotations

import itertools
import json
import operator
from collections.abc import Iterator
from typing import Any

from gemel.core.clock import to_iso
from gemel.twins.graph import Graph
from gemel.twins.query.tree import (
    AllOf,
    AnyOf,
    Call,
    Compare,
    Hop,
    Literal,
    Negate,
    Path,
    Query,
    Within,
)
from gemel.twins.records import Link, Twin
from gemel.twins.view import adt_view

MISSING = object()
SIGNS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
AGGREGATES = ("COUNT", "MIN", "MAX", "SUM", "AVG")


class BruteForce:
    """Answers from the views of all twins; `live` is {(twin, path): (value, time, quality)}."""

    def __init__(self, graph: Graph, live: dict[tuple[str, str], tuple[Any, int, str]]) -> None:
        self.graph = graph
        self.live = live
        self._views: dict[int, dict[str, Any]] = {}
        self._ends: dict[tuple[str, Hop], set[str]] = {}
        self.links = [link for twin in graph.twins for link in graph.outgoing(twin)]

    # ---- values --------------------------------------------------------------------------

    def view(self, item: Twin | Link) -> dict[str, Any]:
        if id(item) not in self._views:
            self._views[id(item)] = self.view_now(item)
        return self._views[id(item)]

    def view_now(self, item: Twin | Link) -> dict[str, Any]:
        if isinstance(item, Link):
            return item.view()

        def value_of(path: str) -> tuple[Any, int] | None:
            found = self.live.get((item.id, path))
            return None if found is None else found[:2]

        return adt_view(self.graph, item, value_of)

    def read(self, item: Twin | Link, steps: tuple[str, ...]) -> Any:
        value: Any = self.view(item)
        for step in steps:
            if not isinstance(value, dict) or step not in value:
                value = MISSING
                break
            value = value[step]
        if value is MISSING and isinstance(item, Twin):
            found = self.live.get((item.id, ".".join(steps)))
            if found is not None and ".".join(steps) in self.telemetry(item):
                return found[0]
        return value

    def telemetry(self, twin: Twin) -> set[str]:
        model = self.graph.models[twin.model]
        found = set(model.telemetries())
        for name, component in model.components().items():
            inner = self.graph.models[component.schema].telemetries()
            found |= {f"{name}.{one}" for one in inner}
        return found

    def reading(self, item: Twin, steps: tuple[str, ...], which: int) -> Any:
        path = ".".join(steps)
        if self.read(item, steps) is MISSING:
            return MISSING
        found = self.live.get((item.id, path))
        if path in self.telemetry(item):
            return (to_iso(found[1]), found[2])[which] if found else MISSING
        holder = self.view(item)
        for step in steps[:-1]:
            holder = holder[step]
        time = holder["$metadata"][steps[-1]]["lastUpdateTime"]
        is_live = found is not None and to_iso(found[1]) == time
        return (time, found[2] if is_live and found else "good")[which]

    # ---- conditions ----------------------------------------------------------------------

    def value(self, found: Any, row: dict[str, Any]) -> Any:
        if isinstance(found, Literal):
            return found.value
        if isinstance(found, Path):
            return self.read(row[found.alias], found.steps)
        if isinstance(found, Call):
            return self.call(found, row)
        answer = self.truth(found, row)
        return MISSING if answer is None else answer

    def truth(self, found: Any, row: dict[str, Any]) -> bool | None:
        if isinstance(found, Negate):
            inner = self.truth(found.operand, row)
            return None if inner is None else not inner
        if isinstance(found, AllOf | AnyOf):
            outcomes = [self.truth(operand, row) for operand in found.operands]
            ends = isinstance(found, AnyOf)
            if ends in outcomes:
                return ends
            return None if None in outcomes else not ends
        if isinstance(found, Compare):
            return same_kind(
                found.operator, self.value(found.left, row), self.value(found.right, row)
            )
        if isinstance(found, Within):
            value = self.value(found.operand, row)
            if value is MISSING:
                return None
            is_in = any(same_kind("=", value, other) is True for other in found.values)
            return is_in != found.is_negative
        value = self.value(found, row)
        return value if isinstance(value, bool) else None

    def call(self, call: Call, row: dict[str, Any]) -> Any:
        name, first = call.name, call.arguments[0]
        if name == "IS_OF_MODEL":
            twin, wanted = row[first.alias], call.arguments[1].value
            bases = self.graph.models[twin.model].bases
            return twin.model == wanted if call.is_exact else wanted in bases
        if name in ("TIME", "QUALITY"):
            return self.reading(row[first.alias], first.steps, int(name == "QUALITY"))
        value = self.value(first, row)
        if name == "IS_DEFINED":
            return value is not MISSING
        if name.startswith("IS_"):
            kinds = {"IS_NULL": "null", "IS_BOOL": "bool", "IS_NUMBER": "number"}
            kinds |= {"IS_STRING": "text", "IS_OBJECT": "object"}
            if name == "IS_PRIMITIVE":
                return kind(value) in ("null", "bool", "number", "text")
            return kind(value) == kinds[name]
        other = self.value(call.arguments[1], row)
        if name == "ARRAY_CONTAINS":
            if not isinstance(value, list) or other is MISSING:
                return MISSING
            return any(same_kind("=", one, other) is True for one in value)
        if not isinstance(value, str) or not isinstance(other, str):
            return MISSING
        return {
            "STARTSWITH": value[: len(other)] == other,
            "ENDSWITH": value[len(value) - len(other) :] == other and len(other) <= len(value),
            "CONTAINS": other in value,
        }[name]

    # ---- patterns ------------------------------------------------------------------------

    def rows(self, query: Query) -> Iterator[dict[str, Any]]:
        if query.collection == "relationships":
            yield from ({query.base: link} for link in self.links)
            return
        edges: list[list[Link | None]] = [
            list(self.links) if hop.is_single else [None] for hop in query.hops
        ]
        for twins in itertools.product(self.graph.twins.values(), repeat=len(query.nodes)):
            row: dict[str, Any] = dict(zip(query.nodes, twins, strict=True))
            for links in itertools.product(*edges):
                taken = [link for link in links if link is not None]
                if query.is_match and len({id(link) for link in taken}) < len(taken):
                    continue
                pairs = zip(query.hops, links, strict=True)
                if all(self.fits(hop, link, row) for hop, link in pairs):
                    named = {h.variable: x for h, x in zip(query.hops, links, strict=True)}
                    yield row | {n: x for n, x in named.items() if n}

    def fits(self, hop: Hop, link: Link | None, row: dict[str, Any]) -> bool:
        source, target = row[hop.source].id, row[hop.target].id
        if link is None:
            if (source, hop) not in self._ends:
                self._ends[source, hop] = self.ends(source, hop, (), hop.highest)
            return target in self._ends[source, hop]
        if hop.names and link.name not in hop.names:
            return False
        forward = (link.source, link.target) == (source, target)
        backward = (link.target, link.source) == (source, target)
        return {"out": forward, "in": backward, "any": forward or backward}[hop.direction]

    def ends(self, twin: str, hop: Hop, used: tuple[Link, ...], left: int) -> set[str]:
        found = set()
        if len(used) >= hop.lowest:
            found.add(twin)
        if left:
            for link in self.links:
                if any(link is one for one in used) or (hop.names and link.name not in hop.names):
                    continue
                if hop.direction != "in" and link.source == twin:
                    found |= self.ends(link.target, hop, (*used, link), left - 1)
                if hop.direction != "out" and link.target == twin:
                    found |= self.ends(link.source, hop, (*used, link), left - 1)
        return found

    # ---- answers -------------------------------------------------------------------------

    def answer(self, query: Query) -> list[dict[str, Any]]:
        """All rows, in order of the query where it says one and of ids otherwise."""
        named = [n for n in query.nodes if not n.startswith("#") or n == "#base"]
        named += [hop.variable for hop in query.hops if hop.variable]
        named = named or list(query.nodes)
        rows, told = [], set()
        for row in self.rows(query):
            if query.where is not None and self.truth(query.where, row) is not True:
                continue
            key = tuple(self.key(row[name]) for name in named)
            if query.is_match and key in told:
                continue
            told.add(key)
            rows.append((key, row))
        rows.sort(key=lambda pair: pair[0])
        found = [row for _, row in rows]
        if query.group or any(is_aggregate(c.value) for c in query.columns):
            return self.grouped(query, found)[: query.top]
        for sort in reversed(query.order):
            found.sort(
                key=lambda row, s=sort: rank(self.value(s.value, row)), reverse=sort.is_descending
            )
            # a stable sort that is reversed keeps equal rows in order
        if not query.columns:
            return [self.view(row[query.base]) for row in found][: query.top]
        plain = [{c.name: self.value(c.value, row) for c in query.columns} for row in found]
        return [without_missing(row) for row in plain][: query.top]

    def key(self, item: Twin | Link) -> str:
        return item.id if isinstance(item, Twin) else f"{item.source}\n{item.id}"

    def grouped(self, query: Query, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        groups: dict[Any, list[dict[str, Any]]] = {} if query.group else {(): []}
        for row in rows:
            key = tuple(rank(self.value(path, row)) for path in query.group)
            groups.setdefault(key, []).append(row)
        ordered = sorted(groups.items())
        for sort in reversed(query.order):
            ordered.sort(
                key=lambda pair, s=sort: rank(self.of_group(s.value, pair[1])),
                reverse=sort.is_descending,
            )
        return [
            without_missing({c.name: self.of_group(c.value, group) for c in query.columns})
            for _, group in ordered
        ]

    def of_group(self, wanted: Any, rows: list[dict[str, Any]]) -> Any:
        if not is_aggregate(wanted):
            return self.value(wanted, rows[0])
        if not wanted.arguments:
            return len(rows)
        values = [self.value(wanted.arguments[0], row) for row in rows]
        values = [v for v in values if v is not MISSING and v is not None]
        if wanted.name == "COUNT":
            return len(values)
        if wanted.name in ("MIN", "MAX"):
            pick = min if wanted.name == "MIN" else max
            return pick(values, key=rank) if values else MISSING
        numbers = [v for v in values if kind(v) == "number"]
        if not numbers:
            return MISSING
        return sum(numbers) if wanted.name == "SUM" else sum(numbers) / len(numbers)


def is_aggregate(value: Any) -> bool:
    return isinstance(value, Call) and value.name in AGGREGATES


def without_missing(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not MISSING}


def kind(value: Any) -> str:
    if value is MISSING:
        return "missing"
    if value is None:
        return "null"
    for types, name in ((bool, "bool"), ((int, float), "number"), (str, "text"), (dict, "object")):
        if isinstance(value, types):
            return name
    return "array"


def same_kind(sign: str, left: Any, right: Any) -> bool | None:
    one, other = kind(left), kind(right)
    one, other = (k if k not in ("object", "array") else "other" for k in (one, other))
    if one != other or one == "missing":
        return None
    if one in ("number", "text") or sign in ("=", "!="):
        return bool(SIGNS[sign](left, right))
    return None


def rank(value: Any) -> tuple[int, Any]:
    names = ["missing", "null", "bool", "number", "text"]
    name = kind(value)
    if name in names[:2]:
        return names.index(name), 0
    if name in names:
        return names.index(name), value
    return 9, json.dumps(value, sort_keys=True, separators=(",", ":"))
