"""Finding and sorting twins: columns agree with what each twin says of itself."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from app.inside import MODELS, PUMP, Inside, inside
from app.test_views import LINE
from gemel.app.directory import STATUS_ORDER, Directory

COUNT = 60
NEW = {"$metadata": {"$model": PUMP}, "bearing": {"$metadata": {}}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """Sixty pumps in ten lines in two halls; every third sends, the odd ones twenty minutes ago."""
    twins: dict[str, Any] = {
        f"pump-{n}": {"model": PUMP, "name": f"Pump {n}"} for n in range(1, COUNT + 1)
    }
    for line in range(10):
        inner = [f"pump-{n}" for n in range(1, COUNT + 1) if n % 10 == line]
        twins[f"line-{line}"] = {"model": LINE, "name": f"Line {line}", "contains": inner}
    twins["hall-a"] = {"model": LINE, "contains": [f"line-{n}" for n in range(6)]}
    twins["hall-b"] = {"model": LINE, "contains": [f"line-{n}" for n in range(6, 10)]}
    settings = {PUMP: {"staleAfter": 600}}
    rule = {"id": "hot", "model": PUMP, "when": "temperature > 90 °C", "priority": 2}
    with inside(tmp_path_factory.mktemp("directory") / "data") as found:
        plant = {"models": MODELS, "settings": settings, "twins": twins, "rules": [rule]}
        found.ask("POST", "/plant", plant)
        for begin in (3, 6):
            for n in range(begin, COUNT + 1, 6):
                found.ask("POST", f"/ingest/pump-{n}", {"flow": n % 7, "temperature": n})
            found.clock.advance(1_200 if begin == 3 else 0)
        found.ask("POST", "/ingest/pump-60", {"temperature": 95})
        yield found


def ids(server: Inside, **query: Any) -> list[str]:
    found = server.ask("GET", "/twins", limit=1000, **query)
    assert found["total"] == len(found["value"])
    return [row["id"] for row in found["value"]]


def reference(server: Inside, twin: str) -> tuple[str, int]:
    """Status and last seen by walking down: what has no signals is as its liveliest part."""
    platform, now = server.platform, server.clock()
    own = platform.presence.status(twin, now)
    inner = platform.catalogue.children_of(twin)
    if own != "never" or not inner:
        return own, platform.presence.last_seen(twin)
    parts = [reference(server, one) for one in inner]
    return min((s for s, _ in parts), key=STATUS_ORDER.__getitem__), max(t for _, t in parts)


def test_status_and_last_seen_are_those_of_walking_down(server: Inside) -> None:
    for row in server.ask("GET", "/twins", limit=1000)["value"]:
        status, seen = server.call(reference, server, row["id"])
        assert (row["status"], row["lastSeen"] is None) == (status, seen == 0), row["id"]
    for twin in ("hall-a", "line-1", "pump-6", "pump-60"):
        row = server.ask("GET", "/twins", search=twin)["value"][0]
        plate = server.ask("GET", f"/twins/{row['id']}")
        same = ("status", "lastSeen", "worst", "contains", "parent")
        assert [plate[name] for name in same] == [row[name] for name in same]


def test_the_worst_alarm_reaches_all_that_contains_it(server: Inside) -> None:
    worst = {r["id"]: r["worst"] for r in server.ask("GET", "/twins", limit=1000)["value"]}
    above = {twin for twin, priority in worst.items() if priority == 2}
    assert above == {"pump-60", "line-0", "hall-a"}
    assert set(worst.values()) == {2, None}


def test_a_tree_is_asked_level_by_level(server: Inside) -> None:
    assert ids(server, parent="") == ["hall-a", "hall-b"]
    assert ids(server, parent="hall-b") == ["line-6", "line-7", "line-8", "line-9"]
    assert ids(server, parent="pump-1") == []
    row = server.ask("GET", "/twins", search="hall-a")["value"][0]
    assert row["contains"] == 6


def test_filters_narrow_each_other(server: Inside) -> None:
    live = ids(server, status="live")
    assert live == sorted(
        ["hall-a", "hall-b", *(f"line-{n}" for n in range(0, 10, 2))]
        + [f"pump-{n}" for n in range(6, 61, 6)]
    )
    assert ids(server, status="live", model=PUMP, search="pump 6") == ["pump-6", "pump-60"]
    stale = {f"pump-{n}" for n in range(3, COUNT, 6)}
    assert set(ids(server, abnormal="true", model=PUMP)) == {*stale, "pump-60"}


def test_a_condition_of_the_query_language_filters_by_value(server: Inside) -> None:
    found = ids(server, where="flow > 4 AND temperature < 30")
    expected = [n for n in range(3, 30, 3) if n % 7 > 4]
    assert found == sorted(f"pump-{n}" for n in expected)
    answer = server.http.get("/twins", params={"where": "flow >"})
    assert answer.status_code == 400


@pytest.mark.parametrize("sort", ["id", "name", "model", "status", "lastSeen", "alarms", "value"])
@pytest.mark.parametrize("sign", ["", "-"])
def test_pages_of_every_sort_are_the_whole_list_once(server: Inside, sort: str, sign: str) -> None:
    query = {"sort": sign + sort, "show": "flow"}
    whole = ids(server, **query)
    assert sorted(whole) == sorted(server.platform.graph.twins)
    paged: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = server.ask("GET", "/twins", limit=29, cursor=cursor, **query)
        paged += [row["id"] for row in page["value"]]
        cursor = page["cursor"]
    assert paged == whole
    middle = server.ask("GET", "/twins", limit=5, offset=20, **query)["value"]
    assert [row["id"] for row in middle] == whole[20:25]


def test_the_page_around_a_twin_is_where_it_stands(server: Inside) -> None:
    query = {"sort": "name", "model": PUMP, "limit": 10}
    found = server.ask("GET", "/twins", around="pump-37", **query)
    assert found["offset"] == 30
    assert "pump-37" in [row["id"] for row in found["value"]]
    assert server.ask("GET", "/twins", around="hall-a", **query)["offset"] == 0


def test_sorts_put_what_has_no_value_last(server: Inside) -> None:
    names = [t for t in ids(server, sort="name") if t.startswith("pump")]
    assert names == [f"pump-{n}" for n in range(1, COUNT + 1)]
    for sort in ("value", "-value"):
        rows = server.ask("GET", "/twins", limit=1000, sort=sort, show="flow")["value"]
        values = [row["value"] for row in rows]
        count = COUNT // 3
        assert values[:count] == sorted(values[:count], reverse=sort == "-value")
        assert set(values[count:]) == {None}
    assert ids(server, sort="alarms")[0] == ids(server, sort="-alarms")[0] == "pump-60"


def test_a_page_goes_on_where_its_last_twin_was_deleted(server: Inside) -> None:
    server.ask("PUT", "/digitaltwins/pump-1a", NEW | {"name": "Pump 1a"})
    first = server.ask("GET", "/twins", limit=3, sort="name", search="pump 1")
    assert [row["id"] for row in first["value"]] == ["pump-1", "pump-1a", "pump-10"]
    first = server.ask("GET", "/twins", limit=2, sort="name", search="pump 1")
    server.ask("DELETE", "/digitaltwins/pump-1a")
    query = {"sort": "name", "search": "pump 1", "cursor": first["cursor"]}
    rest = server.ask("GET", "/twins", limit=3, **query)
    assert [row["id"] for row in rest["value"]] == ["pump-10", "pump-11", "pump-12"]


@pytest.mark.parametrize(
    "query",
    [{"sort": "colour"}, {"sort": "value"}, {"cursor": "xx"}, {"cursor": "WzFd"}],
)
def test_what_is_not_known_is_refused(server: Inside, query: dict[str, str]) -> None:
    assert server.http.get("/twins", params=query).status_code == 400


def test_edits_are_taken_in_as_if_all_were_read_again(server: Inside) -> None:
    choose = random.Random(3)
    for n in range(6):
        twin = f"pump-{choose.randrange(1, COUNT)}"
        patch = [{"op": "add", "path": "/name", "value": f"Renamed {n}"}]
        server.ask("PATCH", f"/digitaltwins/{twin}", patch)
        if n % 3 == 0:
            server.ask("PUT", f"/digitaltwins/new-{n}", NEW)
        found = server.ask("GET", "/twins", limit=1000, sort="name")["value"]
        fresh = Directory(server.platform)
        server.call(fresh._refresh)
        assert [row["name"] for row in found] == [
            fresh._names[i] for i in fresh._ranks().argsort(kind="stable")
        ]
    for number in range(1, COUNT + 1):
        patch = [{"op": "add", "path": "/name", "value": f"Pump {number}"}]
        server.ask("PATCH", f"/digitaltwins/pump-{number}", patch)
    for n in (0, 3):
        server.ask("DELETE", f"/digitaltwins/new-{n}")
