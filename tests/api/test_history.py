"""History over HTTP: every form of question, checked against plain arithmetic."""

from __future__ import annotations

import json
import math
import statistics
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from app.inside import PUMP, Inside, inside
from gemel.core.clock import to_iso

BASE = 1_700_000_000
VALUES = [(math.sin(n / 7) * 10 + n / 50) for n in range(600)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("history") / "data") as found:
        found.pumps("pump-1", "pump-2")
        limits = {PUMP: {"properties": {"temperature": {"maximum": 100}}}}
        found.ask("POST", "/plant", {"settings": limits})
        rows = [{"time": BASE + n, "flow": v} for n, v in enumerate(VALUES)]
        found.ask("POST", "/ingest/pump-1", rows)
        texts = [{"time": BASE + n, "mode": f"m{n}"} for n in range(3)]
        found.ask("POST", "/ingest/pump-1", texts)
        odd = [{"time": BASE, "temperature": 50}, {"time": BASE + 1, "temperature": 500}]
        found.ask("POST", "/ingest/pump-1", odd)
        now = [{"flow": 5, "time": to_iso(found.clock() - s * 10**9)} for s in (9_000, 3_000)]
        found.ask("POST", "/ingest/pump-2", now)
        yield found


def read(server: Inside, prop: str = "flow", twin: str = "pump-1", **query: Any) -> dict[str, Any]:
    query = {"from": BASE * 1000, "to": (BASE + 600) * 1000} | {
        k.rstrip("_"): v for k, v in query.items()
    }
    return server.ask("GET", "/history", twin=twin, property=prop, **query)["series"][0]


def test_raw_readings_are_all_there(server: Inside) -> None:
    found = read(server)
    assert found["source"] == "raw"
    assert found["time"] == [(BASE + n) * 1000 for n in range(600)]
    assert found["value"] == VALUES
    assert set(found["quality"]) == {0}


def test_from_is_in_and_to_is_out_of_the_span(server: Inside) -> None:
    found = read(server, from_=(BASE + 10) * 1000, to=(BASE + 12) * 1000)
    assert found["time"] == [(BASE + 10) * 1000, (BASE + 11) * 1000]


def test_a_limit_bounds_the_raw_readings(server: Inside) -> None:
    assert len(read(server, limit=7)["time"]) == 7


