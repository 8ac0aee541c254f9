"""Models: in and out as files; what breaks between two versions, moving twins, and back."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import orjson

from gemel.cli import model_files, output
from gemel.cli.client import Client, segment
from gemel.core.document import Json
from gemel.core.errors import InvalidInput

POLL_SECONDS = 0.2


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    model_files.add(actions)
    compared = _action(actions, "diff", "what breaks when twins move to another model", diff)
    compared.add_argument("old", metavar="OLD")
    compared.add_argument("new", metavar="NEW")
    move = _action(actions, "migrate", "move all twins of a model to another one", migrate)
    move.add_argument("old", metavar="OLD")
    move.add_argument("new", metavar="NEW")
    move.add_argument("--rename", action="append", default=[], metavar="OLD=NEW")
    move.add_argument("--default", action="append", default=[], metavar="NAME=VALUE")
    move.add_argument("--convert", action="append", default=[], metavar="NAME")
    move.add_argument("--drop", action="append", default=[], metavar="NAME")
    move.add_argument("--mapping", type=Path, help="a JSON file with all of these")
    move.add_argument("--dry-run", action="store_true", help="look at every twin, change nothing")
    move.add_argument("--id", default="", help="of the job; made up if left out")
    back = _action(actions, "undo", "give the twins of a migration back what they were", undo)
    back.add_argument("job", metavar="JOB")
    _action(actions, "migrations", "list migrations", migrations)


def _action(actions: Any, name: str, about: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=about, description=about)
    parser.add_argument("--data", default="./gemel-data", help="the server's data folder")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)
    return parser


def diff(arguments: argparse.Namespace) -> int:
    path = f"/models/{segment(arguments.old)}/diff"
    found = Client(arguments.data).call("GET", path, to=arguments.new)
    if arguments.json:
        output.as_json(found)
    else:
        _say_plan(found)
    return 0


def migrate(arguments: argparse.Namespace) -> int:
    """Waits until the job has ended; 3 if twins stayed behind."""
    client = Client(arguments.data)
    body = {"to": arguments.new, "mapping": _mapping(arguments), "dryRun": arguments.dry_run}
    if arguments.id:
        body["id"] = arguments.id
    found = client.call("POST", f"/models/{segment(arguments.old)}/migrations", body)
    if not arguments.dry_run:
        return _ended(client, found["id"], arguments.json)
    if arguments.json:
        output.as_json(found)
    else:
        _say_plan(found)
        _say_counts("would move", found["dryRun"])
    return 3 if found["dryRun"]["failed"] else 0


def undo(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    found = client.call("POST", f"/jobs/migrations/{segment(arguments.job)}/undo")
    return _ended(client, found["id"], arguments.json)


def migrations(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("GET", "/jobs/migrations")
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (m["id"], m["from"], m["to"], m["status"], m["counts"]["moved"], m["counts"]["failed"])
        for m in found["value"]
    ]
    output.table(("JOB", "FROM", "TO", "STATUS", "MOVED", "FAILED"), rows, "no migrations")
    return 0


def _ended(client: Client, job: str, is_json: bool) -> int:
    """Follows a job to its end."""
    while True:
        found = client.call("GET", f"/jobs/migrations/{segment(job)}")
        if found["finishedDateTime"] is not None:
            break
        time.sleep(POLL_SECONDS)
    if is_json:
        output.as_json(found)
    else:
        output.say(f"migration {job}: {found['status']}")
        if found["error"]:
            output.say(found["error"]["message"])
        _say_counts("moved", found["counts"])
    return 0 if found["status"] == "succeeded" else 3


def _mapping(arguments: argparse.Namespace) -> Json:
    mapping: Json = {}
    if arguments.mapping is not None:
        try:
            mapping = orjson.loads(arguments.mapping.read_bytes())
        except (OSError, orjson.JSONDecodeError) as error:
            raise InvalidInput(f"{arguments.mapping} cannot be read: {error}") from error
    for name in ("rename", "default"):
        pairs = [_pair(text) for text in getattr(arguments, name)]
        if pairs:
            mapping[name] = {**mapping.get(name, {}), **dict(pairs)}
    if "default" in mapping:
        mapping["default"] = {key: _value(value) for key, value in mapping["default"].items()}
    for name in ("convert", "drop"):
        if getattr(arguments, name):
            mapping[name] = [*mapping.get(name, []), *getattr(arguments, name)]
    return mapping


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise InvalidInput(f"'{text}' is not name=value", hint="like --rename speed=targetSpeed")
    return name, value


def _value(value: object) -> object:
    """JSON where it is some, else a text."""
    try:
        return orjson.loads(value) if isinstance(value, str) else value
    except orjson.JSONDecodeError:
        return value


def _say_plan(plan: Json) -> None:
    output.say(f"{plan['from']} to {plan['to']}: {plan['twins']} twins, {plan['breaks']} break")
    rows = [
        ("breaks" if c["breaks"] else "", c["message"], _suggested(c["suggestion"]))
        for c in plan["changes"]
    ]
    output.table(("", "WHAT", "PERHAPS"), rows, "the two models have the same contents")
    for one in plan["referrers"]:
        names = f": {', '.join(one['paths'])}" if one["paths"] else ""
        output.say(f"the {one['kind']} '{one['key']}' {one['message']}{names}")


def _suggested(suggestion: Json) -> str:
    parts = [f"--rename {old}={new}" for old, new in suggestion.get("rename", {}).items()]
    parts += [
        f"--{name} {path}" for name in ("convert", "drop") for path in suggestion.get(name, ())
    ]
    return " ".join(parts)


def _say_counts(word: str, counts: Json) -> None:
    output.say(f"{counts['moved']} {word}, {counts['failed']} do not fit")
    for problem in counts["problems"]:
        output.say(f"  {problem['count']}: {problem['message']} ({', '.join(problem['examples'])})")
