"""Event routes: what is told, to whom, and that no address inside the network can be reached."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.inside import MODELS, PUMP, Inside, inside, until
from gemel.app.webhooks import is_public

TWIN = {"$metadata": {"$model": PUMP}, "name": "One", "bearing": {"$metadata": {}}}


class Hook:
    """A webhook that notes what it gets and answers as it is told."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[int] = []
        hook = self

        class Taker(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = hook.answers.pop(0) if hook.answers else 204
                if status < 300:
                    hook.events.append(orjson.loads(body))
                    hook.headers.append(dict(self.headers))
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", hook.url)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
        self.url = f"http://127.0.0.1:{self.server.server_port}/events?x=1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def types(self) -> list[str]:
        return [
            event["type"].rsplit(".", 2)[-2] + "." + event["type"].rsplit(".", 1)[-1]
            for event in self.events
        ]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook()
    yield found
    found.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path / "data", webhook_private=True) as found:
        found.ask("POST", "/models", MODELS)
        yield found


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("guarded") / "data") as found:
        yield found


def route(server: Inside, hook: Hook, text: str = "true") -> None:
    server.ask("PUT", "/endpoints/hook", {"url": hook.url, "authorization": "Bearer s3cret"})
    server.ask("PUT", "/eventroutes/all", {"endpointName": "hook", "filter": text})


def test_twins_and_relationships_are_told_in_order(server: Inside, hook: Hook) -> None:
    route(server, hook)
    server.ask("PUT", "/digitaltwins/a", TWIN)
    server.ask("PUT", "/digitaltwins/b", TWIN)
    patch = [{"op": "replace", "path": "/name", "value": "New"}]
    server.ask("PATCH", "/digitaltwins/a", patch)
    link = {"$relationshipName": "feeds", "$targetId": "b"}
    server.ask("PUT", "/digitaltwins/a/relationships/r", link)
    server.ask("DELETE", "/digitaltwins/a/relationships/r")
    server.ask("DELETE", "/digitaltwins/a")
    until(lambda: len(hook.events) == 6, "six events")
    assert hook.types() == [
        "Twin.Create",
        "Twin.Create",
        "Twin.Update",
        "Relationship.Create",
        "Relationship.Delete",
        "Twin.Delete",
    ]
    first, update, made = hook.events[0], hook.events[2], hook.events[3]
    assert first["specversion"] == "1.0"
    assert (first["subject"], first["data"]["$dtId"]) == ("a", "a")
    assert first["data"]["$metadata"]["$model"] == PUMP
    assert update["data"] == {"modelId": PUMP, "patch": patch}
    assert (made["subject"], made["data"]["$targetId"]) == ("a/relationships/r", "b")
    assert len({(event["source"], event["id"]) for event in hook.events}) == 6
    assert hook.headers[0]["Content-Type"].startswith("application/cloudevents+json")
    assert hook.headers[0]["Authorization"] == "Bearer s3cret"


def test_filters_choose_events(server: Inside, hook: Hook) -> None:
    text = "type = 'Microsoft.DigitalTwins.Twin.Update' AND STARTSWITH(subject, 'b')"
    route(server, hook, text + " OR $eventType = 'DigitalTwinTelemetryMessages'")
    for name in ("a", "b"):
        server.ask("PUT", f"/digitaltwins/{name}", TWIN)
        patch = [{"op": "replace", "path": "/name", "value": "New"}]
        server.ask("PATCH", f"/digitaltwins/{name}", patch)
    server.ingest("a", temperature=21.5)
    until(lambda: len(hook.events) == 2, "two events")
    told = {event["type"]: event for event in hook.events}
    assert told["Microsoft.DigitalTwins.Twin.Update"]["subject"] == "b"
    telemetry = told["microsoft.iot.telemetry"]
    assert telemetry["data"] == {"temperature": 21.5}
    assert telemetry["dataschema"] == PUMP


def test_failed_delivery_is_repeated(server: Inside, hook: Hook) -> None:
    hook.answers += [503]
    route(server, hook)
    server.ask("PUT", "/digitaltwins/a", TWIN)
    until(lambda: len(hook.events) == 1, "the event after a failure")
    state = until(
        lambda: (found := server.ask("GET", "/endpoints/hook"))["delivered"] == 1 and found, "count"
    )
    assert (state["dropped"], state["lastError"]) == (0, "")


def test_redirects_are_not_followed_and_refused_events_are_dropped(
    server: Inside, hook: Hook
) -> None:
    hook.answers += [302, 400]
    route(server, hook)
    server.ask("PUT", "/digitaltwins/a", TWIN)
    state = until(
        lambda: (found := server.ask("GET", "/endpoints/hook"))["dropped"] == 1 and found, "a drop"
    )
    assert "400" in state["lastError"]
    assert hook.events == []


