"""Telemetry over HTTP in all its forms, answered when it is durable."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import cbor2
import orjson
import pytest

from app.inside import Inside, inside
from gemel.core.errors import Unavailable

T = 1_700_000_000
LINES = (
    b'{"twin": "%s", "flow": 1, "time": 1700000000}\n\n'
    b'{"twin": "%s", "flow": 2, "time": 1700000001}\n'
)
SENML = [{"bn": "%s/", "bt": T, "n": "flow", "v": 1.0}, {"n": "flow", "t": 1, "v": 2.0}]
SENML_CBOR = [{-2: "%s/", -3: T, 0: "flow", 2: 1.0}, {0: "flow", 6: 1, 2: 2.0}]


def named(value: Any, twin: str) -> Any:
    if isinstance(value, str):
        return value.replace("%s", twin)
    if isinstance(value, list):
        return [named(v, twin) for v in value]
    if isinstance(value, dict):
        return {k: named(v, twin) for k, v in value.items()}
    return value


def forms(twin: str) -> dict[str, tuple[str, bytes, str]]:
    rows = [{"flow": 1, "time": T}, {"flow": 2, "time": T + 1}]
    own = [{"twin": twin, **row} for row in rows]
    senml = orjson.dumps(named(SENML, twin))
    return {
        "array": ("/ingest", orjson.dumps(own), "application/json"),
        "by twin": ("/ingest", orjson.dumps({twin: rows}), ""),
        "lines": ("/ingest", LINES.replace(b"%s", twin.encode()), "application/x-ndjson"),
        "lines untold": ("/ingest", LINES.replace(b"%s", twin.encode()), ""),
        "senml": ("/ingest", senml, "application/senml+json"),
        "senml untold": ("/ingest", senml, ""),
        "senml cbor": (
            "/ingest",
            cbor2.dumps(named(SENML_CBOR, twin)),
            "application/senml+cbor",
        ),
        "one twin": (f"/ingest/{twin}", orjson.dumps(rows), "application/json; charset=utf-8"),
        "one twin, columns": (
            f"/ingest/{twin}",
            orjson.dumps({"time": [T, T + 1], "flow": [1, 2]}),
            "",
        ),
        "one twin, thingsboard": (
            f"/ingest/{twin}",
            orjson.dumps([{"ts": (T + n) * 1000, "values": {"flow": n + 1}} for n in (0, 1)]),
            "",
        ),
        "azure": (f"/digitaltwins/{twin}/telemetry", b"", ""),
    }


NAMES = [name for name in forms("x") if name != "azure"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("ingest") / "data") as found:
        found.pumps(*(f"p{n}" for n in range(60)))
        yield found


def values(server: Inside, twin: str) -> list[tuple[float, float]]:
    query = {"twin": twin, "property": "flow", "from": 0, "to": (T + 100) * 1000}
    found = server.ask("GET", "/history", **query)["series"][0]
    return list(zip(found["time"], found["value"], strict=True))


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("form", NAMES)
def test_all_forms_give_the_same_readings(form: str, is_packed: bool, server: Inside) -> None:
    twin = f"p{2 * NAMES.index(form) + is_packed}"
    path, body, kind = forms(twin)[form]
    headers = {"content-type": kind} if kind else {}
    if is_packed:
        body, headers = gzip.compress(body), {**headers, "content-encoding": "gzip"}
    answer = server.http.post(path, content=body, headers=headers)
    assert answer.json() == {"readings": 2, "rejected": 0, "duplicates": 0}, answer.text
    assert values(server, twin) == [(T * 1000, 1), ((T + 1) * 1000, 2)]
    again = server.http.post(path, content=body, headers=headers)
    assert again.json()["duplicates"] >= 1
    assert values(server, twin) == [(T * 1000, 1), ((T + 1) * 1000, 2)]


def test_several_packed_pieces_are_one_body(server: Inside) -> None:
    body = b"".join(gzip.compress(b'{"flow": %d, "time": %d}\n' % (n, T + n)) for n in range(3))
    answer = server.http.post("/ingest/p50", content=body, headers={"content-encoding": "gzip"})
    assert answer.json()["readings"] == 3


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/ingest", b""),
        ("/ingest", b"{"),
        ("/ingest", b"5"),
        ("/ingest", b'{"flow": 1}'),
        ("/ingest", b'[{"flow": 1}]'),
        ("/ingest", b'{"twin": "p1", "flow": 1}\n{"twin": '),
        ("/ingest", b'[{"n": "flow", "v": 1}]'),
        ("/ingest/p51", b"\x00\x01\xff"),
        ("/ingest", b'{"": {"flow": 1}}'),
    ],
)
def test_a_body_that_names_nothing_is_refused_whole(path: str, body: bytes, server: Inside) -> None:
    before = server.ask("GET", "/status")["readings"]
    answer = server.http.post(path, content=body)
    assert (answer.status_code, bool(answer.json()["error"]["message"])) == (400, True)
    assert server.ask("GET", "/status")["readings"] == before


def test_bad_values_are_told_and_kept_apart_and_good_ones_stay(server: Inside) -> None:
    body = {"flow": "fast", "temperature": 5, "none": 1, "running": 1, "time": T}
    answer = server.ask("POST", "/ingest/p52", body)
    assert (answer["readings"], answer["rejected"]) == (1, 3)
    assert {(r["field"], r["reason"]) for r in answer["rejects"]} == {
        ("flow", "wrong-type"),
        ("none", "unknown-property"),
        ("running", "wrong-type"),
    }
    kept = server.ask("GET", "/rejects", twin="p52")
    assert (kept["total"], kept["byReason"]) == (3, {"wrong-type": 2, "unknown-property": 1})
    assert all(r["explanation"] and r["source"] for r in kept["value"])
    assert server.ask("GET", "/twins/p52")["rejects"] == 3


def test_what_cannot_be_stored_is_not_confirmed(
    server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(batch: Any, rejects: Any, then: Any) -> None:
        then(Unavailable("the disk is full", hint="free some space"))

    monkeypatch.setattr(server.platform.history, "append", full)
    answer = server.http.post("/ingest/p53", json={"flow": 1})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    monkeypatch.undo()
    assert values(server, "p53") == []
    server.ingest("p53", flow=2)
    assert server.ask("GET", "/status")["behind"] == 0


def test_a_flaw_in_what_follows_does_not_refuse_what_is_stored(
    server: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(batch: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(server.platform.reactions, "react", broken)
    answer = server.http.post("/ingest/p54", json={"flow": 1, "time": T})
    assert answer.json()["readings"] == 1
    monkeypatch.undo()
    assert values(server, "p54") == [(T * 1000, 1)]


def test_telemetry_as_azure_sends_it(server: Inside) -> None:
    answer = server.http.post(
        "/digitaltwins/p55/telemetry",
        json={"flow": 3},
        headers={"Message-Id": "1", "Telemetry-Source-Time": "2023-11-14T22:13:20Z"},
    )
    assert answer.status_code == 204, answer.text
    assert values(server, "p55") == [(T * 1000, 3)]
