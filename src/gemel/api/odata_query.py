"""System query options of OData, and the page of rows that they ask for."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gemel.api.odata_filter import STRING, Bound, Term, condition, not_here
from gemel.api.odata_rows import Asked, Call, Key, Row
from gemel.api.odata_sets import SETS, WHEN, EntitySet, Link
from gemel.core.clock import to_iso
from gemel.core.errors import InvalidInput

if TYPE_CHECKING:
    from gemel.app.platform import Platform

MOST_SORTED = 100_000
MOST_EXPANDED = 100_000
"""Related rows of a page."""
DEEPEST_EXPAND = 3
PIECE_ROWS = 200
PIECE_SECONDS = 0.005
MOST_SECONDS = 30.0
KNOWN = ("select", "filter", "orderby", "top", "skip", "count", "expand")
BESIDE = ("format", "skiptoken")
NOT_HERE = ("search", "apply", "compute", "deltatoken", "levels", "index", "schemaversion", "id")
Steps = Generator[Call | None, Any, "Found"]


@dataclass(frozen=True)
class Options:
    """What is asked of a set."""

    select: tuple[str, ...] = ()
    """Empty for all."""
    where: Term | None = None
    order: tuple[tuple[str, bool], ...] = ()
    """Properties, each with whether the last comes first."""
    top: int | None = None
    skip: int = 0
    is_counted: bool = False
    expand: Mapping[str, Options] = field(default_factory=dict)


@dataclass
class Found:
    rows: list[Row]
    """As they are answered."""
    after: Key | int | None = None
    """Where the next page begins: behind a key, or (where sorted) at a place; None on the last."""
    count: int | None = None


def options_of(given: Mapping[str, str], of: EntitySet, depth: int = 0) -> Options:
    """Reads options as they stand in a query, with or without `$`.

    Raises:
        InvalidInput: names the option and the rule.
    """
    found: dict[str, str] = {}
    for name, value in given.items():
        plain = name.removeprefix("$").lower()
        if plain in NOT_HERE and name != plain:
            raise not_here(name)
        if plain in KNOWN:
            if plain in found:
                raise InvalidInput(f"${plain} is there twice")
            found[plain] = value.strip()
        elif name.startswith("$") and plain not in BESIDE:
            raise InvalidInput(f"the option '{name[:40]}' is not known", hint=f"$ and {KNOWN}")
    return Options(
        _names("$select", found.get("select", ""), of),
        condition(found["filter"], of.kinds) if "filter" in found else None,
        _order(found.get("orderby", ""), of),
        _whole("$top", found["top"]) if "top" in found else None,
        _whole("$skip", found.get("skip", "0")),
        _truth(found.get("count", "false")),
        _expand(found.get("expand", ""), of, depth),
    )


def _names(option: str, text: str, of: EntitySet) -> tuple[str, ...]:
    names = tuple(one.strip() for one in text.split(",") if one.strip())
    if not names or "*" in names:
        return ()
    for name in names:
        if name not in of.properties and name not in of.links:
            raise _unknown(option, name, of)
    return names


def _unknown(option: str, name: str, of: EntitySet) -> InvalidInput:
    known = ", ".join((*of.properties, *of.links))
    if "/" in name:
        return not_here(f"{option}: '{name[:60]}', a path,")
    return InvalidInput(f"{option}: {of.name} have no '{name[:60]}'", hint=f"one of {known}")


def _order(text: str, of: EntitySet) -> tuple[tuple[str, bool], ...]:
    found = []
    for one in text.split(",") if text else ():
        name, _, turn = one.strip().partition(" ")
        if turn.strip() not in ("", "asc", "desc"):
            raise InvalidInput(f"$orderby: '{one.strip()[:60]}'", hint="like Name desc,Id")
        if name not in of.properties:
            raise _unknown("$orderby", name, of)
        found.append((name, turn.strip() == "desc"))
    return tuple(found)


def _whole(option: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise InvalidInput(f"{option}: '{text[:20]}'", hint="a whole number from 0")
    return int(text)


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise InvalidInput(f"$count: '{text[:20]}'", hint="true or false")
    return text == "true"


_EXPAND = re.compile(r"\s*([A-Za-z]\w*)")


def _expand(text: str, of: EntitySet, depth: int) -> dict[str, Options]:
    found: dict[str, Options] = {}
    if not text:
        return found
    if depth == DEEPEST_EXPAND:
        raise InvalidInput(f"$expand is nested more than {DEEPEST_EXPAND} deep")
    for item in _split(text, ","):
        match = _EXPAND.match(item)
        name = match[1] if match else item[:60]
        rest = item[match.end() :].strip() if match else ""
        if name not in of.links:
            if "/" in item or item.strip() == "*":
                raise not_here(f"$expand: '{item.strip()[:60]}'")
            raise InvalidInput(
                f"$expand: {of.name} have no '{name}'", hint="one of " + ", ".join(of.links)
            )
        inner: dict[str, str] = {}
        if rest:
            if not (rest[0] == "(" and rest[-1] == ")"):
                raise not_here(f"$expand: '{item.strip()[:60]}'")
            inner = dict(
                (part.partition("=")[0].strip(), part.partition("=")[2])
                for part in _split(rest[1:-1], ";")
            )
        found[name] = options_of(inner, SETS[of.links[name].target], depth + 1)
    return found


def _split(text: str, mark: str) -> list[str]:
    """Parts between marks that stand neither in quotes nor in brackets."""
    parts, start, depth, is_quoted = [], 0, 0, False
    for place, char in enumerate(text):
        if char == "'":
            is_quoted = not is_quoted
        elif not is_quoted and char in "()":
            depth += 1 if char == "(" else -1
        elif char == mark and not is_quoted and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


# ---- running -----------------------------------------------------------------------------------


class Run:
    """One request's work on a platform; counts what all its parts give."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self._expanded = 0
        self._single: dict[tuple[str, Any, int], Found] = {}
        """What single links of this page led to; many rows may lead to one."""

    def steps(
        self,
        of: EntitySet,
        options: Options,
        *,
        after: Key | int | None = None,
        size: int,
        bounds: Iterable[Bound] = (),
    ) -> Steps:
        """A page, in steps between which others may have their turn.

        Args:
            of: the set.
            options: what is asked of it; `top` is what is left of it.
            after: where the page begins, as `Found` said it.
            size: rows of the page.
            bounds: what must hold besides.
        """
        every = (*bounds, *(options.where.bounds if options.where else ()))
        where = _rest(of, options.where, tuple(bounds))
        is_sorted = not _is_natural(of, options.order)
        wanted = size if options.top is None else min(size, options.top)
        skip = options.skip if after is None else 0
        most = (1 << 62) if where or is_sorted else skip + wanted + 1
        key = after if isinstance(after, tuple) else None
        source = of.rows(Asked(self.platform, key, every, most))
        rows: list[Row] = []
        count = seen = 0
        sent: Any = None
        while True:
            try:
                row = source.send(sent)
            except StopIteration:
                break
            sent = None
            if row is None or callable(row):
                sent = yield row
                continue
            seen += 1
            if seen % PIECE_ROWS == 0:
                yield None
            if where is not None and where(row) is not True:
                continue
            count += 1
            if is_sorted and count > MOST_SORTED:
                raise InvalidInput(
                    f"$orderby of more than {MOST_SORTED:,} rows",
                    hint="narrow them with $filter, or leave the order to who asks",
                )
            if is_sorted or skip < count <= skip + wanted + 1:
                rows.append(row)
            elif count > skip and not options.is_counted:
                break
        source.close()
        if is_sorted:
            skip = after if isinstance(after, int) else skip
            rows = _sorted(rows, options.order, of)[skip : skip + wanted + 1]
        found = _page(of, options, rows, wanted, skip if is_sorted else None)
        found.count = count if options.is_counted else None
        found.rows = yield from self._shown(of, options, found.rows)
        return found

    def _shown(
        self, of: EntitySet, options: Options, rows: list[Row]
    ) -> Generator[Call | None, Any, list[Row]]:
        """Rows as they are answered: what is selected, times as text, with what is related."""
        names = [n for n in of.properties if not options.select or n in options.select]
        times = [n for n in names if of.properties[n] == WHEN]
        shown: list[Row] = []
        for row in rows:
            made = {name: row[name] for name in names}
            for name in times:
                if made[name] is not None:
                    made[name] = to_iso(made[name])
            for name, inner in options.expand.items():
                link = of.links[name]
                found = yield from self._related(link, row, inner)
                if not link.is_many:
                    made[name] = found.rows[0] if found.rows else None
                    continue
                made[name] = found.rows
                if found.count is not None:
                    made[f"{name}@odata.count"] = found.count
            shown.append(made)
            if options.expand or len(shown) % PIECE_ROWS == 0:
                yield None
        return shown

    def _related(self, link: Link, row: Row, options: Options) -> Steps:
        of = SETS[link.target]
        ours = row[link.ours]
        if ours is None:
            return Found([])
        place = (link.target, ours, id(options))
        if place in self._single:
            return self._single[place]
        left = MOST_EXPANDED - self._expanded
        found = yield from self.steps(
            of, options, size=left, bounds=(Bound(link.theirs, "eq", ours),)
        )
        self._expanded += len(found.rows)
        if not link.is_many:
            self._single[place] = found
        if found.after is not None and options.top is None:
            raise InvalidInput(
                f"$expand gives more than {MOST_EXPANDED:,} related rows",
                hint="ask for fewer at once, with $top, $filter or Prefer: odata.maxpagesize",
            )
        return found