@pytest.mark.parametrize("aggregate", ["avg", "min", "max", "sum", "count", "first", "last"])
def test_buckets_equal_plain_arithmetic(aggregate: str, server: Inside) -> None:
    found = read(server, bucket=60, aggregate=aggregate)
    plain = {
        "avg": lambda v: sum(v) / len(v),
        "min": min,
        "max": max,
        "sum": sum,
        "count": len,
        "first": lambda v: v[0],
        "last": lambda v: v[-1],
    }[aggregate]
    groups: dict[int, list[float]] = {}
    for n, value in enumerate(VALUES):
        groups.setdefault((BASE + n) // 60 * 60, []).append(value)
    assert found["source"] == aggregate
    assert found["time"] == [start * 1000 for start in groups]
    assert found["value"] == pytest.approx([plain(v) for v in groups.values()], abs=1e-9)


def test_pixels_keep_first_last_lowest_and_highest(server: Inside) -> None:
    found = read(server, px=20)
    assert found["source"] == "m4"
    assert len(found["time"]) <= 80
    kept = dict(zip(found["time"], found["value"], strict=True))
    assert all(kept[t] == VALUES[round(t / 1000) - BASE] for t in kept)
    for pixel in range(20):
        rows = range(pixel * 30, pixel * 30 + 30)
        times = {(BASE + n) * 1000 for n in rows} & set(kept)
        inside_ = [VALUES[n] for n in rows]
        assert {min(inside_), max(inside_), inside_[0], inside_[-1]} <= {kept[t] for t in times}


def test_texts_come_beside_their_rows(server: Inside) -> None:
    for query in ({}, {"px": 1200}):
        found = read(server, "mode", **query)
        assert found["text"] == {"0": '"m0"', "1": '"m1"', "2": '"m2"'}
        assert found["value"] == [None] * 3


def test_bad_readings_only_when_they_are_asked_for(server: Inside) -> None:
    good, every = read(server, "temperature"), read(server, "temperature", quality="all")
    assert every["value"] == [50, 500]
    assert every["quality"][0] == 0 != every["quality"][1]
    if every["quality"][1] >= 128:
        assert good["value"] == [50]
    assert good["unit"] == "°C"


def test_times_may_be_relative_iso_or_epoch(server: Inside) -> None:
    for start, count in (("-90m", 1), ("-3h", 2), ("-2.2h", 1), ("-9000000ms", 1), ("-1d", 2)):
        assert len(read(server, twin="pump-2", from_=start, to="now")["time"]) == count, start
    iso = read(server, from_="2023-11-14T22:13:20Z", to="2023-11-14T23:13:21+01:00")
    assert iso["value"] == VALUES[:1]
    assert read(server, from_=f"{BASE}000.0", to=f"{BASE}001")["value"] == VALUES[:1]


def test_several_series_at_once(server: Inside) -> None:
    query = {"twin": "pump-1,pump-2", "property": "flow,mode", "from": 0}
    found = server.ask("GET", "/history", **query)["series"]
    assert [(s["twin"], s["property"], len(s["time"])) for s in found] == [
        ("pump-1", "flow", 600),
        ("pump-1", "mode", 3),
        ("pump-2", "flow", 2),
        ("pump-2", "mode", 0),
    ]


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ({}, 400, "needs twin and property"),
        ({"twin": "pump-1"}, 400, "needs twin and property"),
        ({"twin": ",", "property": "flow"}, 400, "needs twin and property"),
        ({"twin": "none", "property": "flow"}, 404, "'none' has no 'flow'"),
        ({"twin": "pump-1", "property": "none"}, 404, "'pump-1' has no 'none'"),
        ({"from": "now", "to": "-1h"}, 400, "from must lie before to"),
        ({"from": "soon"}, 400, "from: 'soon' is not a time"),
        ({"from": "-1x"}, 400, "is not a time"),
        ({"from": "--1h"}, 400, "is not a time"),
        ({"from": "-1e400h"}, 400, "is not a time"),
        ({"from": "-nanh"}, 400, "is not a time"),
        ({"from": "nan"}, 400, "is not a time"),
        ({"from": "1e300"}, 400, "cannot be expressed"),
        ({"to": "9999-12-31T00:00:00Z"}, 400, "cannot be expressed"),
        ({"to": "2026-11-22T10:00:00.5²Z"}, 400, "is not a time"),
        ({"px": "-1"}, 400, "px must be a number"),
        ({"px": "many"}, 400, "px must be a number"),
        ({"bucket": "nan"}, 400, "bucket must be a number"),
        ({"bucket": "0.000001"}, 400, "more than 100,000 buckets"),
        ({"bucket": "60", "aggregate": "median"}, 400, "aggregate: 'median'"),
        ({"limit": "0"}, 400, "limit must be a number"),
        ({"limit": "1e99"}, 400, "limit must be a number"),
        ({"provenance": "guessed"}, 400, "provenance: 'guessed'"),
        ({"twin": ",".join("ab" * 60), "property": "flow"}, 400, "more than 100 series"),
    ],
)
def test_a_question_that_is_none(
    query: dict[str, str], status: int, said: str, server: Inside
) -> None:
    if query and "twin" not in query:
        query = {"twin": "pump-1", "property": "flow", **query}
    answer = server.http.get("/history", params=query)
    assert (answer.status_code, said in answer.json()["error"]["message"]) == (status, True), (
        answer.text
    )


def test_the_value_as_of_a_moment(server: Inside) -> None:
    def last(at: Any, prop: str = "flow") -> Any:
        query = {"twin": "pump-1", "property": prop, "at": at}
        return server.ask("GET", "/history/last", **query)["value"][0]

    assert last((BASE + 10) * 1000)["value"] == VALUES[10]
    assert last((BASE + 10) * 1000 + 999)["time"] == to_iso((BASE + 10) * 10**9)
    assert last((BASE - 1) * 1000)["value"] is None
    assert last("now")["value"] == VALUES[-1]
    assert last("now", "mode")["value"] == "m2"
    assert last("now", "running")["value"] is None
    answer = server.http.get("/history/last", params={"twin": "pump-1", "property": "x"})
    assert answer.status_code == 404


