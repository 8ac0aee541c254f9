"""`gemel work`: work orders from the command line."""

from __future__ import annotations

import argparse
from typing import Any

from gemel.cli import output
from gemel.cli.actions import actions_of, add_action
from gemel.cli.client import Client, segment

STATES = ("proposed", "open", "planned", "in progress", "done", "cancelled")
ACTS = ("accept", "plan", "start", "pause", "finish", "cancel", "reopen")


def add(parser: argparse.ArgumentParser) -> None:
    actions = actions_of(parser)
    shown = add_action(actions, "list", "work orders, those to be done first", _list)
    shown.add_argument("--twin")
    shown.add_argument("--state", choices=STATES)
    made = add_action(actions, "create", "a work order of an alarm, or for a twin", _create)
    made.add_argument("--alarm")
    made.add_argument("--twin")
    made.add_argument("--title")
    made.add_argument("--assignee")
    one = add_action(actions, "show", "one work order with its steps", _show)
    one.add_argument("id")
    note = add_action(actions, "note", "add a note to a work order", _note)
    note.add_argument("id")
    note.add_argument("--note", required=True)
    for act in ACTS:
        done = add_action(actions, act, f"{act} a work order", _act)
        done.add_argument("id")
        done.add_argument("--note", default="", required=act in ("finish", "cancel", "reopen"))


def _list(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call(
        "GET", "/work-orders", twin=arguments.twin, state=arguments.state
    )
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (
            w["id"],
            f"P{w['priority']}",
            w["state"],
            w["twin"],
            w["title"],
            w["assignee"],
            w["created"],
        )
        for w in found["value"]
    ]
    head = ("ORDER", "PRIORITY", "STATE", "TWIN", "TITLE", "ASSIGNEE", "CREATED")
    output.table(head, rows, "no work orders")
    return 0


def _said(arguments: argparse.Namespace, found: dict[str, Any]) -> int:
    if arguments.json:
        output.as_json(found)
    else:
        output.say(f"{found['id']} is {found['state']}: {found['title']}")
    return 0


def _create(arguments: argparse.Namespace) -> int:
    names = ("alarm", "twin", "title", "assignee")
    body = {name: getattr(arguments, name) for name in names if getattr(arguments, name)}
    return _said(arguments, Client(arguments.data).call("POST", "/work-orders", body))


def _show(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("GET", f"/work-orders/{segment(arguments.id)}")
    if arguments.json:
        output.as_json(found)
        return 0
    output.say(f"{found['id']} is {found['state']}: {found['title']} ({found['twin']})")
    rows = [(s["time"], s["who"], s["what"], s["state"], s["note"]) for s in found["steps"]]
    output.table(("TIME", "WHO", "WHAT", "STATE", "NOTE"), rows, "")
    return 0


def _note(arguments: argparse.Namespace) -> int:
    path = f"/work-orders/{segment(arguments.id)}"
    return _said(arguments, Client(arguments.data).call("PATCH", path, {"note": arguments.note}))


def _act(arguments: argparse.Namespace) -> int:
    path = f"/work-orders/{segment(arguments.id)}/acts"
    body = {"act": arguments.action, "note": arguments.note}
    return _said(arguments, Client(arguments.data).call("POST", path, body))