def _rest(of: EntitySet, where: Term | None, bounds: tuple[Bound, ...]) -> Any:
    """What of a condition is to be asked of each row; None if nothing is."""
    tests: list[Callable[[Row], Any]] = []
    if where is not None and not (where.is_bounds and all(map(of.keeps, where.bounds))):
        tests.append(where.value)
    for bound in bounds:
        if not of.keeps(bound):
            tests.append(_equals(bound.name, bound.value))
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else lambda row: all(t(row) is True for t in tests)


def _equals(name: str, value: Any) -> Callable[[Row], bool]:
    return lambda row: row[name] == value


def _is_natural(of: EntitySet, order: tuple[tuple[str, bool], ...]) -> bool:
    """Whether rows come in this order anyway."""
    names = tuple(name for name, _ in order)
    return names == of.keys[: len(names)] and not any(turned for _, turned in order)


def _sorted(rows: list[Row], order: tuple[tuple[str, bool], ...], of: EntitySet) -> list[Row]:
    """By what is asked, nulls first, then by the key, so that pages fit together."""
    rows.sort(key=of.key_of)
    for name, is_turned in reversed(order):
        nothing: Any = "" if of.kinds[name] == STRING else 0
        keys = [(row[name] is not None, row[name] or nothing) for row in rows]
        places = sorted(range(len(rows)), key=keys.__getitem__, reverse=is_turned)
        rows = [rows[place] for place in places]
    return rows


