"""What was: a twin as of a moment."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import orjson

from gemel.cli import output
from gemel.cli.client import Client, segment
from gemel.core.document import Json


def show_then(arguments: argparse.Namespace) -> int:
    """`gemel twin show --as-of`: the properties of then."""
    found = Client(arguments.data).call(
        "GET",
        f"/digitaltwins/{segment(arguments.twin)}",
        asOf=arguments.as_of,
        recordedAsOf=arguments.recorded_as_of,
    )
    if arguments.json:
        output.as_json(found)
        return 0
    output.say(f"{found['$dtId']}  {found['$metadata']['$model']}")
    output.say("")
    output.table(("PROPERTY", "VALUE", "SINCE"), list(_rows(found, "")), "no properties were set")
    return 0


def _rows(container: Json, prefix: str) -> Iterator[tuple[str, str, str]]:
    times = container.get("$metadata", {})
    for name, value in container.items():
        if name.startswith("$"):
            continue
        if isinstance(value, dict) and "$metadata" in value:
            yield from _rows(value, f"{prefix}{name}.")
        else:
            stamp = times.get(name) or {}
            since = stamp.get("sourceTime") or stamp.get("lastUpdateTime") or ""
            yield prefix + name, shown(value), since


def shown(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
