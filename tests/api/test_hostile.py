"""Hostile text in every field over HTTP and MQTT: never a failure inside, never taken as markup."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from app.inside import MODELS, PUMP, Inside, inside

TEXTS = [
    "<script>alert(1)</script>'; DROP TABLE edits; -- %00%0a{}$(id)`id`",
    "a\x00b\x1b[2J\x07\r\n\x7f\x9b\x85\u2028\u202eabc\u200f\ufeff\uffff😀",
    "\x00",
    "x" * 100_000,
    "../../etc/passwd",
    "",
    "__proto__",
]
RAW = [
    rb'"\ud800"',
    rb'"\udc00\ud800"',
    b'"\xff\xfe"',
    b'"\xed\xa0\x80"',
    b'"\x00"',
    b"1e999",
    b"-0",
    b"123456789012345678901234567890",
    b"[[[[]]]]",
    b'{"": {"": null}}',
    b'{"a": 1, "a": 2}',
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("hostile") / "data") as found:
        found.pumps("pump-1")
        found.ask("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 80"})
        found.ingest("pump-1", temperature=99)
        found.ingest("loose", level=1)
        yield found


def bodies(text: str) -> list[tuple[str, str, Any]]:
    twin = {"$metadata": {"$model": PUMP}, "bearing": {"$metadata": {}}}
    return [
        ("PUT", "/digitaltwins/bad", {**twin, "name": text}),
        ("PUT", "/digitaltwins/bad", {**twin, text: 1}),
        ("PUT", "/digitaltwins/bad", {**twin, "$metadata": {"$model": text}}),
        ("PATCH", "/digitaltwins/pump-1", [{"op": "add", "path": text, "value": text}]),
        ("PATCH", "/digitaltwins/pump-1", [{"op": "add", "path": "/name", "value": text}]),
        (
            "PUT",
            "/digitaltwins/pump-1/relationships/r",
            {"$relationshipName": text, "$targetId": text},
        ),
        ("POST", "/models", [{**MODELS[0], "@id": text}]),
        ("POST", "/models", [{**MODELS[0], "@id": "dtmi:h:A;1", "displayName": text}]),
        ("PATCH", "/twins/pump-1/desired", {text: 1}),
        ("PATCH", "/twins/pump-1/desired", {"bearing.grease": text}),
        ("POST", "/discovered/loose/adopt", {"model": text or "x"}),
        ("PUT", "/rules/r", {"model": PUMP, "when": text}),
        ("PUT", "/rules/r", {"model": text, "when": "flow > 1"}),
        ("PUT", "/rules/r", {"model": PUMP, "when": "flow > 1e9", "title": text}),
        ("PUT", "/rules/r", {"model": PUMP, "when": "flow > 1", "then": {"command": text}}),
        ("POST", "/commands", {"twin": text, "command": "stop"}),
        ("POST", "/commands", {"twin": "pump-1", "command": text}),
        ("POST", "/commands", {"twin": "pump-1", "command": "stop", "id": text}),
        ("POST", "/commands", {"twin": "pump-1", "command": "setSpeed", "arguments": text}),
        ("POST", "/tokens", {"role": "device", "name": text, "twins": [text]}),
        ("POST", "/tokens", {"role": text}),
        ("POST", "/ingest", {text: {"flow": 1}}),
        ("POST", "/ingest", {"twin": text, "flow": 1}),
        ("POST", "/ingest/pump-1", {text: 1}),
        ("POST", "/ingest/pump-1", {"mode": text}),
        ("POST", "/ingest/pump-1", {"flow": 1, "time": text}),
        ("POST", "/ingest/stranger", {text: text}),
        ("POST", "/plant", {"name": text, "twins": {text: {"model": PUMP}}}),
        ("POST", "/plant", {"name": text, "scene": {text: text}}),
        ("POST", "/plant", {"bindings": [{"id": text, "topic": text}]}),
        (
            "POST",
            "/plant",
            {"bindings": [{"id": "b", "topic": "h/{twin}", "fields": {text: text}}]},
        ),
        ("POST", "/plant", {"kpis": [{"id": "k", "twin": text, "property": text, "label": text}]}),
        ("POST", "/plant", {"settings": {PUMP: {"geometry": text, "scope": text}}}),
    ]


READS = (
    "/twins",
    "/twins/pump-1",
    "/twins/pump-1/changes",
    "/plant",
    "/scene",
    "/kpis",
    "/rules",
    "/discovered",
    "/rejects",
    "/tokens",
    "/alarms?state=all",
    "/commands",
    "/models",
    "/status",
    "/metrics",
    "/bindings",
)


@pytest.mark.parametrize("text", TEXTS, ids=lambda t: ascii(t[:12]))
def test_no_text_in_any_field_breaks_it(text: str, server: Inside) -> None:
    for method, path, body in bodies(text):
        answer = server.http.request(method, path, json=body)
        assert answer.status_code < 500, f"{method} {path}: {answer.text[:300]}"
        if answer.content:
            assert answer.headers["content-type"].startswith("application/json")
    segment = quote(text[:2_000], safe="")
    for path in ("/twins/{}", "/digitaltwins/{}", "/models/{}", "/alarms/{}", "/commands/{}"):
        assert server.http.get(path.format(segment)).status_code < 500
    for query in ("search", "model", "cursor", "status", "limit"):
        assert server.http.get("/twins", params={query: text[:2_000]}).status_code < 500
    for query in ("twin", "property", "from", "to", "px", "bucket", "provenance", "limit"):
        more = {"twin": "pump-1", "property": "flow", query: text[:2_000]}
        assert server.http.get("/history", params=more).status_code < 500
    for path in READS:
        answer = server.http.get(path)
        assert answer.status_code == 200, f"{path}: {answer.text[:300]}"
    alarm = server.ask("GET", "/alarms", state="all")["value"][0]["id"]
    for act in ("comment", "acknowledge", "clear"):
        answer = server.http.post(f"/alarms/{alarm}/{act}", json={"comment": text})
        assert answer.status_code < 500, answer.text[:300]


@pytest.mark.parametrize("raw", RAW, ids=ascii)
def test_no_bytes_in_any_body_break_it(raw: bytes, server: Inside) -> None:
    shapes = (b"%s", b'{"twin": %s}', b'[{"a": {"b": %s}}]')
    paths = ("/ingest/pump-1", "/ingest", "/plant", "/commands", "/tokens", "/models")
    for shape, path in itertools.product(shapes, paths):
        answer = server.http.post(path, content=shape.replace(b"%s", raw))
        assert answer.status_code < 500, f"{path}: {answer.text[:300]}"
    kinds = ("application/senml+json", "application/cbor", "application/x-ndjson", "x/y; z=\xff")
    for kind in kinds:
        headers = {b"content-type": kind.encode("latin-1")}
        answer = server.http.post("/ingest/pump-1", content=raw, headers=headers)
        assert answer.status_code < 500


def test_no_payload_or_topic_over_mqtt_breaks_it(server: Inside) -> None:
    with server.device("pump-1", token=server.token("engineer"), client_id="gate") as device:
        for text in TEXTS:
            payloads = [
                text,
                orjson.dumps({text: text}),
                orjson.dumps({"mode": text}),
                b"\xff" + text.encode(),
            ]
            for payload in payloads:
                device.publish("devices/pump-1/telemetry", payload)
                device.publish("devices/pump-1/responses/x", payload)
            level = "".join(c for c in text if c.isprintable() and c not in "/+#$")[:500]
            device.publish(f"devices/{level or 'x'}/telemetry", '{"a": 1}')
            device.publish(f"odd/{level or 'x'}", '{"a": 1}')
        for raw in RAW:
            device.publish("devices/pump-1/telemetry", b'{"flow": %s}' % raw)
            device.publish("devices/pump-1/telemetry/flow", raw)
        device.publish("devices/pump-1/telemetry", '{"flow": 77, "time": 1700000000}')
    for path in READS:
        assert server.http.get(path).status_code == 200, path
    query = {"twin": "pump-1", "property": "flow", "from": 0, "to": 1_700_000_001_000}
    assert 77 in server.ask("GET", "/history", **query)["series"][0]["value"]
