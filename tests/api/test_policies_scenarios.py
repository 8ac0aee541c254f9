"""Scenarios under policies: seen, made, run and promoted by whom all their twins may be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.inside import Inside, inside, until
from app.valves import WIDER, link, put_up

SHORT = {"hours": 0.1, "members": 2}
OTHER = {**SHORT, "twins": ["tank-2"]}
FIRST: dict[str, Any] = {
    "id": "first",
    "who": {"names": ["anna"]},
    "actions": ["read", "write", "command", "alarm"],
    "twins": ["valve-1", "tank-1"],
}
NO_TRIM: dict[str, Any] = {
    "id": "no-trim",
    "effect": "forbid",
    "who": {"names": ["anna"]},
    "actions": ["write", "command"],
    "twins": ["valve-1"],
    "properties": ["trim", "open"],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("seen-scenarios") / "data") as found:
        put_up(found.ask)
        found.ask("PUT", "/policies/first", FIRST)
        found.ask("PUT", "/scenarios/hidden", OTHER)
        yield found


@pytest.fixture(scope="module")
def anna(server: Inside) -> Iterator[httpx.Client]:
    with server.client(server.token("engineer", name="anna")) as client:
        yield client


@pytest.fixture
def mine(anna: httpx.Client) -> Any:
    """A scenario that anna has made and run."""
    found = anna.get("/scenarios/mine")
    if found.status_code == 200 and found.json()["result"]:
        return found.json()
    answer = anna.put("/scenarios/mine", json={**WIDER, **SHORT})
    assert answer.status_code == 200, answer.text
    return run(anna, "mine")


def run(client: httpx.Client, key: str) -> Any:
    assert client.post(f"/scenarios/{key}/run").status_code == 202

    def look() -> Any:
        found = client.get(f"/scenarios/{key}").json()
        return found if found["run"]["state"] in ("succeeded", "failed", "cancelled") else None

    found = until(look, "the end of the run")
    assert found["run"]["state"] == "succeeded", found["run"]
    return found


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_who_may_read_all_its_twins_makes_runs_and_reads_it(
    server: Inside, anna: httpx.Client, mine: Any
) -> None:
    assert [row["id"] for row in mine["result"]["kpis"]] == ["level"]
    listed = [one["id"] for one in anna.get("/scenarios").json()["value"]]
    assert ("mine" in listed, "hidden" in listed) == (True, False)
    for path in ("result", "series?series=tank-1.level", "state", "compare"):
        assert anna.get(f"/scenarios/mine/{path}").status_code == 200, path
    assert server.ask("GET", "/scenarios/mine")["by"] == "anna"


@pytest.mark.usefixtures("mine")
def test_one_of_other_twins_is_not_there(anna: httpx.Client) -> None:
    for path in ("", "/result", "/state", "/compare", "/series?series=tank-2.level"):
        assert anna.get(f"/scenarios/hidden{path}").status_code == 404, path
    for path in ("run", "promote", "keep"):
        assert anna.post(f"/scenarios/hidden/{path}", json={}).status_code == 404, path
    assert anna.delete("/scenarios/hidden").status_code == 404
    compared = anna.get("/scenarios/mine/compare", params={"with": "hidden"})
    assert compared.status_code == 404


def test_none_is_made_of_twins_that_may_not_be_read(server: Inside, anna: httpx.Client) -> None:
    for body in (
        OTHER,
        {**WIDER, "changes": [{"twin": "tank-2", "property": "level", "value": 1}]},
        {**WIDER, "kpis": [{"twin": "tank-2", "property": "level", "of": "end"}]},
        {**WIDER, "twins": ["nobody"]},
    ):
        assert code(anna.put("/scenarios/mine-2", json=body)) == (404, "DigitalTwinNotFound")
    assert code(anna.put("/scenarios/hidden", json=WIDER)) == (403, "PolicyForbids")
    assert server.ask("GET", "/scenarios/hidden")["twins"] == ["tank-2"]


@pytest.mark.usefixtures("mine")
def test_one_that_comes_to_reach_a_hidden_twin_is_hidden(
    server: Inside, anna: httpx.Client
) -> None:
    link(server.ask, "tank-2")
    try:
        assert anna.get("/scenarios/mine").status_code == 404
        assert "mine" not in [one["id"] for one in anna.get("/scenarios").json()["value"]]
    finally:
        server.ask("DELETE", "/digitaltwins/valve-1/relationships/to-tank-2")
    assert anna.get("/scenarios/mine").status_code == 200


def test_of_a_run_that_reached_a_hidden_twin_nothing_is_told(
    server: Inside, anna: httpx.Client
) -> None:
    link(server.ask, "tank-2")
    both = {**WIDER, **SHORT, "kpis": [
        {"id": "own", "twin": "tank-1", "property": "level", "of": "end"},
    ]}  # fmt: skip
    try:
        server.ask("PUT", "/scenarios/both", both)
        server.ask("POST", "/scenarios/both/run")
        until(lambda: server.ask("GET", "/scenarios/both")["result"], "its result")
    finally:
        server.ask("DELETE", "/digitaltwins/valve-1/relationships/to-tank-2")
    assert anna.get("/scenarios/both").status_code == 200
    assert code(anna.get("/scenarios/both/result")) == (404, "DigitalTwinNotFound")
    assert anna.post("/scenarios/both/keep").status_code in (403, 404)


def test_promoting_passes_the_policies_of_each_command(server: Inside, anna: httpx.Client) -> None:
    changes = [
        {"twin": "valve-1", "property": "opening", "value": 75},
        {"twin": "valve-1", "property": "trim", "value": 2},
    ]
    assert anna.put("/scenarios/bold", json={**WIDER, **SHORT, "changes": changes}).is_success
    run(anna, "bold")
    with server.client(server.token("operator", name="anna")) as operator:
        tried = operator.post("/scenarios/bold/promote", json={"dryRun": True}).json()["asked"]
        assert [row["state"] for row in tried] == ["queued", "pending"]
        server.ask("PUT", "/policies/no-trim", NO_TRIM)
        try:
            tried = operator.post("/scenarios/bold/promote", json={"dryRun": True}).json()["asked"]
        finally:
            server.ask("DELETE", "/policies/no-trim")
    assert [row["state"] for row in tried] == ["refused", "refused"]
    assert all("policies" in row["error"] for row in tried)


@pytest.mark.usefixtures("mine")
def test_it_is_kept_only_where_it_may_be_written(server: Inside, anna: httpx.Client) -> None:
    reads = {**FIRST, "actions": ["read"]}
    forbid = {**NO_TRIM, "properties": ["flow"]}
    server.ask("PUT", "/policies/no-trim", forbid)
    try:
        assert code(anna.post("/scenarios/mine/keep")) == (403, "PolicyForbids")
    finally:
        server.ask("DELETE", "/policies/no-trim")
    assert anna.post("/scenarios/mine/keep").json()["provenance"] == "simulated:mine"
    server.ask("PUT", "/policies/first", reads)
    try:
        assert anna.delete("/scenarios/mine").status_code == 204
    finally:
        server.ask("PUT", "/policies/first", FIRST)
