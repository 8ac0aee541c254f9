"""`gemel token`: make, list and end tokens in the data folder; a running server sees it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gemel.app import tokens
from gemel.backends.sqlite import SqliteDocuments
from gemel.cli import output
from gemel.cli.client import documents_of
from gemel.core.access import ROLES
from gemel.core.clock import system_clock
from gemel.core.errors import NotFound, Unavailable


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    make = actions.add_parser("create", help="make a token and print it, this once")
    make.add_argument("--role", choices=sorted(ROLES), required=True)
    make.add_argument("--name", help="who or what it is for")
    make.add_argument(
        "--twin",
        action="append",
        default=[],
        help="role device: a twin it may write, or a pattern such as 'line1-*' (repeat it)",
    )
    make.add_argument("--days", type=float, help="how long it is valid (default: for ever)")
    shown = actions.add_parser("list", help="all tokens in use")
    ended = actions.add_parser("delete", help="end a token")
    ended.add_argument("id", help="as 'gemel token list' shows it")
    for one in (make, shown, ended):
        one.add_argument("--data", default="./gemel-data", help="the data folder")
        one.add_argument("--json", action="store_true")


def run(arguments: argparse.Namespace) -> int:
    folder = Path(arguments.data)
    if arguments.action != "create" and not (folder / "gemel.sqlite").exists():
        raise NotFound(f"there is no data in {folder}", hint="name the folder with --data")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Unavailable(
            f"the data folder {folder} cannot be used: {error.strerror}",
            hint="name another with --data",
        ) from error
    documents = documents_of(folder)
    try:
        return _act(arguments, documents)
    finally:
        documents.close()


def _act(arguments: argparse.Namespace, documents: SqliteDocuments) -> int:
    book = tokens.Tokens(documents, system_clock)
    if arguments.action == "list":
        found = book.listing()
        if arguments.json:
            output.as_json({"value": found})
        else:
            rows = [
                (
                    t["id"],
                    t["role"],
                    t["name"],
                    ",".join(t["twins"]) or None,
                    t["created"],
                    t["expires"],
                )
                for t in found
            ]
            output.table(("ID", "ROLE", "NAME", "TWINS", "CREATED", "EXPIRES"), rows, "no tokens")
        return 0
    if arguments.action == "delete":
        book.delete(arguments.id, "command line")
        return 0
    new = tokens.create(
        documents,
        system_clock(),
        role=arguments.role,
        name=arguments.name or ",".join(arguments.twin) or arguments.role,
        who="command line",
        twins=tuple(arguments.twin),
        seconds=None if arguments.days is None else arguments.days * 86_400,
    )
    if arguments.json:
        output.as_json({**new.doc, "token": new.secret})
    else:
        sys.stdout.write(new.secret + "\n")
    return 0