def test_events_wait_for_a_restart(tmp_path: Path, hook: Hook) -> None:
    data = tmp_path / "data"
    hook.answers += [503] * 50
    with inside(data, webhook_private=True) as server:
        server.ask("POST", "/models", MODELS)
        route(server, hook)
        server.ask("PUT", "/digitaltwins/a", TWIN)
        until(lambda: server.ask("GET", "/endpoints/hook")["lastError"], "a failure")
    assert hook.events == []
    hook.answers.clear()
    with inside(data, webhook_private=True):
        until(lambda: len(hook.events) == 1, "the event")
    assert hook.types() == ["Twin.Create"]


def test_a_route_that_is_put_again_loses_nothing_that_waits(server: Inside, hook: Hook) -> None:
    hook.answers += [503] * 2
    route(server, hook)
    server.ask("PUT", "/digitaltwins/a", TWIN)
    until(lambda: server.ask("GET", "/endpoints/hook")["lastError"], "a failure")
    server.ask("PUT", "/eventroutes/all", {"endpointName": "hook", "filter": "subject = 'a'"})
    server.ask("PUT", "/endpoints/hook", {"url": hook.url})
    until(lambda: hook.types() == ["Twin.Create"], "the event")


def test_routes_are_listed_read_and_deleted(server: Inside, hook: Hook) -> None:
    assert server.ask("GET", "/eventroutes") == {"value": [], "nextLink": None}
    route(server, hook)
    shown = {"id": "all", "endpointName": "hook", "filter": "true"}
    assert server.ask("GET", "/eventroutes")["value"] == [shown]
    assert server.ask("GET", "/eventroutes/all") == shown
    assert server.http.delete("/endpoints/hook").status_code == 409
    assert "s3cret" not in server.http.get("/endpoints").text
    server.ask("DELETE", "/eventroutes/all")
    server.ask("DELETE", "/endpoints/hook")
    answer = server.http.get("/eventroutes/all")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "EventRouteNotFound")
    assert server.http.delete("/eventroutes/all").status_code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"endpointName": "none", "filter": "true"}, "EventRouteEndpointInvalid"),
        ({"endpointName": "none"}, "EventRouteEndpointInvalid"),
        ({"filter": "true"}, "EventRouteEndpointInvalid"),
        ({"endpointName": "none", "filter": "type = "}, "EventRouteFilterInvalid"),
        ({"endpointName": "none", "filter": 5}, "EventRouteFilterInvalid"),
        ({"endpointName": "none", "filter": "COUNT() = 1"}, "EventRouteFilterInvalid"),
        ({"endpointName": "none", "filter": "IS_NULL(a, b)"}, "EventRouteFilterInvalid"),
    ],
)
def test_wrong_routes_are_refused(guarded: Inside, body: Any, code: str) -> None:
    answer = guarded.http.put("/eventroutes/r", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://localhost:8080/",
        "https://10.1.2.3/",
        "http://192.168.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://[fe80::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://0.0.0.0/",
        "http://2130706433/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "http://user:pass@example.com/",
        "http://exa mple.com/",
        "http:///nohost",
        "https://example.com:99999/",
        "https://example.com/\r\nX: y",
        5,
        None,
    ],
)
def test_addresses_inside_are_refused(guarded: Inside, url: Any) -> None:
    answer = guarded.http.put("/endpoints/hook", json={"url": url})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "EndpointInvalid"
    assert guarded.ask("GET", "/endpoints")["value"] == []


@pytest.mark.parametrize(
    "address", ["64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1", "100.64.0.1", "fd00::1", "::"]
)
def test_addresses_that_only_look_public(address: str) -> None:
    assert not is_public(address)


def test_public_addresses_are_public() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")


def test_guard_holds_when_a_name_changes_its_address(tmp_path: Path, hook: Hook) -> None:
    data = tmp_path / "data"
    with inside(data, webhook_private=True) as server:
        server.ask("POST", "/models", MODELS)
        route(server, hook)
    with inside(data) as server:
        server.ask("PUT", "/digitaltwins/a", TWIN)
        error = until(lambda: server.ask("GET", "/endpoints/hook")["lastError"], "a refusal")
        assert "not a public address" in error
    assert hook.events == []


def test_readings_cost_nothing_where_no_route_wants_them(server: Inside, hook: Hook) -> None:
    events = server.platform.events
    route(server, hook, "type = 'Microsoft.DigitalTwins.Twin.Create' AND IS_DEFINED(data.x)")
    assert not events._wants_telemetry
    route(server, hook, "NOT type = 'Microsoft.DigitalTwins.Twin.Create'")
    assert events._wants_telemetry
    route(server, hook, "IS_DEFINED(data.temperature)")
    assert events._wants_telemetry
