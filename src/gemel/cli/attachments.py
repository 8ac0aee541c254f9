"""`gemel attachment`: photos and notes of twins and work orders."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

from gemel.app.attachments import TYPES
from gemel.cli import output
from gemel.cli.actions import actions_of, add_action
from gemel.cli.client import Client, segment
from gemel.core.errors import InvalidInput, TooLarge


def add(parser: argparse.ArgumentParser) -> None:
    actions = actions_of(parser)
    shown = add_action(actions, "list", "what is attached, the newest first", _list)
    shown.add_argument("--twin", help="of this twin, those of its work orders too")
    shown.add_argument("--order", help="of this work order")
    shown.add_argument("--limit", type=int, help="at most this many")
    made = add_action(actions, "add", "attach a photo or a note to a twin or a work order", _add)
    made.add_argument("file", nargs="?", type=Path, help="JPEG, PNG, WebP or text; - is the input")
    made.add_argument("--twin", help="what it belongs to")
    made.add_argument("--order", help="or the work order, and its twin")
    made.add_argument("--caption", help="a line about it")
    made.add_argument("--note", help="a text in place of a file")
    made.add_argument("--id", help="a UUID: the same twice is one attachment")
    got = add_action(actions, "get", "the bytes of one, to a file or the output", _get)
    got.add_argument("id")
    got.add_argument("--out", type=Path, metavar="FILE", help="write them there")
    gone = add_action(actions, "delete", "delete one", _delete)
    gone.add_argument("id")


def _list(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call(
        "GET",
        "/attachments",
        twin=arguments.twin,
        order=arguments.order,
        limit=arguments.limit,
    )
    if arguments.json:
        output.as_json(found)
        return 0
    head = ("ID", "TIME", "WHO", "TWIN", "ORDER", "TYPE", "BYTES", "SAYS")
    names = ("id", "time", "who", "twin", "order", "type", "bytes")
    rows = [(*(one[n] for n in names), one["caption"] or _line(one)) for one in found["value"]]
    output.table(head, rows, "nothing is attached")
    return 0


def _line(one: dict[str, Any]) -> str:
    return (one["text"] or "").partition("\n")[0][:80]


def _add(arguments: argparse.Namespace) -> int:
    if (arguments.file is None) == (arguments.note is None):
        raise InvalidInput(
            "needs a file or --note", hint="gemel attachment add seal.jpg --twin P-1"
        )
    if (arguments.twin is None) == (arguments.order is None):
        raise InvalidInput("needs --twin or --order", hint="what it is attached to")
    content = _read(arguments.file) if arguments.note is None else arguments.note.encode()
    key = arguments.id or str(uuid4())
    names = ("twin", "order", "caption")
    about = {name: getattr(arguments, name) for name in names}
    client = Client(arguments.data)
    sent = client.fetch("PUT", f"/attachments/{segment(key)}", about, content, kind_of(content))
    if arguments.json:
        sys.stdout.write(sent.decode() + "\n")
    else:
        output.say(f"attached as {key}")
    return 0


def kind_of(content: bytes) -> str:
    """The content type that bytes are of.

    Raises:
        InvalidInput: of none that is taken.
        TooLarge: of one of which less may be sent.
    """
    for kind, (is_of, most) in TYPES.items():
        if is_of(content):
            if len(content) > most:
                raise TooLarge(f"{len(content):,} bytes of {kind}", hint=f"at most {most:,}")
            return kind
    raise InvalidInput("neither a picture nor a text", hint="one of: " + ", ".join(TYPES))


def _read(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{file}: {error.strerror}") from error


def _get(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    content = client.fetch("GET", f"/attachments/{segment(arguments.id)}", {})
    if arguments.out is None:
        sys.stdout.buffer.write(content)
        return 0
    try:
        arguments.out.write_bytes(content)
    except OSError as error:
        raise InvalidInput(f"{arguments.out}: {error.strerror}") from error
    if arguments.json:
        output.as_json({"file": str(arguments.out), "bytes": len(content)})
    else:
        output.say(f"wrote {len(content):,} bytes to {arguments.out}")
    return 0


def _delete(arguments: argparse.Namespace) -> int:
    Client(arguments.data).call("DELETE", f"/attachments/{segment(arguments.id)}")
    if arguments.json:
        output.as_json({"deleted": arguments.id})
    else:
        output.say(f"deleted {arguments.id}")
    return 0
