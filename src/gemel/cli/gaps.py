"""`gemel gaps`: messages that were lost by design, by device and span."""

from __future__ import annotations

import argparse

from gemel.cli import output
from gemel.cli.client import Client


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("twin", nargs="?", help="only of this twin or device")
    parser.add_argument("--from", dest="start", default="-7d", help="such as -1h, or ISO 8601")
    parser.add_argument("--to", default="now")
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("--data", default="./gemel-data", help="the server's data folder")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=_gaps)


def _gaps(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call(
        "GET",
        "/gaps",
        twin=arguments.twin,
        to=arguments.to,
        limit=arguments.limit,
        **{"from": arguments.start},
    )
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (gap["device"], gap["from"], gap["to"], f"{gap['count']:,}", gap["cause"])
        for gap in found["value"]
    ]
    output.table(("DEVICE", "FROM", "TO", "MESSAGES", "CAUSE"), rows, "no gaps in that span")
    return 0
