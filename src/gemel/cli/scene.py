"""`gemel scene validate`, `gemel scene export`: the plant in space as an open file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from gemel.app import scenes
from gemel.app.plant_files import read_json
from gemel.cli import output
from gemel.cli.client import Client
from gemel.core.errors import InvalidInput


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("validate", help="what is wrong with a scene, by place and rule")
    export = actions.add_parser("export", help="write the scene as JSON or as glTF")
    for one in (check, export):
        one.add_argument("file", nargs="?", type=Path, help="scene.json; else the server's scene")
        one.add_argument("--data", default="./gemel-data", help="the server's data folder")
    check.add_argument("--json", action="store_true", help="for programs")
    export.add_argument("--gltf", type=Path, metavar="FILE", help="write binary glTF 2.0 there")
    export.add_argument("--json", action="store_true", help="print the document")
    check.set_defaults(run=validate)
    export.set_defaults(run=export_)


def validate(arguments: argparse.Namespace) -> int:
    scene, twins = _scene(arguments), None
    if arguments.file is None:
        rows = Client(arguments.data).call("GET", "/twins?limit=10000")
        twins = {row["id"] for row in rows["value"]} if rows["cursor"] is None else None
    found = scenes.findings(scene, twins)
    if arguments.json:
        rows_ = [{"place": f.place, "message": f.words, "isError": f.is_error} for f in found]
        output.as_json({"value": rows_})
    else:
        for finding in found:
            output.say(str(finding))
        things = len(scene.get("objects", [])) if isinstance(scene, dict) else 0
        errors = sum(finding.is_error for finding in found)
        output.say(f"{things} things, {errors} errors, {len(found) - errors} warnings")
    return 1 if any(finding.is_error for finding in found) else 0


def export_(arguments: argparse.Namespace) -> int:
    scene = _scene(arguments)
    if arguments.gltf is None:
        output.as_json(scene)
        return 0
    wrong = next((f for f in scenes.findings(scene) if f.is_error), None)
    if wrong is not None:
        raise InvalidInput(str(wrong), hint="gemel scene validate lists all that is wrong")
    written = arguments.gltf.write_bytes(scenes.to_glb(scene))
    output.say(f"wrote {written:,} bytes to {arguments.gltf}")
    return 0


def _scene(arguments: argparse.Namespace) -> Any:
    if arguments.file is not None:
        return read_json(arguments.file)
    return Client(arguments.data).call("GET", "/scene")
