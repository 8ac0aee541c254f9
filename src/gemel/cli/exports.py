"""`gemel exports`: readings that are copied to databases of others as they come."""

from __future__ import annotations

import argparse
from typing import Any

from gemel.cli import output
from gemel.cli.actions import actions_of, add_action
from gemel.cli.client import Client, segment
from gemel.cli.connectors import first_line

HEAD = ("NAME", "TO", "STATE", "OUT", "RATE", "BEHIND", "REFUSED", "PROBLEM")
FIELDS = {
    **{name: name for name in ("influx", "postgres", "http", "database", "bucket", "org")},
    **{name: name for name in ("measurement", "table", "username", "where", "since", "every")},
    "retention_policy": "retentionPolicy",
    "ca": "ca",
    "gzip": "gzip",
    "property": "properties",
    "provenance": "provenances",
}
"""Arguments of `put`, and what the API calls them."""


def add(parser: argparse.ArgumentParser) -> None:
    actions = actions_of(parser)
    add_action(actions, "list", "all exports, and how they are", _list)
    put = add_action(actions, "put", "make or change an export; it begins at once", _put)
    put.add_argument("name")
    at = put.add_mutually_exclusive_group(required=True)
    at.add_argument("--influx", help="an InfluxDB, http://HOST:PORT")
    at.add_argument("--postgres", help="a PostgreSQL, postgresql://USER@HOST:PORT/DATABASE")
    at.add_argument("--http", help="what takes lines of JSON, http://HOST:PORT/PATH")
    put.add_argument("--database", help="InfluxDB 1: the database")
    put.add_argument("--retention-policy", help="InfluxDB 1: not the default one")
    put.add_argument("--bucket", help="InfluxDB 2: the bucket")
    put.add_argument("--org", help="InfluxDB 2: the organization")
    put.add_argument("--measurement", help="InfluxDB: 'readings' unless said")
    put.add_argument("--table", help="PostgreSQL: 'readings' unless said; made if missing")
    put.add_argument("--username", help="InfluxDB 1, HTTP")
    put.add_argument("--password-file", default="", help="whose first line is the password")
    put.add_argument("--token-file", default="", help="whose first line is the token")
    put.add_argument("--ca", help="a PEM file with the authorities for its certificate")
    put.add_argument(
        "--no-gzip", dest="gzip", action="store_false", default=None, help="do not pack it"
    )
    put.add_argument("--where", help="of which twins: a condition of the query language")
    put.add_argument("--property", action="append", help="which, * for anything; repeat")
    put.add_argument("--provenance", action="append", help="measured, derived ...; repeat")
    put.add_argument("--since", help="from when on: an ISO time, 'beginning'; now unless said")
    put.add_argument("--every", type=float, help="of a property one reading in so many seconds")
    restart = add_action(actions, "restart", "copy what is stored from a time on", _restart)
    restart.add_argument("name")
    restart.add_argument("--since", default="beginning", help="an ISO time, or 'beginning'")
    delete = add_action(actions, "delete", "end an export; what is there stays there", _delete)
    delete.add_argument("name")


def _list(arguments: argparse.Namespace) -> int:
    return _show(Client(arguments.data).call("GET", "/exports")["value"], arguments.json)


def _put(arguments: argparse.Namespace) -> int:
    said = vars(arguments)
    body: dict[str, Any] = {
        field: said[name] for name, field in FIELDS.items() if said[name] is not None
    }
    for secret in ("password", "token"):
        if said[f"{secret}_file"]:
            body[secret] = first_line(said[f"{secret}_file"], secret)
    found = Client(arguments.data).call("PUT", f"/exports/{segment(arguments.name)}", body)
    return _show([found], arguments.json, is_one=True)


def _restart(arguments: argparse.Namespace) -> int:
    path = f"/exports/{segment(arguments.name)}/restart"
    found = Client(arguments.data).call("POST", path, {"since": arguments.since})
    return _show([found], arguments.json, is_one=True)


def _delete(arguments: argparse.Namespace) -> int:
    Client(arguments.data).call("DELETE", f"/exports/{segment(arguments.name)}")
    if not arguments.json:
        output.say(f"{arguments.name} is ended")
    return 0


def _show(found: list[dict[str, Any]], as_json: bool, *, is_one: bool = False) -> int:
    if as_json:
        output.as_json(found[0] if is_one else {"value": found})
        return 0
    rows = [
        (
            *(one["name"], one[one["kind"]], one["state"], one["exported"], one["rate"]),
            *("" if one["behind"] is None else f"{one['behind']} s", one["refused"]),
            one["problem"] or one["lastRefusal"],
        )
        for one in found
    ]
    output.table(HEAD, rows, "there are no exports: readings stay in Gemel")
    return 0
