"""Commands that talk to a running server: status, twins, history, devices."""

from __future__ import annotations

import argparse
from typing import Any

from gemel.cli import output
from gemel.cli.actions import actions_of, add_action, common_options
from gemel.cli.client import Client, segment
from gemel.cli.commands import read_arguments
from gemel.cli.past import add_twin_actions, show_then

Actions = Any


def _client(arguments: argparse.Namespace) -> Client:
    return Client(arguments.data)


def _age(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"


# ---- status, twins, history ------------------------------------------------------------------


def add_status(parser: argparse.ArgumentParser) -> None:
    common_options(parser, _status)


def _status(arguments: argparse.Namespace) -> int:
    found = _client(arguments).call("GET", "/status")
    if arguments.json:
        output.as_json(found)
        return 0
    alarms = found["alarms"]
    output.table(
        ("", ""),
        [
            ("plant", found["plant"]),
            (
                "twins",
                f"{found['twins']} ({found['live']} live, {found['stale']} stale, "
                f"{found['offline']} offline)",
            ),
            ("values", f"{found['valuesPerSecond']:.0f} a second, {found['readings']:,} stored"),
            ("alarms", "  ".join(f"P{p}: {alarms[p]}" for p in ("1", "2", "3", "4"))),
            ("unacknowledged", alarms["unacknowledged"]),
            ("kept apart", f"{found['rejects']} rejects, {found['duplicates']} duplicates"),
            ("discovered", found["discovered"]),
        ],
        "",
    )
    return 0


def add_twin(parser: argparse.ArgumentParser) -> None:
    actions = actions_of(parser)
    shown = add_action(actions, "list", "all twins", _twin_list)
    shown.add_argument("--search", help="part of the id or name")
    shown.add_argument("--status", choices=("live", "stale", "offline", "never"))
    one = add_action(actions, "show", "one twin with all its values", _twin_show)
    one.add_argument("twin")
    one.add_argument("--as-of", help="as it was: 2026-11-22T10:00:00Z or -1d")
    one.add_argument("--recorded-as-of", help="as it was known at this moment")
    add_twin_actions(actions)
    about = "what is asked of a device's properties; with values, ask"
    asked = add_action(actions, "desired", about, _twin_desired)
    asked.add_argument("twin")
    asked.add_argument("args", nargs="*", help="name=value ... or JSON; null takes it back")


def _twin_list(arguments: argparse.Namespace) -> int:
    found = _client(arguments).call(
        "GET", "/twins", search=arguments.search, status=arguments.status, limit=10_000
    )
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (
            t["id"],
            t["name"],
            t["modelName"],
            t["status"],
            _age(t["age"]),
            t["alarms"]["priority"] and f"P{t['alarms']['priority']}",
            t["parent"],
        )
        for t in found["value"]
    ]
    head = ("TWIN", "NAME", "MODEL", "STATUS", "AGE", "ALARM", "IN")
    output.table(head, rows, "no twins: 'gemel import plant.yaml' makes them")
    return 0


def _twin_show(arguments: argparse.Namespace) -> int:
    if arguments.as_of or arguments.recorded_as_of:
        return show_then(arguments)
    found = _client(arguments).call("GET", f"/twins/{segment(arguments.twin)}")
    if arguments.json:
        output.as_json(found)
        return 0
    output.say(f"{found['id']}  {found['name']}  {found['model']}  {found['status']}")
    output.say("")
    rows = [
        (
            p["path"],
            p["value"],
            p["unit"],
            _age(p["age"]),
            p["quality"] if not p["cause"] else f"{p['quality']}: {p['cause']}",
            p["desired"],
        )
        for p in found["properties"]
    ]
    head = ("PROPERTY", "VALUE", "UNIT", "AGE", "QUALITY", "DESIRED")
    output.table(head, rows, "its model has no telemetry or properties")
    return 0


def _twin_desired(arguments: argparse.Namespace) -> int:
    client, path = _client(arguments), f"/twins/{segment(arguments.twin)}/desired"
    if arguments.args:
        client.call("PATCH", path, read_arguments(arguments.args))
    found = client.call("GET", path)
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (d["property"], d["value"], d["state"], d["reported"], d["conflict"], d["who"], d["time"])
        for d in found["value"]
    ]
    head = ("PROPERTY", "ASKED", "STATE", "REPORTED", "WHO WINS", "WHO", "TIME")
    output.table(head, rows, "nothing is asked of its device")
    for one in found["value"]:
        if one["problem"]:
            output.say(f"{one['property']} was not taken: {one['problem']}")
    return 0


def add_history(parser: argparse.ArgumentParser) -> None:
    common_options(parser, _history)
    parser.add_argument("twin")
    parser.add_argument("property")
    parser.add_argument("--from", dest="start", default="-1h", help="ISO 8601 or -1h")
    parser.add_argument("--to", default="now")
    parser.add_argument("--bucket", type=float, help="seconds of a bucket")
    parser.add_argument("--aggregate", default="avg", help="avg, min, max, sum, count")
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument(
        "--provenance", default="measured", help="measured, derived, predicted, simulated"
    )


def _history(arguments: argparse.Namespace) -> int:
    found = _client(arguments).call(
        "GET",
        "/history",
        twin=arguments.twin,
        property=arguments.property,
        to=arguments.to,
        bucket=arguments.bucket,
        aggregate=arguments.aggregate if arguments.bucket else None,
        limit=arguments.limit,
        provenance=arguments.provenance,
        **{"from": arguments.start},
    )
    if arguments.json:
        output.as_json(found)
        return 0
    series = found["series"][0]
    texts = series.get("text", {})
    rows = [
        (_iso(time), texts.get(str(row), value))
        for row, (time, value) in enumerate(zip(series["time"], series["value"], strict=True))
    ]
    output.table(("TIME", series["unit"] or "VALUE"), rows, "no readings in that span")
    return 0


def _iso(milliseconds: float) -> str:
    from gemel.core.clock import to_iso

    return to_iso(round(milliseconds * 1e3) * 1000)


# ---- discovered devices ----------------------------------------------------------------------


def add_device(parser: argparse.ArgumentParser) -> None:
    actions = actions_of(parser)
    add_action(actions, "list", "devices that no twin stands for", _device_list)
    adopt = add_action(actions, "adopt", "make a twin of a discovered device", _device_adopt)
    adopt.add_argument("id")
    adopt.add_argument("--model", help="DTMI (default: the inferred model)")


def _device_list(arguments: argparse.Namespace) -> int:
    found = _client(arguments).call("GET", "/discovered")
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (d["id"], d["messages"], d["lastSeen"], d["source"], ",".join(d["sample"])[:60])
        for d in found["value"]
    ]
    head = ("DEVICE", "MESSAGES", "LAST SEEN", "SOURCE", "SENDS")
    output.table(head, rows, "no devices without a twin")
    return 0


def _device_adopt(arguments: argparse.Namespace) -> int:
    body = {"model": arguments.model} if arguments.model else {}
    found = _client(arguments).call("POST", f"/discovered/{segment(arguments.id)}/adopt", body)
    if arguments.json:
        output.as_json(found)
    else:
        output.say(f"{found['id']} is a twin of {found['model']}")
    return 0
