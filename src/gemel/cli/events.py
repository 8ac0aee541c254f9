"""`gemel endpoint` and `gemel route`: where events of twins go, which, and how that goes."""

from __future__ import annotations

import argparse
from typing import Any

from gemel.cli import output
from gemel.cli.actions import actions_of, add_action
from gemel.cli.client import Client, segment
from gemel.cli.connectors import first_line

HEAD = ("NAME", "KIND", "AT", "TOPIC", "DELIVERED", "WAITING", "DROPPED", "LAST ERROR")
ROUTE_HEAD = ("ROUTE", "ENDPOINT", "FILTER")
FIELDS = {
    **{name: name for name in ("url", "schema", "origin", "topic", "mode", "version")},
    **{name: name for name in ("tls", "username", "mechanism", "largest")},
    "client_id": "clientId",
}
"""Arguments of `put`, and what the API calls them."""
WAYS = {"url": "webhook", "kafka": "kafka", "mqtt": "mqtt"}
"""The argument that says where, and the kind."""


def add_endpoint(parser: argparse.ArgumentParser) -> None:
    actions = actions_of(parser)
    add_action(actions, "list", "all endpoints, and how delivery goes", _list)
    put = add_action(actions, "put", "make or change an endpoint", _put)
    put.add_argument("name")
    at = put.add_mutually_exclusive_group(required=True)
    at.add_argument("--url", help="a webhook, https://...")
    at.add_argument("--kafka", action="append", help="a Kafka broker, HOST:PORT; repeat")
    at.add_argument("--mqtt", help="an MQTT broker, HOST:PORT")
    put.add_argument("--authorization-file", default="", help="webhook: whose first line is sent")
    put.add_argument("--schema", help="webhook: cloudevents or eventgrid")
    put.add_argument("--origin", help="webhook: the name under which we ask first")
    put.add_argument("--topic", help="Kafka: the topic; MQTT: a pattern with {twin} and {type}")
    put.add_argument("--mode", help="Kafka, MQTT: binary or structured")
    put.add_argument("--version", help="MQTT: 5 or 3.1.1")
    put.add_argument("--tls", action="store_true", default=None, help="Kafka, MQTT: speak TLS")
    put.add_argument("--username", help="Kafka, MQTT: to log in as")
    put.add_argument("--password-file", default="", help="whose first line is the password")
    put.add_argument("--mechanism", help="Kafka: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
    put.add_argument("--client-id", help="MQTT: made of the name unless said")
    put.add_argument("--largest", type=int, help="Kafka, MQTT: bytes of a message at most")
    delete = add_action(actions, "delete", "forget an endpoint", _delete)
    delete.add_argument("name")


def add_route(parser: argparse.ArgumentParser) -> None:
    actions = actions_of(parser)
    add_action(actions, "list", "which events go where", _list_routes)
    put = add_action(actions, "put", "make or change a route", _put_route)
    put.add_argument("id")
    put.add_argument("endpoint")
    put.add_argument("--filter", default="true", help="which events, as after WHERE")
    delete = add_action(actions, "delete", "end a route", _delete_route)
    delete.add_argument("id")


# ---- endpoints -------------------------------------------------------------------------------


def _list(arguments: argparse.Namespace) -> int:
    return _show(Client(arguments.data).call("GET", "/endpoints")["value"], arguments.json)


def _put(arguments: argparse.Namespace) -> int:
    said = vars(arguments)
    body: dict[str, Any] = {
        field: said[name] for name, field in FIELDS.items() if said[name] is not None
    }
    body["kind"] = next(kind for name, kind in WAYS.items() if said[name])
    if arguments.kafka:
        body["brokers"] = arguments.kafka
    if arguments.mqtt:
        body["broker"] = arguments.mqtt
    for name in ("authorization", "password"):
        if file := said[f"{name}_file"]:
            body[name] = first_line(file, name)
    client = Client(arguments.data)
    found = client.call("PUT", f"/endpoints/{segment(arguments.name)}", body)
    if arguments.json:
        output.as_json(found)
        return 0
    return _show([found], as_json=False)


def _delete(arguments: argparse.Namespace) -> int:
    Client(arguments.data).call("DELETE", f"/endpoints/{segment(arguments.name)}")
    if not arguments.json:
        output.say(f"endpoint {arguments.name} is forgotten")
    return 0


def _show(found: list[dict[str, Any]], as_json: bool) -> int:
    if as_json:
        output.as_json({"value": found})
        return 0
    rows = [
        (
            *(one["name"], one["kind"], _place(one), one.get("topic", "")),
            *(one["delivered"], one["waiting"], one["dropped"], one["lastError"]),
        )
        for one in found
    ]
    output.table(HEAD, rows, "there are no endpoints: nobody is told what happens to twins")
    for one in found:
        for drop in one["drops"]:
            what = f"{drop['type']} of {drop['subject']}"
            output.say(f"{one['name']}: dropped {drop['time']} {what}: {drop['why']}")
    return 0


def _place(one: dict[str, Any]) -> str:
    return str(one.get("url") or one.get("broker") or ", ".join(one.get("brokers", ())))


# ---- routes ----------------------------------------------------------------------------------


def _list_routes(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    found, path = [], "/eventroutes"
    while path:
        page = client.call("GET", path)
        found += page["value"]
        path = page["nextLink"] or ""
    if arguments.json:
        output.as_json({"value": found})
        return 0
    rows = [(one["id"], one["endpointName"], one["filter"]) for one in found]
    output.table(ROUTE_HEAD, rows, "there are no event routes")
    return 0


def _put_route(arguments: argparse.Namespace) -> int:
    body = {"endpointName": arguments.endpoint, "filter": arguments.filter}
    Client(arguments.data).call("PUT", f"/eventroutes/{segment(arguments.id)}", body)
    if arguments.json:
        output.as_json({"id": arguments.id, **body})
    else:
        output.say(f"route {arguments.id} leads to {arguments.endpoint}")
    return 0


def _delete_route(arguments: argparse.Namespace) -> int:
    Client(arguments.data).call("DELETE", f"/eventroutes/{segment(arguments.id)}")
    if not arguments.json:
        output.say(f"route {arguments.id} is ended")
    return 0
