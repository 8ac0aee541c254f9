"""`gemel notify`: who is told of alarms, and whether it reaches them."""

from __future__ import annotations

import argparse
from pathlib import Path

from gemel.app.yaml_files import read_yaml
from gemel.cli import output
from gemel.cli.actions import actions_of, add_action
from gemel.cli.client import Client, segment

NOTICE = ("created", "notification", "step", "receiver", "alarm", "state", "attempts", "error")
STATES = ("waiting", "sent", "failed", "skipped")


def add(parser: argparse.ArgumentParser) -> None:
    actions = actions_of(parser)
    shown = add_action(actions, "list", "notices, the newest first", _list)
    shown.add_argument("--state", choices=STATES)
    add_action(actions, "receivers", "who can be told, and how", _receivers)
    put = add_action(actions, "set", "receivers and notifications from a YAML file", _set)
    put.add_argument("file")
    test = add_action(actions, "test", "send a test message to a receiver now", _test)
    test.add_argument("receiver")


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
