"""Answers to PromQL, held against a real Prometheus over the same samples."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.inside import Inside
from promql.plant import BASE, SPAN, open_metrics
from promql.queries import generated
from real_prometheus import prometheus

pytestmark = pytest.mark.prometheus
GENERATED = int(os.environ.get("GEMEL_PROMQL_QUERIES", "500"))
RELATIVE = 1e-9
ROOT = "/prometheus"


@pytest.fixture(scope="module")
def real(plant: Inside, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("prometheus") / "own"
    with prometheus(folder, open_metrics(plant)) as client:
        yield client


def points(data: dict[str, Any]) -> dict[Any, list[tuple[float, float]]]:
    """By labels: times and values."""
    if data["resultType"] in ("scalar", "string"):
        return {(): [(data["result"][0], float(data["result"][1]))]}
    found = {}
    for one in data["result"]:
        rows = one["values"] if "values" in one else [one["value"]]
        labels = tuple(sorted(one["metric"].items()))
        assert labels not in found, f"twice: {labels}"
        found[labels] = [(time, float(value)) for time, value in rows]
    return found


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Where two answers part."""
    if theirs["status"] == "error" or ours["status"] == "error":
        kinds = [one.get("errorType") for one in (ours, theirs)]
        return [] if kinds[0] == kinds[1] else [f"{ours.get('error')} and {theirs.get('error')}"]
    if ours["data"]["resultType"] != theirs["data"]["resultType"]:
        return [f"{ours['data']['resultType']} and {theirs['data']['resultType']}"]
    mine, other = points(ours["data"]), points(theirs["data"])
    if mine.keys() != other.keys():
        return [f"only ours {mine.keys() - other.keys()}, theirs {other.keys() - mine.keys()}"]
    found = []
    for labels, rows in mine.items():
        if [time for time, _ in rows] != [time for time, _ in other[labels]]:
            found.append(f"{labels}: {len(rows)} and {len(other[labels])} points")
            continue
        for (time, a), (_, b) in zip(rows, other[labels], strict=True):
            if not (math.isnan(a) and math.isnan(b)) and not math.isclose(
                a, b, rel_tol=RELATIVE, abs_tol=RELATIVE
            ):
                found.append(f"{labels} at {time}: {a} and {b}")
    return found


def compare(plant: Inside, real: httpx.Client, path: str, **form: Any) -> list[str]:
    ours = plant.http.post(f"{ROOT}/api/v1/{path}", data=form).json()
    theirs = real.post(f"/api/v1/{path}", data=form).json()
    return differences(ours, theirs)


