"""`gemel rule`: list, check, back-test, put and delete rules."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from gemel.app.yaml_files import read_yaml
from gemel.cli import output
from gemel.cli.client import Client, segment
from gemel.core.errors import InvalidInput


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _parser(actions, "list", "all rules", _list)
    put = _parser(actions, "put", "make or change the rules of a YAML file", _put)
    put.add_argument("file", type=Path)
    check = _parser(actions, "check", "check the rules of a YAML file, change nothing", _check)
    check.add_argument("file", type=Path)
    test = _parser(actions, "backtest", "what the rules of a YAML file would have done", _backtest)
    test.add_argument("file", type=Path)
    test.add_argument("--from", dest="start", required=True, help="ISO 8601 or -7d")
    test.add_argument("--to", default="now", help="ISO 8601 or now")
    test.add_argument("--twin", action="append", default=[], help="only this one; may be repeated")
    test.add_argument(
        "--labels", type=Path, help="CSV or JSON of known events: from, to, and maybe twin"
    )
    ended = _parser(actions, "delete", "delete a rule", _delete)
    ended.add_argument("id")


def _parser(actions: Any, name: str, about: str, run: Callable[..., int]) -> Any:
    parser = actions.add_parser(name, help=about, description=about)
    parser.add_argument("--data", default="./gemel-data", help="the server's data folder")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)
    return parser


def _list(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("GET", "/rules")
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (r["id"], f"P{r['priority']}", r["model"], r["when"], r.get("version"))
        for r in found["value"]
    ]
    output.table(("RULE", "PRIORITY", "MODEL", "WHEN", "VERSION"), rows, "no rules")
    return 0


def _rules_of(file: Path) -> list[dict[str, Any]]:
    found = read_yaml(file)
    rules = found.get("rules", found) if isinstance(found, dict) else found
    if isinstance(rules, dict) and "when" in rules:
        rules = [rules]
    if not isinstance(rules, list) or not all(isinstance(r, dict) and "id" in r for r in rules):
        raise InvalidInput(f"{file}: must be a list of rules, each with an id")
    return rules


def _put(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    for rule in _rules_of(arguments.file):
        client.call("PUT", f"/rules/{segment(str(rule['id']))}", rule)
        output.say(f"{rule['id']} is live")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    found = [client.call("POST", "/rules/check", rule) for rule in _rules_of(arguments.file)]
    if arguments.json:
        output.as_json({"value": found})
        return 0
    rows = [(r["id"], r["twins"], f"{r['lateness']:g} s", ", ".join(r["reads"])) for r in found]
    output.table(("RULE", "TWINS", "LATENESS", "READS"), rows, "no rules")
    return 0


def _backtest(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    found = []
    for rule in _rules_of(arguments.file):
        body = {"rule": rule, "from": arguments.start, "to": arguments.to}
        if arguments.twin:
            body["twins"] = arguments.twin
        if arguments.labels:
            body["labels"] = _labels_of(arguments.labels)
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


def _delete(arguments: argparse.Namespace) -> int:
    Client(arguments.data).call("DELETE", f"/rules/{segment(arguments.id)}")
    return 0
