"""`gemel notify`: who is told of alarms, and whether it reaches them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gemel.app.yaml_files import read_yaml
from gemel.cli import output
from gemel.cli.client import Client, segment

NOTICE = ("created", "notification", "step", "receiver", "alarm", "state", "attempts", "error")
STATES = ("waiting", "sent", "failed", "skipped")


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    shown = _parser(actions, "list", "notices, the newest first", _list)
    shown.add_argument("--state", choices=STATES)
    _parser(actions, "receivers", "who can be told, and how", _receivers)
    put = _parser(actions, "set", "receivers and notifications from a YAML file", _set)
    put.add_argument("file")
    test = _parser(actions, "test", "send a test message to a receiver now", _test)
    test.add_argument("receiver")


def _parser(actions: Any, name: str, about: str, run: Callable[..., int]) -> Any:
    parser = actions.add_parser(name, help=about, description=about)
    parser.add_argument("--data", default="./gemel-data", help="the server's data folder")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)
    return parser


def _list(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("GET", "/notices", state=arguments.state)
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [tuple(n[name] for name in NOTICE) for n in found["value"]]
    head = ("TIME", "NOTIFICATION", "STEP", "RECEIVER", "ALARM", "STATE", "ATTEMPTS", "ERROR")
    output.table(head, rows, "no notices")
    return 0


def _receivers(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("GET", "/receivers")
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (r["id"], r["kind"], r.get("url") or r.get("topic") or ", ".join(r.get("to", [])))
        for r in found["value"]
    ]
    output.table(("RECEIVER", "KIND", "ADDRESS"), rows, "no receivers")
    return 0


def _set(arguments: argparse.Namespace) -> int:
    body = {"alarms": read_yaml(Path(arguments.file))}
    found = Client(arguments.data).call("POST", "/plant", body)
    if arguments.json:
        output.as_json(found)
    else:
        said = ", ".join(f"{count} {what}" for what, count in found.items())
        output.say(said or "nothing has changed")
    return 0


def _test(arguments: argparse.Namespace) -> int:
    path = f"/receivers/{segment(arguments.receiver)}/test"
    found = Client(arguments.data).call("POST", path, {})
    if arguments.json:
        output.as_json(found)
    else:
        output.say(f"sent to {found['receiver']} at {found['sent']}")
    return 0
