"""Runs queries: one page of an answer at a time, in pieces that leave time for other work."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Generator
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

import orjson

from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.twins.graph import Graph
from gemel.twins.paging import DEFAULT_SIZE, LARGEST_SIZE
from gemel.twins.query.by_columns import ByColumns, Kinds
from gemel.twins.query.check import is_grouped
from gemel.twins.query.columns import Table
from gemel.twins.query.meter import MOST_STEPS, Meter, too_long
from gemel.twins.query.parser import LONGEST, parse
from gemel.twins.query.patterns import Finder
from gemel.twins.query.reading import Live, Places, Reader
from gemel.twins.query.shape import (
    MOST_GROUPS,
    Groups,
    Key,
    Shape,
    identity,
    plain_key,
    sort_key,
    tuples,
)
from gemel.twins.query.tree import Query
from gemel.twins.records import Twin

SPARE = 2_000
"""Rows that are kept beyond a page before the later ones are dropped."""


class Answer(NamedTuple):
    rows: list[Json]
    token: str | None
    """Where the next page begins; None on the last."""
    charge: float


Run: TypeAlias = Generator[None, None, Answer]
"""Yields often, so that whoever runs it can let others work; returns the answer."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins."""

    text: str
    after: list[Any] | None = None
    """The sort key of the last row that was told."""
    told: int = 0
    """How many rows were told before."""


def write_token(place: Place) -> str:
    body = orjson.dumps({"q": place.text, "k": place.after, "n": place.told})
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def read_token(token: str, text: str = "") -> Place:
    """Where a token says that the next page begins.

    Raises:
        InvalidInput: it is none of ours, or belongs to another query than `text`.
    """
    try:
        found = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        place = Place(found["q"], found["k"], found["n"])
        is_ours = (
            isinstance(place.text, str)
            and isinstance(place.after, list)
            and type(place.told) is int
            and place.told >= 0
            and len(place.text) <= LONGEST
        )
    except (ValueError, binascii.Error, TypeError, KeyError):
        is_ours = False
    if not is_ours:
        raise _bad_token("was not given by this server")
    if text and text != place.text:
        raise _bad_token("belongs to another query")
    return place


def _bad_token(why: str) -> InvalidInput:
    return InvalidInput(
        f"the continuation token {why}", hint="start again without one", code="BadRequest"
    )


class Engine:
    """Queries over one graph, with columns that are kept between them."""

    def __init__(
        self,
        graph: Graph,
        live: Live | None = None,
        most_steps: int = MOST_STEPS,
        nearby: Engine | None = None,
    ) -> None:
        """`nearby` is over a graph of much the same twins and models: its columns are used."""
        self._graph = graph
        self._live = live
        self._most_steps = most_steps
        self._places = Places(graph)
        self._table: Table = Table(graph, live, self._places, nearby._table if nearby else None)

    def run(self, text: str, token: str | None = None, size: int = DEFAULT_SIZE) -> Run:
        """One page of an answer.

        Args:
            text: the query; "" takes it from the token.
            token: what the page before gave.
            size: rows in a page, at most `LARGEST_SIZE`.

        Raises:
            InvalidInput: the query or token is wrong, or the query takes too many steps.
        """
        place = Place(text) if token is None else read_token(token, text)
        query = parse(place.text)
        size = max(1, min(size, LARGEST_SIZE))
        if query.top is not None:
            size = min(size, query.top - place.told)
        meter = Meter(self._most_steps)
        if size < 1:
            return Answer([], None, meter.charge)
        page = _Page(self, query, place, size, meter)
        rows, last = yield from (page.grouped() if is_grouped(query) else page.found())
        told = place.told + len(rows)
        is_over = last is None or (query.top is not None and told >= query.top)
        token = None if is_over else write_token(Place(place.text, last, told))
        return Answer(rows, token, meter.charge)

    def view(self, twin: Twin) -> Json:
        """A twin as the data plane shows it."""
        return Reader(self._graph, self._live, self._places).view(twin)

    def finder(self, query: Query, meter: Meter) -> tuple[Finder, Reader]:
        reader = Reader(self._graph, self._live, self._places)
        return Finder(query, self._graph, self._table, reader, meter), reader


PageRows: TypeAlias = Generator[None, None, tuple[list[Json], list[Any] | None]]
"""Returns the rows and, if there are more, the sort key of the last one."""


