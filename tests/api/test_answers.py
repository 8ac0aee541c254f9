"""The OpenAPI document says what is answered: real answers agree, and what the page asks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.documented import faults, is_described
from api.test_alarms import raised
from app.inside import PUMP, Inside, inside, until
from gemel.api.answers.schema import schema_of
from gemel.api.app import ROUTES

PAGE = Path(__file__).parents[2] / "ui/src"
CALL = re.compile(
    r"\b(get|post|put|patch|upload)(?:<(?:[^<>()]|<[^<>]*>)*>)?\((?:`(/[^`]*)`|\"(/[^\"]*)\")"
)
QUERIES = dict.fromkeys(
    ("/history", "/history/last", "/history/statistics"), "?twin=pump-1&property=temperature,mode"
) | {"/history/series": "?twin=pump-1"}
HOLE = re.compile(r"\$\{(?:[^{}]|\{[^{}]*\})*\}")


def asked_by_the_page() -> set[tuple[str, str]]:
    """Method and path of the document of every call that the page's sources write out."""
    found = set()
    for file in [*PAGE.rglob("*.ts"), *PAGE.rglob("*.tsx")]:
        for verb, held, plain in CALL.findall(file.read_text()):
            method = "POST" if verb == "upload" else verb.upper()
            path = re.sub(r"((?<!/)\*|\$\{|\?).*", "", HOLE.sub("*", held or plain))
            routes = paths_like(method, path)
            assert routes, f"{file.name} asks for {method} {path}, which is no route"
            found |= {(method, route) for route in routes}
    return found


def paths_like(method: str, path: str) -> set[str]:
    """The routes that a path may be of whose `*` stand for anything."""
    parts = path.split("/")
    return {
        route.path
        for route in ROUTES
        if route.method == method and len(route.path.split("/")) == len(parts)
        if all(
            part == "*" or part == known or known.startswith("{")
            for part, known in zip(parts, route.path.split("/"), strict=True)
        )
    }


def test_every_answer_that_the_page_asks_for_is_described() -> None:
    asked = asked_by_the_page()
    assert len(asked) > 40
    assert sorted(pair for pair in asked if not is_described(*pair)) == []


def test_real_answers_agree_with_the_document(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.pumps("pump-1", "pump-2")
        server.ingest("pump-1", temperature=21.5, running=True, mode="auto")
        server.ingest("stranger", flow=1.0)
        alarm = raised(server)
        order = server.ask("POST", "/work-orders", {"alarm": alarm})["id"]
        asked = {"twin": "pump-1", "command": "setSpeed", "arguments": 3.0}
        command = server.ask("POST", "/commands", asked)["id"]
        assert not faults("POST", "/commands", server.ask("POST", "/commands?dryRun=true", asked))
        server.ask("POST", f"/alarms/{alarm}/shelve", {"reason": "probe", "seconds": 60})
        server.ask("PUT", "/views/top", {"name": "Top", "search": {"by": "state"}})
        server.ask("POST", "/killswitch/stop", {"reason": "drill"})
        until(lambda: server.ask("GET", "/discovered")["value"], "the stranger")
        places = {"twin": "pump-1", "device": "stranger"}
        ids = {"/alarms/{id}": alarm, "/work-orders/{id}": order, "/commands/{id}": command}
        ask_what_people_ask(server)
        count = 0
        for route in ROUTES:
            path = route.path
            for start, key in ids.items():
                path = path.replace(start, start.replace("{id}", key))
            path = re.sub(r"{(\w+)}", lambda m: places.get(m[1], m[0]), path)
            if route.method == "GET" and route.answer is not None and "{" not in path:
                assert server.ask("GET", path + QUERIES.get(path, "")) is not None
                count += 1
        assert count >= 30


def ask_what_people_ask(server: Inside) -> None:
    """Makes one of most things through the API; each answer is held against the document."""
    rule = {
        "model": PUMP,
        "when": "temperature > {hot}",
        "parameters": {"hot": 80},
        "cause": "dry",
        "suppressedBy": [{"property": "running", "is": False, "over": "feeds"}],
    }
    server.ask("PUT", "/rules/hot", rule)
    server.ask("POST", "/rules/check", rule)
    labels = [{"from": "-10m", "to": "-5m"}]
    tried = {"rule": {**rule, "id": "hot"}, "from": "-1h", "labels": labels}
    assert "live" in server.ask("POST", "/rules/backtest", tried)
    quiet = {"from": "22:00", "to": "06:00"}
    server.ask("PUT", "/receivers/ops", {"kind": "email", "to": "a@b.example", "quiet": quiet})
    server.ask("PUT", "/notifications/all", {"steps": [{"after": 60, "to": ["ops"]}]})
    link = {"$targetId": "pump-2", "$relationshipName": "feeds"}
    server.ask("PUT", "/digitaltwins/pump-1/relationships/f", link)
    assert server.ask("POST", "/graph", {"around": ["pump-1"]})["edges"]
    assert server.ask("POST", "/graph/path", {"from": "pump-2", "to": "pump-1"})["path"]
    assert server.ask("GET", "/twins/pump-1/diff?with=pump-2")["act"] == "changed"
    assert server.ask("GET", "/twins/pump-1/diff?from=-1h")["relationships"]
    server.ask("PATCH", "/twins/pump-1/desired", {"target": 3.5})
    driven = {"property": "flow", "rated": 2.0}
    server.ask("PUT", "/scene/objects/pump-1", {"kind": "pump", "motion": driven})
    server.ask("POST", "/value/calculate", {"case": "energy", "samples": 100})
    server.ask("PUT", "/value/prices", {"failed": 100.0})


def test_a_field_more_and_one_less_are_faults() -> None:
    me = {"name": "admin", "role": "admin", "permissions": ["twins:read"]}
    assert faults("GET", "/me", me) == []
    assert "'colour' was unexpected" in faults("GET", "/me", {**me, "colour": "red"})[0]
    assert "'role' is a required" in faults("GET", "/me", {"name": "", "permissions": []})[0]
    assert "'x' is not of type" in faults("GET", "/me", {**me, "permissions": "x"})[0]


def test_what_json_has_not_is_no_answer() -> None:
    with pytest.raises(TypeError, match="JSON has no"):
        schema_of(Path, {})
