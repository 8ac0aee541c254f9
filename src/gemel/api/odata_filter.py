"""`$filter` of OData: a text to a condition on rows, with the logic of null that OData has.

A row is a dictionary of values by property; times are ns since 1970 UTC. What is not known is
refused with the place, and what OData knows and this does not as `NotOffered` (501).
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gemel.core.clock import SECOND, from_iso
from gemel.core.errors import InvalidInput, NotOffered

DEEPEST = 32
MOST_WORDS = 2_000
STRING, NUMBER, BOOLEAN, TIME, NULL = "text", "number", "boolean", "time", "null"
Row = dict[str, Any]
Value = Callable[[Row], Any]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')"
    r"|(?P<time>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,12})?)?(?:Z|z|[+\- ]\d\d:\d\d))?)"
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|-?INF\b|NaN\b)"
    r"|(?P<word>[A-Za-z_@$][\w.@$]*(?:/[A-Za-z_@$][\w.@$]*)*)"
    r"|(?P<mark>[(),:]))"
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_TURNED = {"eq": "eq", "ne": "ne", "gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
_NOT_HERE = frozenset(
    {"has", "add", "sub", "mul", "div", "divby", "mod", "any", "all", "cast", "isof"}
)


@dataclass(frozen=True, slots=True)
class Bound:
    """A comparison of a property with a literal, as a source of rows may use it."""

    name: str
    operator: str
    """`eq`, `gt`, `ge`, `lt`, `le`, or `in`."""
    value: Any
    """Of `in` a tuple."""


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a condition."""

    kind: str
    value: Value
    bounds: tuple[Bound, ...] = ()
    """What holds of every row for which this holds."""
    is_bounds: bool = False
    """Whether `bounds` say all of it."""
    name: str = ""
    """Of a property that stands alone."""
    is_literal: bool = False


def condition(text: str, kinds: Mapping[str, str]) -> Term:
    """Reads a condition over rows with properties of these kinds.

    Raises:
        InvalidInput: names the place and the rule.
    """
    reader = _Reader(text, kinds)
    found = reader.either()
    reader.end()
    if found.kind not in (BOOLEAN, NULL):
        raise InvalidInput(f"$filter is a {found.kind} and no condition", hint="like Name eq 'x'")
    return found


def not_here(what: str) -> NotOffered:
    """What OData knows and this does not."""
    hint = "docs/reference/odata.md lists what is there"
    return NotOffered(f"{what} is not implemented", hint=hint)


