"""Webhooks that are asked first, Event Grid's schema, and what a webhook may ask of us."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.inside import MODELS, PUMP, Inside, inside, until
from gemel.app import webhooks
from gemel.app.endpoint_settings import WebhookEndpoint
from gemel.app.webhook_sender import WebhookSender
from gemel.core.clock import FakeClock
from gemel.core.cloud_event import CloudEvent
from gemel.core.errors import Unavailable

TWIN = {"$metadata": {"$model": PUMP}, "name": "One", "bearing": {"$metadata": {}}}
ORIGIN = "gemel.plant.example"


class Hook:
    """A webhook that knows both ways to be asked, and notes what it gets."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.asked: list[dict[str, str]] = []
        self.allows: dict[str, str] = {}
        """Headers of the answer to OPTIONS."""
        self.validates = True
        self.largest = 1 << 20
        self.answers: list[tuple[int, dict[str, str]]] = []
        hook = self

        class Taker(BaseHTTPRequestHandler):
            def do_OPTIONS(self) -> None:
                hook.asked.append(dict(self.headers))
                self._answer(200, hook.allows)

            def do_POST(self) -> None:
                body = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.headers.get("aeg-event-type") == "SubscriptionValidation":
                    hook.asked.append(dict(self.headers))
                    self._validate(body)
                    return
                is_large = int(self.headers["Content-Length"]) > hook.largest
                status, headers = hook.answers.pop(0) if hook.answers else (200, {})
                status = 413 if is_large else status
                if status < 300:
                    hook.bodies.append(body)
                    hook.headers.append(dict(self.headers))
                    hook.times.append(time.monotonic())
                self._answer(status, headers)

            def _validate(self, body: Any) -> None:
                code = body[0]["data"]["validationCode"] if hook.validates else "else"
                self._answer(200, {}, orjson.dumps({"validationResponse": code}))

            def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
        self.url = f"http://127.0.0.1:{self.server.server_port}/events"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

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


def route(server: Inside, hook: Hook, **more: Any) -> None:
    server.ask("PUT", "/endpoints/hook", {"url": hook.url, **more})
    server.ask("PUT", "/eventroutes/all", {"endpointName": "hook"})


def state(server: Inside) -> dict[str, Any]:
    return dict(server.ask("GET", "/endpoints/hook"))


def test_event_grid_has_its_own_schema_and_asks_with_a_code(server: Inside, hook: Hook) -> None:
    route(server, hook, schema="eventgrid", authorization="Bearer s3cret")
    assert len(hook.asked) == 1
    assert hook.asked[0]["Authorization"] == "Bearer s3cret"
    server.ask("PUT", "/digitaltwins/a", TWIN)
    until(lambda: hook.bodies, "the event")
    [[event]] = hook.bodies
    assert set(event) == {
        *("id", "topic", "subject", "eventType", "eventTime", "data"),
        *("dataVersion", "metadataVersion"),
    }
    assert event["eventType"] == "Microsoft.DigitalTwins.Twin.Create"
    assert (event["subject"], event["data"]["$dtId"], event["metadataVersion"]) == ("a", "a", "1")
    assert hook.headers[0]["aeg-event-type"] == "Notification"


def test_a_webhook_without_the_code_is_refused(server: Inside, hook: Hook) -> None:
    hook.validates = False
    body = {"url": hook.url, "schema": "eventgrid"}
    answer = server.http.put("/endpoints/hook", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "EndpointInvalid")
    assert "validationResponse" in answer.text
    assert server.ask("GET", "/endpoints")["value"] == []


def test_a_webhook_is_asked_whether_we_may_send(server: Inside, hook: Hook) -> None:
    answer = server.http.put("/endpoints/hook", json={"url": hook.url, "origin": ORIGIN})
    assert (answer.status_code, ORIGIN in answer.text) == (400, True)
    hook.allows = {"WebHook-Allowed-Origin": ORIGIN, "WebHook-Allowed-Rate": "1200"}
    route(server, hook, origin=ORIGIN)
    assert hook.asked[-1]["WebHook-Request-Origin"] == ORIGIN
    for twin in ("a", "b", "c"):
        server.ask("PUT", f"/digitaltwins/{twin}", TWIN)
    until(lambda: len(hook.bodies) == 3, "three events")
    assert {headers["WebHook-Request-Origin"] for headers in hook.headers} == {ORIGIN}
    between = [after - before for before, after in zip(hook.times, hook.times[1:], strict=False)]
    assert min(between) > 0.02, "1200 a minute are one in 50 ms"


def test_a_webhook_that_is_not_there_yet_is_asked_before_the_first_event(
    server: Inside, hook: Hook
) -> None:
    hook.close()
    route(server, hook, schema="eventgrid")
    server.ask("PUT", "/digitaltwins/a", TWIN)
    told = until(lambda: (s := state(server))["lastError"] and s, "what is wrong")
    assert (told["waiting"], told["delivered"]) == (1, 0)
    other = Hook()
    server.ask("PUT", "/endpoints/hook", {"url": other.url, "schema": "eventgrid"})
    until(lambda: other.bodies, "the event")
    assert len(other.asked) == 2, "once when it was made, once by the delivery"
    other.close()


