"""docs/reference/http.md holds every route and permission; its examples have the real fields."""

from __future__ import annotations

import re
import time
from typing import Any

import orjson
from pages import DOCS, blocks, code, read, section, table

from gemel.api.app import ROUTES
from gemel.api.routes import ANYONE
from running import Running

PAGE = read("docs/reference/http.md")
WAIT_SECONDS = 60
FREE = {"mqtt", "coap", "then"}
"""Fields whose content is described elsewhere."""


def test_every_route_is_documented_with_its_permission_and_no_other() -> None:
    rows = table(section(PAGE, "## All routes"), "method")
    documented = {(row[0], code(row[1]), row[2].strip("`")) for row in rows}
    expected = {
        (r.method, r.path.replace(":path", ""), "-" if r.allow == ANYONE else r.allow)
        for r in ROUTES
    }
    sockets = {("GET", path, "live:read") for path in ("/live", "/graphql")}
    assert documented == expected | sockets


def test_every_route_stands_in_the_text() -> None:
    text = PAGE[: PAGE.index("## All routes")]
    pages_own = {"/", "/favicon.ico", "/app/{path:path}"}
    missing = [
        r.path
        for r in ROUTES
        if r.path not in pages_own and not re.search(re.escape(r.path) + r"(?![\w/])", text)
    ]
    assert missing == []


def test_query_parameters_that_are_named_exist() -> None:
    text = PAGE[: PAGE.index("## All routes")]
    wrong = []
    for path, query in re.findall(r"`GET (/[\w/{}]*)\?([^`]*)`", text):
        route = next(r for r in ROUTES if r.path == path and r.method == "GET")
        named = set(re.findall(r"(?:^|&)(\w+)=", query))
        wrong += [(path, name) for name in named - {name for name, _ in route.query}]
    assert wrong == []


# ---- examples --------------------------------------------------------------------------------


def example(path: str) -> Any:
    """The JSON below the text that names a request."""
    for block in blocks(DOCS / "reference" / "http.md"):
        before = "\n".join(PAGE.splitlines()[: block.line - 1]).rsplit("\n\n", 1)[-1]
        if block.language == "json" and path in before:
            return orjson.loads(block.text)
    raise AssertionError(f"http.md has no example of {path}")


def differences(documented: Any, real: Any, place: str = "") -> list[str]:
    """Where fields are missing on one side; lists are compared by their first elements."""
    if isinstance(documented, dict) and isinstance(real, dict):
        found = [f"{place}.{k} is not documented" for k in real.keys() - documented.keys()]
        found += [f"{place}.{k} does not exist" for k in documented.keys() - real.keys()]
        for key in documented.keys() & real.keys() - FREE:
            found += differences(documented[key], real[key], f"{place}.{key}")
        return found
    if isinstance(documented, list) and isinstance(real, list) and documented and real:
        return differences(documented[0], real[0], place + "[0]")
    kinds = (type(documented), type(real))
    is_number = all(k in (int, float) for k in kinds)
    if None not in (documented, real) and kinds[0] is not kinds[1] and not is_number:
        return [f"{place} is {kinds[1].__name__}, documented as {kinds[0].__name__}"]
    return []


def test_example_of_the_status_has_the_real_fields(demo: Running) -> None:
    assert differences(example("GET /status"), demo.call("GET", "/status")) == []


def test_example_of_the_list_of_twins_has_the_real_fields(demo: Running) -> None:
    real = demo.call("GET", "/twins", search="pump-1")
    assert differences(example("GET /twins?"), real) == []


def test_example_of_a_twin_has_the_real_fields(demo: Running) -> None:
    real = demo.call("GET", "/twins/pump-1")
    speed = next(c for c in real["commands"] if c["name"] == "setSpeed")
    row = demo.call("GET", "/twins", search="pump-1")["value"][0]
    plus = {k: v for k, v in real.items() if k not in row or k == "alarms"}
    plus["properties"] = [p for p in real["properties"] if p["name"] == "flow"]
    assert differences(example("GET /twins/{twin}"), {**plus, "commands": [speed]}) == []


def test_example_of_history_has_the_real_fields(demo: Running) -> None:
    real = demo.call("GET", "/history", twin="pump-1", property="flow", px=10)
    assert differences(example("GET /history?"), real) == []


def test_example_of_a_command_has_the_real_fields(demo: Running) -> None:
    body = {"twin": "pump-2", "command": "setSpeed", "arguments": 71}
    assert differences(example("POST /commands"), demo.call("POST", "/commands", body)) == []


def test_example_of_an_alarm_has_the_real_fields(demo: Running) -> None:
    rule = {"model": "dtmi:gemel:demo:Tank;1", "when": "fill > -1 %", "title": "Always"}
    demo.call("PUT", "/rules/always", rule)
    until = time.monotonic() + WAIT_SECONDS
    found: list[Any] = []
    while not found and time.monotonic() < until:
        found = [a for a in demo.call("GET", "/alarms")["value"] if a["rule"] == "always"]
    assert found
    path = f"/alarms/{found[0]['id']}/comment"
    real = demo.call("POST", path, {"comment": "as documented"})
    assert differences(example("GET /alarms?"), {"value": [real]}) == []
    demo.call("DELETE", "/rules/always")


def test_differences_are_seen() -> None:
    found = differences({"a": 1, "b": [{"c": 1}]}, {"a": "x", "b": [{"d": 1}]})
    assert sorted(found) == [
        ".a is str, documented as int",
        ".b[0].c does not exist",
        ".b[0].d is not documented",
    ]


def test_metrics_that_are_documented_are_those_there_are(demo: Running) -> None:
    rows = table(read("docs/reference/metrics.md"), "metric")
    with demo.http() as client:
        text = client.get("/metrics").text
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    assert {code(row[0]) for row in rows} == set(kinds)
    documented = {code(row[0]): row[1] for row in rows if len(row) == 3}
    assert documented == {metric: kinds[metric] for metric in documented}
