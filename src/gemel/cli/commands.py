"""Commands to devices: send, list, show, approve, refuse, cancel; stop all automatic ones."""

from __future__ import annotations

import argparse
import time
from typing import Any

import orjson

from gemel.cli import output
from gemel.cli.actions import actions_of, add_action
from gemel.cli.client import Client, segment
from gemel.core.errors import InvalidInput

POLL_SECONDS = 0.1
LONGEST_POLL = 1.0
GOOD = ("succeeded", "confirmed")
Found = dict[str, Any]


def add(parser: argparse.ArgumentParser) -> None:
    actions = actions_of(parser)
    shown = add_action(actions, "list", "commands, the newest first", _list)
    shown.add_argument("--twin")
    shown.add_argument("--state", default="all", help="all, open, awaiting, queued or over")
    add_action(actions, "show", "one command with its whole story", _show).add_argument("id")
    _add_send(actions)
    approve = add_action(actions, "approve", "approve what somebody else asked for", _approve)
    approve.add_argument("id")
    approve.add_argument("--comment", default="")
    approve.add_argument("--hash", default="", help="approve only if this is what is asked")
    for name, about in (
        ("refuse", "say no to what waits for approval"),
        ("cancel", "take back what was not sent"),
    ):
        one = add_action(actions, name, about, _end)
        one.add_argument("id")
        one.add_argument("--comment", default="")
    for name, about in (
        ("stop", "the kill switch: stop all automatic commands at once"),
        ("resume", "let automatic commands begin again"),
    ):
        add_action(actions, name, about, _switch).add_argument("--reason", default="")
    level = add_action(
        actions, "autonomy", "how far rules and services may go by themselves", _level
    )
    level.add_argument("service", nargs="?", help="such as 'rule hot'")
    level.add_argument("level", nargs="?", help="suggest, approve, act, or JSON with bounds")


def _add_send(actions: Any) -> None:
    send = add_action(actions, "send", "send a command to a device", _send)
    send.add_argument("twin")
    send.add_argument("name")
    send.add_argument(
        "args", nargs="*", help="JSON, such as 70 or '{\"speed\": 70}', or name=value ..."
    )
    send.add_argument("--id", help="a repeated id is the same command")
    send.add_argument("--unit", help="of a single number (default: the model's)")
    send.add_argument("--deadline", type=float, default=300, help="seconds")
    send.add_argument("--revision", help="only if the twin still has this $etag")
    send.add_argument("--dry-run", action="store_true", help="only say what the guards answer")
    send.add_argument("--wait", action="store_true", help="until it is over")


# ---- looking ---------------------------------------------------------------------------------


def _list(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call(
        "GET", "/commands", twin=arguments.twin, state=arguments.state
    )
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (
            c["id"],
            c["twin"],
            c["command"],
            orjson.dumps(c["arguments"]).decode(),
            c["state"],
            c["who"],
            c["requested"],
        )
        for c in found["value"]
    ]
    head = ("COMMAND", "TWIN", "NAME", "ARGUMENTS", "STATE", "WHO", "REQUESTED")
    output.table(head, rows, "no commands")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("GET", f"/commands/{segment(arguments.id)}")
    if arguments.json:
        output.as_json(found)
        return 0
    _say(found)
    rows = [(s["time"], s["state"], s["who"], s["note"]) for s in found["steps"]]
    output.table(("TIME", "STATE", "WHO", "NOTE"), rows, "")
    return 0


def _say(found: Found) -> None:
    said = f": {found['message']}" if found["message"] else ""
    asked = orjson.dumps(found["arguments"]).decode()
    what = f"{found['command']} {asked}" if found["arguments"] is not None else found["command"]
    output.say(f"{found['id']} {found['state']}{said} ({what} to {found['twin']}, {found['who']})")


# ---- sending ---------------------------------------------------------------------------------


def read_arguments(words: list[str]) -> Any:
    """JSON, or `name=value ...` where a value that is no JSON is a text.

    Raises:
        InvalidInput: neither.
    """
    if len(words) == 1:
        try:
            return orjson.loads(words[0])
        except orjson.JSONDecodeError as error:
            if not _is_pair(words[0]):
                raise InvalidInput(
                    f"the arguments are not JSON: {error}",
                    hint="a text needs quotes: '\"open\"'; fields are written name=value",
                ) from None
    wrong = next((word for word in words if not _is_pair(word)), None)
    if wrong is not None:
        raise InvalidInput(
            f"'{wrong}' is not name=value", hint="quote JSON as one word: '{\"speed\": 70}'"
        )
    return {name: _value(text) for name, _, text in (word.partition("=") for word in words)}


