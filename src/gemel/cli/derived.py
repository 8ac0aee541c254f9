"""`gemel derived`: list, check, put and remove derived properties."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gemel.app.yaml_files import read_yaml
from gemel.cli import output
from gemel.cli.client import Client, segment
from gemel.core.errors import InvalidInput


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _parser(actions, "list", "all derived properties", _list)
    put = _parser(actions, "put", "make or change the derived properties of a YAML file", _put)
    put.add_argument("file", type=Path)
    check = _parser(actions, "check", "check the formulas of a YAML file, change nothing", _check)
    check.add_argument("file", type=Path)
    ended = _parser(actions, "remove", "end a derived property; its values stay", _remove)
    ended.add_argument("id")


def _parser(actions: Any, name: str, about: str, run: Callable[..., int]) -> Any:
    parser = actions.add_parser(name, help=about, description=about)
    parser.add_argument("--data", default="./gemel-data", help="the server's data folder")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)
    return parser


def _list(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("GET", "/derived")
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (d["id"], d["property"], d["model"], d["formula"], d["unit"], d["problem"] or d["twins"])
        for d in found["value"]
    ]
    head = ("DERIVED", "PROPERTY", "MODEL", "FORMULA", "UNIT", "TWINS")
    output.table(head, rows, "no derived properties")
    return 0


def _entries(file: Path) -> list[dict[str, Any]]:
    found = read_yaml(file)
    entries = found.get("derived", found) if isinstance(found, dict) else found
    if isinstance(entries, dict) and "formula" in entries:
        entries = [entries]
    if not isinstance(entries, list) or not all(isinstance(e, dict) and "id" in e for e in entries):
        raise InvalidInput(f"{file}: must be a list of derived properties, each with an id")
    return entries


def _put(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    found = [
        client.call("PUT", f"/derived/{segment(str(entry['id']))}", entry)
        for entry in _entries(arguments.file)
    ]
    if arguments.json:
        output.as_json({"value": found})
        return 0
    for one in found:
        output.say(f"{one['id']} is computed on {one['twins']} twins")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    found = [client.call("POST", "/derived/check", entry) for entry in _entries(arguments.file)]
    if arguments.json:
        output.as_json({"value": found})
        return 0
    rows = [(d["id"], d["property"], d["formula"], d["unit"], d["twins"]) for d in found]
    head = ("DERIVED", "PROPERTY", "FORMULA", "UNIT", "TWINS")
    output.table(head, rows, "no derived properties")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    Client(arguments.data).call("DELETE", f"/derived/{segment(arguments.id)}")
    if arguments.json:
        output.as_json({"removed": arguments.id})
    else:
        output.say(f"{arguments.id} is removed")
    return 0
