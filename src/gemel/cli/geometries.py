"""`gemel geometry`: users' own shapes (GLB files) for the plant in 3D."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from gemel.app.geometries import open_geometry
from gemel.cli import output
from gemel.cli.client import Client, segment
from gemel.core.errors import InvalidInput


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="can a GLB file be drawn? Needs no server")
    check.add_argument("file", type=Path, help="a .glb file")
    add_ = actions.add_parser("add", help="upload a GLB file; --as NAME draws with it at once")
    add_.add_argument("file", type=Path, help="a .glb file")
    list_ = actions.add_parser("list", help="what was uploaded, and what is drawn with it")
    bind = actions.add_parser("bind", help="draw the twins of models, or one twin, with a file")
    bind.add_argument("glb", metavar="HASH", help="of a file; its first characters will do")
    unbind = actions.add_parser("unbind", help="draw them as their kinds again")
    unbind.add_argument("name", help="of the geometry in the scene")
    delete = actions.add_parser("delete", help="forget a file that nothing is drawn with")
    delete.add_argument("glb", metavar="HASH", help="of the file; its first characters will do")
    add_.add_argument("--as", dest="as_", metavar="NAME", help="its name in the scene")
    bind.add_argument("--as", dest="as_", metavar="NAME", required=True, help="its name")
    for one in (add_, bind):
        one.add_argument("--model", action="append", default=[], help="a model (DTMI); repeat")
        one.add_argument("--twin", action="append", default=[], help="a twin of the scene; repeat")
        one.add_argument("--scale", type=float, help="times as large")
        one.add_argument("--turn", type=float, help="degrees, anticlockwise from above")
    for one, run in ((check, check_), (add_, upload), (list_, listing), (bind, bind_)):
        one.set_defaults(run=run)
    unbind.set_defaults(run=unbind_)
    delete.set_defaults(run=delete_)
    for one in (add_, list_, bind, unbind, delete):
        one.add_argument("--data", default="./gemel-data", help="the server's data folder")
    for one in (check, add_, list_):
        one.add_argument("--json", action="store_true", help="for programs")


def check_(arguments: argparse.Namespace) -> int:
    _tell(arguments, {"name": arguments.file.name, **open_geometry(_read(arguments.file)).facts()})
    return 0


def upload(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    body = _read(arguments.file)
    doc = client.call("POST", "/geometries", body, name=arguments.file.name)
    if arguments.as_:
        _bind(client, doc["sha256"], arguments)
        doc = client.call("GET", f"/geometries/{doc['sha256']}")
    elif arguments.model or arguments.twin:
        raise InvalidInput("--model and --twin need a name", hint="--as my-pump")
    _tell(arguments, doc)
    return 0


def listing(arguments: argparse.Namespace) -> int:
    rows = Client(arguments.data).call("GET", "/geometries")["value"]
    if arguments.json:
        output.as_json({"value": rows})
        return 0
    for doc in rows:
        used = ", ".join(doc["usedAs"]) or "not used"
        output.say(f"{doc['sha256'][:12]}  {doc['triangles']:>7,} triangles  {doc['name']}  {used}")
    output.say(f"{len(rows)} geometries")
    return 0


def bind_(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    _bind(client, _whole_hash(client, arguments.glb), arguments)
    output.say(f"drawn as {arguments.as_}")
    return 0


def unbind_(arguments: argparse.Namespace) -> int:
    Client(arguments.data).call("DELETE", f"/scene/geometries/{segment(arguments.name)}")
    output.say(f"{arguments.name} is no geometry of the scene any more")
    return 0


def delete_(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    digest = _whole_hash(client, arguments.glb)
    client.call("DELETE", f"/geometries/{digest}")
    output.say(f"deleted {digest[:12]}")
    return 0


def _bind(client: Client, digest: str, arguments: argparse.Namespace) -> None:
    body: dict[str, Any] = {"glb": digest}
    given = {"models": arguments.model, "scale": arguments.scale, "turn": arguments.turn}
    body |= {name: value for name, value in given.items() if value not in (None, [])}
    client.call("PUT", f"/scene/geometries/{segment(arguments.as_)}", body)
    placed = {one.get("twin"): one for one in client.call("GET", "/scene")["objects"]}
    for twin in arguments.twin:
        kind = placed.get(twin, {}).get("kind", "box")
        thing = {"kind": kind, "geometry": arguments.as_}
        client.call("PUT", f"/scene/objects/{segment(twin)}", thing)


def _whole_hash(client: Client, start: str) -> str:
    rows = client.call("GET", "/geometries")["value"]
    found = [row["sha256"] for row in rows if row["sha256"].startswith(start)]
    if len(found) != 1:
        words = f"{len(found)} geometries begin with '{start}'"
        raise InvalidInput(words, hint="gemel geometry list")
    return str(found[0])


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{file}: {error.strerror}") from error


def _tell(arguments: argparse.Namespace, doc: dict[str, Any]) -> None:
    if arguments.json:
        output.as_json(doc)
        return
    size = " x ".join(f"{one:g}" for one in doc["size"])
    output.say(f"{doc['name']}: {doc['triangles']:,} triangles, {size} m")
    if "sha256" in doc:
        used = ", ".join(doc["usedAs"]) or "nothing yet: gemel geometry bind HASH --as NAME"
        output.say(f"kept as {doc['sha256'][:12]}, drawn as {used}")
    for note in doc["notes"]:
        output.say(f"note: {note}")
