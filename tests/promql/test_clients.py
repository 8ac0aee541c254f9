"""Clients that others wrote: promtool and prometheus-api-client, and what Grafana sends."""

from __future__ import annotations

import os
import subprocess
import sys

import httpx
import pytest

import peers
from app.inside import Inside
from promql.plant import BASE, TWINS, data
from real_prometheus import tool

ROOT = "/prometheus/api/v1"


@pytest.fixture(scope="module")
def address(plant: Inside) -> str:
    """With a token as the password of basic authentication."""
    viewer = plant.token("viewer")
    return plant.url.replace("://", f"://anybody:{viewer}@") + "/prometheus"


@pytest.mark.prometheus
def test_promtool_asks_all_it_can(address: str, plant: Inside) -> None:
    done = tool("query", "instant", address, "count(flow)", f"--time={BASE + 600}")
    assert done.stdout == f"{{}} => 8 @[{BASE + 600}]\n", done.stderr
    span = (f"--start={BASE + 600}", f"--end={BASE + 900}", "--step=5m")
    done = tool("query", "range", address, "count by (model) (flow)", *span)
    assert done.stdout.splitlines()[0] == '{model="dtmi:test:Machine;1"} =>', done.stderr
    assert f"\n6 @[{BASE + 600}]\n" in done.stdout
    assert tool("query", "labels", address, "twin").stdout.split() == list(TWINS)
    done = tool("query", "series", address, '--match=flow{twin="p-1"}')
    assert 'twin="p-1"' in done.stdout, done.stderr


@pytest.mark.prometheus
def test_promtool_shows_what_is_wrong(address: str, plant: Inside) -> None:
    done = tool("query", "instant", address, "foo(")
    assert 'bad_data: 1:1: parse error: unknown function with name "foo"' in done.stderr
    done = tool("query", "instant", address, "flow / on (model) flow", f"--time={BASE + 600}")
    assert "execution: found duplicate series for the match group" in done.stderr
    done = tool("query", "instant", plant.url + "/prometheus", "1")
    assert "401" in done.stderr
    assert "this needs a token" in done.stderr


SCRIPT = f"""
import datetime, os
from prometheus_api_client import PrometheusConnect
client = PrometheusConnect(
    os.environ["ADDRESS"], headers={{"Authorization": "Bearer " + os.environ["TOKEN"]}}
)
at = datetime.datetime.fromtimestamp({BASE} + 900, datetime.timezone.utc)
print(len(client.all_metrics()))
print(len(client.get_current_metric_value("flow", params={{"time": {BASE} + 600}})))
found = client.custom_query_range("sum(flow)", at - datetime.timedelta(minutes=10), at, "60")
print(len(found[0]["values"]))
"""


def test_a_python_client_reads_what_it_asks(plant: Inside) -> None:
    folder, why_not = peers.pip("prometheus-api-client", "prometheus-api-client==0.7.2")
    if folder is None:
        pytest.skip(why_not)
    token = plant.token("viewer")
    there = {"PYTHONPATH": str(folder), "ADDRESS": f"{plant.url}/prometheus", "TOKEN": token}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        env={**os.environ, **there},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["5", "8", "11"], done.stderr


def test_what_grafana_sends_is_answered(plant: Inside) -> None:
    """Save and test, the builder's lists, a variable, and a panel."""
    with plant.client(plant.token("viewer")) as grafana:
        assert data(grafana.post(f"{ROOT}/query", data={"query": "1+1", "time": "4"}))[
            "result"
        ] == [
            4,
            "2",
        ]
        assert data(grafana.get(f"{ROOT}/status/buildinfo"))["version"].startswith("2.")
        span = {"start": str(BASE), "end": str(BASE + 3600)}
        assert "flow" in data(grafana.get(f"{ROOT}/label/__name__/values", params=span))
        assert "twin" in data(grafana.post(f"{ROOT}/labels", data={**span, "match[]": "flow"}))
        assert data(grafana.get(f"{ROOT}/metadata", params={"metric": "flow"}))["flow"]
        variable = {**span, "match[]": 'flow{model="dtmi:test:Press;1"}'}
        found = data(grafana.get(f"{ROOT}/label/twin/values", params=variable))
        assert found == ["p-7", "p-8"]
        panel = {"query": 'rate(energy_total{twin=~"p-1|p-2"}[1m0s])', "step": "15", **span}
        matrix = data(_like_grafana(grafana, panel))
        assert matrix["resultType"] == "matrix"
        assert len(matrix["result"]) == 2
        assert all(at % 15 == BASE % 15 for at, _ in matrix["result"][0]["values"])


def _like_grafana(client: httpx.Client, form: dict[str, str]) -> httpx.Response:
    headers = {
        "Accept-Encoding": "gzip",
        "X-Dashboard-Uid": "plant",
        "User-Agent": "Grafana/11.1.0",
    }
    return client.post(f"{ROOT}/query_range", data=form, headers=headers)
