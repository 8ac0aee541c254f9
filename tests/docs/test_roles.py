"""docs/reference/roles.md is the table of `core.access`; what nothing asks for is said to be so."""

from __future__ import annotations

import re

from pages import ROOT, code, read, section, tables

from gemel.core.access import ROLES

PAGE = read("docs/reference/roles.md")
HEADS, ROWS = next(tables(section(PAGE, "# Roles and permissions")))


def test_table_of_roles_is_that_of_the_code() -> None:
    roles = HEADS[1:-1]
    assert set(roles) == set(ROLES)
    for number, role in enumerate(roles, 1):
        allowed = {code(row[0]) for row in ROWS if row[number] == "yes"}
        assert allowed == ROLES[role], role
        assert all(row[number] in ("yes", "") for row in ROWS)


def test_every_permission_is_documented_once() -> None:
    names = [code(row[0]) for row in ROWS]
    assert len(names) == len(set(names))
    assert set(names) == frozenset().union(*ROLES.values())


def test_permissions_that_nothing_asks_for_are_said_to_be_so() -> None:
    source = "".join(
        file.read_text("utf-8") for file in (ROOT / "src").rglob("*.py") if file.name != "access.py"
    )
    asked = set(re.findall(r'"([a-z]+:[a-z]+)"', source)) | {"ingest:write"}
    unused = {code(row[0]) for row in ROWS if row[-1].startswith("nothing yet")}
    assert unused == {code(row[0]) for row in ROWS} - asked