class _Reader:
    """Recursive descent over the words of a condition."""

    def __init__(self, text: str, kinds: Mapping[str, str]) -> None:
        self._words = _words(text)
        self._kinds = kinds
        self._at = 0
        self._depth = 0

    # ---- words ---------------------------------------------------------------------------

    def _next(self) -> tuple[str, str]:
        return self._words[self._at] if self._at < len(self._words) else ("end", "")

    def _take(self) -> tuple[str, str]:
        found = self._next()
        self._at += 1
        return found

    def _is(self, kind: str, *texts: str) -> bool:
        found = self._next()
        return found[0] == kind and found[1] in texts

    def _mark(self, mark: str) -> None:
        if not self._is("mark", mark):
            raise self._wrong(f"'{mark}' is missing")
        self._at += 1

    def _wrong(self, what: str) -> InvalidInput:
        word = self._next()[1] or "its end"
        return InvalidInput(f"$filter: {what} at {word[:40]}", hint="docs/reference/odata.md")

    def end(self) -> None:
        if self._next()[0] == "end":
            return
        word = self._next()[1]
        if word in _NOT_HERE:
            raise not_here(f"$filter: '{word}'")
        raise self._wrong("it goes on where it should end")

    # ---- grammar -------------------------------------------------------------------------

    def either(self) -> Term:
        self._depth += 1
        if self._depth > DEEPEST:
            raise InvalidInput(f"$filter is nested more than {DEEPEST} deep")
        found = self._both()
        while self._is("word", "or"):
            self._at += 1
            found = _either(self._truth(found), self._truth(self._both()))
        self._depth -= 1
        return found

    def _both(self) -> Term:
        found = self._comparison()
        while self._is("word", "and"):
            self._at += 1
            found = _both(self._truth(found), self._truth(self._comparison()))
        return found

    def _truth(self, term: Term) -> Term:
        if term.kind not in (BOOLEAN, NULL):
            raise self._wrong(f"a {term.kind} stands where a condition belongs")
        return term

    def _comparison(self) -> Term:
        if self._is("word", "not"):
            self._at += 1
            self._depth += 1
            if self._depth > DEEPEST:
                raise InvalidInput(f"$filter is nested more than {DEEPEST} deep")
            inner = self._truth(self._comparison()).value
            self._depth -= 1
            return Term(BOOLEAN, lambda row: None if (v := inner(row)) is None else not v)
        left = self._operand()
        kind, word = self._next()
        if kind != "word" or (word not in _COMPARE and word != "in"):
            return left
        self._at += 1
        if word == "in":
            return self._among(left)
        return self._compared(left, word, self._operand())

    def _compared(self, left: Term, word: str, right: Term) -> Term:
        if NULL not in (left.kind, right.kind) and left.kind != right.kind:
            raise self._wrong(f"a {left.kind} is compared with a {right.kind}")
        compare, one, other = _COMPARE[word], left.value, right.value
        is_equality = word in ("eq", "ne")

        def holds(row: Row) -> bool:
            a, b = one(row), other(row)
            if a is None or b is None:
                return compare(a is None, b is None) if is_equality else False
            return compare(a, b)

        if right.name and left.is_literal:
            left, right, word = right, left, _TURNED[word]
        if not (left.name and right.is_literal) or right.kind == NULL or word == "ne":
            return Term(BOOLEAN, holds)
        bound = Bound(left.name, word, right.value({}))
        return Term(BOOLEAN, holds, (bound,), True)

    def _among(self, left: Term) -> Term:
        self._mark("(")
        values = []
        while True:
            item = self._operand()
            if not item.is_literal or item.kind not in (left.kind, NULL):
                raise self._wrong(f"in needs literals, each a {left.kind}")
            values.append(item.value({}))
            if not self._is("mark", ","):
                break
            self._at += 1
        self._mark(")")
        among, one = frozenset(values), left.value
        term = Term(BOOLEAN, lambda row: one(row) in among)
        if not left.name or None in among:
            return term
        return Term(BOOLEAN, term.value, (Bound(left.name, "in", tuple(values)),), True)

    def _operand(self) -> Term:
        kind, text = self._take()
        if kind == "mark" and text == "(":
            found = self.either()
            self._mark(")")
            return found
        if kind == "word" and self._is("mark", "("):
            return self._called(text)
        if kind in ("text", "time", "number"):
            return _literal(kind, text)
        if kind == "word":
            return self._named(text)
        self._at -= 1
        raise self._wrong("a property, literal or function is missing")

    def _named(self, text: str) -> Term:
        if text in ("true", "false", "null"):
            value = {"true": True, "false": False, "null": None}[text]
            return Term(NULL if value is None else BOOLEAN, lambda _: value, is_literal=True)
        kind = self._kinds.get(text)
        if kind is None and "/" in text:
            raise not_here(f"$filter: '{text}', a property of what is related,")
        if kind is None:
            known = ", ".join(self._kinds)
            raise InvalidInput(
                f"$filter: there is no property '{text[:60]}'", hint=f"one of {known}"
            )
        return Term(kind, operator.itemgetter(text), name=text)

    def _called(self, name: str) -> Term:
        if name not in FUNCTIONS:
            raise not_here(f"$filter: the function '{name[:40]}'")
        kinds, result, call = FUNCTIONS[name]
        self._mark("(")
        given: list[Term] = []
        while not self._is("mark", ")"):
            given.append(self.either())
            if not self._is("mark", ","):
                break
            self._at += 1
        self._mark(")")
        fits = len(given) in (len(kinds), len(kinds) - kinds[-1:].count(NUMBER + "?"))
        fits = fits and all(
            one.kind in (kind.rstrip("?"), NULL) for one, kind in zip(given, kinds, strict=False)
        )
        if not fits:
            raise self._wrong(f"{name} takes ({', '.join(kinds)})")
        values = [one.value for one in given]

        def value(row: Row) -> Any:
            found = [one(row) for one in values]
            return None if None in found else call(*found)

        return Term(result, value)