def _is_pair(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier()


def _value(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _send(arguments: argparse.Namespace) -> int:
    """Exit code 0 when it was taken (with --wait: when it succeeded), 3 when it did not succeed."""
    body: Found = {
        "twin": arguments.twin,
        "command": arguments.name,
        "deadline": arguments.deadline,
    }
    for name, value in (
        ("id", arguments.id),
        ("unit", arguments.unit),
        ("ifRevision", arguments.revision),
    ):
        if value:
            body[name] = value
    if arguments.args:
        body["arguments"] = read_arguments(arguments.args)
    client = Client(arguments.data)
    if arguments.dry_run:
        return _dry_run(arguments, client.call("POST", "/commands", body, dryRun="true"))
    found = client.call("POST", "/commands", body)
    if arguments.wait:
        found = _wait(client, found, arguments.deadline)
    if arguments.json:
        output.as_json(found)
    else:
        said = f": {found['message']}" if found["message"] else ""
        output.say(f"{found['id']} {found['state']}{said}")
        if found["state"] in ("awaiting", "unconfirmed", "refused", "unknown"):
            output.say(f"  {found['steps'][-1]['note'] or 'another person must approve it'}")
    return 3 if arguments.wait and found["state"] not in GOOD else 0


def _wait(client: Client, found: Found, deadline: float) -> Found:
    """Asks until it is over: after the deadline nothing but a reading is waited for."""
    confirm = found["confirm"]
    until = time.monotonic() + deadline + 5 + (confirm["within"] if confirm else 0)
    pause = POLL_SECONDS
    while not found["isOver"] and time.monotonic() < until:
        time.sleep(pause)
        pause = min(LONGEST_POLL, pause * 1.2)
        found = client.call("GET", f"/commands/{segment(found['id'])}")
    return found


def _dry_run(arguments: argparse.Namespace, found: Found) -> int:
    if arguments.json:
        output.as_json(found)
    else:
        rows = [(g["guard"], g["answer"], g["said"], g["hint"]) for g in found["guards"]]
        output.table(("GUARD", "ANSWER", "SAYS", "WAY OUT"), rows, "no guards")
        output.say(f"it would be {found['wouldBe']}; to be sent: {found['topic']}")
        output.say(f"  {found['payload']}")
    return 3 if found["wouldBe"] == "refused" else 0


# ---- people's words --------------------------------------------------------------------------


def _approve(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    path = f"/commands/{segment(arguments.id)}"
    shown = arguments.hash or client.call("GET", path)["hash"]
    body = {"hash": shown, "comment": arguments.comment}
    return _said(arguments, client.call("POST", f"{path}/approve", body))


def _end(arguments: argparse.Namespace) -> int:
    path = f"/commands/{segment(arguments.id)}/{arguments.action}"
    found = Client(arguments.data).call("POST", path, {"comment": arguments.comment})
    return _said(arguments, found)


def _said(arguments: argparse.Namespace, found: Found) -> int:
    if arguments.json:
        output.as_json(found)
    else:
        _say(found)
    return 0


# ---- automatic commands ----------------------------------------------------------------------


def _switch(arguments: argparse.Namespace) -> int:
    body = {"reason": arguments.reason}
    found = Client(arguments.data).call("POST", f"/killswitch/{arguments.action}", body)
    if arguments.json:
        output.as_json(found)
    else:
        what = "stopped" if found["engaged"] else "on again"
        output.say(f"automatic commands are {what} ({found['who']}, {found['since']})")
    return 0


def _level(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    if arguments.service and arguments.level:
        text = arguments.level
        body = _value(text) if text.startswith("{") else {"level": text}
        client.call("PUT", f"/autonomy/{segment(arguments.service)}", body)
    found = client.call("GET", "/autonomy")
    if arguments.json:
        output.as_json(found)
        return 0
    wanted = [row for row in found["value"] if arguments.service in (None, row["service"])]
    known = ("service", "level", "by")
    rows = [
        (*(row[n] for n in known), " ".join(f"{k}={v}" for k, v in row.items() if k not in known))
        for row in wanted
    ]
    output.table(("SERVICE", "LEVEL", "BY", "BOUNDS"), rows, "nothing acts by itself")
    return 0
