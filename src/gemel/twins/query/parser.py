"""Text to tree, with errors that point at the character and say what could stand there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken, VisitError

from gemel.core.clock import from_iso, is_expressible
from gemel.core.errors import InvalidInput
from gemel.twins.query.check import resolve
from gemel.twins.query.mistakes import mistake
from gemel.twins.query.tree import (
    FUNCTIONS,
    AllOf,
    AnyOf,
    Call,
    Column,
    Compare,
    Condition,
    Hop,
    Literal,
    Negate,
    Path,
    Query,
    Scalar,
    Sort,
    Within,
)

LONGEST = 20_000
"""Characters of one query."""
DEEPEST = 60
"""Brackets inside each other."""
MOST_NOTS = 100
MOST_HOPS = 100

WORDS: dict[str, str] = {
    "SELECT": "SELECT",
    "TOP": "TOP(n)",
    "STAR": "*",
    "FUNCTION": "a function",
    "NAME": "a name",
    "FIELD": "a name",
    "FROM": "FROM",
    "COLLECTION": "DIGITALTWINS or RELATIONSHIPS",
    "JOIN": "JOIN",
    "RELATED": "RELATED",
    "MATCH": "MATCH",
    "WHERE": "WHERE",
    "GROUP": "GROUP BY",
    "ORDER": "ORDER BY",
    "BY": "BY",
    "AS": "AS",
    "AS_OF": "AS OF",
    "RECORDED": "RECORDED AS OF",
    "AND": "AND",
    "OR": "OR",
    "NOT": "NOT",
    "IN": "IN",
    "NIN": "NIN",
    "COMPARE": "a comparison (= != < <= > >=)",
    "SIGNED": "a number",
    "STRING": "a text in 'quotes'",
    "TRUTH": "true or false",
    "NULL": "null",
    "DIRECTION": "ASC or DESC",
    "HOPS": "hops such as *2 or *..3",
    "LEFT": "<-",
    "RIGHT": "->",
    "DASH": "-",
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "COMMA": ",",
    "DOT": ".",
    "COLON": ":",
    "VBAR": "|",
    "$END": "the end",
}
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)
QUOTED = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"", re.DOTALL)


class _Wrong(Exception):
    """A mistake found while the tree is built, on its way to `mistake`."""

    def __init__(self, at: int, what: str, expected: str = "") -> None:
        super().__init__(what)
        self.at, self.what, self.expected = at, what, expected


def _at(token: Token) -> int:
    return token.start_pos or 0


def _name(token: Token) -> str:
    text = str(token)
    return text[2:-2] if text.startswith("[[") else text


def _text(token: Token) -> str:
    def plain(found: re.Match[str]) -> str:
        code = found[1]
        if len(code) == 5:
            return chr(int(code[1:], 16))
        return ESCAPES.get(code, code)

    found = ESCAPE.sub(plain, str(token)[1:-1])
    return found.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _number(token: Token) -> int | float:
    text = str(token)
    if re.fullmatch(r"[+-]?\d{1,300}", text):
        return int(text)
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _Wrong(_at(token), "this number is too large", "use a number below 1e308")
    return value


def _time(token: Token) -> int:
    try:
        found = from_iso(_text(token))
    except InvalidInput as error:
        raise _Wrong(_at(token), f"{token[:60]} is not an ISO 8601 time", error.hint) from None
    if not is_expressible(found):
        raise _Wrong(_at(token), "the time cannot be expressed", "1824 to 2116")
    return found


class _Moment(NamedTuple):
    """AS OF or RECORDED AS OF."""

    word: str
    time: int
    at: int


def _moments(parts: tuple[Any, ...]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in parts:
        if isinstance(part, _Moment):
            if part.word in found:
                raise _Wrong(part.at, "this moment is given twice", "leave one of them out")
            found[part.word] = part.time
    return found


def _hops(token: Token | None) -> tuple[int, int]:
    """First and last number of hops; a lower bound is not part of its range."""
    if token is None:
        return 1, 1
    text = re.sub(r"\s", "", str(token)[1:])
    low, dots, high = text.partition("..")
    if dots and not high:
        raise _Wrong(_at(token), "a range of hops needs an upper bound", "write it like *1..3")
    last = int(high[:9] or low[:9]) if dots else int(low[:9])
    first = (int(low[:9]) + 1 if low else 1) if dots else last
    if not 1 <= first <= last:
        what = f"'{token}' leaves no number of hops: the lower bound is not part of the range"
        if not dots:
            what = "the number of hops must be at least 1"
        raise _Wrong(_at(token), what, "*1..3 is 2 or 3 hops, *..3 is 1 to 3, *3 is exactly 3")
    if last > MOST_HOPS:
        raise _Wrong(_at(token), f"more than {MOST_HOPS} hops", f"use at most {MOST_HOPS}")
    return first, last


@v_args(inline=True)
class _Builder(Transformer[Token, Any]):
    """Builds the tree while the text is parsed."""

    def literal(self, token: Token) -> Literal:
        at, kind = _at(token), token.type
        value: Scalar = None
        if kind == "SIGNED":
            value = _number(token)
        elif kind == "STRING":
            value = _text(token)
        elif kind == "TRUTH":
            value = token.lower() == "true"
        return Literal(value, at)

    def path(self, *names: Token) -> Path:
        return Path("", tuple(map(_name, names)), _at(names[0]))

    def exact(self, token: Token) -> Token:
        return token

    def call(self, function: Token, *arguments: Any) -> Call:
        name, at = function.upper(), _at(function)
        if name not in FUNCTIONS:
            near = difflib.get_close_matches(name, FUNCTIONS, 1, 0.5)
            hint = (
                f"did you mean {near[0]}?" if near else "there are " + ", ".join(sorted(FUNCTIONS))
            )
            raise _Wrong(at, f"there is no function {function}", hint)
        is_exact = bool(arguments) and isinstance(arguments[-1], Token)
        plain = arguments[:-1] if is_exact else arguments
        if is_exact and name != "IS_OF_MODEL":
            raise _Wrong(_at(arguments[-1]), "'exact' belongs to IS_OF_MODEL only", "leave it out")
        return Call(name, plain, is_exact, at)

    def list(self, *values: Literal) -> tuple[Scalar, ...]:
        return tuple(literal.value for literal in values)

    def compare(self, left: Condition, operator: Token, right: Condition) -> Compare:
        text = "!=" if operator == "<>" else str(operator)
        return Compare(text, left, right, _at(operator))

    def within(self, operand: Condition, values: tuple[Scalar, ...]) -> Within:
        return Within(operand, values)

    def without(self, operand: Condition, values: tuple[Scalar, ...]) -> Within:
        return Within(operand, values, True)

    def negate(self, operand: Condition) -> Negate:
        return Negate(operand)

    def all_of(self, *operands: Condition) -> Condition:
        return AllOf(operands) if len(operands) > 1 else operands[0]

    def any_of(self, *operands: Condition) -> Condition:
        return AnyOf(operands) if len(operands) > 1 else operands[0]

    def where(self, condition: Condition) -> tuple[str, Condition]:
        return ("where", condition)

    def group(self, *paths: Path) -> tuple[str, Any]:
        return ("group", paths)

    def sort(self, value: Path | Call, direction: Token | None = None) -> Sort:
        return Sort(value, direction is not None and direction.upper() == "DESC")

    def order(self, *sorts: Sort) -> tuple[str, Any]:
        return ("order", sorts)

    def top(self, token: Token) -> tuple[str, tuple[int, int]]:
        value = _number(token)
        if not isinstance(value, int) or value < 1:
            raise _Wrong(_at(token), f"TOP({token}) must be a whole number from 1", "like TOP(10)")
        return ("top", (value, _at(token)))

    def star(self, token: Token) -> tuple[str, Any]:
        return ("star", _at(token))

    def listed(self, *columns: Column) -> tuple[str, Any]:
        return ("columns", columns)

    def column(self, value: Path | Call, name: Token | None = None) -> Column:
        return Column(value, "" if name is None else _name(name), value.at)

    def select(self, *parts: tuple[str, Any]) -> dict[str, Any]:
        return dict(parts)

    def node(self, name: Token | None = None) -> Token | None:
        return name

    def names(self, *names: Token) -> frozenset[str]:
        return frozenset(map(_name, names))

    def inner(self, variable: Token | None, names: Any, hops: Token | None) -> tuple[Any, ...]:
        low, high = _hops(hops)
        name = "" if variable is None else _name(variable)
        if name and (low, high) != (1, 1):
            assert variable is not None, "it has a name"
            raise _Wrong(
                _at(variable),
                f"the relationship variable '{name}' stands for one hop, not several",
                f"leave out either the variable or the hops ('[:{name}*3]' names a relationship)",
            )
        return name, names or frozenset(), low, high

    def edge_left(self, left: Token, inner: Any, _: Token) -> Any:
        return ("in", *inner, _at(left))

    def edge_right(self, dash: Token, inner: Any, _: Token) -> Any:
        return ("out", *inner, _at(dash))

    def edge_any(self, dash: Token, inner: Any, _: Token) -> Any:
        return ("any", *inner, _at(dash))

    def join(
        self, target: Token, source: Token, relationship: Token, variable: Token | None
    ) -> Hop:
        name = "" if variable is None else _name(variable)
        names = frozenset({_name(relationship)})
        return Hop(_name(source), _name(target), name, names, "out", at=_at(target))

    def match(self, *parts: Any) -> tuple[str, tuple[Any, ...]]:
        return ("match", parts)

    def as_of(self, token: Token) -> _Moment:
        return _Moment("as_of", _time(token), _at(token))

    def recorded(self, token: Token) -> _Moment:
        return _Moment("recorded", _time(token), _at(token))

    def from_(self, collection: Token, alias: Token | None, *parts: Any) -> dict[str, Any]:
        rest = [part for part in parts if not isinstance(part, _Moment)]
        return self._source(collection, alias, rest) | _moments(parts)

    def _source(
        self, collection: Token, alias: Token | None, rest: Sequence[Any]
    ) -> dict[str, Any]:
        found: dict[str, Any] = {
            "collection": "twins" if collection.upper() == "DIGITALTWINS" else "relationships",
            "base": "" if alias is None else _name(alias),
            "base_at": _at(collection if alias is None else alias),
        }
        if rest and isinstance(rest[0], tuple):
            return found | _pattern(found, rest[0][1])
        if rest and alias is None:
            raise _Wrong(
                _at(collection), "a collection that is joined needs a name", "FROM DIGITALTWINS T"
            )
        nodes = (found["base"], *(hop.target for hop in rest))
        return found | {"hops": tuple(rest), "nodes": nodes}

    def start(self, select: dict[str, Any], source: dict[str, Any], *clauses: Any) -> Query:
        found = source | dict(clauses)
        top, top_at = select.get("top", (None, 0))
        return Query(
            **found,
            top=top,
            top_at=top_at,
            columns=tuple(select.get("columns", ())),
            star_at=select.get("star", 0),
        )


def _pattern(found: dict[str, Any], parts: tuple[Any, ...]) -> dict[str, Any]:
    """The nodes and hops of a MATCH."""
    if found["base"]:
        raise _Wrong(
            found["base_at"], "with MATCH the names stand in the pattern", "FROM DIGITALTWINS MATCH"
        )
    names = [
        f"#{number}" if node is None else _name(node) for number, node in enumerate(parts[::2], 1)
    ]
    edges = parts[1::2]
    hops = tuple(
        Hop(names[i], names[i + 1], variable, kinds, direction, low, high, at)
        for i, (direction, variable, kinds, low, high, at) in enumerate(edges)
    )
    nodes = tuple(dict.fromkeys(names))
    return {"base": nodes[0], "nodes": nodes, "hops": hops, "is_match": True}


@lru_cache(maxsize=1)
def _grammar() -> Lark:
    text = files("gemel.twins.query").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(
        text,
        start=["start", "condition"],
        parser="lalr",
        lexer="contextual",
        transformer=_Builder(),
        maybe_placeholders=True,
        propagate_positions=False,
    )


def _expected(names: set[str]) -> str:
    words = [word for name, word in WORDS.items() if names & {name, "_" + name}]
    return "expected " + ", ".join(words) if words else ""


def _refuse_size(text: str) -> None:
    if len(text) > LONGEST:
        raise mistake(
            text[:80], 0, f"the query is longer than {LONGEST:,} characters", "shorten it"
        )
    if not text.strip():
        raise mistake(text, 0, "the query is empty", "such as SELECT * FROM DIGITALTWINS")
    plain = _blank(text)
    depth = 0
    for found in re.finditer(r"[()]", plain):
        depth += 1 if found[0] == "(" else -1
        if depth > DEEPEST:
            raise mistake(text, found.start(), f"nested deeper than {DEEPEST}", "write it flatter")
    if len(re.findall(r"(?<![\w$])NOT(?![\w$])", plain, re.IGNORECASE)) > MOST_NOTS:
        raise mistake(text, 0, f"more than {MOST_NOTS} NOTs", "write it flatter")


def _blank(text: str) -> str:
    """The text with quoted parts blanked out, of the same length."""
    return QUOTED.sub(lambda found: " " * len(found[0]), text)


@lru_cache(maxsize=500)
def parse(text: str) -> Query:
    """Reads a query and checks its names.

    Raises:
        InvalidInput: `SqlQueryError` with line, column, a caret under the place, and what could
            stand there.
    """
    query: Query = _parsed(text, "start")
    return resolve(query, text)


def parse_condition(text: str) -> Condition:
    """Reads a condition that stands alone; its paths belong to no twin.

    Raises:
        InvalidInput: as `parse`.
    """
    found: Condition = _parsed(text, "condition")
    return found


def _parsed(text: str, start: str) -> Any:
    _refuse_size(text)
    try:
        return _grammar().parse(text, start=start)
    except VisitError as error:
        if isinstance(error.orig_exc, _Wrong):
            wrong = error.orig_exc
            raise mistake(text, wrong.at, wrong.what, wrong.expected) from None
        raise
    except _Wrong as wrong:
        raise mistake(text, wrong.at, wrong.what, wrong.expected) from None
    except (UnexpectedCharacters, UnexpectedToken, UnexpectedEOF) as error:
        raise _misread(error, text) from None


def _misread(error: UnexpectedCharacters | UnexpectedToken | UnexpectedEOF, text: str) -> Exception:
    at, what = len(text.rstrip()), "the query ends too early"
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        at, what = _at(error.token), f"'{error.token[:60]}' cannot stand here"
    elif isinstance(error, UnexpectedCharacters):
        at = error.pos_in_stream or 0
        what = f"'{text[at]}' cannot stand here"
        word = re.match(r"[\w$]+", text[at:])
        if word:
            what = f"'{word[0][:60]}' cannot stand here"
    names = set(getattr(error, "expected", None) or getattr(error, "allowed", None) or ())
    slip = re.search(r"==|&&|\|\|", _blank(text))
    if slip is not None and at >= slip.start():
        right = {"==": "=", "&&": "AND", "||": "OR"}[slip[0]]
        return mistake(text, slip.start(), f"'{slip[0]}' is not known here", f"write '{right}'")
    if what.startswith("'") and text[at] in "'\"":
        return mistake(text, at, "this text has no closing quote", "write \\' for a quote inside")
    hint = _expected(names)
    word = re.match(r"[A-Za-z]+", text[at:])
    if word and word[0].upper() in WORDS and "NAME" in names:
        hint = f"'{word[0]}' is a reserved word: as a name write [[{word[0]}]]; {hint}"
    return mistake(text, at, what, hint)
