"""OData as clients see it: tables, options, pages, errors, and what policies and roles leave."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.inside import Inside, inside, until
from gemel.api import odata_query
from gemel.api.odata_sets import SETS

T = 1_700_000_000
PUMPS = 7


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("odata") / "data") as found:
        found.pumps(*(f"p{n}" for n in range(PUMPS)))
        line = {"$metadata": {"$model": "dtmi:test:Line;1"}, "name": "Line 1"}
        found.ask("PUT", "/digitaltwins/line", line)
        for n in range(3):
            link = {"$targetId": f"p{n}", "$relationshipName": "contains"}
            found.ask("PUT", f"/digitaltwins/line/relationships/r{n}", link)
        for n in range(3):
            rows = [{"flow": n * 100 + k, "time": T + k} for k in range(25)]
            found.ask("POST", f"/ingest/p{n}", rows)
        found.ask("POST", "/ingest/p0", {"mode": "auto", "running": True, "time": T})
        rule = {"model": "dtmi:test:Pump;1", "when": "flow > 200", "title": "It's high"}
        found.ask("PUT", "/rules/high", rule)
        found.ask("POST", "/ingest/p3", {"flow": 500})
        until(lambda: found.ask("GET", "/alarms")["value"], "the alarm")
        yield found


def get(server: Inside, path: str, **headers: str) -> httpx.Response:
    return server.http.get(f"/odata/{path}", headers=headers)


def rows(server: Inside, path: str) -> list[dict[str, Any]]:
    """All pages of a table."""
    found: list[dict[str, Any]] = []
    url = f"/odata/{path}"
    while url:
        answer = server.http.get(url)
        assert answer.status_code == 200, answer.text
        assert answer.headers["odata-version"] == "4.0"
        found += answer.json()["value"]
        url = answer.json().get("@odata.nextLink", "")
    return found


def ids(server: Inside, path: str) -> list[str]:
    return [row["Id"] for row in rows(server, path)]


def test_the_service_names_its_tables(server: Inside) -> None:
    for path in ("", "/"):
        found = server.http.get("/odata" + path).json()
        assert [one["name"] for one in found["value"]] == list(SETS)
    assert found["@odata.context"] == f"{server.url}/odata/$metadata"


@pytest.mark.parametrize("name", SETS)
def test_rows_have_the_properties_that_metadata_says_and_keys_that_lead_to_them(
    name: str, server: Inside
) -> None:
    of = SETS[name]
    found = get(server, f"{name}?$top=3").json()
    assert found["@odata.context"] == f"{server.url}/odata/$metadata#{name}"
    assert found["value"], "nothing to look at"
    types = {"Edm.String": str, "Edm.Double": float, "Edm.Int32": int, "Edm.Boolean": bool}
    for row in found["value"]:
        assert list(row) == sorted(row, key=list(of.properties).index)
        for key, kind in of.properties.items():
            if row[key] is None:
                assert key in of.may_null
            else:
                assert isinstance(row[key], types.get(kind, str)), (key, row[key])
        parts = [
            f"{k}={row[k]}" if of.properties[k] == "Edm.DateTimeOffset" else f"{k}='{row[k]}'"
            for k in of.keys
        ]
        one = get(server, f"{name}({','.join(parts)})").json()
        assert one.pop("@odata.context") == f"{server.url}/odata/$metadata#{name}/$entity"
        assert one == row


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Twins?$filter=startswith(Id,'p') and Id gt 'p4'", ["p5", "p6"]),
        ("Twins?$filter=Id in ('p1','line','no')", ["line", "p1"]),
        ("Twins?$filter=ParentId eq 'line'&$orderby=Id desc", ["p2", "p1", "p0"]),
        ("Twins?$filter=ParentId eq 'line'&$orderby=Id desc&$skip=1&$top=1", ["p1"]),
        ("Twins?$filter=not (ParentId ne null)&$orderby=ModelName,Id&$top=2", ["line", "p3"]),
        ("Twins?$filter=ActiveAlarms gt 0 and WorstPriority ne null", ["p2", "p3"]),
        ("Twins?$top=0", []),
        ("Twins?$skip=7", ["p6"]),
        ("Twins?filter=Id eq 'p1'&select=Id", ["p1"]),
        ("Models?$filter=contains(Name,'earing')", ["dtmi:test:Bearing;1"]),
        ("Twins('line')/Relationships?$filter=TargetId ne 'p1'", ["r0", "r2"]),
        ("Relationships?$filter=TargetId eq 'p1'", ["r1"]),
        ("Models('dtmi:test:Pump;1')/Twins?$filter=Id lt 'p2'", ["p0", "p1"]),
    ],
)
def test_options_choose_rows(path: str, expected: list[str], server: Inside) -> None:
    assert ids(server, path) == expected


@pytest.mark.parametrize("size", [1, 4, 100])
@pytest.mark.parametrize(
    "path",
    [
        "Twins",
        "Twins?$orderby=ModelId desc,Id desc",
        "Twins?$filter=startswith(Id,'p')&$top=5&$skip=1",
        "Relationships",
        "Values",
        "Alarms",
        "Models?$count=true",
        "Readings?$filter=TwinId eq 'p1' and Time ge 2023-11-14T22:13:30Z",
        "Readings?$filter=Value gt 120 or Text eq 'auto'",
        "Readings?$orderby=Value desc&$top=9",
        "Twins('p0')/Readings?$select=Time,Value",
    ],
)
def test_pages_are_the_whole_once_each(path: str, size: int, server: Inside) -> None:
    whole = rows(server, path)
    assert whole
    server.http.headers["Prefer"] = f"odata.maxpagesize={size}"
    try:
        first = server.http.get(f"/odata/{path}")
        assert len(first.json()["value"]) == min(size, len(whole))
        assert first.headers["preference-applied"] == f"odata.maxpagesize={size}"
        assert ("@odata.nextLink" in first.json()) == (len(whole) > size)
        assert rows(server, path) == whole
    finally:
        del server.http.headers["Prefer"]


def test_counts_do_not_heed_top_and_pages(server: Inside) -> None:
    found = get(server, "Twins?$count=true&$top=1&$filter=startswith(Id,'p')").json()
    assert (found["@odata.count"], len(found["value"])) == (PUMPS, 1)
    counted = get(server, "Readings/$count?$filter=TwinId eq 'p2'")
    assert (counted.text, counted.headers["content-type"][:10]) == ("25", "text/plain")
    assert get(server, "Twins('p2')/Readings/$count").text == "25"


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("Time gt 2026-01-01 and Time lt 2025-01-01", 0),
        ("Time ge 1800-01-01 and Time lt 1970-01-01", 0),
        ("TwinId eq 'p1' and TwinId eq 'p2'", 0),
        ("Time gt 9999-12-31", 0),
        ("Time lt 0001-01-01", 0),
        ("TwinId eq 'p1' and Time gt 2023-11-14T22:13:20Z and Time le 2023-11-14T22:13:25Z", 5),
        ("TwinId in ('p1','p2') and Time in (2023-11-14T22:13:20Z,2023-11-14T22:13:24Z)", 4),
        ("TwinId ge 'p1' and TwinId lt 'p2'", 25),
    ],
)
def test_readings_are_those_of_twins_and_times(condition: str, count: int, server: Inside) -> None:
    assert len(rows(server, f"Readings?$filter={condition}")) == count


def test_related_rows_come_along(server: Inside) -> None:
    path = (
        "Twins?$filter=Id eq 'p3'&$select=Id&$expand=Alarms($select=Title;$expand=Rows),"
        "Values($filter=Property eq 'flow';$select=Value;$count=true),Model($select=Name),Parent"
    )
    assert get(server, path).status_code == 400
    found = get(server, path.replace(";$expand=Rows", "")).json()["value"]
    assert found == [
        {
            "Id": "p3",
            "Alarms": [{"Title": "It's high"}],
            "Values": [{"Value": 500.0}],
            "Values@odata.count": 1,
            "Model": {"Name": "Pump"},
            "Parent": None,
        }
    ]
    deep = get(
        server, "Alarms?$expand=Twin($expand=Model($select=Id))&$filter=Title eq 'It''s high'"
    )
    assert deep.json()["value"][0]["Twin"]["Model"] == {"Id": "dtmi:test:Pump;1"}
    linked = get(server, "Relationships(SourceId='line',Id='r1')/Target?$select=Id").json()
    assert linked["Id"] == "p1"
    assert get(server, "Twins('p0')/Parent").json()["Id"] == "line"
    assert get(server, "Twins('line')/Parent").status_code == 204
    assert get(server, "Twins('p0')/Name").json()["value"] == "p0"
    assert get(server, "Twins('line')/ParentId").status_code == 204


def test_readings_tell_the_value_that_counts_of_each_time(server: Inside) -> None:
    for value in (1, 2, 1):
        server.ask("POST", "/ingest/p6", {"flow": value, "time": T})
    server.ask("POST", "/ingest/p6", [{"flow": 5, "time": T + 1}, {"mode": "on", "time": T}])
    for size in (1, 2, 10):
        found = get(server, "Twins('p6')/Readings", Prefer=f"odata.maxpagesize={size}").json()
        shown = [(row["Property"], row["Value"], row["Text"]) for row in found["value"]]
        assert shown == [("flow", 1.0, None), ("flow", 5.0, None), ("mode", None, "on")][:size]
    assert len(rows(server, "Twins('p6')/Readings")) == 3


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("Nope", 404, "NotFound"),
        ("Twins('nope')", 404, "NotFound"),
        ("Twins('nope')/Alarms", 404, "NotFound"),
        ("Twins/Alarms", 404, "NotFound"),
        ("Twins(5)", 400, "InvalidArgument"),
        ("Relationships('r1')", 400, "InvalidArgument"),
        ("Readings(TwinId='p0',Property='flow',Time='x')", 400, "InvalidArgument"),
        ("Twins?$filter=Nope eq 1", 400, "InvalidArgument"),
        ("Twins?$select=Nope", 400, "InvalidArgument"),
        ("Twins?$orderby=Id sideways", 400, "InvalidArgument"),
        ("Twins?$top=-1", 400, "InvalidArgument"),
        ("Twins?$count=yes", 400, "InvalidArgument"),
        ("Twins?$nope=1", 400, "InvalidArgument"),
        ("Twins?$skiptoken=abc", 400, "InvalidArgument"),
        ("Twins?$skiptoken=WzEuNSxudWxsXQ", 400, "InvalidArgument"),
        ("Twins?$expand=Nope", 400, "InvalidArgument"),
        (
            "Twins?$expand=Parent($expand=Parent($expand=Parent($expand=Parent)))",
            400,
            "InvalidArgument",
        ),
        ("Twins?$format=atom", 400, "InvalidArgument"),
        ("Twins?$search=x", 501, "NotImplemented"),
        ("Twins?$apply=aggregate($count as n)", 501, "NotImplemented"),
        ("Twins?$filter=Alarms/any(a:a/Priority eq 1)", 501, "NotImplemented"),
        ("Twins?$expand=*", 501, "NotImplemented"),
        ("Twins('p0')/Name/$value", 501, "NotImplemented"),
        ("$metadata?$format=json", 501, "NotImplemented"),
    ],
)
def test_errors_have_the_form_of_odata(path: str, status: int, code: str, server: Inside) -> None:
    found = get(server, path)
    assert (found.status_code, found.json()["error"]["code"]) == (status, code), found.text
    assert found.json()["error"]["message"]
    assert found.headers["odata-version"] == "4.0"


def test_forms_of_json_and_versions(server: Inside) -> None:
    bare = get(server, "Twins?$top=1", Accept="application/json;odata.metadata=none")
    assert list(bare.json()) == ["value"]
    assert bare.headers["content-type"] == "application/json;odata.metadata=none"
    assert get(server, "Twins?$format=json").status_code == 200
    old = {"OData-MaxVersion": "3.0"}
    assert get(server, "Twins", **old).status_code == 400
    assert server.http.post("/odata/Twins", json={}).status_code == 405


def test_bounds_are_kept_to(server: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(odata_query, "MOST_SORTED", 5)
    assert "more than 5 rows" in get(server, "Readings?$orderby=Value").json()["error"]["message"]
    monkeypatch.setattr(odata_query, "MOST_EXPANDED", 5)
    found = get(server, "Twins?$expand=Readings")
    assert "more than 5 related" in found.json()["error"]["message"]
    monkeypatch.setattr(odata_query, "MOST_SECONDS", 0.0)
    assert get(server, "Readings/$count").json()["error"]["code"] == "TimeoutError"


def test_a_password_or_token_of_a_role_that_may_read(server: Inside) -> None:
    viewer = server.token("viewer")
    for auth in (("any", viewer), (viewer, "")):
        with httpx.Client(base_url=server.url, auth=auth, trust_env=False) as client:
            assert client.get("/odata/Twins").status_code == 200
    with server.client() as client:
        answer = client.get("/odata/Twins")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith('Bearer, Basic realm="Gemel"')
        wrong = base64.b64encode(b"any:gml_wrong").decode()
        answer = client.get("/odata/Twins", headers={"Authorization": f"Basic {wrong}"})
        assert answer.status_code == 401
        broken = client.get("/odata/Twins", headers={"Authorization": "Basic %%%"})
        assert broken.status_code == 401
    with server.client(server.token("device", "p0")) as client:
        assert client.get("/odata/Twins").status_code == 403


def test_what_policies_hide_is_in_no_table(server: Inside) -> None:
    policies: list[dict[str, Any]] = [
        {"id": "some", "who": {"names": ["anna"]}, "twins": ["p0", "line"]},
        {"id": "no-mode", "effect": "forbid", "who": {"names": ["anna"]}, "actions": ["read"]}
        | {"twins": ["p0"], "properties": ["mode"]},
    ]
    for one in policies:
        server.ask("PUT", f"/policies/{one['id']}", one)
    try:
        with server.client(server.token("viewer", name="anna")) as anna:
            found = {name: anna.get(f"/odata/{name}").json()["value"] for name in SETS}
            assert [row["Id"] for row in found["Twins"]] == ["line", "p0"]
            assert [row["TargetId"] for row in found["Relationships"]] == ["p0"]
            assert found["Alarms"] == []
            for name in ("Values", "Readings"):
                assert {row["TwinId"] for row in found[name]} == {"p0"}
                assert {row["Property"] for row in found[name]} == {"flow", "running"}
            assert anna.get("/odata/Twins('p1')").status_code == 404
            assert anna.get("/odata/Twins('p1')/Readings").status_code == 404
            hidden = "Readings?$filter=TwinId eq 'p0' and Property eq 'mode'"
            assert anna.get(f"/odata/{hidden}").json()["value"] == []
            assert anna.get("/odata/Twins?$filter=Id eq 'p1'").json()["value"] == []
            assert anna.get("/odata/Readings/$count?$filter=TwinId eq 'p1'").text == "0"
    finally:
        for one in policies:
            server.ask("DELETE", f"/policies/{one['id']}")