class _Page:
    """The work on one page."""

    def __init__(self, engine: Engine, query: Query, place: Place, size: int, meter: Meter) -> None:
        self._query = query
        self._size = size
        self._meter = meter
        self._finder, self._reader = engine.finder(query, meter)
        self._by_columns = ByColumns(self._finder, meter)
        self._after = self._read_after(place)

    def _read_after(self, place: Place) -> Key | None:
        if place.after is None:
            return None
        count = len(self._query.order)
        parts = tuples(place.after)
        is_key = len(parts) == count + 1 and all(
            isinstance(part, tuple) and len(part) == 2 and type(part[0]) is int
            for part in parts[:-1]
        )
        if not is_key or not isinstance(parts[-1], tuple):
            raise _bad_token("was not given by this server")
        return sort_key(self._query.order, parts[:-1], parts[-1])

    def found(self) -> PageRows:
        """Rows of what was found."""
        query, finder = self._query, self._finder
        shape = Shape(query, finder.slots, finder.compiler)
        ordered = yield from self._by_columns.ordered(query.order)
        if ordered is not None:
            return (yield from self._in_order(ordered, shape))
        is_sorted = not query.order and not query.hops and query.collection == "twins"
        after = self._after
        best: list[tuple[Key, Any]] = []
        told: set[tuple[str, ...]] = set()
        most = self._size + SPARE
        begin = after[-1][0] if is_sorted and after is not None and after[-1] else None
        try:
            for rows in finder.rows(begin):
                if not rows:
                    yield
                    continue
                keyed = shape.keyed(rows)
                if after is not None:
                    keyed = [pair for pair in keyed if after < pair[0]]
                best += keyed if shape.is_unique else _untold(keyed, told)
                if is_sorted and len(best) > self._size:
                    break
                if len(best) > most:
                    best = self._smallest(best)
            best = self._smallest(best)
        except TypeError as error:  # keys of other types than the rows': the token was made up
            raise _bad_token("was not given by this server") from error
        return (yield from self._told(best, shape))

    def _in_order(self, twins: list[Twin], shape: Shape) -> PageRows:
        """Rows of twins that are in order already: the page begins behind the row told last."""
        rows = [(twin,) for twin in twins]
        try:
            begin = 0 if self._after is None else bisect_right(rows, self._after, key=shape.key)
        except TypeError as error:
            raise _bad_token("was not given by this server") from error
        page = rows[begin : begin + self._size + 1]
        return (yield from self._told([(shape.key(row), row) for row in page], shape))

    def _told(self, best: list[tuple[Key, Any]], shape: Shape) -> PageRows:
        """Answers the page; what is found beyond it says that there is another."""
        self._reader.forget()
        rows = []
        for _, row in best[: self._size]:
            rows.append(shape.answer(row))
            if len(rows) % 20 == 0:
                yield
        is_more = len(best) > self._size
        return rows, plain_key(best[self._size - 1][0]) if is_more else None

    def _smallest(self, found: list[tuple[Key, Any]]) -> list[tuple[Key, Any]]:
        return sorted(found, key=itemgetter(0))[: self._size + 1]

    def grouped(self) -> PageRows:
        """Rows of groups; all of them are worked out for each page."""
        query, finder = self._query, self._finder
        groups = Groups(query, finder.compiler)
        count = None
        if groups.is_plain_count:
            count = yield from self._by_columns.count()
        kinds = None
        if count is not None:
            groups.count(count)
        else:
            kinds = yield from self._by_columns.alike(groups.alike_by, groups.summed)
            page = None if kinds is None else self._of_kinds(groups, kinds)
            if page is not None:
                return page
            yield from self._fill(groups, kinds)
        after = self._after
        try:
            pairs = [p for p in groups.keys() if after is None or after < p[0]]  # noqa: SIM118
            best = self._smallest(pairs)
        except TypeError as error:
            raise _bad_token("was not given by this server") from error
        rows = [groups.answer(group) for _, group in best[: self._size]]
        is_more = len(best) > self._size
        return rows, plain_key(best[self._size - 1][0]) if is_more else None

    def _of_kinds(self, groups: Groups, kinds: Kinds) -> tuple[list[Json], list[Any] | None] | None:
        """A page of groups in their own order, each of one kind; only those of the page are made.

        None where they are in another order, or one group is of several kinds.
        """
        if self._query.order or not groups.are_kinds:
            return None
        order = kinds.in_order()
        if order is None:
            return None
        _check_count(len(order))

        def key(kind: int) -> Key:
            return (groups.key_of(kinds.some([kind])[0]),)

        try:
            begin = 0 if self._after is None else bisect_right(order, self._after, key=key)
        except TypeError as error:
            raise _bad_token("was not given by this server") from error
        page = order[begin : begin + self._size]
        rows = [groups.answer(groups.add_alike(one)) for one in kinds.some(page)]
        is_more = begin + len(page) < len(order)
        return rows, plain_key(key(page[-1])) if is_more else None

    def _fill(self, groups: Groups, kinds: Kinds | None) -> Generator[None, None, None]:
        query, finder = self._query, self._finder
        if kinds is not None:
            for one in kinds.all():
                groups.add_alike(one)
                _check_count(len(groups))
                if self._meter.tick():
                    yield
            return
        keys = identity(query, finder.slots)
        told: set[tuple[str, ...]] = set()
        for rows in finder.rows():
            if not rows:
                yield
            for row in rows:
                if query.is_match:
                    key = keys(row)
                    if key in told:
                        continue
                    told.add(key)
                groups.add(row)
            _check_count(len(groups))


def _untold(keyed: list[tuple[Key, Any]], told: set[tuple[str, ...]]) -> list[tuple[Key, Any]]:
    """The rows, with their sort keys, that no row before them is the same as."""
    found = []
    for pair in keyed:
        own = pair[0][-1]
        if own not in told:
            told.add(own)
            found.append(pair)
    return found


def _check_count(groups: int) -> None:
    if groups > MOST_GROUPS:
        raise too_long(f"has more than {MOST_GROUPS:,} groups")


def answer(run: Run) -> Answer:
    """Runs to the end without a pause."""
    while True:
        try:
            next(run)
        except StopIteration as end:
            found: Answer = end.value
            return found
