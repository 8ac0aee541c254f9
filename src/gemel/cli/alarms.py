"""`gemel alarm`: what an operator does with alarms, from the command line."""

from __future__ import annotations

import argparse
import re
from typing import Any

from gemel.cli import output
from gemel.cli.actions import actions_of, add_action
from gemel.cli.client import Client, segment
from gemel.core.errors import InvalidInput

STATES = ("active", "shelved", "suppressed", "out-of-service", "open", "all")
ACTS = {
    "ack": ("acknowledge", "comment", False, "acknowledge an alarm"),
    "unack": ("unacknowledge", "reason", True, "take a wrong acknowledgement back"),
    "shelve": ("shelve", "reason", True, "put an alarm aside for some time"),
    "unshelve": ("unshelve", "comment", False, "take an alarm off the shelf"),
    "out-of-service": ("out-of-service", "reason", True, "take an alarm out of service"),
    "return-to-service": ("return-to-service", "comment", False, "return an alarm to service"),
    "comment": ("comment", "comment", True, "say something about an alarm"),
    "clear": ("clear", "comment", True, "close an alarm by hand"),
}
"""By action: the route's act, its word, whether the word must be given, and what it is about."""
UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def add(parser: argparse.ArgumentParser) -> None:
    actions = actions_of(parser)
    shown = add_action(actions, "list", "active alarms, the most urgent first", _list)
    shown.add_argument("--state", choices=STATES, default="active")
    shown.add_argument("--all", action="store_true", help="those that are over too")
    shown.add_argument("--twin")
    for action, (_, word, needs, about) in ACTS.items():
        one = add_action(actions, action, about, _act)
        one.add_argument("id", nargs="+" if action in ("ack", "shelve") else None)
        one.add_argument(f"--{word}", default="", required=needs)
        if action == "shelve":
            one.add_argument("--for", dest="duration", required=True, help="such as 30m, 8h, 2d")
    together = add_action(actions, "groups", "alarms of one cause, the newest first", _groups)
    together.add_argument("--limit", type=int, default=100)
    late = add_action(actions, "corrections", "what late readings would have changed", _corrections)
    late.add_argument("--rule")
    late.add_argument("--twin")
    late.add_argument("--limit", type=int, default=100)
    late.add_argument("--cursor", help="where the page before ended")
    for name, about, run, begin in (
        ("kpis", "key figures: rates, floods, top ten, time to acknowledge", _kpis, "-24h"),
        ("handover", "what the next shift must know", _handover, "-8h"),
    ):
        one = add_action(actions, name, about, run)
        one.add_argument("--from", dest="begin", default=begin, help="ISO 8601 or -8h")
        one.add_argument("--to", dest="end", default="now")
        if name == "handover":
            one.add_argument("--shift", choices=("this", "last"), help="in place of both")
    told = add_action(actions, "history", "all that was done to an alarm", _history)
    told.add_argument("id")


