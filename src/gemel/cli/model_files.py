"""`gemel model import`, `export` and `convert`: models as DTDL or in the short form."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from gemel.app.model_files import FORMS, models_text, read_models
from gemel.cli import output
from gemel.cli.client import Client, segment
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.twins.dtdl.parser import parse


def add(actions: Any) -> None:
    """The three actions."""
    taken = _action(actions, "import", "add models from files, all or none", import_)
    taken.add_argument("file", type=Path, nargs="+", help="DTDL (JSON) or the short form (YAML)")
    _server(taken)
    taken.add_argument("--json", action="store_true", help="for programs")
    given = _action(actions, "export", "models of the server as text", export)
    given.add_argument("model", nargs="*", help="DTMIs; all if none is given")
    given.add_argument("--format", choices=FORMS, default="yaml", help="the form of the models")
    _server(given)
    turned = _action(actions, "convert", "models of a file in the other form; no server", convert)
    turned.add_argument("file", type=Path, help="DTDL (JSON) or the short form (YAML)")
    turned.add_argument("--format", choices=FORMS, default="dtdl", help="the form wanted")


def _action(actions: Any, name: str, about: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=about, description=about)
    parser.set_defaults(run=run)
    return parser


def _server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", default="./gemel-data", help="the server's data folder")


def import_(arguments: argparse.Namespace) -> int:
    """What is there already and the same is left alone, as with `gemel import`."""
    models = [model for file in arguments.file for model in read_models(file)]
    found = Client(arguments.data).call("POST", "/plant", {"models": models})
    if arguments.json:
        output.as_json(found)
    else:
        count = found.get("models", 0)
        rest = ": the rest are there already" if count < len(models) else ""
        output.say(f"imported {count} of {len(models)} models{rest}")
    return 0


def export(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    if arguments.model:
        found = [
            client.call("GET", f"/models/{segment(key)}", includeModelDefinition="true")
            for key in arguments.model
        ]
    else:
        found = _all(client)
    _write([one["model"] for one in found], arguments.format)
    return 0


def _all(client: Client) -> list[Json]:
    path = "/models?includeModelDefinition=true"
    found: list[Json] = []
    while path:
        page = client.call("GET", path)
        found += page["value"]
        path = (page.get("nextLink") or "").removeprefix(client.url)
    return found


def convert(arguments: argparse.Namespace) -> int:
    models = read_models(arguments.file)
    if not models:
        raise InvalidInput(f"{arguments.file}: there is no model")
    parse(models)
    _write(models, arguments.format)
    return 0


def _write(models: list[Json], form: str) -> None:
    sys.stdout.write(models_text(models, form))
