"""`gemel sparkplug`: the edge nodes that speak Sparkplug."""

from __future__ import annotations

import argparse
from typing import Any

from gemel.cli import output
from gemel.cli.actions import actions_of, add_action
from gemel.cli.client import Client

HEAD = ("NODE", "STATE", "VIA", "DEVICES", "METRICS", "BIRTHS", "GAPS", "ASKED", "LAST HEARD OF")


def add(parser: argparse.ArgumentParser) -> None:
    actions = actions_of(parser)
    add_action(actions, "list", "all edge nodes, and how they are", _list)
    rebirth = add_action(actions, "rebirth", "ask a node to tell of itself again", _rebirth)
    rebirth.add_argument("group")
    rebirth.add_argument("node")


def _list(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("GET", "/sparkplug")
    if arguments.json:
        output.as_json(found)
        return 0
    empty = "no edge node was heard of: see docs/how-to/sparkplug.md"
    output.table(HEAD, [_row(node) for node in found["value"]], empty)
    return 0


def _row(node: dict[str, Any]) -> tuple[Any, ...]:
    devices = node["devices"]
    sure = "" if node["isSure"] or node["state"] != "alive" else ", unsure"
    return (
        f"{node['group']}/{node['node']}",
        node["state"] + sure,
        node["via"],
        sum(1 for device in devices if device["name"]),
        sum(device["metrics"] for device in devices),
        node["births"],
        node["gaps"],
        node["requests"],
        node["lastSeen"] or "",
    )


def _rebirth(arguments: argparse.Namespace) -> int:
    body = {"group": arguments.group, "node": arguments.node}
    found = Client(arguments.data).call("POST", "/sparkplug/rebirth", body)
    if arguments.json:
        output.as_json(found)
        return 0
    output.say(f"{arguments.group}/{arguments.node} is asked to tell of itself again")
    return 0