def seconds_of(text: str) -> float:
    """`90`, `30m`, `8h` or `2d` in seconds.

    Raises:
        InvalidInput: none of these.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip())
    if not found:
        raise InvalidInput(f"'{text}' is no duration", hint="such as 90s, 30m, 8h or 2d")
    return float(found[1]) * UNITS[found[2] or "s"]


def _list(arguments: argparse.Namespace) -> int:
    state = "all" if arguments.all else arguments.state
    found = Client(arguments.data).call("GET", "/alarms", state=state, twin=arguments.twin)
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (
            a["id"],
            f"P{a['priority']}",
            a["twin"],
            a["title"],
            _state(a),
            a["value"],
            a["unit"],
            a["raised"],
        )
        for a in found["value"]
    ]
    head = ("ALARM", "PRIORITY", "TWIN", "TITLE", "STATE", "VALUE", "UNIT", "RAISED")
    output.table(head, rows, "no alarms")
    return 0


def _state(alarm: dict[str, Any]) -> str:
    """The state, with until when, by what or by whom."""
    state = str(alarm["state"])
    if alarm["shelved"]:
        return f"{state} until {alarm['shelved']['until']} ({alarm['shelved']['by']})"
    if alarm["suppressedBy"]:
        by = alarm["suppressedBy"]
        if "twin" not in by:  # policies hide it
            return state
        return f"{state} by {by.get('rule') or by.get('property')} of {by['twin']}"
    if alarm["outOfService"]:
        return f"{state} since {alarm['outOfService']['since']} ({alarm['outOfService']['by']})"
    return state


def _act(arguments: argparse.Namespace) -> int:
    act, word, _, _ = ACTS[arguments.action]
    said = getattr(arguments, word)
    body: dict[str, Any] = {word: said} if said else {}
    if arguments.action == "shelve":
        body["seconds"] = seconds_of(arguments.duration)
    client = Client(arguments.data)
    if isinstance(arguments.id, list) and len(arguments.id) > 1:
        return _act_on_many(client, act, said, body, arguments)
    key = arguments.id[0] if isinstance(arguments.id, list) else arguments.id
    found = client.call("POST", f"/alarms/{segment(key)}/{act}", body)
    if arguments.json:
        output.as_json(found)
    else:
        output.say(f"{found['id']} is {_state(found)}")
    return 0


def _act_on_many(
    client: Client, act: str, said: str, body: dict[str, Any], arguments: argparse.Namespace
) -> int:
    """One request for all; exit code 1 if one of them was refused."""
    wanted = {"act": act, "ids": arguments.id, "text": said, "seconds": body.get("seconds", 0)}
    found = client.call("POST", "/alarms/acts", wanted)
    if arguments.json:
        output.as_json(found)
    else:
        for one in found["value"]:
            output.say(f"{one['id']} {one.get('message') or 'is ' + one['state']}")
    return 1 if any("code" in one for one in found["value"]) else 0


def _history(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("GET", f"/alarms/{segment(arguments.id)}/history")
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [(s["time"], s["who"], s["what"], s["state"], s["comment"]) for s in found["value"]]
    output.table(("TIME", "WHO", "WHAT", "STATE", "COMMENT"), rows, "nothing was done to it")
    return 0


def _groups(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("GET", "/alarms/groups", limit=arguments.limit)
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (g["id"], f"P{g['priority']}", g["count"], g["causeName"], g["firstOutName"], g["raised"])
        for g in found["value"]
    ]
    head = ("GROUP", "PRIORITY", "ALARMS", "CAUSE", "FIRST OUT", "RAISED")
    output.table(head, rows, "no groups")
    return 0


def _corrections(arguments: argparse.Namespace) -> int:
    query = {"rule": arguments.rule, "twin": arguments.twin, "cursor": arguments.cursor}
    query["limit"] = arguments.limit
    found = Client(arguments.data).call("GET", "/alarms/corrections", **query)
    if arguments.json:
        output.as_json(found)
        return 0
    _say_corrections(found["value"])
    if found["cursor"] is not None:
        output.say(f"there are more: --cursor {found['cursor']}")
    return 0


def _say_corrections(found: list[dict[str, Any]]) -> None:
    rows = [
        (
            one["recorded"],
            one["twinName"],
            one["title"],
            _episodes(one["told"], one["leftOut"]["told"]),
            _episodes(one["actual"], one["leftOut"]["actual"]),
        )
        for one in found
    ]
    head = ("RECORDED", "TWIN", "TITLE", "ALARMS TOLD", "WITH THE LATE READINGS")
    output.table(head, rows, "no late reading would have changed an alarm")


def _episodes(found: list[dict[str, Any]], left_out: int) -> str:
    spans = [f"{e['raised']} to {e['cleared'] or 'now'}" for e in found]
    return ", ".join([*spans, *([f"{left_out} more"] if left_out else [])]) or "none"


def _over(arguments: argparse.Namespace, path: str) -> Any:
    span = {"from": arguments.begin, "to": arguments.end}
    if getattr(arguments, "shift", None):
        span = {"shift": arguments.shift}
    return Client(arguments.data).call("GET", path, **span)


def _kpis(arguments: argparse.Namespace) -> int:
    found = _over(arguments, "/alarms/kpis")
    if arguments.json:
        output.as_json(found)
    else:
        _say_figures(found)
    return 0


def _say_figures(found: dict[str, Any]) -> None:
    seen = found["acknowledge"]
    median = "-" if seen["medianSeconds"] is None else f"{seen['medianSeconds']:.0f} s"
    rows: list[tuple[Any, ...]] = [
        ("from", found["from"]),
        ("to", found["to"]),
        ("alarms told", found["annunciated"]),
        ("per operator in 10 min", f"{found['perOperatorPer10Minutes']:g}"),
        ("most in 10 min", found["peakPer10Minutes"]),
        ("floods", f"{len(found['floods'])}, {found['floodPercent']:g} % of the time"),
        ("acknowledged", f"{seen['count']}, median after {median}"),
        ("standing", found["standing"]),
        ("stale", len(found["stale"])),
        ("chattering", len(found["chattering"])),
        *((state, count) for state, count in found["heldBack"].items()),
    ]
    output.table(("", ""), rows, "")
    output.say("")
    top = [
        (f"P{t['priority']}", t["count"], f"{t['percent']:g} %", t["twinName"], t["title"])
        for t in found["topTen"]
    ]
    output.table(("PRIORITY", "COUNT", "SHARE", "TWIN", "TITLE"), top, "no alarms in that span")


def _handover(arguments: argparse.Namespace) -> int:
    found = _over(arguments, "/alarms/handover")
    if arguments.json:
        output.as_json(found)
        return 0
    output.say(f"Handover, {found['from']} to {found['to']}")
    for name, title in (
        ("standing", "Standing"),
        ("shelved", "Shelved"),
        ("outOfService", "Out of service"),
        ("suppressed", "Suppressed by design"),
    ):
        output.say("")
        output.say(f"{title}: {len(found[name])}")
        rows = [
            (f"P{a['priority']}", a["twinName"], a["title"], _state(a), a["raised"])
            for a in found[name]
        ]
        if rows:
            output.table(("PRIORITY", "TWIN", "TITLE", "STATE", "RAISED"), rows, "")
    output.say("")
    done = [
        (d["time"], d["who"], d["what"], d["twinName"], d["title"], d["comment"])
        for d in found["done"]
    ]
    output.table(("TIME", "WHO", "WHAT", "TWIN", "TITLE", "COMMENT"), done, "nothing was done")
    output.say("")
    _say_corrections(found["corrections"])
    output.say("")
    _say_figures(found["figures"])
    return 0
