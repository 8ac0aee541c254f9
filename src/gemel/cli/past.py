"""What was: a twin as of a moment, who changed it, what is different between two moments."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import orjson

from gemel.cli import output
from gemel.cli.client import Client, segment
from gemel.core.document import Json

MOST_TOLD = 4
"""Changes that a line of a table tells."""


def add_twin_actions(actions: Any) -> None:
    """`gemel twin changes` and `gemel twin diff`."""
    about = "who changed a twin, when and why"
    changed = actions.add_parser("changes", help=about, description=about)
    changed.add_argument("twin")
    changed.add_argument("--limit", type=int, default=100, help="edits at most, the newest")
    _common(changed)
    changed.set_defaults(run=changes)
    about = "what is different of a twin between two moments"
    compared = actions.add_parser("diff", help=about, description=about)
    compared.add_argument("twin")
    _add_span(compared)
    _common(compared)
    compared.set_defaults(run=twin_diff)


def add_diff(parser: argparse.ArgumentParser) -> None:
    _add_span(parser)
    parser.add_argument("--kind", help="model, twin, relationship, rule, ... with commas")
    parser.add_argument("--twin", help="only this twin and all that it contains")
    _common(parser)


def _add_span(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="start", default="-1d", help="2026-11-22T10:00:00Z or -1d")
    parser.add_argument("--to", dest="end", default="now")


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", default="./gemel-data", help="the server's data folder")
    parser.add_argument("--json", action="store_true", help="for programs")


def changes(arguments: argparse.Namespace) -> int:
    path = f"/twins/{segment(arguments.twin)}/changes"
    found = Client(arguments.data).call("GET", path, limit=arguments.limit)
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (one["time"], one["who"], _what(one), _told(one["changes"]), one["why"])
        for one in found["value"]
    ]
    output.table(("TIME", "WHO", "WHAT", "CHANGES", "WHY"), rows, "no changes")
    return 0


def twin_diff(arguments: argparse.Namespace) -> int:
    path, span = f"/twins/{segment(arguments.twin)}/diff", _span(arguments)
    found = Client(arguments.data).call("GET", path, **span)
    if arguments.json:
        output.as_json(found)
        return 0
    output.say(f"{found['twin']}  {found['act']}  {found['from']} to {found['to']}")
    rows = [(c["path"], shown(c["before"]), shown(c["after"])) for c in found["changes"]]
    for link in found["relationships"]:
        ends = f"{link['$sourceId']} -{link['$relationshipName']}-> {link['$targetId']}"
        rows.append((f"relationship {link['$relationshipId']}", link["act"], ends))
    for value in found["values"]:
        sides = [(value[side] or {}).get("value") for side in ("before", "after")]
        rows.append((value["path"], *map(shown, sides)))
    output.table(("WHAT", "BEFORE", "AFTER"), rows, "nothing is different")
    return 0


def diff(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call(
        "GET", "/diff", kind=arguments.kind, twin=arguments.twin, **_span(arguments)
    )
    if arguments.json:
        output.as_json(found)
        return 0
    rows = []
    for one in found["value"]:
        last = one["edits"][0]
        name = f"{one['source']}/{one['key']}" if "source" in one else one["key"]
        act, told = one["act"], _told(one["changes"])
        rows.append((one["kind"], name, act, told, last["who"], last["time"]))
    head = ("KIND", "KEY", "ACT", "CHANGES", "WHO LAST", "TIME")
    output.table(head, rows, "nothing is different")
    if not found["isComplete"]:
        output.say(f"{found['edited']} documents were edited; not all were looked at: ask in parts")
    return 0


def _span(arguments: argparse.Namespace) -> dict[str, str]:
    return {"from": arguments.start, "to": arguments.end}


def _what(one: Json) -> str:
    kind = "" if one["kind"] == "twin" else f"{one['kind']} {one['key']} "
    return f"{kind}{one['act']}"


def _told(changes: list[Json]) -> str:
    """The first changes in a line."""
    parts = [
        f"{c['path']}: {shown(c['before'])} -> {shown(c['after'])}"
        if c["act"] == "changed"
        else f"{'+' if c['act'] == 'added' else '-'}{c['path']}"
        for c in changes[:MOST_TOLD]
    ]
    more = f" and {len(changes) - MOST_TOLD} more" if changes[MOST_TOLD:] else ""
    return ", ".join(parts) + more


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
