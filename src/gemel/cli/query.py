"""`gemel query`: a question to the graph of twins, answered as a table or as JSON."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import orjson

from gemel.cli import output
from gemel.cli.client import Client
from gemel.core.errors import InvalidInput

WIDEST = 60
"""Characters of one cell of the table."""


def add_query(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", help='"SELECT T.$dtId, T.name FROM DIGITALTWINS T"; - reads it')
    parser.add_argument("--data", default="./gemel-data", help="the server's data folder")
    parser.add_argument("--limit", type=int, default=1000, help="rows at most")
    parser.add_argument("--as-of", help="as it was: 2026-11-22T10:00:00Z or -1d")
    parser.add_argument("--recorded-as-of", help="as it was known at this moment")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=query)


def query(arguments: argparse.Namespace) -> int:
    """Asks page by page until all rows, or `--limit` of them, are there."""
    if arguments.limit < 1:
        raise InvalidInput("--limit must be at least 1", hint="leave it out for 1000")
    text = sys.stdin.read() if arguments.text == "-" else arguments.text
    client = Client(arguments.data)
    rows: list[dict[str, Any]] = []
    body: dict[str, Any] = {"query": text}
    if arguments.as_of or arguments.recorded_as_of:
        body |= {"asOf": arguments.as_of or "", "recordedAsOf": arguments.recorded_as_of or ""}
    while True:
        found = client.call("POST", "/query", body)
        rows += found["value"]
        body["continuationToken"] = found["continuationToken"]
        for name in body.keys() & {"asOf", "recordedAsOf"}:
            body[name] = found[name] or ""  # pages are of one moment
        if body["continuationToken"] is None or len(rows) >= arguments.limit:
            break
    is_cut = len(rows) > arguments.limit or body["continuationToken"] is not None
    rows = rows[: arguments.limit]
    if arguments.json:
        output.as_json({"value": rows, "isComplete": not is_cut})
        return 0
    names = list(dict.fromkeys(name for row in rows for name in row if name != "$etag"))
    output.table(names, [[_cell(row.get(name)) for name in names] for row in rows], "no rows")
    if is_cut:
        sys.stderr.write(f"gemel: more than {arguments.limit} rows; --limit asks for more\n")
    return 0


def _cell(value: Any) -> Any:
    if isinstance(value, dict) and "$dtId" in value:
        return value["$dtId"]
    if isinstance(value, dict) and "$relationshipId" in value:
        ends = f"{value['$sourceId']} -{value['$relationshipName']}-> {value['$targetId']}"
        return f"{value['$relationshipId']}: {ends}"
    if isinstance(value, dict) and "$model" in value:
        return value["$model"]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        text = orjson.dumps(value).decode()
        return text if len(text) <= WIDEST else text[: WIDEST - 3] + "..."
    return value
