"""Tokens to a tree, with the kinds of all values checked.

Words of the language are no reserved words: a metric may be called `sum` and a label `on`. So
what a word is follows from where it stands: a parser by descent says that in the fewest words.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput
from gemel.promql.matchers import compiled, fits
from gemel.promql.tokens import Token, duration, mistake, number, tokens, unquoted
from gemel.promql.tree import (
    AGGREGATIONS,
    COMPARISONS,
    FUNCTIONS,
    NOT_SUPPORTED,
    SCALAR,
    SETS,
    VECTOR,
    Aggregate,
    Binary,
    Call,
    Matcher,
    Matching,
    Moment,
    Negative,
    Node,
    Number,
    Selector,
    Subquery,
    Text,
    kind_of,
)

MOST_NESTED = 50
MOST_PARTS = 200
NAME = "__name__"
LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
BINDS = {
    "or": 1,
    **dict.fromkeys(("and", "unless"), 2),
    **dict.fromkeys(COMPARISONS, 3),
    **dict.fromkeys("+-", 4),
    **dict.fromkeys(("*", "/", "%", "atan2"), 5),
    "^": 6,
}
NUMBERS = {"inf": math.inf, "nan": math.nan}


def parse(text: str) -> Node:
    """The tree of a query.

    Raises:
        InvalidInput: what is wrong, with line and column.
    """
    return _Parser(text).whole()


def parse_selector(text: str) -> Selector:
    """As `parse`, of a selector alone, as `match[]` takes it."""
    found = parse(text)
    if not isinstance(found, Selector) or found.span or found.offset or found.moment:
        raise InvalidInput(f"'{text[:80]}' is no series selector", hint='like flow{twin="pump-1"}')
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.place = 0
        self.nested = 0
        self.parts = 0

    # ---- tokens ------------------------------------------------------------------------------

    @property
    def now(self) -> Token:
        return self.tokens[self.place]

    def word(self) -> str:
        """The word that stands here, in small letters; "" if none does."""
        return self.now.text.lower() if self.now.kind == "name" else ""

    def take(self) -> Token:
        token = self.now
        self.place += token.kind != "end"
        return token

    def takes(self, sign: str) -> bool:
        if self.now.kind == "sign" and self.now.text == sign:
            self.place += 1
            return True
        return False

    def expect(self, sign: str, where: str) -> None:
        if not self.takes(sign):
            raise self.unexpected(where, f'"{sign}"')

    def unexpected(self, where: str, expected: str = "") -> InvalidInput:
        token = self.now
        what = "end of input" if token.kind == "end" else f'{token.kind} "{token.text[:40]}"'
        more = f", expected {expected}" if expected else ""
        return mistake(self.text, token.at, f"unexpected {what} in {where}{more}")

    def count(self) -> None:
        """Bounds how deep a tree may become."""
        self.parts += 1
        if self.parts > MOST_PARTS or self.nested > MOST_NESTED:
            raise InvalidInput(
                "the query is too large",
                hint=f"at most {MOST_PARTS} operators and calls, {MOST_NESTED} within each other",
            )

    # ---- expressions -------------------------------------------------------------------------

    def whole(self) -> Node:
        if self.now.kind == "end":
            raise mistake(self.text, 0, "no expression found in input")
        found = self.expression(0)
        if self.now.kind != "end":
            raise self.unexpected("query")
        return found

    def operator(self) -> str:
        """The operator that stands here; "" if none does."""
        text = self.word() or (self.now.text if self.now.kind == "sign" else "")
        return text if text in BINDS else ""

    def expression(self, floor: int) -> Node:
        self.nested += 1
        self.count()
        left = self.unary()
        while (sign := self.operator()) and BINDS[sign] > floor:
            at = self.take().at
            self.count()
            is_bool, matching = self.modifiers(sign, at)
            right = self.expression(BINDS[sign] - (sign == "^"))
            left = self.checked_binary(Binary(at, sign, left, right, is_bool, matching))
        self.nested -= 1
        return left

    def unary(self) -> Node:
        if self.now.kind == "sign" and self.now.text in "+-":
            token = self.take()
            inner = self.expression(BINDS["*"])
            if kind_of(inner) not in (SCALAR, VECTOR):
                what = "unary expression only allowed on expressions of type scalar or instant "
                raise mistake(self.text, token.at, f'{what}vector, got "{kind_of(inner)}"')
            if isinstance(inner, Number):
                return Number(token.at, -inner.value if token.text == "-" else inner.value)
            return Negative(token.at, inner) if token.text == "-" else inner
        return self.postfix()

    def modifiers(self, sign: str, at: int) -> tuple[bool, Matching]:
        """`bool`, `on`, `ignoring`, `group_left` and `group_right` behind an operator."""
        is_bool = self.word() == "bool"
        if is_bool:
            self.take()
            if sign not in COMPARISONS:
                what = "bool modifier can only be used on comparison operators"
                raise mistake(self.text, at, what)
        if self.word() not in ("on", "ignoring"):
            return is_bool, Matching()
        is_on = self.take().text.lower() == "on"
        labels = self.labels("grouping opts")
        if self.word() not in ("group_left", "group_right"):
            return is_bool, Matching(labels, is_on)
        if sign in SETS:
            what = f'no grouping allowed for "{sign}" operation'
            raise mistake(self.text, self.now.at, what)
        group = self.take().text.lower().removeprefix("group_")
        stands = self.now.kind == "sign" and self.now.text == "("
        include = self.labels("grouping opts") if stands else ()
        both = [name for name in include if name in labels] if is_on else []
        if both:
            what = f'label "{both[0]}" must not occur in ON and GROUP clause at once'
            raise mistake(self.text, at, what)
        return is_bool, Matching(labels, is_on, group, include)

    def checked_binary(self, node: Binary) -> Binary:
        kinds = (kind_of(node.left), kind_of(node.right))
        if not {*kinds} <= {SCALAR, VECTOR}:
            what = "binary expression must contain only scalar and instant vector types"
            raise mistake(self.text, node.at, what)
        if kinds == (SCALAR, SCALAR) and node.operator in COMPARISONS and not node.is_bool:
            what = "comparisons between scalars must use BOOL modifier"
            raise mistake(self.text, node.at, what)
        if SCALAR in kinds and node.operator in SETS:
            what = f'set operator "{node.operator}" not allowed in binary scalar expression'
            raise mistake(self.text, node.at, what)
        if SCALAR in kinds and node.matching != Matching():
            what = "vector matching only allowed between instant vectors"
            raise mistake(self.text, node.at, what)
        return node

    # ---- what stands behind an expression ----------------------------------------------------

    def postfix(self) -> Node:
        found = self.primary()
        while True:
            if self.takes("["):
                found = self.bracket(found)
            elif self.word() == "offset":
                found = self.offset(found)
            elif self.takes("@"):
                found = self.moment(found)
            else:
                return found

    def bracket(self, found: Node) -> Node:
        span = self.duration("range")
        if self.takes(":"):
            is_end = self.now.text == "]" and self.now.kind == "sign"
            step = 0 if is_end else self.duration("subquery")
            self.expect("]", "subquery")
            if kind_of(found) != VECTOR:
                what = f"subquery is only allowed on instant vector, got {kind_of(found)} instead"
                raise mistake(self.text, found.at, what)
            return Subquery(found.at, found, span, step)
        self.expect("]", "range")
        if not isinstance(found, Selector) or found.span:
            what = "ranges only allowed for vector selectors"
            raise mistake(self.text, found.at, what, "for others write a subquery, as [5m:1m]")
        if found.offset or found.moment:
            what = "no offset or @ modifiers allowed before range"
            raise mistake(self.text, found.at, what)
        return replace(found, span=span)

    def duration(self, where: str) -> int:
        token = self.now
        found = duration(token.text) if token.kind == "duration" else None
        if token.kind != "duration":
            raise self.unexpected(where, "duration")
        if not found:
            what = f'not a valid duration greater than 0: "{token.text[:40]}"'
            raise mistake(self.text, token.at, what)
        self.take()
        return found

    def offset(self, found: Node) -> Node:
        self.take()
        sign = -1 if self.takes("-") else 1
        if not isinstance(found, Selector | Subquery):
            raise self.must_precede("offset", found)
        if found.offset:
            raise mistake(self.text, found.at, "offset may not be set multiple times")
        zero = self.now.kind == "duration" and duration(self.now.text) == 0
        if zero:
            self.take()
            return found
        return replace(found, offset=sign * self.duration("offset"))

    def must_precede(self, what: str, found: Node) -> InvalidInput:
        return mistake(
            self.text,
            found.at,
            f"{what} modifier must be preceded by an instant vector selector or range vector "
            "selector or a subquery",
        )

    def moment(self, found: Node) -> Node:
        if not isinstance(found, Selector | Subquery):
            raise self.must_precede("@", found)
        if found.moment is not None:
            raise mistake(self.text, found.at, "@ <timestamp> may not be set multiple times")
        if self.word() in ("start", "end"):
            is_start = self.take().text.lower() == "start"
            self.expect("(", "@ modifier")
            self.expect(")", "@ modifier")
            return replace(found, moment=Moment(None, is_start))
        sign = -1 if self.takes("-") else 1
        self.takes("+")
        if self.now.kind != "number":
            raise self.unexpected("@ modifier", "timestamp")
        token = self.take()
        seconds = number(token.text)
        if seconds > 9e9:
            raise mistake(self.text, token.at, "timestamp out of bounds for @ modifier")
        return replace(found, moment=Moment(sign * round(seconds * 1000) * (SECOND // 1000)))

    # ---- what an expression begins with ------------------------------------------------------

    def primary(self) -> Node:
        token = self.now
        if token.kind == "number":
            self.take()
            return Number(token.at, number(token.text))
        if token.kind == "string":
            self.take()
            return Text(token.at, unquoted(token, self.text))
        if self.takes("("):
            found = self.expression(0)
            self.expect(")", "paren expression")
            return found
        if token.kind == "sign" and token.text == "{":
            return self.selector("", token.at)
        if token.kind == "name":
            return self.named()
        raise self.unexpected("expression")

    def named(self) -> Node:
        token = self.take()
        name, follows = (
            token.text.lower(),
            self.now.text if self.now.kind == "sign" else self.word(),
        )
        if name in AGGREGATIONS and follows in ("(", "by", "without"):
            return self.aggregate(token)
        if follows == "(":
            return self.call(token)
        if name in NUMBERS and follows != "{":
            return Number(token.at, NUMBERS[name])
        return self.selector(token.text, token.at)

    def selector(self, name: str, at: int) -> Selector:
        matchers = [Matcher(NAME, "=", name)] if name else []
        if self.takes("{"):
            while not self.takes("}"):
                matchers.append(self.matcher())
                if name and matchers[-1].label == NAME:
                    what = f'metric name must not be set twice: "{name}" or "{matchers[-1].value}"'
                    raise mistake(self.text, at, what)
                if not self.takes(","):
                    self.expect("}", "label matching")
                    break
        if all(_is_empty(matcher) for matcher in matchers):
            what = "vector selector must contain at least one non-empty matcher"
            raise mistake(self.text, at, what)
        return Selector(at, tuple(matchers))

    def matcher(self) -> Matcher:
        label = self.label("label matching")
        sign = self.now.text if self.now.kind == "sign" else ""
        if sign not in ("=", "!=", "=~", "!~"):
            raise self.unexpected("label matching", "label matching operator")
        self.take()
        token = self.now
        if token.kind != "string":
            raise self.unexpected("label matching", "string")
        self.take()
        value = unquoted(token, self.text)
        if sign in ("=~", "!~"):
            try:
                compiled(value)
            except InvalidInput as error:
                raise mistake(self.text, token.at, error.message, error.hint) from error
        return Matcher(label, sign, value)

    def label(self, where: str) -> str:
        token = self.now
        is_label = token.kind in ("name", "duration") and LABEL.fullmatch(token.text)
        if not is_label:
            raise self.unexpected(where, "label")
        return self.take().text

    def labels(self, where: str) -> tuple[str, ...]:
        self.expect("(", where)
        found: list[str] = []
        while not self.takes(")"):
            found.append(self.label(where))
            if not self.takes(","):
                self.expect(")", where)
                break
        return tuple(found)

    def arguments(self, where: str) -> list[Node]:
        self.expect("(", where)
        found: list[Node] = []
        while not self.takes(")"):
            found.append(self.expression(0))
            if not self.takes(","):
                self.expect(")", where)
                break
        return found

    def grouping(self) -> tuple[tuple[str, ...], bool] | None:
        if self.word() not in ("by", "without"):
            return None
        is_without = self.take().text.lower() == "without"
        return self.labels("grouping opts"), is_without

    def aggregate(self, token: Token) -> Node:
        name = token.text.lower()
        grouping = self.grouping()
        given = self.arguments("aggregation")
        grouping = grouping or self.grouping() or ((), False)
        parameter = AGGREGATIONS[name]
        wanted = 1 if parameter is None else 2
        if len(given) != wanted:
            what = f"wrong number of arguments for aggregate expression provided, expected {wanted}"
            raise mistake(self.text, token.at, f"{what}, got {len(given)}")
        self.must_be(given[-1], VECTOR, "aggregation expression")
        if parameter is not None:
            self.must_be(given[0], parameter, "aggregation parameter")
        return Aggregate(
            token.at, name, given[-1], given[0] if parameter else None, grouping[0], grouping[1]
        )

    def must_be(self, node: Node, kind: str, where: str) -> None:
        if kind_of(node) != kind:
            what = f"expected type {kind} in {where}, got {kind_of(node)}"
            raise mistake(self.text, node.at, what)

    def call(self, token: Token) -> Node:
        name = token.text
        signature = FUNCTIONS.get(name)
        if signature is None:
            if name in NOT_SUPPORTED:
                what = f'function "{name}" is not supported'
                raise mistake(self.text, token.at, what, "docs/reference/promql.md lists what is")
            raise mistake(self.text, token.at, f'unknown function with name "{name}"')
        self.count()
        given = self.arguments("function call")
        kinds = signature.arguments
        least = len(kinds) - abs(signature.optional)
        if len(given) < least or (signature.optional >= 0 and len(given) > len(kinds)):
            what = f'expected {len(kinds)} argument(s) in call to "{name}", got {len(given)}'
            raise mistake(self.text, token.at, what)
        for place, argument in enumerate(given):
            kind = kinds[min(place, len(kinds) - 1)]
            self.must_be(argument, kind, f'call to function "{name}"')
        return Call(token.at, name, tuple(given))


def _is_empty(matcher: Matcher) -> bool:
    """Whether a series without the label fits: such matchers alone would choose everything."""
    return fits(matcher, "")