@pytest.mark.parametrize("part", range(10))
def test_made_up_queries_are_answered_as_prometheus_does(
    part: int, plant: Inside, real: httpx.Client
) -> None:
    wrong = []
    for seed in range(part, GENERATED, 10):
        query = generated(seed)
        at = BASE + 600 + seed * 7919 % (SPAN - 600)
        if seed % 2:
            span = {"start": at - 500, "end": at + 1500, "step": (15, 60, 300, 7)[seed % 4]}
            found = compare(plant, real, "query_range", query=query, **span)
        else:
            found = compare(plant, real, "query", query=query, time=at + 0.5)
        if found:
            wrong.append(f"{seed}: {query}\n    {found[0]} ({len(found)})")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "query",
    [
        "5",
        "1 + 2 * 3 ^ 2 ^ 0.5",
        "-2 ^ 2",
        "1 > bool 2",
        "time() - 3600",
        "sum by (model) (rate(energy_total[5m]))",
        'avg by (model) (rate(energy_total{twin=~"p-.*"}[5m])) * 3600',
        "flow[3m]",
        "flow[3m] offset 1m",
        "flow[5m:50s]",
        "topk(3, flow)",
        "sort_desc(flow)",
        "sort(-temperature)",
        "flow / on (twin) temperature",
        "flow * on (model) group_left () count by (model) (flow)",
        "flow * ignoring (property) flow",
        "flow + temperature",
        "flow / on (model) temperature",
        "temperature > 50 and on (twin) running == 1",
        "absent(nothing{a='b', c=~'d'})",
        "absent_over_time(nothing{a='b'}[5m])",
        "max_over_time(deriv(flow[2m])[10m:])",
        "quantile_over_time(0.9, flow[10m])",
        "histogram_quantile(0.9, label_replace(flow, 'le', '$1', 'twin', 'p-(.)'))",
        "histogram_quantile(0.5, sum by (le) (label_replace(abs(flow), 'le', '+Inf', 'twin', 'p-8')"
        " or label_replace(abs(flow) - 1, 'le', '$1', 'twin', 'p-([1-7])')))",
        "count_values('state', running)",
        "label_replace(flow, 'twin', 'all', '', '')",
        "label_replace(flow, '1bad', 'x', 'twin', '.*')",
        "label_replace(flow, 'a', 'x', 'twin', '(')",
        "{__name__=~'flow|temperature'} * 2",
        "abs({twin='p-1'})",
        "vector(time()) == bool time()",
        "hour() + minute() / 60",
        "foo(",
        "sum(flow",
        "rate(flow)",
        "flow[5m] + 1",
        "{}",
        "{twin=~'.*'}",
        "flow{twin=~'['}",
        "1 == 2",
        "flow and 1",
        "topk(flow, flow)",
        "holt_winters(flow[5m], 0.5)",
        "rate(flow[0s])",
        "flow offset 5m offset 1m",
        "sum by (1) (flow)",
        "count_values('1bad', flow)",
    ],
)
def test_what_people_write_is_answered_as_prometheus_does(
    query: str, plant: Inside, real: httpx.Client
) -> None:
    at = BASE + 4000
    wrong = compare(plant, real, "query", query=query, time=at)
    wrong += compare(plant, real, "query_range", query=query, start=at, end=at + 900, step="30s")
    assert not wrong, wrong[0]


def test_atan2_drops_the_name_as_other_arithmetic_does(plant: Inside, real: httpx.Client) -> None:
    form = {"query": "label_replace(flow atan2 2, '__name__', 'x', '', '')", "time": BASE + 4000}
    assert compare(plant, real, "query", **form) == []


def test_a_fixed_moment_fixes_what_predict_linear_looks_at(plant: Inside) -> None:
    """Prometheus 2.42 lets the range wander with the steps of a range query."""
    form = {"query": f"predict_linear(flow[10m] @ {BASE + 4000}, 60)", "start": BASE + 5000}
    body = plant.http.post(
        f"{ROOT}/api/v1/query_range", data={**form, "end": BASE + 6000, "step": 100}
    ).json()
    for rows in points(body["data"]).values():
        assert len(rows) == 11
        steps = [b - a for (_, a), (_, b) in itertools.pairwise(rows)]
        assert steps == pytest.approx([steps[0]] * 10)


def test_how_long_a_value_stands_can_be_asked(plant: Inside) -> None:
    def count(**more: str) -> int:
        form = {"query": "flow", "time": BASE + SPAN + 600, **more}
        body = plant.http.post(f"{ROOT}/api/v1/query", data=form).json()
        return len(body["data"]["result"])

    assert [count(), count(lookback_delta="1h"), count(lookback_delta="3600")] == [0, 8, 8]


@pytest.mark.parametrize("query", ["flow", "sort_desc(flow)", "sort(-flow)", "topk(2, flow)"])
def test_an_instant_vector_has_its_order(query: str, plant: Inside, real: httpx.Client) -> None:
    form = {"query": query, "time": BASE + 4000}
    ours = plant.http.post(f"{ROOT}/api/v1/query", data=form).json()["data"]["result"]
    theirs = real.post("/api/v1/query", data=form).json()["data"]["result"]
    assert [one["metric"] for one in ours] == [one["metric"] for one in theirs]
