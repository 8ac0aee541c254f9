"""`gemel connector`: the MQTT brokers that the server subscribes on."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from gemel.cli import output
from gemel.cli.actions import actions_of, add_action
from gemel.cli.client import Client, segment
from gemel.core.errors import InvalidInput

HEAD = ("NAME", "BROKER", "STATE", "SINCE", "TAKEN", "TOPICS", "PROBLEM")


def add(parser: argparse.ArgumentParser) -> None:
    actions = actions_of(parser)
    add_action(actions, "list", "all connectors, and how they are", _list)
    put = add_action(actions, "put", "make or change a connector; it connects at once", _put)
    put.add_argument("name")
    put.add_argument("--broker", required=True, help="HOST:PORT")
    put.add_argument("--topic", action="append", default=[], help="what to subscribe on; repeat")
    put.add_argument("--username", default="")
    put.add_argument("--password-file", default="", help="whose first line is the password")
    put.add_argument("--tls", action="store_true", help="speak TLS to the broker")
    put.add_argument("--client-id", default="", help="made of the name unless said")
    delete = add_action(actions, "delete", "end a connector", _delete)
    delete.add_argument("name")


def _list(arguments: argparse.Namespace) -> int:
    return _show(Client(arguments.data).call("GET", "/connections")["value"], arguments.json)


def _put(arguments: argparse.Namespace) -> int:
    body: dict[str, Any] = {"broker": arguments.broker, "tls": arguments.tls}
    for field, value in (
        ("topics", arguments.topic),
        ("username", arguments.username),
        ("clientId", arguments.client_id),
    ):
        if value:
            body[field] = value
    if arguments.password_file:
        body["password"] = _first_line(arguments.password_file)
    client = Client(arguments.data)
    found = client.call("PUT", f"/connections/{segment(arguments.name)}", body)
    if arguments.json:
        output.as_json(found)
        return 0
    return _show([found], as_json=False)


def _first_line(path: str) -> str:
    """A password from a file: on the command line everybody on the machine could read it."""
    try:
        return Path(path).read_text("utf-8").split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"the password cannot be read from {path}: {error}", hint="a file with one line"
        ) from error


def _delete(arguments: argparse.Namespace) -> int:
    Client(arguments.data).call("DELETE", f"/connections/{segment(arguments.name)}")
    if not arguments.json:
        output.say(f"{arguments.name} is ended")
    return 0


def _show(found: list[dict[str, Any]], as_json: bool) -> int:
    if as_json:
        output.as_json({"value": found})
        return 0
    rows = [
        (
            *(one["name"], one["broker"], one["state"], one["since"], one["accepted"]),
            *(", ".join(one["topics"]), one["problem"]),
        )
        for one in found
    ]
    output.table(HEAD, rows, "there are no connectors: devices connect to Gemel itself")
    return 0
