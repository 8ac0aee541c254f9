"""`gemel retention`: how long readings, their minutes and their hours are kept."""

from __future__ import annotations

import argparse
from typing import Any

from gemel.cli import output
from gemel.cli.client import Client, segment
from gemel.core.errors import InvalidInput

KINDS = ("readings", "minutes", "hours")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", nargs="?", default="", help="the DTMI; all models without")
    for kind in KINDS:
        parser.add_argument(f"--{kind}", type=float, help=f"days that {kind} are kept, 0 for ever")
    parser.add_argument("--data", default="./gemel-data", help="the server's data folder")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    asked = {k: getattr(arguments, k) for k in KINDS if getattr(arguments, k) is not None}
    if not arguments.model:
        if asked:
            raise InvalidInput(
                "no model is named", hint="gemel retention 'dtmi:plant:Pump;1' --readings 30"
            )
        return _show(_all(client), arguments.json)
    path = f"/settings/{segment(arguments.model)}"
    settings = client.call("GET", path)
    if asked:
        settings["retention"] = {**settings.get("retention", {}), **asked}
        client.call("PUT", path, settings)
    return _show({arguments.model: settings.get("retention", {})}, arguments.json)


def _all(client: Client) -> dict[str, Any]:
    settings = client.call("GET", "/plant").get("settings", {})
    return {model: doc["retention"] for model, doc in settings.items() if "retention" in doc}


def _show(found: dict[str, Any], as_json: bool) -> int:
    if as_json:
        output.as_json(found)
        return 0
    rows = [(model, *(days.get(kind, "") for kind in KINDS)) for model, days in found.items()]
    none = "no model says how long: retention_days holds for all"
    output.table(("MODEL", "READINGS", "MINUTES", "HOURS"), rows, none)
    return 0
