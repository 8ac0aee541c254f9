"""Reads the documentation: pages, tables, fenced blocks and the comments before them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])

FENCE = re.compile(
    r"(?:^<!-- (?P<note>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    note: str
    """The comment on the line before it, such as `run` or `run shows: TEXT`."""
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    return [
        Block(page, text.count("\n", 0, m.start()) + 1, m["note"] or "", m["language"], m["text"])
        for m in FENCE.finditer(text)
    ]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", page.read_text("utf-8"))


def section(text: str, heading: str) -> str:
    """What stands below a heading, down to the next one of its level or above."""
    level = heading.split(" ", 1)[0]
    found = re.search(
        rf"^{re.escape(heading)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", text, re.M | re.S
    )
    assert found, f"there is no heading '{heading}'"
    return found[1]


def tables(text: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """(heads, rows) of each table; cells without the blanks around them."""
    for found in re.finditer(r"^\|.*\n\|[-| :]+\|\n(?:\|.*\n?)*", text, re.M):
        lines = [_cells(line) for line in found[0].splitlines()]
        yield lines[0], lines[2:]


def table(text: str, first: str) -> list[list[str]]:
    """The rows of all tables whose first head is this."""
    found = [rows for heads, rows in tables(text) if heads[0] == first]
    assert found, f"there is no table that begins with '{first}'"
    return [row for rows in found for row in rows]


def _cells(line: str) -> list[str]:
    inner = re.split(r"(?<!\\)\|", line.strip())[1:-1]
    return [cell.strip().replace("\\|", "|") for cell in inner]


def code(cell: str) -> str:
    """The text between the first two backticks."""
    found = re.search(r"`([^`]*)`", cell)
    assert found, f"there is no code in '{cell}'"
    return found[1]


def anchors(page: Path) -> set[str]:
    """The fragments that a page's headings can be linked by."""
    found: set[str] = set()
    for title in re.findall(r"^#+ (.+)$", prose(page), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "").strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found