def test_a_secret_that_is_left_out_stays_and_an_empty_one_takes_it_away(
    server: Inside, hook: Hook
) -> None:
    for given, is_there in (({"authorization": "x"}, True), ({}, True), ({"authorization": ""}, 0)):
        made = server.ask("PUT", "/endpoints/hook", {"url": hook.url, **given})
        assert made["hasAuthorization"] == bool(is_there)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"kind": "pigeon"}, "webhook, kafka, mqtt"),
        ({"kind": 5}, "webhook, kafka, mqtt"),
        ({"url": "http://a/", "topic": "x"}, "no 'topic'"),
        ({"url": "http://a/", "schema": "x"}, "cloudevents, eventgrid"),
        ({"url": "http://a/", "origin": "a b"}, "DNS name"),
        ({"url": "http://a/", "authorization": "a\nb"}, "one line"),
        ({"kind": "kafka", "brokers": [], "topic": "t"}, "1 to 20"),
        ({"kind": "kafka", "brokers": ["a"], "topic": "t"}, "HOST:PORT"),
        ({"kind": "kafka", "brokers": ["a:0"], "topic": "t"}, "host and port"),
        ({"kind": "kafka", "brokers": "a:1", "topic": "t"}, "list"),
        ({"kind": "kafka", "brokers": ["a:1"], "topic": "t t"}, "Kafka topic"),
        ({"kind": "kafka", "brokers": ["a:1"], "topic": "t", "mode": "x"}, "binary, structured"),
        ({"kind": "kafka", "brokers": ["a:1"], "topic": "t", "mechanism": "x"}, "PLAIN"),
        ({"kind": "kafka", "brokers": ["a:1"], "topic": "t", "largest": 1}, "1,000"),
        ({"kind": "kafka", "brokers": ["a:1"], "topic": "t", "tls": 1}, "true or false"),
        ({"kind": "mqtt", "broker": ":1"}, "host and port"),
        ({"kind": "mqtt", "broker": "a:1", "topic": "a/#"}, "no topic for events"),
        ({"kind": "mqtt", "broker": "a:1", "topic": "a/{other}"}, "no topic for events"),
        ({"kind": "mqtt", "broker": "a:1", "version": "4"}, "5, 3.1.1"),
        ({"kind": "mqtt", "broker": "a:1", "largest": True}, "whole number"),
    ],
)
def test_what_is_wrong_with_an_endpoint_is_said(
    guarded: Inside, body: dict[str, Any], word: str
) -> None:
    answer = guarded.http.put("/endpoints/x", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "EndpointInvalid")
    assert word in answer.text


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("guarded") / "data", webhook_private=True) as found:
        yield found


# ---- the sender alone ------------------------------------------------------------------------


def event(number: int, time: int = 0) -> CloudEvent:
    attributes = {"id": str(number), "type": "t", "source": "s", "subject": "a", "time": "x"}
    return CloudEvent("a", time, attributes, b"{}")


def test_the_pause_that_a_webhook_asks_for_is_told(hook: Hook) -> None:
    async def work() -> None:
        clock = FakeClock()
        sender = WebhookSender(WebhookEndpoint(hook.url), True, clock)
        hook.answers = [(429, {"Retry-After": "7"}), (503, {}), (413, {})]
        for pause, is_settled in ((7.0, False), (0.0, False), (0.0, True)):
            [outcome] = await sender.send([event(1, clock())])
            assert (outcome.pause, outcome.is_settled) == (pause, is_settled)

    asyncio.run(work())


def test_what_was_not_taken_for_a_day_is_given_up(hook: Hook) -> None:
    async def work() -> None:
        clock = FakeClock()
        sender = WebhookSender(WebhookEndpoint(hook.url), True, clock)
        hook.answers = [(503, {}), (503, {})]
        made = event(1, clock())
        assert not (await sender.send([made, event(2, clock())]))[1].is_settled
        clock.advance(86_401)
        [outcome] = await sender.send([made])
        assert (outcome.is_settled, "a day" in outcome.why) == (True, True)

    asyncio.run(work())


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], (204, b"")),
        (
            [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"],
            (200, b"ok"),
        ),
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"],
            (200, b"ok"),
        ),
        ([b"HTTP/1.0 200 OK\r\n\r\n", b"to the ", b"end"], (200, b"to the end")),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 No\r\n\r\n"], (200, b"ok")),
        ([b"SSH-2.0-OpenSSH\r\n"], "did not answer in HTTP"),
        ([b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000], "more than"),
        ([], "closed the connection"),
        ([b"HTTP/1.1 20"], "closed the connection"),
    ],
)
def test_answers_are_read_whatever_their_form(pieces: list[bytes], expected: Any) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        writer.close()

    async def work() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        target = webhooks.read_url(f"http://127.0.0.1:{port}/")
        asked = webhooks.ask(target, "OPTIONS", True, {}, reads=True)
        if isinstance(expected, str):
            with pytest.raises(Unavailable, match=expected):
                await asked
        else:
            found = await asked
            assert (found.status, bytes(found.body)) == expected
        server.close()
        await server.wait_closed()

    asyncio.run(work())
