"""The audit log: verify its chain, list and export it, sign a checkpoint to keep elsewhere."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import orjson

from gemel.app import audit
from gemel.cli import output
from gemel.cli.actions import actions_of, add_action
from gemel.cli.client import Client
from gemel.core.errors import NotFound

FILE = "gemel.sqlite"


def add(parser: argparse.ArgumentParser) -> None:
    actions = actions_of(parser)
    verify = add_action(
        actions, "verify", "is every edit what was written, and none missing?", _verify
    )
    verify.add_argument("--export", help="a file that 'audit export' wrote, instead of a folder")
    verify.add_argument("--checkpoint", help="a file with checkpoints that were kept elsewhere")
    verify.add_argument("--key", default="", help="the public key (hex) that must have signed")
    shown = add_action(actions, "list", "who did what, the newest first", _list)
    for name in ("kind", "key", "who"):
        shown.add_argument(f"--{name}")
    shown.add_argument("--from", dest="start", help="ISO 8601 or -1h")
    shown.add_argument("--to")
    shown.add_argument("--limit", type=int, default=100)
    export = add_action(
        actions, "export", "the whole log, a JSON object a line, secrets withheld", _export
    )
    export.add_argument("file", nargs="?", help="where to (default: the terminal)")
    add_action(
        actions, "checkpoint", "sign the log as it is, to keep on another machine", _checkpoint
    )


def _database(data: str) -> Path:
    file = Path(data) / FILE
    if not file.exists():
        raise NotFound(f"there is no audit log in {data}", hint="name the data folder with --data")
    return file


def _verify(arguments: argparse.Namespace) -> int:
    """Exit code 1 when something is not what was written; the first of it is named."""
    outside = audit.read_checkpoints(Path(arguments.checkpoint)) if arguments.checkpoint else []
    if arguments.export:
        try:
            with Path(arguments.export).open("rb") as lines:
                found = audit.verify_export(lines, outside, arguments.key)
        except OSError as error:
            raise NotFound(f"{arguments.export} cannot be read: {error.strerror}") from error
    else:
        found = audit.verify(_database(arguments.data), outside, arguments.key)
    if arguments.json:
        output.as_json(found.document())
    elif found.broken:
        sys.stderr.write(output.plain(f"gemel: {found.broken}") + "\n")
        output.say(f"the {found.edits:,} edits before it are whole")
    else:
        output.say(
            f"{found.edits:,} edits are whole; {found.checkpoints:,} signed checkpoints hold"
        )
        output.say(f"  newest hash {found.hash}")
        for key in found.keys:
            output.say(f"  signed by {key}")
    return 1 if found.broken else 0


def _list(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call(
        "GET",
        "/audit",
        kind=arguments.kind,
        key=arguments.key,
        who=arguments.who,
        to=arguments.to,
        limit=arguments.limit,
        **{"from": arguments.start},
    )
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (r["seq"], r["time"], r["who"], r["kind"], r["key"][:40], r["why"][:60], r["hash"][:12])
        for r in found["value"]
    ]
    output.table(("EDIT", "TIME", "WHO", "KIND", "KEY", "WHY", "HASH"), rows, "nothing was done")
    return 0


def _export(arguments: argparse.Namespace) -> int:
    """One JSON object a line, with or without --json."""
    lines = (orjson.dumps(row) + b"\n" for row in audit.export(_database(arguments.data)))
    if not arguments.file:
        for line in lines:
            sys.stdout.write(line.decode())
        return 0
    handle = os.open(arguments.file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.writelines(lines)
    return 0


def _checkpoint(arguments: argparse.Namespace) -> int:
    """One JSON object in one line, so that they can be appended to a file."""
    found = Client(arguments.data).call("POST", "/audit/checkpoint")
    sys.stdout.write(orjson.dumps(found).decode() + "\n")
    return 0
