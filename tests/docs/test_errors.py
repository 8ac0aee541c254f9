"""docs/reference/errors.md holds every error class and code with its status, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import ROOT, code, read, section, table

from gemel.api.errors import status_of
from gemel.core import errors
from gemel.core.batch import REASONS
from gemel.core.errors import GemelError

PAGE = read("docs/reference/errors.md")
CLASSES = {code(row[0]): row for row in table(section(PAGE, "## Classes"), "class")}
CODES = {
    name: {int(status) for status in row[1].split(", ")}
    for row in table(section(PAGE, "## Codes of their own"), "code")
    for name in re.findall(r"`(\w+)`", row[0])
}
METHOD_NOT_ALLOWED = 405


def error_classes() -> dict[str, type[GemelError]]:
    found = [v for v in vars(errors).values() if isinstance(v, type)]
    return {v.__name__: v for v in found if issubclass(v, GemelError)}


def raised_codes() -> Iterator[tuple[str, type[GemelError], str]]:
    """(code, class, place) of each error in the source that has a code of its own."""
    classes = error_classes()
    for file in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            name = node.func.id if isinstance(node.func, ast.Name) else name
            if name not in classes:
                continue
            for keyword in node.keywords:
                if keyword.arg == "code":
                    for value in _constants(file, keyword.value):
                        yield value, classes[name], f"{file.name}:{node.lineno}"


def _constants(file: Path, node: ast.expr) -> list[str]:
    """The texts an expression can be: a constant, or one of its alternatives; not a variable."""
    found = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
    return [value for value in found if isinstance(value, str) and value]


def test_every_class_is_documented_with_code_and_status_and_no_other() -> None:
    documented = {name: (code(row[1]), int(row[2])) for name, row in CLASSES.items()}
    assert documented == {
        name: (kind.default_code, status_of(kind("x"))) for name, kind in error_classes().items()
    }


def test_every_code_that_is_raised_is_documented() -> None:
    defaults = {kind.default_code for kind in error_classes().values()}
    assert {name for name, _, _ in raised_codes()} - defaults - set(CODES) == set()


def test_codes_that_are_documented_are_in_the_source() -> None:
    source = "".join(file.read_text("utf-8") for file in (ROOT / "src").rglob("*.py"))
    assert [name for name in CODES if f'"{name}"' not in source] == []


@pytest.mark.parametrize(("name", "kind", "place"), list(raised_codes()))
def test_code_is_documented_with_the_status_it_is_answered_with(
    name: str, kind: type[GemelError], place: str
) -> None:
    if name == "MethodNotAllowed":
        assert CODES[name] == {METHOD_NOT_ALLOWED}
    elif name in CODES:
        assert status_of(kind("x")) in CODES[name], place


def test_only_the_class_that_may_be_repeated_says_so() -> None:
    retried = {name for name, row in CLASSES.items() if "Retry-After" in row[4]}
    assert retried == {n for n, kind in error_classes().items() if kind.retry}


def test_every_reason_of_a_reject_is_documented() -> None:
    rows = table(section(read("docs/reference/payloads.md"), "## Checks"), "reason")
    assert {code(row[0]) for row in rows} == set(REASONS)
