"""`gemel scene`: the plant in space as an open file; what of twins stands where."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from gemel.app import scenes
from gemel.app.plant_files import read_json
from gemel.cli import output
from gemel.cli.actions import AnyOrder, add_action
from gemel.cli.client import Client, segment
from gemel.core.errors import InvalidInput


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_objects(actions.add_parser("object", help="twins in the scene: list, put, delete"))
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


def _add_objects(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(
        dest="act", required=True, metavar="ACTION", parser_class=AnyOrder
    )
    add_action(actions, "list", "which twins stand in the scene, and where", _list)
    made = add_action(actions, "put", "place a twin in the scene, or move it", _put)
    made.add_argument("twin")
    made.add_argument("--kind", help="pump, tank, ...; as it is drawn already, else box")
    made.add_argument("--geometry", help="a name of the scene's own shapes, in place of the kind")
    made.add_argument("--at", type=_numbers, metavar="X,Y,Z", help="metres; else a free place")
    made.add_argument("--turn", type=float, help="degrees, anticlockwise from above")
    made.add_argument("--scale", type=float, help="times as large")
    made.add_argument("--label", help="words in place of the twin's name")
    made.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="of its kind; repeat",
    )
    gone = add_action(actions, "delete", "take a twin out of the scene", _delete)
    gone.add_argument("twin")


def _numbers(text: str) -> list[float]:
    found = [float(one) for one in text.split(",")]
    if len(found) not in (2, 3):
        raise ValueError(text)
    return found


def _list(arguments: argparse.Namespace) -> int:
    objects = Client(arguments.data).call("GET", "/scene")["objects"]
    if arguments.json:
        output.as_json({"value": objects})
        return 0
    rows = [
        (one.get("twin") or "", one.get("geometry") or one["kind"], _place(one["at"]))
        for one in objects
    ]
    output.table(("TWIN", "DRAWN AS", "AT"), rows, "the scene is empty")
    return 0


def _place(at: list[float]) -> str:
    return ", ".join(f"{one:g}" for one in at)


def _put(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    names = ("kind", "geometry", "at", "turn", "scale", "label")
    body = {name: getattr(arguments, name) for name in names}
    body = {name: value for name, value in body.items() if value is not None}
    if arguments.parameter:
        body["parameters"] = dict(_parameter(one) for one in arguments.parameter)
    if "kind" not in body:
        objects = client.call("GET", "/scene")["objects"]
        placed = {one.get("twin"): one["kind"] for one in objects}
        body["kind"] = placed.get(arguments.twin, "box")
    found = client.call("PUT", f"/scene/objects/{segment(arguments.twin)}", body)
    if arguments.json:
        output.as_json(found)
    else:
        output.say(f"{arguments.twin} stands at {_place(found['at'])} as {found['kind']}")
    return 0


def _parameter(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        return name, float(number)
    except ValueError:
        raise InvalidInput(f"--parameter {text}", hint="like --parameter height=4.5") from None


def _delete(arguments: argparse.Namespace) -> int:
    Client(arguments.data).call("DELETE", f"/scene/objects/{segment(arguments.twin)}")
    if arguments.json:
        output.as_json({"deleted": arguments.twin})
    else:
        output.say(f"{arguments.twin} stands in the scene no more")
    return 0


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
