"""The one error of the query language: the place, the line and a caret under it."""

from __future__ import annotations

from gemel.core.errors import InvalidInput

CODE = "SqlQueryError"
WIDTH = 120


def mistake(text: str, at: int, what: str, expected: str = "") -> InvalidInput:
    """What is wrong with a query, where, and what could stand there.

    Args:
        at: index into `text`.
        expected: becomes the hint.
    """
    at = min(max(at, 0), len(text))
    line = text.count("\n", 0, at) + 1
    begin = text.rfind("\n", 0, at) + 1
    column = at - begin + 1
    whole = text[begin:].split("\n", 1)[0]
    cut = max(0, column - 1 - WIDTH // 2) if len(whole) > WIDTH else 0
    shown = whole[cut : cut + WIDTH]
    pad = "".join("\t" if c == "\t" else " " for c in shown[: column - 1 - cut])
    return InvalidInput(
        f"SQL query parse failed: line {line}, column {column}: {what}\n  {shown}\n  {pad}^",
        hint=expected,
        code=CODE,
        details=[{"code": CODE, "message": what, "line": line, "column": column}],
    )