def _words(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    place, length = 0, len(text.rstrip())
    while place < length:
        match = _TOKEN.match(text, place)
        if match is None:
            raise InvalidInput(f"$filter is not understood from {text[place : place + 40]!r} on")
        found.append((str(match.lastgroup), match[str(match.lastgroup)]))
        place = match.end()
        if len(found) > MOST_WORDS:
            raise InvalidInput(f"$filter has more than {MOST_WORDS:,} words")
    if not found:
        raise InvalidInput("$filter is empty", hint="leave it out")
    return found


def _literal(kind: str, text: str) -> Term:
    value = literal(kind, text)
    names = {"text": STRING, "time": TIME, "number": NUMBER}
    return Term(names[kind], lambda _: value, is_literal=True)


def literal(kind: str, text: str) -> Any:
    """What a literal stands for."""
    if kind == "text":
        return text[1:-1].replace("''", "'")
    if kind == "time":
        day, _, rest = text.partition("T")
        return from_iso(f"{day}T{rest.replace(' ', '+') or '00:00:00Z'}")
    if text.endswith("INF"):
        return math.inf if text[0] != "-" else -math.inf
    return float(text) if re.search(r"[.eEN]", text) else int(text)


def _both(left: Term, right: Term) -> Term:
    one, other = left.value, right.value

    def holds(row: Row) -> bool | None:
        a = one(row)
        if a is False:
            return False
        b = other(row)
        return b if a else (False if b is False else None)

    is_bounds = left.is_bounds and right.is_bounds
    return Term(BOOLEAN, holds, left.bounds + right.bounds, is_bounds)


def _either(left: Term, right: Term) -> Term:
    one, other = left.value, right.value

    def holds(row: Row) -> bool | None:
        a = one(row)
        if a:
            return True
        b = other(row)
        return b if a is False else (True if b else None)

    return Term(BOOLEAN, holds)


def _moment(ns: int) -> datetime:
    return datetime.fromtimestamp(ns // SECOND, UTC)


def _substring(text: str, start: float, count: float | None = None) -> str:
    asked = (start, len(text) if count is None else count)
    if any(map(math.isnan, asked)):
        return ""
    first, length = (int(min(max(one, 0), len(text))) for one in asked)
    return text[first : first + length]


def _whole(call: Callable[[float], int]) -> Callable[[float], float]:
    """Rounds as `call` does, and leaves what is not finite."""
    return lambda number: call(number) if math.isfinite(number) else number


def _rounded(number: float) -> float:
    """Away from zero at the half, as OData has it."""
    return math.copysign(math.floor(abs(number) + 0.5), number) if math.isfinite(number) else number


FUNCTIONS: dict[str, tuple[tuple[str, ...], str, Callable[..., Any]]] = {
    "contains": ((STRING, STRING), BOOLEAN, lambda text, part: part in text),
    "startswith": ((STRING, STRING), BOOLEAN, str.startswith),
    "endswith": ((STRING, STRING), BOOLEAN, str.endswith),
    "length": ((STRING,), NUMBER, len),
    "indexof": ((STRING, STRING), NUMBER, str.find),
    "substring": ((STRING, NUMBER, NUMBER + "?"), STRING, _substring),
    "tolower": ((STRING,), STRING, str.lower),
    "toupper": ((STRING,), STRING, str.upper),
    "trim": ((STRING,), STRING, str.strip),
    "concat": ((STRING, STRING), STRING, operator.add),
    "year": ((TIME,), NUMBER, lambda ns: _moment(ns).year),
    "month": ((TIME,), NUMBER, lambda ns: _moment(ns).month),
    "day": ((TIME,), NUMBER, lambda ns: _moment(ns).day),
    "hour": ((TIME,), NUMBER, lambda ns: _moment(ns).hour),
    "minute": ((TIME,), NUMBER, lambda ns: _moment(ns).minute),
    "second": ((TIME,), NUMBER, lambda ns: _moment(ns).second),
    "date": ((TIME,), TIME, lambda ns: ns - ns % (86_400 * SECOND)),
    "round": ((NUMBER,), NUMBER, _rounded),
    "floor": ((NUMBER,), NUMBER, _whole(math.floor)),
    "ceiling": ((NUMBER,), NUMBER, _whole(math.ceil)),
}
"""Name to the kinds of its arguments (`?` may be left out), of its result, and what it does."""
