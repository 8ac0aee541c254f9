"""`gemel connector`: the sources that the server goes to: brokers, OPC UA servers, Modbus."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from gemel.cli import output
from gemel.cli.actions import actions_of, add_action
from gemel.cli.client import Client, segment
from gemel.core.errors import InvalidInput

HEAD = ("NAME", "AT", "STATE", "SINCE", "TAKEN", "WHAT", "PROBLEM")

NODES = ("PATH", "NODE", "TYPE", "VALUE", "UNIT", "WRITE")
LONGEST = 40
"""Characters of a value in the table."""
FIELDS = {
    **{name: name for name in ("broker", "opcua", "username", "tls", "security", "mode", "trust")},
    **{name: name for name in ("publishing", "sampling", "queue", "timestamps")},
    **{name: name for name in ("modbus", "every", "order", "framing", "line", "timeout", "pause")},
    **{name: name for name in ("largest", "gap")},
    "unit_id": "unitId",
    "at_once": "atOnce",
    "topic": "topics",
    "node": "nodes",
    "client_id": "clientId",
    "sparkplug": "sparkplug",
}
"""Arguments of `put`, and what the API calls them."""


def add(parser: argparse.ArgumentParser) -> None:
    actions = actions_of(parser)
    add_action(actions, "list", "all connectors, and how they are", _list)
    put = add_action(actions, "put", "make or change a connector; it connects at once", _put)
    put.add_argument("name")
    at = put.add_mutually_exclusive_group(required=True)
    at.add_argument("--broker", help="an MQTT broker, HOST:PORT")
    at.add_argument("--opcua", help="an OPC UA server, opc.tcp://HOST:PORT")
    at.add_argument("--modbus", help="Modbus devices, HOST:PORT or /dev/LINE")
    put.add_argument("--username")
    put.add_argument("--password-file", default="", help="whose first line is the password")
    put.add_argument("--topic", action="append", help="MQTT: what to subscribe on; repeat")
    put.add_argument("--tls", action="store_true", default=None, help="MQTT: speak TLS")
    put.add_argument("--client-id", help="MQTT: made of the name unless said")
    put.add_argument(
        "--sparkplug", action="store_true", default=None, help="MQTT: be a Sparkplug host there"
    )
    put.add_argument("--node", action="append", help="OPC UA: node id or browse path; repeat")
    put.add_argument("--security", help="OPC UA: none, Basic256Sha256 and others")
    put.add_argument("--mode", help="OPC UA: sign-and-encrypt or sign")
    put.add_argument("--trust", help="OPC UA: SHA-256 of the server's certificate")
    put.add_argument("--publishing", type=float, help="OPC UA: seconds between publications")
    put.add_argument("--sampling", type=float, help="OPC UA: seconds between samples")
    put.add_argument("--queue", type=int, help="OPC UA: values kept between publications")
    put.add_argument("--timestamps", help="OPC UA: source, server or received")
    _add_modbus(put)
    browse = add_action(actions, "browse", "what an OPC UA server or a device has", _browse)
    browse.add_argument("name")
    browse.add_argument("--node", default="/", help="node id or browse path to begin at")
    browse.add_argument("--depth", type=int, default=1, help="levels, 1 to 16")
    model = add_action(actions, "model", "a model and a twin of an object or a device", _model)
    model.add_argument("name")
    model.add_argument("node", help="node id or browse path of the object")
    model.add_argument("--twin", default="", help="the twin's id; as discovered unless said")
    model.add_argument("--dry-run", action="store_true", help="say what would be made")
    delete = add_action(actions, "delete", "end a connector", _delete)
    delete.add_argument("name")


def _add_modbus(put: argparse.ArgumentParser) -> None:
    put.add_argument("--registers", default="", help="Modbus: a CSV file, the map of registers")
    put.add_argument("--unit-id", type=int, help="Modbus: of registers that do not say theirs")
    put.add_argument("--every", type=float, help="Modbus: seconds between two reads")
    put.add_argument("--order", help="Modbus: ABCD, CDAB, BADC or DCBA")
    put.add_argument("--framing", help="Modbus: tcp or rtu")
    put.add_argument("--line", help="Modbus: a serial line's baud, bits, parity, such as 9600 8N1")
    put.add_argument("--timeout", type=float, help="Modbus: seconds that an answer may take")
    put.add_argument("--pause", type=float, help="Modbus: seconds between answer and request")
    put.add_argument("--largest", type=int, help="Modbus: registers of one request")
    put.add_argument("--gap", type=int, help="Modbus: unused registers that one request may span")
    put.add_argument("--at-once", type=int, help="Modbus: requests on their way at a time")


def _list(arguments: argparse.Namespace) -> int:
    return _show(Client(arguments.data).call("GET", "/connections")["value"], arguments.json)


def _put(arguments: argparse.Namespace) -> int:
    said = vars(arguments)
    body: dict[str, Any] = {
        field: said[name] for name, field in FIELDS.items() if said[name] is not None
    }
    if arguments.password_file:
        body["password"] = first_line(arguments.password_file)
    if arguments.registers:
        body["registers"] = _map(arguments.registers)
    client = Client(arguments.data)
    found = client.call("PUT", f"/connections/{segment(arguments.name)}", body)
    if arguments.json:
        output.as_json(found)
        return 0
    return _show([found], as_json=False)


def _browse(arguments: argparse.Namespace) -> int:
    query = urlencode({"node": arguments.node, "depth": arguments.depth})
    path = f"/connections/{segment(arguments.name)}/browse?{query}"
    found = Client(arguments.data).call("GET", path)
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (
            *(one["path"], one["node"], one.get("type") or one["kind"]),
            *(_value(one), one.get("unit", "")),
            "yes" if one.get("isWritable") else "",
        )
        for one in found["value"]
    ]
    output.table(NODES, rows, f"there is nothing below {found['path']}")
    if not found["isWhole"]:
        output.say("... and more: begin further down with --node, or with a smaller --depth")
    return 0


def _value(one: dict[str, Any]) -> str:
    """With what is wrong with it, if it is not of now."""
    value, status = one.get("value"), str(one.get("status", ""))
    text = "" if value is None else str(value)
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
    return text if status.startswith("Good") or not status else f"{text} ({status})".strip()


def _model(arguments: argparse.Namespace) -> int:
    body = {"node": arguments.node, "twin": arguments.twin, "dryRun": arguments.dry_run}
    path = f"/connections/{segment(arguments.name)}/twins"
    found = Client(arguments.data).call("POST", path, body)
    if arguments.json:
        output.as_json(found)
        return 0
    words = "would be made" if arguments.dry_run else "is made"
    output.say(f"twin {found['twin']} of {found['model']} {words}")
    for loss in found["report"]["losses"]:
        output.say(f"{loss['kind']}: {loss['place']}: {loss['reason']}")
    return 0


def first_line(path: str, what: str = "password") -> str:
    """A secret from a file: on the command line everybody on the machine could read it."""
    try:
        return Path(path).read_text("utf-8").split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"the {what} cannot be read from {path}: {error}", hint="a file with one line"
        ) from error


def _map(path: str) -> list[str]:
    """The lines of a map of registers; tabs between columns as semicolons, as the API takes it."""
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"the registers cannot be read from {path}: {error}", hint="a CSV file in UTF-8"
        ) from error
    return text.replace("\t", ";").splitlines()


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
            *(one["name"], _place(one), one["state"], one["since"]),
            *(one["accepted"], _what(one), one["problem"]),
        )
        for one in found
    ]
    output.table(HEAD, rows, "there are no connectors: devices connect to Gemel itself")
    for one in found:
        more = [f"... and {one['moreProblems']} more"] if one.get("moreProblems") else []
        for problem in (*one.get("problems", ()), *more):
            output.say(f"{one['name']}: {problem}")
    return 0


def _place(one: dict[str, Any]) -> str:
    return str(one.get("broker") or one.get("opcua") or one["modbus"])


def _what(one: dict[str, Any]) -> str:
    if "registers" in one:
        requests = one.get("requests", 0)
        return f"{one.get('variables', 0)} registers in {requests} requests"
    return ", ".join(one.get("topics") or one["nodes"])
