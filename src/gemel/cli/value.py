"""`gemel roi`: what the twin is worth, from the command line."""

from __future__ import annotations

import argparse
from typing import Any

from gemel.cli import output
from gemel.cli.actions import actions_of, add_action
from gemel.cli.client import Client
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.services.roi import CASES, calculate
from gemel.services.roi.calculate import SAMPLES
from gemel.services.roi.prices import ABOUT


def add(parser: argparse.ArgumentParser) -> None:
    actions = actions_of(parser)
    listed = add_action(
        actions, "cases", "cases of the calculator, with their inputs", _cases, is_remote=False
    )
    listed.add_argument("case", nargs="?", help="one of them")
    one = add_action(
        actions, "calculate", "work a case out; needs no server", _calculate, is_remote=False
    )
    one.add_argument("case", choices=list(CASES))
    one.add_argument("--set", action="append", default=[], help="input=value or =low:value:high")
    one.add_argument("--samples", type=int, default=SAMPLES, help="draws of the band")
    one.add_argument("--seed", type=int, default=1)
    for name, about, run, begin in (
        ("measured", "value from the twin's own record", _measured, "-30d"),
        ("fidelity", "how well predictions met what was measured", _fidelity, "-7d"),
    ):
        shown = add_action(actions, name, about, run)
        shown.add_argument("--from", dest="begin", default=begin, help="ISO 8601 or -30d")
        shown.add_argument("--to", dest="end", default="now")
        if name == "fidelity":
            shown.add_argument("--twin")
    prices = add_action(actions, "prices", "show or set what things cost", _prices)
    prices.add_argument("--set", action="append", default=[], help="such as failed=50000")


def _cases(arguments: argparse.Namespace) -> int:
    if arguments.case and arguments.case not in CASES:
        raise InvalidInput(f"there is no case '{arguments.case}'", hint=", ".join(CASES))
    found = [c.to_json() for c in CASES.values() if arguments.case in (None, c.name)]
    if arguments.json:
        output.as_json({"value": found})
        return 0
    rows = [
        (case["case"], i["name"], i["value"], i["low"], i["high"], i["title"], i["source"])
        for case in found
        for i in case["inputs"]
    ]
    output.table(("CASE", "INPUT", "VALUE", "LOW", "HIGH", "ABOUT", "SOURCE"), rows, "no cases")
    return 0


def _pairs(words: list[str]) -> dict[str, str]:
    found = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise InvalidInput(f"--set {word}", hint="name=value")
        found[name] = text
    return found


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InvalidInput(f"--set {name}: '{text}' is no number") from error


def _given(name: str, text: str) -> Any:
    parts = [_number(part, name) for part in text.split(":")]
    if len(parts) == 1:
        return parts[0]
    if len(parts) != 3:
        raise InvalidInput(f"--set {name}={text}", hint="a value, or low:value:high")
    return dict(zip(("low", "value", "high"), parts, strict=True))


def _calculate(arguments: argparse.Namespace) -> int:
    given = {name: _given(name, text) for name, text in _pairs(arguments.set).items()}
    found = calculate(arguments.case, given, arguments.samples, arguments.seed)
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (f["title"], _amount(f["value"], f["kind"]), f["formula"], f["about"])
        for f in found["figures"]
    ]
    output.table(("FIGURE", "VALUE", "FORMULA", "NOTE"), rows, "")
    for note in found["notes"]:
        output.say(note)
    band = found["band"]
    low, middle, high = (_amount(v, "money") for v in band["presentValue"])
    output.say(
        f"Net present value {middle}, 90 % of {band['samples']:,} draws from {low} to {high}; "
        f"above zero in {band['shareAboveZero']:.0%}."
    )
    hangs = [
        (t["title"], _amount(t["atLow"], "money"), _amount(t["atHigh"], "money"))
        for t in found["tornado"]
    ]
    output.table(("HANGS ON", "AT LOW", "AT HIGH"), hangs, "")
    return 0


def _amount(value: float | None, kind: str) -> str:
    if value is None:
        return "never" if kind in ("months", "years") else "-"
    if kind == "money":
        return f"{value:,.0f}"
    return f"{value:.1%}" if kind == "share" else f"{value:.4g} {kind if kind != 'number' else ''}"


def _ask(arguments: argparse.Namespace, path: str, **query: Any) -> Json:
    span = {"from": arguments.begin, "to": arguments.end}
    found: Json = Client(arguments.data).call("GET", path, **span, **query)
    return found


def _measured(arguments: argparse.Namespace) -> int:
    found = _ask(arguments, "/value/measured")
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (i["title"], i["count"], i["low"], i["value"], i["high"], ", ".join(i["needs"]))
        for i in found["items"]
    ]
    head = ("WHAT", "COUNT", "LOW", f"VALUE ({found['currency']})", "HIGH", "PRICES MISSING")
    output.table(head, rows, "")
    total = found["total"]
    if total["value"] is not None:
        output.say(f"Total {total['value']:,.0f}, from {total['low']:,.0f} to {total['high']:,.0f}")
    return 0


def _fidelity(arguments: argparse.Namespace) -> int:
    found = _ask(arguments, "/value/fidelity", twin=arguments.twin)
    if arguments.json:
        output.as_json(found)
        return 0
    names = ("twin", "property", "pairs", "nrmse", "bias", "coverage", "drift", "quality")
    rows = [[row[name] for name in names] for row in found["value"]]
    output.table([name.upper() for name in names], rows, "nothing was predicted in this span")
    return 0


def _prices(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    found = client.call("GET", "/value/prices")
    if arguments.set:
        texts = _pairs(arguments.set)
        changed = {n: t if n == "currency" else _number(t, n) for n, t in texts.items()}
        if "stopPriority" in changed:
            changed["stopPriority"] = int(changed["stopPriority"])
        found = client.call("PUT", "/value/prices", {**found, **changed})
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [(name, found[name], about) for name, about in ABOUT.items()]
    output.table(("PRICE", "VALUE", "WHAT"), rows, "")
    return 0
