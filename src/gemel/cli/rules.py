"""`gemel rule`: list, check, back-test, put and delete rules."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import orjson

from gemel.cli import output
from gemel.cli.actions import actions_of, add_action
from gemel.cli.client import Client
from gemel.cli.documents import Documents, Table
from gemel.core.errors import InvalidInput

RULES = Documents(
    "rules",
    "rule",
    "rules",
    listed=Table(
        ("PRIORITY", "MODEL", "WHEN", "VERSION"),
        lambda r: (r["id"], f"P{r['priority']}", r["model"], r["when"], r.get("version")),
    ),
    checked=Table(
        ("TWINS", "LATENESS", "READS"),
        lambda r: (r["id"], r["twins"], f"{r['lateness']:g} s", ", ".join(r["reads"])),
    ),
    said=lambda r: f"{r['id']} is live",
    deleting="delete a rule; its alarms are closed",
)


def add(parser: argparse.ArgumentParser) -> None:
    actions = actions_of(parser)
    RULES.add(actions)
    test = add_action(
        actions, "backtest", "what the rules of a YAML file would have done", _backtest
    )
    test.add_argument("file", type=Path)
    test.add_argument("--from", dest="start", required=True, help="ISO 8601 or -7d")
    test.add_argument("--to", default="now", help="ISO 8601 or now")
    test.add_argument("--twin", action="append", default=[], help="only this one; may be repeated")
    test.add_argument(
        "--labels", type=Path, help="CSV or JSON of known events: from, to, and maybe twin"
    )


def _backtest(arguments: argparse.Namespace) -> int:
    rules = RULES.of_file(arguments.file)
    asked: dict[str, Any] = {"from": arguments.start, "to": arguments.to}
    if arguments.twin:
        asked["twins"] = arguments.twin
    if arguments.labels:
        asked["labels"] = _labels_of(arguments.labels)
    client = Client(arguments.data)
    found = []
    for rule in rules:
        body = {"rule": rule, **asked}
        found.append(client.call("POST", "/rules/backtest", body))
    if arguments.json:
        output.as_json({"value": found})
        return 0
    rows = [row for one in found for row in _rows(one)]
    head = ("RULE", "WHICH", "ALARMS", "PER DAY", "ACTIVE", "MEDIAN", "RECALL", "PRECISION")
    output.table(head, rows, "no rules")
    return 0


def _rows(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    rows = [_row(found["rule"], "tested", found)]
    if "live" in found:
        rows.append(_row(found["rule"], f"live, version {found['live']['version']}", found["live"]))
    return rows


def _row(rule: str, which: str, one: dict[str, Any]) -> tuple[Any, ...]:
    labels = one.get("labels", {})
    return (
        rule,
        which,
        one["alarms"],
        one["alarmsPerDay"],
        f"{one['activeSeconds']:g} s",
        None if one["medianSeconds"] is None else f"{one['medianSeconds']:g} s",
        labels.get("recall"),
        labels.get("precision"),
    )


def _labels_of(file: Path) -> list[dict[str, str]]:
    """Labelled events: a JSON list, or a CSV with a head line."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise InvalidInput(f"{file} cannot be read: {error}") from None
    if text.lstrip().startswith("["):
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise InvalidInput(f"{file} is not JSON: {error}") from None
        return list(found)
    rows = list(csv.DictReader(text.splitlines()))
    if not rows or not {"from", "to"} <= set(rows[0]):
        raise InvalidInput(f"{file}: needs the columns 'from' and 'to'", hint="and maybe 'twin'")
    return [{k: row[k] for k in ("from", "to", "twin") if row.get(k)} for row in rows]
