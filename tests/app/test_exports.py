"""Readings are copied out as they come, from where they were stored, whatever happens between."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from bench.against.servers import Postgres

from app.inside import Inside, inside, until
from app.lines_sink import Sink, sinking
from exports.databases import started, url
from gemel.app import export_cursors
from gemel.app.export_cursors import Cursor
from gemel.core.errors import Damaged
from gemel.exports.settings import HttpExport
from gemel.history import Position
from running import Running


@pytest.fixture
def sink() -> Iterator[Sink]:
    with sinking() as made:
        yield made


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path / "data") as made:
        made.pumps("p1", "p2")
        yield made


def export(server: Inside, name: str = "lake") -> dict[str, Any]:
    return next(one for one in server.ask("GET", "/exports")["value"] if one["name"] == name)


def values(sink: Sink, path: str = "flow") -> list[object]:
    return [row["value"] for row in list(sink.rows) if row["property"] == path]


def test_what_comes_goes_out_with_its_names_and_times(server: Inside, sink: Sink) -> None:
    server.ingest("p1", flow=0)
    made = server.ask("PUT", "/exports/lake", {"http": sink.url, "token": "s3-cret", "gzip": True})
    assert (made["kind"], made["source"], made["hasToken"]) == ("http", "people", True)
    assert "s3-cret" not in str(server.ask("GET", "/exports"))
    server.ingest("p1", flow=1.5, mode="run", time="2026-01-01T00:00:00.000000001Z")
    server.ingest("p2", running=True)
    until(lambda: len(sink.rows) == 3)
    rows = {(row["twin"], row["property"]): row for row in sink.rows}
    assert rows["p1", "flow"] == {
        "twin": "p1", "property": "flow", "value": 1.5, "time": "2026-01-01T00:00:00.000000001Z",
    }  # fmt: skip
    assert (rows["p1", "mode"]["value"], rows["p2", "running"]["value"]) == ("run", 1.0)
    assert sink.headers[0]["Authorization"] == "Bearer s3-cret"
    until(lambda: export(server)["exported"] == 3)
    until(lambda: (export(server)["state"], export(server)["behind"]) == ("running", 0.0))
    assert "s3-cret" not in str(server.ask("GET", "/audit", limit=50))
    server.ask("DELETE", "/exports/lake")
    assert server.ask("GET", "/exports")["value"] == []


def test_what_is_stored_goes_out_where_it_begins_earlier(server: Inside, sink: Sink) -> None:
    for n in range(5):
        server.ingest("p1", flow=n, time=f"2026-01-0{n + 1}T00:00:00Z")
    server.run(off_loop(server.platform.history.seal))
    server.ingest("p1", flow=9)
    server.ask("PUT", "/exports/lake", {"http": sink.url, "since": "2026-01-03"})
    until(lambda: len(values(sink)) == 4)
    assert values(sink) == [2.0, 3.0, 4.0, 9.0]
    until(lambda: export(server)["exported"] == 4)
    sink.rows.clear()
    server.ask("POST", "/exports/lake/restart", {"since": "beginning"})
    until(lambda: len(values(sink)) == 6)
    until(lambda: export(server)["exported"] == 10)


async def off_loop(call: Any) -> Any:
    import asyncio

    return await asyncio.to_thread(call)


def test_only_what_is_asked_for_goes_out_also_of_twins_made_later(
    server: Inside, sink: Sink
) -> None:
    body = {
        "http": sink.url,
        "where": "STARTSWITH($dtId, 'p2')",
        "properties": ["flow", "bearing.*"],
        "every": 3600,
    }
    server.ask("PUT", "/exports/lake", body)
    for twin in ("p1", "p2"):
        server.ingest(twin, flow=1, temperature=3, time="2026-01-01T00:00:00Z")
        server.ingest(twin, flow=2, time="2026-01-01T00:00:01Z")
        server.ingest(twin, flow=3, time="2026-01-01T01:00:00Z")
    until(lambda: export(server)["behind"] == 0 and len(sink.rows) == 2)
    assert {row["twin"] for row in sink.rows} == {"p2"}
    assert values(sink) == [1.0, 3.0]
    server.pumps("p1", "p2", "p2b")
    until(lambda: not server.platform.exports._links["lake"]._selection.is_stale)
    server.ingest("p2b", flow=4)
    until(lambda: 4.0 in values(sink))


def test_nothing_is_left_out_while_the_target_is_away(server: Inside, sink: Sink) -> None:
    server.ask("PUT", "/exports/lake", {"http": sink.url})
    sink.status = 503
    for n in range(20):
        server.ingest("p1", flow=n)
    until(lambda: export(server)["state"] == "failing")
    assert "503" in export(server)["problem"]
    server.run(off_loop(server.platform.history.seal))
    for n in range(20, 40):
        server.ingest("p1", flow=n)
    sink.status = 204
    until(lambda: len(values(sink)) >= 40)
    assert values(sink) == [float(n) for n in range(40)]
    until(lambda: (export(server)["state"], export(server)["problem"]) == ("running", ""))


def test_a_wrong_token_is_told_and_a_right_one_goes_on(server: Inside, sink: Sink) -> None:
    sink.status = 401
    server.ask("PUT", "/exports/lake", {"http": sink.url, "token": "wrong"})
    server.ingest("p1", flow=1)
    until(lambda: "look at the user, password or token" in export(server)["problem"])
    sink.status = 204
    server.ask("PUT", "/exports/lake", {"http": sink.url, "token": "right"})
    until(lambda: values(sink) == [1.0])


def test_its_process_may_end_and_another_goes_on(server: Inside, sink: Sink) -> None:
    server.ask("PUT", "/exports/lake", {"http": sink.url})
    server.ingest("p1", flow=1)
    until(lambda: values(sink) == [1.0])
    until(lambda: export(server)["exported"] == 1)
    process = server.platform.exports._links["lake"]._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: "SIGKILL" in export(server)["problem"])
    server.ingest("p1", flow=2)
    until(lambda: values(sink) == [1.0, 2.0])


def test_where_it_is_outlives_the_server(tmp_path: Path, sink: Sink) -> None:
    given = {"lake": HttpExport(http=sink.url)}
    for turn in range(3):
        with inside(tmp_path / "data", exports=given) as server:
            if not turn:
                server.pumps("p1")
            assert export(server)["source"] == "file"
            until(lambda: export(server)["state"] == "running" and not export(server)["behind"])
            answer = server.http.put("/exports/lake", json={"http": sink.url})
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "ExportOfFile")
            server.ingest("p1", flow=turn)
            until(lambda: values(sink) == [float(n) for n in range(turn + 1)])  # noqa: B023
            until(lambda: export(server)["exported"] == turn + 1)  # noqa: B023


def test_what_is_removed_before_it_went_out_is_a_gap(tmp_path: Path, sink: Sink) -> None:
    sink.status = 503
    with inside(tmp_path / "data", retention_days=1) as server:
        server.pumps("p1")
        server.ask("PUT", "/exports/lake", {"http": sink.url})
        for n in range(7):
            server.ingest("p1", flow=n)
        until(lambda: export(server)["state"] == "failing")
        server.run(off_loop(server.platform.history.seal))
        server.clock.advance(2 * 86_400)
        server.call(server.platform.history.expire)
        until(lambda: export(server)["expired"] == 7)
        [gap] = server.ask("GET", "/gaps")["value"]
        assert (gap["device"], gap["cause"], gap["count"]) == ("export:lake", "retention", 7)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "must say where it goes"),
        ({"http": "nowhere"}, "no address"),
        ({"http": "http://u:p@a"}, "say it in 'password'"),
        ({"http": "http://a", "bucket": "x"}, "no 'bucket'"),
        ({"influx": "http://a"}, "either 'database'"),
        ({"influx": "http://a", "database": "x", "measurement": ""}, "measurement"),
        ({"postgres": "postgresql://a"}, "names no database"),
        ({"postgres": "postgresql://a/b", "table": "a;b"}, "table"),
        ({"http": "http://a", "every": -1}, "every"),
        ({"http": "http://a", "since": "yesterday"}, "since"),
        ({"http": "http://a", "properties": []}, "properties"),
        ({"http": "http://a", "provenances": ["said"]}, "provenance"),
        ({"http": "http://a", "where": "this is nothing"}, "expected"),
        ({"http": "http://a", "port": 3}, "unknown field 'port'"),
    ],
)
def test_a_wrong_export_is_refused_in_words(
    server: Inside, body: dict[str, object], says: str
) -> None:
    answer = server.http.put("/exports/wrong", json=body)
    assert answer.status_code == 400
    assert says in answer.text
    assert server.ask("GET", "/exports")["value"] == []


def test_names_and_those_that_are_not_there(server: Inside) -> None:
    assert server.http.put("/exports/Not%20a%20name", json={"http": "http://a"}).status_code == 400
    assert server.http.delete("/exports/wrong").status_code == 404
    assert server.http.post("/exports/wrong/restart", json={"since": ""}).status_code == 404


def test_after_kills_every_acknowledged_reading_is_there(tmp_path: Path, sink: Sink) -> None:
    acknowledged, running = killed_again_and_again(tmp_path, f'http = "{sink.url}"', 2)
    until(lambda: acknowledged <= {int(v) for v in values(sink)})  # type: ignore[call-overload]
    running.stop()


@pytest.mark.peer
def test_after_kills_every_acknowledged_reading_is_in_a_database_once(tmp_path: Path) -> None:
    with started(Postgres) as server:
        acknowledged, running = killed_again_and_again(tmp_path, f'postgres = "{url(server)}"', 2)
        with psycopg.connect(server.address, autocommit=True) as session:

            def there() -> list[int]:
                rows = session.execute("SELECT value FROM readings WHERE property = 'flow'")
                return [int(row[0]) for row in rows]

            until(lambda: acknowledged <= set(there()))
            found = there()
        running.stop()
    assert len(found) == len(set(found))


def killed_again_and_again(folder: Path, place: str, rounds: int) -> tuple[set[int], Running]:
    """What was acknowledged meanwhile, and the server after the last of its starts."""
    (folder / "gemel.toml").write_text(f"[exports.lake]\n{place}\n")
    running = Running(folder / "data")
    running.environment = {"GEMEL_SEAL_ROWS": "2000"}
    acknowledged: set[int] = set()
    count = 0
    for turn in range(rounds):
        running.start()
        if not turn:
            made = {"models": [MODEL], "twins": {"p1": {"model": MODEL["@id"]}}}
            running.call("POST", "/plant", made)
        kill = threading.Timer(0.7, running.process.kill)
        kill.start()
        with running.http() as client:
            while True:
                numbers = range(count, count + 500)
                count += 500
                body = {"time": [1_700_000_000 + n for n in numbers], "flow": list(numbers)}
                try:
                    answer = client.post("/ingest/p1", json=body)
                except httpx.HTTPError:  # it was killed
                    break
                assert answer.status_code < 300, answer.text
                acknowledged |= set(numbers)
        running.kill()
    assert len(acknowledged) > 1_000
    return acknowledged, running.start()


def test_another_gemel_takes_it_as_influxdb_2_over_tls(tmp_path: Path) -> None:
    with inside(tmp_path / "other", tls=True) as other, inside(tmp_path / "data") as server:
        other.pumps("p1")
        server.pumps("p1")
        to = {
            "influx": other.url,
            "bucket": "any",
            "org": "any",
            "token": "no",
            "ca": str(other.platform.listening.authority),
        }
        server.ask("PUT", "/exports/other", to)
        until(lambda: "401" in export(server, "other")["problem"])
        server.ask("PUT", "/exports/other", {**to, "token": other.admin})
        until(lambda: export(server, "other")["state"] == "running")
        server.ingest("p1", flow=1.5, mode="run", time="2026-01-01T00:00:00Z")
        query = {"twin": "p1", "property": "flow", "from": "2026-01-01", "to": "2026-01-02"}
        until(lambda: "1.5" in other.http.get("/history", params=query).text)
        assert export(server, "other")["refused"] == 0


MODEL = {
    "@id": "dtmi:test:Flow;1",
    "@type": "Interface",
    "@context": "dtmi:dtdl:context;3",
    "contents": [{"@type": "Telemetry", "name": "flow", "schema": "double"}],
}


def test_cursors_come_back(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    assert export_cursors.read(path) == {}
    cursor = Cursor(Position(3, 0, 7, 12, -5), -(1 << 63), "beginning", 5, 6, 7, 8)
    export_cursors.write(path, {"lake": cursor})
    assert export_cursors.read(path) == {"lake": cursor}


@pytest.mark.parametrize("change", [("12", "13"), ("lake", "lage"), ("crc32", "crs32"), ("}", "")])
def test_a_changed_cursor_is_damage(tmp_path: Path, change: tuple[str, str]) -> None:
    path = tmp_path / "c.json"
    export_cursors.write(path, {"lake": Cursor(Position(3, 12), 0, "")})
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(Damaged, match="begin anew"):
        export_cursors.read(path)


def test_with_a_damaged_cursor_all_that_is_stored_goes_out(tmp_path: Path, sink: Sink) -> None:
    given = {"lake": HttpExport(http=sink.url)}
    with inside(tmp_path / "data", exports=given) as server:
        server.pumps("p1")
        server.ingest("p1", flow=1)
        until(lambda: values(sink) == [1.0])
    (tmp_path / "data" / export_cursors.FILE).write_text("{")
    sink.rows.clear()
    with inside(tmp_path / "data", exports=given) as server:
        until(lambda: values(sink) == [1.0])
