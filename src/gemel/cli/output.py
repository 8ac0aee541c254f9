"""How commands print: aligned tables for people, JSON for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

import orjson

FINE = re.compile(r"(T\d\d:\d\d:\d\d\.\d{3})\d+Z")
"""A moment finer than people read: tables show milliseconds, `--json` all there is."""


def as_json(body: Any) -> None:
    """For programs; what a terminal could take for a control sequence is escaped, as JSON may."""
    text = orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()
    if not text.isascii():
        text = "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
    sys.stdout.write(text.replace("\x7f", "\\u007f") + "\n")


def say(line: str) -> None:
    sys.stdout.write(plain(line) + "\n")


def plain(text: str) -> str:
    """With control characters, and what turns the direction of writing, shown instead of sent."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c == "\xa0" else c.encode("unicode_escape").decode() for c in text
    )


def table(head: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Columns as wide as their widest cell; control characters are shown, never sent."""
    if not rows:
        sys.stdout.write(empty + "\n")
        return
    cells = [[_plain(cell) for cell in row] for row in rows]
    widths = [max(len(h), *(len(r[i]) for r in cells)) for i, h in enumerate(head)]
    for line in (list(head), *cells):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write(text.rstrip() + "\n")


def _plain(cell: object) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.0f}" if 1e4 <= abs(cell) < 1e15 else f"{cell:.4g}"
    return FINE.sub(r"\1Z", plain(str(cell)))
