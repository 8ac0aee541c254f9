"""`gemel whatif`: scenarios of a forked plant: made, run, compared, promoted, dropped."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from gemel.cli import output
from gemel.cli.actions import actions_of, add_action
from gemel.cli.client import Client, segment
from gemel.cli.documents import entries_of
from gemel.core.errors import InvalidInput

OVER = ("succeeded", "failed", "cancelled")
LOOK_SECONDS = 0.3
Found = dict[str, Any]


def add(parser: argparse.ArgumentParser) -> None:
    """The actions of `gemel whatif`."""
    actions = actions_of(parser)
    add_action(actions, "list", "scenarios, the newest first", _list)
    add_action(actions, "behaviours", "how twins behave in a what-if", _behaviours)
    new = add_action(actions, "new", "make or change the scenarios of a YAML file", _new)
    new.add_argument("file", type=Path)
    run = add_action(actions, "run", "fork the plant and run a scenario", _start)
    run.add_argument("id")
    run.add_argument("--wait", action="store_true", help="until it is over; then show it")
    cancel = add_action(actions, "cancel", "call the run of a scenario off", _cancel)
    cancel.add_argument("id")
    show = add_action(actions, "show", "what a scenario came to", _show)
    show.add_argument("id")
    compare = add_action(
        actions, "compare", "scenarios side by side, against what happened", _compare
    )
    compare.add_argument("id")
    compare.add_argument("others", nargs="*")
    promote = add_action(actions, "promote", "ask the plant for what a scenario set", _promote)
    promote.add_argument("id")
    promote.add_argument("--dry-run", action="store_true", help="say what the guards would")
    keep = add_action(actions, "keep", "write what was simulated into the history", _keep)
    keep.add_argument("id")
    drop = add_action(actions, "drop", "drop a scenario and what it came to", _drop)
    drop.add_argument("id")


def _list(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("GET", "/scenarios")
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (s["id"], s["title"], ", ".join(s["twins"]), s["at"], f"{s['hours']:g} h", _state(s))
        for s in found["value"]
    ]
    head = ("SCENARIO", "TITLE", "TWINS", "AT", "FOR", "STATE")
    output.table(head, rows, "no scenarios; gemel whatif new FILE")
    return 0


def _state(scenario: Found) -> str:
    run = scenario["run"]
    if run is not None and run["state"] != "succeeded":
        return f"{run['state']} {run['error']}".strip()
    return "done" if scenario["result"] else "not run"


def _behaviours(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("GET", "/behaviours")
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (b["id"], b.get("behaviour") or "formulas", len(b["of"]), ", ".join(b["outputs"]))
        for b in found["value"]
    ]
    output.table(("ID", "BEHAVIOUR", "TWINS", "GIVES"), rows, "no behaviours")
    return 0


def _new(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    for scenario in entries_of(arguments.file, "scenarios", "scenarios"):
        body = {name: value for name, value in scenario.items() if name != "id"}
        found = client.call("PUT", f"/scenarios/{segment(scenario['id'])}", body)
        output.as_json(found) if arguments.json else output.say(f"{found['id']} is {_state(found)}")
    return 0


def _start(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    path = f"/scenarios/{segment(arguments.id)}"
    found = client.call("POST", f"{path}/run")
    shown = ""
    while arguments.wait and found["run"]["state"] not in OVER:
        time.sleep(LOOK_SECONDS)
        found = client.call("GET", path)
        run = found["run"]
        line = f"{run['state']} {run['progress']:.0%} {run['message']}"
        if line != shown:
            sys.stderr.write(output.plain(line) + "\n")
            shown = line
    if not arguments.wait:
        output.as_json(found) if arguments.json else output.say(found["run"]["id"])
        return 0
    if found["run"]["state"] != "succeeded":
        error, hint = found["run"]["error"], found["run"]["hint"]
        raise InvalidInput(f"the run has {found['run']['state']}: {error}", hint=hint)
    return _show(arguments)


def _cancel(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    run = client.call("GET", f"/scenarios/{segment(arguments.id)}")["run"]
    if run is None:
        raise InvalidInput(f"scenario '{arguments.id}' has no run", hint="gemel whatif run ID")
    found = client.call("POST", f"/runs/{segment(run['id'])}/cancel")
    output.as_json(found) if arguments.json else output.say(f"{run['id']} is {found['state']}")
    return 0


# ---- what it came to -----------------------------------------------------------------------------


def _show(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("GET", f"/scenarios/{segment(arguments.id)}/result")
    if arguments.json:
        output.as_json(found)
        return 0
    output.say(
        f"from {found['at']} to {found['to']}, {found['members']} draws, seed {found['seed']}"
    )
    for words in found["changes"]:
        output.say(f"  changed: {words}")
    rows = [
        (k["title"], _band(k["baseline"]), _band(k["scenario"]), _band(k["difference"], "+"),
         k["unit"], "sure" if k["difference"]["sure"] else "")
        for k in found["kpis"]
    ]  # fmt: skip
    head = ("FIGURE", "AS IT IS", "WHAT IF", "DIFFERENCE", "UNIT", "")
    output.table(head, rows, "no figures")
    if found["alarms"]:
        alarms = [
            (a["title"], a["twin"], *(_side(v) for v in a["variants"])) for a in found["alarms"]
        ]
        output.table(("ALARM", "TWIN", "AS IT IS", "WHAT IF"), alarms, "")
    if found["sweep"]:
        _show_sweep(found)
    for words in found["assumptions"]:
        output.say(f"  assumed: {words}")
    return 0


def _band(found: Found, sign: str = "") -> str:
    if found["mean"] is None:
        return "-"
    return f"{found['mean']:{sign}.4g} ({found['low']:{sign}.4g} to {found['high']:{sign}.4g})"


def _side(side: Found) -> str:
    if not side["share"]:
        return "no"
    return f"{side['share']:.0%}, after {side['firstHours']:.2g} h"


BEST = 10


def _show_sweep(found: Found) -> None:
    sweep = found["sweep"]
    rows = [
        (v["number"], v["rank"], *(f"{x:.4g}" for x in v["values"]),
         *(_band(k) for k in v["kpis"]))
        for v in sweep["variants"][:BEST]
    ]  # fmt: skip
    head = ("VARIANT", "RANK", *sweep["vary"], *(k["title"] for k in found["kpis"]))
    output.table(head, rows, "")


def _compare(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call(
        "GET", f"/scenarios/{segment(arguments.id)}/compare", **{"with": ",".join(arguments.others)}
    )
    if arguments.json:
        output.as_json(found)
        return 0
    names = [k["title"] for k in found["scenarios"][0]["kpis"]]
    rows = []
    for place, title in enumerate(names):
        figures = [
            _figure(s, found["scenarios"][0]["kpis"][place]["id"]) for s in found["scenarios"]
        ]
        rows.append((title, *figures))
    head = ("FIGURE", *(s["id"] for s in found["scenarios"]))
    output.table(head, rows, "no figures")
    told = [
        (s["id"], f"{h['twin']}.{h['property']}", h["moments"], f"{h['scenario']['bias']:+.3g}",
         f"{h['scenario']['rmse']:.3g}", f"{h['scenario']['coverage']:.0%}",
         f"{h['baseline']['rmse']:.3g}", f"{h['baseline']['coverage']:.0%}")
        for s in found["scenarios"] for h in s["happened"]
    ]  # fmt: skip
    if told:
        head = ("SCENARIO", "SERIES", "MOMENTS", "BIAS", "RMSE", "IN BAND", "AS IT IS", "IN BAND")
        output.table(head, told, "")
    return 0


def _figure(scenario: Found, key: str) -> str:
    for row in scenario["kpis"]:
        if row["id"] == key:
            return _band(row["scenario"])
    return "-"


# ---- what becomes of it --------------------------------------------------------------------------


def _promote(arguments: argparse.Namespace) -> int:
    path = f"/scenarios/{segment(arguments.id)}/promote"
    found = Client(arguments.data).call("POST", path, {"dryRun": arguments.dry_run})
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (a["twin"], a["property"], a["value"], a.get("command") or "desired", a["state"],
         a.get("error", ""))
        for a in found["asked"]
    ]  # fmt: skip
    rows += [(o["twin"], o["property"], "", "", "left out", o["why"]) for o in found["left"]]
    output.table(("TWIN", "PROPERTY", "VALUE", "BY", "STATE", ""), rows, "nothing")
    return 0


def _keep(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("POST", f"/scenarios/{segment(arguments.id)}/keep")
    if arguments.json:
        output.as_json(found)
        return 0
    output.say(f"{found['series']} series are in the history as {found['provenance']}")
    return 0


def _drop(arguments: argparse.Namespace) -> int:
    Client(arguments.data).call("DELETE", f"/scenarios/{segment(arguments.id)}")
    return 0
