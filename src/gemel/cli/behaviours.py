"""`gemel behaviour`: behaviour models, built in and imported (FMU, ONNX)."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from gemel.cli import output
from gemel.cli.actions import actions_of, add_action
from gemel.cli.client import Client, segment
from gemel.core.errors import InvalidInput, NotFound

SLOW_SECONDS = 900.0


def add(parser: argparse.ArgumentParser) -> None:
    """The actions of `gemel behaviour`."""
    actions = actions_of(parser)
    add_action(actions, "list", "all behaviour models", _list)
    add_action(actions, "show", "one: parameters, inputs, states, outputs", _show).add_argument(
        "name"
    )
    taken = add_action(actions, "import", "an FMU (FMI 2 or 3) or an ONNX file", _import)
    taken.add_argument("file", type=Path)
    taken.add_argument("--name", help="what it is called here")
    taken.add_argument(
        "--mode", choices=("co-simulation", "model-exchange"), help="for an FMU that is both"
    )
    taken.add_argument("--patience", type=float, help="seconds that one call into it may take")
    taken.add_argument("--memory", type=int, help="MB that it may use")
    add_action(actions, "delete", "forget an imported one", _delete).add_argument("name")


def _list(arguments: argparse.Namespace) -> int:
    found = _all(Client(arguments.data))
    if arguments.json:
        output.as_json({"value": found})
        return 0
    rows = [
        (one["name"], _format(one), _names(one["inputs"]), _names(one["outputs"]), one["title"])
        for one in found
    ]
    output.table(("NAME", "FORMAT", "INPUTS", "OUTPUTS", "TITLE"), rows, "none")
    return 0


def _all(client: Client) -> list[dict[str, Any]]:
    """Those that are built in, then those that were imported."""
    kinds = client.call("GET", "/behaviours/kinds")["value"]
    built_in = [{"name": one["behaviour"], "format": "built-in", **one} for one in kinds]
    return [*built_in, *client.call("GET", "/imported-models")["value"]]


def _format(one: dict[str, Any]) -> str:
    if one["format"] == "fmu":
        return f"FMI {one['version']} {one['mode']}"
    return str(one["format"])


def _names(quantities: list[dict[str, Any]], most: int = 4) -> str:
    names = [q["name"] for q in quantities]
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "") or "-"


def _show(arguments: argparse.Namespace) -> int:
    known = {one["name"]: one for one in _all(Client(arguments.data))}
    if arguments.name not in known:
        raise NotFound(
            f"there is no behaviour '{arguments.name}'", hint="one of: " + ", ".join(known)
        )
    found = known[arguments.name]
    if arguments.json:
        output.as_json(found)
        return 0
    _describe(found)
    return 0


def _describe(found: dict[str, Any]) -> None:
    output.say(f"{found['name']}: {found['title']} ({_format(found)})")
    rows = [
        (what[:-1], q["name"], f"{q['value']:g}", q["unit"], _range(q), q["about"])
        for what in ("parameters", "inputs", "states", "starts", "outputs")
        for q in found.get(what, ())
    ]
    output.table(("WHAT", "NAME", "VALUE", "UNIT", "RANGE", "ABOUT"), rows, "nothing")
    if "protections" in found:
        output.say("confined: " + ", ".join(found["protections"]))


def _range(quantity: dict[str, Any]) -> str:
    low, high = ("" if quantity[x] is None else f"{quantity[x]:g}" for x in ("low", "high"))
    return f"{low}..{high}" if low or high else ""


def _import(arguments: argparse.Namespace) -> int:
    file: Path = arguments.file
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{file}: {error.strerror}", hint="name an .fmu or .onnx file") from None
    name = arguments.name or file.stem
    client = Client(arguments.data)
    client.timeout = SLOW_SECONDS
    found = client.call(
        "PUT", f"/imported-models/{segment(name)}", data,
        mode=arguments.mode, patience=arguments.patience, memoryMb=arguments.memory,
    )  # fmt: skip
    if arguments.json:
        output.as_json(found)
    else:
        _describe(found)
    return 0


def _delete(arguments: argparse.Namespace) -> int:
    Client(arguments.data).call("DELETE", f"/imported-models/{segment(arguments.name)}")
    output.say(f"{arguments.name} is deleted")
    return 0
