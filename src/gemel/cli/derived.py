"""`gemel derived`: list, check, put and delete derived properties."""

from __future__ import annotations

import argparse

from gemel.cli.actions import actions_of
from gemel.cli.documents import Documents, Table

DERIVED = Documents(
    "derived",
    "derived",
    "derived properties",
    listed=Table(
        ("PROPERTY", "MODEL", "FORMULA", "UNIT", "TWINS"),
        lambda d: (
            *(d["id"], d["property"], d["model"], d["formula"], d["unit"]),
            d["problem"] or d["twins"],
        ),
    ),
    checked=Table(
        ("PROPERTY", "FORMULA", "UNIT", "TWINS"),
        lambda d: (d["id"], d["property"], d["formula"], d["unit"], d["twins"]),
    ),
    said=lambda d: f"{d['id']} is computed on {d['twins']} twins",
    deleting="end a derived property; its values stay",
)


def add(parser: argparse.ArgumentParser) -> None:
    DERIVED.add(actions_of(parser))
