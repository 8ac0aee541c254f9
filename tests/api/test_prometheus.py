"""The face of Prometheus: names, labels, qualities, errors, limits and who may see what."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.inside import PUMP, Inside, inside
from gemel.api.prometheus import DIALECT, ROUTES
from gemel.app.metric_index import metric_name
from gemel.app.results import Result

ROOT = "/prometheus/api/v1"
BASE = 1_700_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("prometheus") / "data", promql_samples=5000) as found:
        found.pumps("pump-1", "pump-2")
        limits = {PUMP: {"properties": {"temperature": {"maximum": 100}}}}
        found.ask("POST", "/plant", {"settings": limits})
        for twin in ("pump-1", "pump-2"):
            rows = [
                {"time": BASE + n, "flow": n, "running": n % 2 == 0, "mode": "a"} for n in range(60)
            ]
            rows[10]["bearing"] = {"temperature": 7}
            rows[10]["temperature"] = 50
            rows[11]["temperature"] = 500
            found.ask("POST", f"/ingest/{twin}", rows)
        yield found


def asked(client: Inside | httpx.Client, path: str, **query: Any) -> Any:
    http = client.http if isinstance(client, Inside) else client
    answer = http.get(
        f"{ROOT}/{path}", params={k.replace("match", "match[]"): v for k, v in query.items()}
    )
    body = answer.json()
    assert body["status"] == "success", body
    return body["data"]


def value(client: Inside | httpx.Client, query: str, time: float = BASE + 59) -> Any:
    return {
        one["metric"].get("twin", ""): one["value"][1]
        for one in asked(client, "query", query=query, time=time)["result"]
    }


def refused(client: httpx.Client, path: str, **query: Any) -> tuple[int, str, str]:
    answer = client.get(f"{ROOT}/{path}", params=query)
    body = answer.json()
    assert body["status"] == "error"
    return answer.status_code, body["errorType"], body["error"]


def test_every_label_of_a_series_follows_from_its_twin_and_model(server: Inside) -> None:
    assert asked(server, "series", match='bearing_temperature{twin="pump-1"}') == [
        {
            "__name__": "bearing_temperature",
            "component": "bearing",
            "model": PUMP,
            "property": "bearing.temperature",
            "provenance": "measured",
            "twin": "pump-1",
        }
    ]
    own = asked(server, "series", match='temperature{twin="pump-1"}')[0]
    assert own["unit"] == "°C"
    assert "component" not in own
    assert asked(server, "metadata", metric="temperature") == {
        "temperature": [{"type": "gauge", "help": "The property temperature", "unit": "°C"}]
    }


def test_names_are_made_valid() -> None:
    assert metric_name("outlet.temperature") == "outlet_temperature"
    assert metric_name("2nd-stage") == "_2nd_stage"
    assert metric_name("température") == "temp_rature"


def test_booleans_are_0_and_1_and_texts_are_not_there(server: Inside) -> None:
    assert value(server, "running", BASE + 58) == {"pump-1": "1", "pump-2": "1"}
    assert value(server, "running", BASE + 59) == {"pump-1": "0", "pump-2": "0"}
    assert "mode" not in asked(server, "label/__name__/values")
    assert value(server, "mode") == {}


def test_bad_readings_are_left_out(server: Inside) -> None:
    assert value(server, "temperature") == {"pump-1": "50", "pump-2": "50"}
    assert value(server, "max_over_time(temperature[1m])") == {"pump-1": "50", "pump-2": "50"}


def test_what_stands_for_a_property_is_what_a_selector_gets(server: Inside) -> None:
    now = server.clock()
    found = Result("pump-1", "flow", "predicted", [now], [99.0], quantiles={0.05: [90.0]})
    server.run(server.platform.results.record([found]))
    at = now / 1e9 + 1
    assert value(server, "flow", at) == {}
    assert value(server, 'flow{provenance="predicted"}', at) == {"pump-1": "99"}
    assert value(server, 'flow{provenance="predicted", quantile="0.05"}', at) == {"pump-1": "90"}
    assert set(asked(server, "label/provenance/values")) == {"measured", "predicted"}


def test_series_follow_twins_that_come_and_go(server: Inside) -> None:
    assert value(server, 'flow{twin="pump-3"}') == {}
    server.pumps("pump-3")
    server.ask("POST", "/ingest/pump-3", [{"time": BASE + 59, "flow": 3}])
    assert value(server, 'flow{twin="pump-3"}') == {"pump-3": "3"}
    server.ask("DELETE", "/digitaltwins/pump-3")
    assert value(server, 'flow{twin="pump-3"}') == {}
    assert "pump-3" not in asked(server, "label/twin/values")


def test_policies_hide_twins_and_properties(server: Inside) -> None:
    rules: list[dict[str, Any]] = [
        {"id": "one", "who": {"names": ["anna"]}, "twins": ["pump-1"]},
        {
            "id": "no-running",
            "effect": "forbid",
            "who": {"names": ["anna"]},
            "actions": ["read"],
            "twins": ["pump-1"],
            "properties": ["running"],
        },
    ]
    for rule in rules:
        server.ask("PUT", f"/policies/{rule['id']}", rule)
    with server.client(server.token("viewer", name="anna")) as anna:
        assert value(anna, "flow") == {"pump-1": "59"}
        assert value(anna, "running") == {}
        assert value(anna, 'flow{twin!="pump-1"}') == {}
        assert asked(anna, "label/twin/values") == ["pump-1"]
        assert "running" not in asked(anna, "label/__name__/values")
        assert {one["twin"] for one in asked(anna, "series", match='{twin=~".+"}')} == {"pump-1"}
        assert "running" not in asked(anna, "metadata")
        assert value(anna, "count by (twin) (flow)") == {"pump-1": "1"}
    for rule in rules:
        server.ask("DELETE", f"/policies/{rule['id']}")


def test_errors_have_prometheus_own_form(server: Inside) -> None:
    http = server.http
    assert refused(http, "query", query="sum(")[:2] == (400, "bad_data")
    assert refused(http, "query")[:2] == (400, "bad_data")
    assert refused(http, "query", query="flow", time="soon")[:2] == (400, "bad_data")
    assert refused(http, "series")[2] == "no match[] parameter provided"
    assert refused(http, "label/1x/values")[:2] == (400, "bad_data")
    status, kind, text = refused(http, "query", query="flow * on () flow", time=BASE + 5)
    assert (status, kind) == (422, "execution")
    assert "many-to-many matching not allowed" in text
    with server.client() as nobody, server.client(server.token("device", "pump-1")) as device:
        assert refused(nobody, "query", query="1")[:2] == (401, "unauthorized")
        assert refused(device, "query", query="1")[:2] == (403, "forbidden")
    body = http.post(f"{ROOT}/query", json={"query": "1"}).json()
    assert body["errorType"] == "bad_data"
    assert "application/json" in body["error"]


def test_a_range_has_at_most_11000_points_a_series(server: Inside) -> None:
    span = {"query": "1", "start": BASE, "step": 1}
    assert (
        len(asked(server, "query_range", **span, end=BASE + 10_999)["result"][0]["values"])
        == 11_000
    )
    status, kind, text = refused(server.http, "query_range", **span, end=BASE + 11_000)
    assert (status, kind) == (400, "bad_data")
    assert text.startswith("exceeded maximum resolution of 11,000 points per timeseries")
    for wrong in ({"step": 0}, {"step": -5}, {"end": BASE - 1}, {"step": "x"}):
        form = {**span, "end": BASE + 10, **wrong}
        assert refused(server.http, "query_range", **form)[:2] == (400, "bad_data")


def test_a_query_holds_at_most_so_many_samples(server: Inside) -> None:
    form = {"start": BASE, "end": BASE + 9000, "step": 1, "query": "flow"}
    status, kind, text = refused(server.http, "query_range", **form)
    assert (status, kind) == (422, "execution")
    assert "too many samples" in text
    assert "promql_samples" in text
    status, kind, _ = refused(server.http, "query", query="sum_over_time(vector(1)[100y:1s])")
    assert (status, kind) == (400, "bad_data")


def test_a_query_that_takes_too_long_is_given_up(server: Inside) -> None:
    usual = server.platform.config
    server.platform.config = dataclasses.replace(usual, promql_timeout=0.0)
    status, kind, text = refused(server.http, "query", query="flow", time=BASE)
    server.platform.config = usual
    assert (status, kind) == (503, "timeout")
    assert "promql_timeout" in text
    assert refused(server.http, "query", query="1", timeout="soon")[:2] == (400, "bad_data")


def test_no_pattern_takes_long(server: Inside) -> None:
    hostile = 'flow{twin=~"(a*)*(p|u|m|p|-|1|2)*(.*)*(.*)*(.*)*x"}'
    assert value(server, hostile) == {}
    assert refused(server.http, "query", query='flow{twin=~"((a{1000}){1000}){1000}"}')[0] == 400
    assert value(server, 'flow{twin=~"pump"}') == {}
    assert set(value(server, 'flow{twin=~"pump.*"}')) == {"pump-1", "pump-2"}


def test_a_token_may_come_as_the_password_of_basic_authentication(server: Inside) -> None:
    with server.client() as nobody:
        for password, status in ((server.token("viewer"), 200), ("gml_x", 401), ("", 401)):
            pair = base64.b64encode(f"grafana:{password}".encode()).decode()
            for header in (f"Basic {pair}", f"basic  {pair}"):
                answer = nobody.get(f"{ROOT}/query?query=1", headers={"Authorization": header})
                assert answer.status_code == status
        broken = nobody.get(f"{ROOT}/query?query=1", headers={"Authorization": "Basic %%%"})
        assert broken.status_code == 401
        own = base64.b64encode(f"x:{server.admin}".encode()).decode()
        headers = {"Authorization": f"Basic {own}", "Origin": "http://elsewhere.example"}
        answer = nobody.post(f"{ROOT}/query", data={"query": "1"}, headers=headers)
        assert answer.status_code == 403


def test_forms_and_addresses_say_the_same(server: Inside) -> None:
    query = {"query": "sum(flow)", "time": str(BASE + 30)}
    first = server.http.get(f"{ROOT}/query", params=query).content
    assert server.http.post(f"{ROOT}/query", data=query).content == first
    mixed = server.http.post(f"{ROOT}/query?time={query['time']}", data={"query": "sum(flow)"})
    assert mixed.content == first
    stamped = {**query, "time": "2023-11-14T22:13:50Z"}
    assert json.loads(server.http.get(f"{ROOT}/query", params=stamped).content) == json.loads(first)


def test_every_route_tells_errors_in_that_form() -> None:
    assert all(route.dialect is DIALECT for route in ROUTES)