def test_times_are_exact_to_the_microsecond(server: Inside) -> None:
    server.ask("POST", "/ingest/pump-2", {"time": "2023-11-14T22:13:20.123456Z", "target": 1})
    assert read(server, "target", twin="pump-2")["time"] == [1_700_000_000_123.456]


def columns(server: Inside, **query: Any) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """The head and the columns of the first series, read as the reference says."""
    query = {"twin": "pump-1", "format": "columns"} | query
    query = {"from": BASE * 1000, "to": (BASE + 600) * 1000} | query
    content = server.http.get("/history", params=query).content
    (length,) = struct.unpack_from("<I", content)
    head = json.loads(content[4 : 4 + length])
    at, found = 4 + length, {}
    assert at % 8 == 0
    for name in head["series"][0]["columns"]:
        count, kind = head["series"][0]["count"], "B" if name == "quality" else "d"
        found[name] = list(struct.unpack_from(f"<{count}{kind}", content, at))
        at += -(-struct.calcsize(f"<{count}{kind}") // 8) * 8
    assert at == len(content) or len(head["series"]) > 1
    return head, found


def test_columns_as_bytes_are_the_same_as_json(server: Inside) -> None:
    head, found = columns(server, property="flow", px=100)
    plain = read(server, px=100)
    assert found == {"time": plain["time"], "value": plain["value"]}
    assert head["series"][0]["source"] == "m4"
    head, found = columns(server, property="temperature", quality="all")
    assert found["quality"] == read(server, "temperature", quality="all")["quality"]
    head, found = columns(server, property="mode")
    assert head["series"][0]["text"] == {"0": '"m0"', "1": '"m1"', "2": '"m2"'}
    assert all(math.isnan(value) for value in found["value"])


def test_an_unknown_format_is_refused(server: Inside) -> None:
    query = {"twin": "pump-1", "property": "flow", "format": "xml"}
    answer = server.http.get("/history", params=query)
    assert answer.status_code == 400
    assert "json, columns" in answer.json()["error"]["hint"]


def test_statistics_equal_plain_arithmetic(server: Inside) -> None:
    span = {"from": (BASE + 7) * 1000, "to": (BASE + 507) * 1000}
    query = {"twin": "pump-1", "property": "flow,mode,target"}
    found = server.ask("GET", "/history/statistics", **query, **span)["value"]
    flow, mode, target = found
    inside_ = VALUES[7:507]
    assert (flow["count"], flow["first"], flow["last"]) == (500, inside_[0], inside_[-1])
    assert (flow["min"], flow["max"]) == (min(inside_), max(inside_))
    assert flow["avg"] == pytest.approx(statistics.fmean(inside_))
    assert flow["sd"] == pytest.approx(statistics.pstdev(inside_))
    assert (mode["count"], mode["avg"], target["count"], target["max"]) == (0, None, 0, None)


def test_limits_of_a_twin_come_from_the_rules_of_its_model(server: Inside) -> None:
    for key, when, priority in (
        ("warm", "temperature > 60 °C", 3),
        ("hot", "temperature > 80 °C for 5 minutes", 1),
        ("odd", 'mode == "odd"', 2),
        ("still", "running == false", 4),
    ):
        server.ask("PUT", f"/rules/{key}", {"model": PUMP, "when": when, "priority": priority})
    found = server.ask("GET", "/twins/pump-1/limits")["value"]
    assert [(one["rule"], one["limit"], one["unit"]) for one in found] == [
        ("hot", 80.0, "°C"),
        ("warm", 60.0, "°C"),
        ("still", False, None),
    ]
    assert found[-1]["limit"] is False  # as in an alarm of it
    assert server.http.get("/twins/nobody/limits").status_code == 404
