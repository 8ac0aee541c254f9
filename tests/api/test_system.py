"""Health, figures for Prometheus, status, tokens and tables over HTTP."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.inside import PUMP, Inside, inside, until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("system") / "data", stale_after=3_600.0) as found:
        found.pumps(*(f"pump-{n:02}" for n in range(25)))
        found.ask(
            "POST", "/plant", {"twins": {"Hall": {"model": "dtmi:test:Line;1", "name": "Big"}}}
        )
        found.ingest("pump-03", flow=1, none=2)
        yield found


SAMPLE = re.compile(r'(gemel_[a-z_]+)(\{[a-z_]+="[^"\\\n]*"(,[a-z_]+="[^"\\\n]*")*\})? (\S+)')


def test_the_figures_are_prometheus_text(server: Inside) -> None:
    answer = server.http.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.text.endswith("\n")
    kinds: dict[str, str] = {}
    helped: set[str] = set()
    samples: dict[str, float] = {}
    for line in answer.text.splitlines():
        if line.startswith("# HELP "):
            name = line.split(" ", 3)[2]
            assert name not in helped
            helped.add(name)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert kind in ("counter", "gauge")
            kinds[name] = kind
        else:
            found = SAMPLE.fullmatch(line)
            assert found, line
            assert found[1] in kinds, "TYPE stands before the samples"
            key = found[1] + (found[2] or "")
            assert key not in samples
            samples[key] = float(found[4])
    assert helped == set(kinds)
    assert all(name.endswith("_total") for name, kind in kinds.items() if kind == "counter")
    assert samples["gemel_readings_total"] == 1
    assert samples['gemel_rejects_total{reason="unknown-property"}'] == 1
    assert samples["gemel_mqtt_connections"] == 0


def test_health_says_whether_it_can_store(server: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    with server.client() as client:
        found = client.get("/health")
        assert (found.status_code, found.json()["ready"]) == (200, True)
        import dataclasses

        full = dataclasses.replace(
            server.platform.history.statistics(), state="full", reason="no room"
        )
        monkeypatch.setattr(server.platform.history, "statistics", lambda: full)
        found = client.get("/health")
        assert found.status_code == 503
        assert found.json()["problem"] == "history: full: no room"


def test_the_status_waits_for_no_disk(server: Inside) -> None:
    unseen = server.token("viewer", name="late")
    documents = server.platform.documents
    documents._connection.execute("PRAGMA busy_timeout=120000")
    other = sqlite3.connect(documents.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # the disk takes no commit
    try:
        with ThreadPoolExecutor(1) as pool:
            edit = pool.submit(server.ask, "PUT", "/views/slow", {"name": "S", "search": {}})
            until(documents._lock.locked, "a commit that waits")
            with server.client(unseen) as client:  # its token is read, not remembered
                assert client.get("/status").status_code == 200
            assert not edit.done()
            other.execute("ROLLBACK")
            assert edit.result()["id"] == "slow"
    finally:
        other.close()


def test_the_status_has_what_is_documented(server: Inside) -> None:
    found = server.ask("GET", "/status")
    assert set(found) >= {
        "version",
        "time",
        "plant",
        "valuesPerSecond",
        "readings",
        "twins",
        "live",
        "stale",
        "abnormal",
        "alarms",
        "behind",
        "freshness",
        "rejects",
        "discovered",
        "mqtt",
    }
    assert (found["twins"], found["readings"], found["rejects"]) == (26, 1, 1)


def test_tokens_are_shown_once_and_listed_without_secrets(server: Inside) -> None:
    made = server.ask(
        "POST", "/tokens", {"role": "device", "name": "gate", "twins": ["a", "b-*"], "days": 2}
    )
    with server.client(made["token"]) as client:
        assert client.get("/me").json()["name"] == "gate"
    listed = server.ask("GET", "/tokens")["value"]
    mine = next(t for t in listed if t["id"] == made["id"])
    assert (mine["role"], mine["twins"]) == ("device", ["a", "b-*"])
    assert made["token"] not in str(listed)
    assert "hash" not in str(listed)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"role": "root"},
        {"role": 5},
        {"role": "device"},
        {"role": "viewer", "days": "x"},
        {"role": "viewer", "days": True},
        {"role": "viewer", "days": 0},
        {"role": "viewer", "days": -1},
        {"role": "viewer", "days": 1e308},
        {"role": "viewer", "days": 1e7},
        {"role": "viewer", "twins": "a"},
        {"role": "viewer", "twins": [1]},
        {"role": "viewer", "name": 5},
        {"role": "viewer", "name": "x" * 300},
        {"role": "viewer", "secret": "x"},
    ],
)
def test_a_token_that_makes_no_sense_is_refused(body: dict, server: Inside) -> None:
    before = len(server.ask("GET", "/tokens")["value"])
    assert server.http.post("/tokens", json=body).status_code == 400
    assert len(server.ask("GET", "/tokens")["value"]) == before


def pages(server: Inside, **query: object) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = server.ask("GET", "/twins", **query, **more)
        found += [row["id"] for row in page["value"]]
        cursor = page["cursor"]
        if cursor is None:
            assert page["total"] == len(found)
            return found


@pytest.mark.parametrize("limit", [1, 7, 25, 26, 27, 10_000])
def test_pages_together_are_all_twins_once(limit: int, server: Inside) -> None:
    assert pages(server, limit=limit) == ["Hall", *(f"pump-{n:02}" for n in range(25))]


def test_filters_narrow_the_table(server: Inside) -> None:
    assert pages(server, search="MP-1", limit=3) == [f"pump-{n}" for n in range(10, 20)]
    assert pages(server, search="big") == ["Hall"]
    assert pages(server, model="dtmi:test:Line;1") == ["Hall"]
    assert pages(server, model=PUMP, status="live") == ["pump-03"]
    assert pages(server, search="nothing") == []
    assert pages(server, abnormal="true") == []
    assert len(pages(server, status="never")) == 25


def test_who_changed_a_twin_is_told(server: Inside) -> None:
    found = server.ask("GET", "/twins/pump-03/changes")["value"]
    assert [(v["who"], v["why"]) for v in found] == [("admin", "import")]
    server.ask("PATCH", "/twins/pump-03/desired", {"target": 4})
    found = server.ask("GET", "/twins/pump-03/changes")["value"]
    assert [v["why"] for v in found] == ["desired", "import"]
    assert found[0]["seq"] > found[1]["seq"]