def _page(
    of: EntitySet, options: Options, rows: list[Row], wanted: int, start: int | None
) -> Found:
    """The rows of a page, of which one more than wanted says that there are further ones."""
    is_more = len(rows) > wanted and (options.top is None or options.top > wanted)
    rows = rows[:wanted]
    if not is_more or not rows:
        return Found(rows)
    return Found(rows, of.key_of(rows[-1]) if start is None else start + wanted)


async def driven(steps: Steps) -> Found:
    """Lets work go on in short pieces, and what waits for the disk in a thread.

    Raises:
        InvalidInput: it takes too long.
    """
    loop = asyncio.get_running_loop()
    begin = piece = time.monotonic()
    sent: Any = None
    while True:
        try:
            call = steps.send(sent)
        except StopIteration as end:
            found: Found = end.value
            return found
        sent = None
        now = time.monotonic()
        if now - begin > MOST_SECONDS:
            steps.close()
            raise InvalidInput(
                f"it takes longer than {MOST_SECONDS:.0f} s",
                hint="narrow it with $filter, or leave $count and $orderby out",
                code="TimeoutError",
            )
        if call is not None:
            sent = await loop.run_in_executor(None, call)
            piece = time.monotonic()
        elif now - piece > PIECE_SECONDS:
            await asyncio.sleep(0)
            piece = time.monotonic()
