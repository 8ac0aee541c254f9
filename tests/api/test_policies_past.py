"""The past under policies: what may be read now, as it was; nothing else, by any face."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.test_policies import LINE, POLICIES, rows
from app.inside import MODELS, PUMP, Inside, inside


class Story:
    """A plant that was edited, and somebody whom policies narrow."""

    def __init__(self, server: Inside, anna: httpx.Client) -> None:
        self.anna = anna
        self.before = str(server.ask("GET", "/status")["time"])
        for twin, value in (("a-1", 6.0), ("a-2", 7.0), ("b-1", 8.0)):
            patch = [{"op": "replace", "path": "/target", "value": value}]
            self._patch(server, twin, patch)
        self._patch(server, "a-2", [{"op": "replace", "path": "/name", "value": "Two"}])
        for twin in ("a-1", "a-2", "b-1"):
            server.ingest(twin, flow=9.5, temperature=60.0)
        links = server.ask("GET", "/digitaltwins/line-a/relationships")["value"]
        gone = next(one["$relationshipId"] for one in links if one["$targetId"] == "a-3")
        server.ask("DELETE", f"/digitaltwins/line-a/relationships/{gone}")
        server.ask("DELETE", "/digitaltwins/a-3")
        put = {"$relationshipName": "feeds", "$targetId": "b-1"}
        server.ask("PUT", "/digitaltwins/a-1/relationships/out", put)
        put["$targetId"] = "a-2"
        server.ask("PUT", "/digitaltwins/a-1/relationships/in", put)
        server.ask("PUT", "/policies/later", {"id": "later", "who": {"names": ["nobody"]}})

    def _patch(self, server: Inside, twin: str, patch: list[dict[str, Any]]) -> None:
        server.ask("PATCH", f"/digitaltwins/{twin}", patch)

    def get(self, path: str) -> Any:
        answer = self.anna.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with inside(tmp_path_factory.mktemp("policies-past")) as server:
        pump = {"model": PUMP, "properties": {"target": 5.0}, "name": "P"}
        pump["components"] = {"bearing": {"grease": "old"}}
        twins: dict[str, Any] = {name: pump for name in ("a-1", "a-2", "a-3", "b-1")}
        twins["line-a"] = {"model": LINE, "contains": ["a-1", "a-2", "a-3"]}
        twins["line-b"] = {"model": LINE, "contains": ["b-1"]}
        server.ask("POST", "/plant", {"models": MODELS, "twins": twins})
        for twin in ("a-1", "a-2", "b-1"):
            server.ingest(twin, flow=3.5, temperature=40.0)
        for policy in POLICIES:
            server.ask("PUT", f"/policies/{policy['id']}", policy)
        with server.client(server.token("engineer", name="anna")) as anna:
            yield Story(server, anna)


def test_a_twin_of_then_is_without_what_is_hidden_now(story: Story) -> None:
    assert story.get(f"/digitaltwins/a-1?asOf={story.before}")["target"] == 5.0
    was = story.get(f"/digitaltwins/a-2?asOf={story.before}")
    assert was["name"] == "P"
    assert "target" not in was
    assert "target" not in was["$metadata"]
    assert "grease" not in was["bearing"]


@pytest.mark.parametrize("twin", ["b-1", "line-b", "a-3", "nobody"])
def test_what_is_hidden_or_gone_now_was_not_there_then(story: Story, twin: str) -> None:
    answer = story.anna.get(f"/digitaltwins/{twin}?asOf={story.before}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "DigitalTwinNotFound"


def test_a_query_of_then_finds_what_reads_of_then_show(story: Story) -> None:
    of_then = f"FROM DIGITALTWINS T AS OF '{story.before}'"
    assert {row["$dtId"] for row in rows(story.anna, f"SELECT T.$dtId {of_then}")} == {
        "line-a",
        "a-1",
        "a-2",
    }
    with_target = rows(story.anna, f"SELECT T.$dtId {of_then} WHERE T.target = 5")
    assert [row["$dtId"] for row in with_target] == ["a-1"]
    whole = rows(story.anna, f"SELECT * {of_then} WHERE T.$dtId = 'a-2'")
    assert whole == [story.get(f"/digitaltwins/a-2?asOf={story.before}")]
    flows = rows(story.anna, f"SELECT T.$dtId, T.flow, T.temperature {of_then} ORDER BY T.$dtId")
    assert flows == [
        {"$dtId": "a-1", "flow": 3.5, "temperature": 40.0},
        {"$dtId": "a-2", "temperature": 40.0},
        {"$dtId": "line-a"},
    ]
    pairs = f"FROM DIGITALTWINS MATCH (A)-[R]->(B) AS OF '{story.before}'"
    assert [row["id"] for row in rows(story.anna, f"SELECT B.$dtId AS id {pairs}")] == [
        "a-1",
        "a-2",
    ]


def test_relationships_of_then_are_between_twins_that_may_be_read(story: Story) -> None:
    found = story.get(f"/digitaltwins/line-a/relationships?asOf={story.before}")["value"]
    assert {one["$targetId"] for one in found} == {"a-1", "a-2"}


def test_edits_of_what_is_hidden_are_not_told(story: Story) -> None:
    whole = story.get("/twins/a-1/changes")["value"]
    assert next(e["changes"] for e in whole if e["kind"] == "twin")[0]["path"] == "target"
    links = {edit["key"] for edit in whole if edit["kind"] == "relationship"}
    assert links == {"in"}
    part = story.get("/twins/a-2/changes")["value"]
    assert [edit["act"] for edit in part] == ["changed", "added"]
    assert [one["path"] for one in part[0]["changes"]] == ["name"]
    assert all("target" not in edit["doc"] for edit in part)
    assert story.anna.get("/twins/b-1/changes").status_code == 404


def test_pages_of_changes_go_on_behind_hidden_edits(story: Story) -> None:
    found, cursor = list[int](), 0
    while cursor is not None:
        page = story.get(f"/twins/a-2/changes?limit=1&cursor={cursor}")
        found += [edit["seq"] for edit in page["value"]]
        cursor = page["cursor"]
    assert found == [edit["seq"] for edit in story.get("/twins/a-2/changes")["value"]]


def test_differences_are_those_of_what_may_be_read(story: Story) -> None:
    found = story.get(f"/diff?from={story.before}")
    assert {(one["kind"], one["key"]) for one in found["value"]} == {
        ("twin", "a-1"),
        ("twin", "a-2"),
        ("relationship", "in"),
    }
    assert found["edited"] == 3
    of = {one["key"]: one for one in found["value"]}
    assert [one["path"] for one in of["a-2"]["changes"]] == ["name"]
    assert of["a-2"]["edits"] == []
    assert of["a-1"]["edits"][0]["who"]
    one = story.get(f"/twins/a-2/diff?from={story.before}")
    assert [change["path"] for change in one["changes"]] == ["name"]
    assert [value["path"] for value in one["values"]] == ["temperature"]
    assert [link["$relationshipId"] for link in one["relationships"]] == ["in"]


def test_history_of_what_is_hidden_is_not_told(story: Story) -> None:
    assert "9.5" in story.anna.get("/history?twin=a-1&property=flow&from=-1h").text
    hidden = story.anna.get("/history?twin=a-2&property=flow&from=-1h")
    assert hidden.status_code in (403, 404) or "9.5" not in hidden.text
