"""`gemel service` and `gemel run`: services, what they have learnt, and their slow work."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import orjson

from gemel.app.yaml_files import read_yaml
from gemel.cli import output
from gemel.cli.actions import actions_of, add_action
from gemel.cli.client import Client, segment
from gemel.cli.documents import entries_of
from gemel.core.errors import InvalidInput

OVER = ("succeeded", "failed", "cancelled")
LOOK_SECONDS = 0.3


def add_service(parser: argparse.ArgumentParser) -> None:
    """The actions of `gemel service`."""
    actions = actions_of(parser)
    add_action(actions, "list", "all services", _list)
    add_action(actions, "kinds", "the kinds of services there are", _kinds)
    put = add_action(actions, "put", "make or change the services of a YAML file", _put)
    put.add_argument("file", type=Path)
    status = add_action(actions, "status", "how a service fares, and its versions", _status)
    status.add_argument("id")
    use = add_action(actions, "use", "take a version of what it has learnt into use", _use)
    use.add_argument("id")
    use.add_argument("version", type=int)
    deleted = add_action(actions, "delete", "delete a service", _delete)
    deleted.add_argument("id")


def add_run(parser: argparse.ArgumentParser) -> None:
    """The actions of `gemel run`."""
    actions = actions_of(parser)
    start = add_action(actions, "start", "start a run of a service, or of a kind", _start)
    start.add_argument("run_id", metavar="run")
    start.add_argument("--service", help="a service; or:")
    start.add_argument("--kind", help="a kind of service")
    start.add_argument("--model", help="on all twins of this model")
    start.add_argument("--twin", action="append", default=[], help="on this one; repeat it")
    start.add_argument("--parameters", type=Path, help="YAML or JSON file")
    start.add_argument("--set", action="append", default=[], help="NAME=VALUE; repeat it")
    start.add_argument("--wait", action="store_true", help="until it is over; shows progress")
    listed = add_action(actions, "list", "runs, the newest first", _runs)
    listed.add_argument("--service", help="only of this one")
    for name, about, run in (
        ("show", "one run, with its progress", _show),
        ("cancel", "call a run off", _cancel),
        ("result", "what a run came to, as JSON", _result),
    ):
        add_action(actions, name, about, run).add_argument("id")


# ---- services ------------------------------------------------------------------------------------


def _list(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("GET", "/services")
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [(s["id"], s["kind"], _subject(s), s["autonomy"], _state(s)) for s in found["value"]]
    output.table(("SERVICE", "KIND", "TWINS", "AUTONOMY", "STATE"), rows, "no services")
    return 0


def _subject(service: dict[str, Any]) -> str:
    return service["model"] or ", ".join(service["twins"] or ()) or "-"


def _state(service: dict[str, Any]) -> str:
    if not service["enabled"]:
        return "disabled"
    return service["problem"] or ("running" if service["isRunning"] else "ready")


def _kinds(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("GET", "/services/kinds")
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (k["kind"], k["fidelity"], ", ".join(r["run"] for r in k["runs"]) or "-", k["about"])
        for k in found["value"]
    ]
    output.table(("KIND", "LEVEL", "RUNS", "ABOUT"), rows, "no kinds")
    return 0


def _put(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    for service in entries_of(arguments.file, "services", "services"):
        found = client.call("PUT", f"/services/{segment(service['id'])}", service)
        output.say(f"{service['id']} is {_state(found)}")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("GET", f"/services/{segment(arguments.id)}/status")
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [(name, found[name]) for name in found if name not in ("versions", "runs", "knows")]
    rows += list(found["knows"].items())
    output.table(("WHAT", ""), [(n, v) for n, v in rows if v not in (None, "")], "nothing")
    if found["versions"]:
        versions = [
            ("*" if v["version"] == found["version"] else "", v["version"], v["made"], v["scores"])
            for v in found["versions"]
        ]
        output.table(("", "VERSION", "MADE", "SCORES"), versions, "")
    return 0


def _use(arguments: argparse.Namespace) -> int:
    path = f"/services/{segment(arguments.id)}/version"
    Client(arguments.data).call("PUT", path, {"version": arguments.version})
    output.say(f"{arguments.id} uses version {arguments.version}")
    return 0


def _delete(arguments: argparse.Namespace) -> int:
    Client(arguments.data).call("DELETE", f"/services/{segment(arguments.id)}")
    return 0


# ---- runs ----------------------------------------------------------------------------------------


def _start(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    body: dict[str, Any] = {"run": arguments.run_id, "parameters": _parameters(arguments)}
    for name in ("service", "kind", "model"):
        if getattr(arguments, name):
            body[name] = getattr(arguments, name)
    if arguments.twin:
        body["twins"] = arguments.twin
    found = client.call("POST", "/runs", body)
    if not arguments.wait:
        output.as_json(found) if arguments.json else output.say(found["id"])
        return 0
    found = _waited(client, found)
    if found["state"] != "succeeded":
        raise InvalidInput(f"the run has {found['state']}: {found['error']}", hint=found["hint"])
    output.as_json(client.call("GET", f"/runs/{found['id']}/result"))
    return 0


def _waited(client: Client, found: dict[str, Any]) -> dict[str, Any]:
    shown = ""
    while found["state"] not in OVER:
        time.sleep(LOOK_SECONDS)
        found = client.call("GET", f"/runs/{found['id']}")
        line = f"{found['state']} {found['progress']:.0%} {found['message']}"
        if line != shown:
            sys.stderr.write(output.plain(line) + "\n")
            shown = line
    return found


def _parameters(arguments: argparse.Namespace) -> dict[str, Any]:
    found: Any = read_yaml(arguments.parameters) if arguments.parameters else {}
    if not isinstance(found, dict):
        raise InvalidInput(f"{arguments.parameters}: must be a mapping of parameters")
    for pair in arguments.set:
        name, is_there, text = pair.partition("=")
        if not is_there:
            raise InvalidInput(f"--set {pair}: needs NAME=VALUE", hint="such as span=86400")
        try:
            found[name] = orjson.loads(text)
        except orjson.JSONDecodeError:
            found[name] = text
    return found


def _runs(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("GET", "/runs", service=arguments.service)
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (r["id"], r["service"] or r["kind"], r["run"], r["state"], f"{r['progress']:.0%}",
         r["requested"][:19], r["message"])
        for r in found["value"]
    ]  # fmt: skip
    head = ("RUN", "SERVICE", "WHAT", "STATE", "DONE", "ASKED", "")
    output.table(head, rows, "no runs")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("GET", f"/runs/{segment(arguments.id)}")
    if arguments.json:
        output.as_json(found)
        return 0
    output.table(("WHAT", ""), [(n, v) for n, v in found.items() if v not in (None, "")], "")
    return 0


def _cancel(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("POST", f"/runs/{segment(arguments.id)}/cancel")
    output.as_json(found) if arguments.json else output.say(f"{found['id']} is {found['state']}")
    return 0


def _result(arguments: argparse.Namespace) -> int:
    output.as_json(Client(arguments.data).call("GET", f"/runs/{segment(arguments.id)}/result"))
    return 0
