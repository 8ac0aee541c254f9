"""What operators do with alarms, over HTTP, and over restarts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.inside import PUMP, Inside, inside, until

HOT = {"model": PUMP, "when": "temperature > 80 °C", "priority": 2, "title": "Hot"}


def raised(server: Inside, twin: str = "pump-1", **rule: Any) -> str:
    """An alarm that stands on a pump."""
    server.ask("PUT", "/rules/hot", {**HOT, **rule})
    server.ingest(twin, temperature=90)
    found = until(lambda: server.ask("GET", "/alarms", twin=twin)["value"], "the alarm")
    return str(found[0]["id"])


def state(server: Inside, key: str) -> str:
    return str(server.ask("GET", f"/alarms/{key}")["state"])


def refused(server: Inside, path: str, body: Any, code: str) -> str:
    answer = server.http.post(path, json=body)
    assert answer.status_code in (400, 409), answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    return str(error)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_a_shelf_outlives_a_restart_and_ends_by_the_clock(data: Path) -> None:
    with inside(data) as server:
        server.pumps("pump-1")
        key = raised(server)
        doc = server.ask("POST", f"/alarms/{key}/shelve", {"reason": "new probe", "seconds": 600})
        assert doc["state"] == "shelved"
        assert doc["shelved"]["reason"] == "new probe"
        assert server.ask("GET", "/alarms")["value"] == []
        assert server.ask("GET", "/status")["alarms"]["shelved"] == 1
        refused(server, f"/alarms/{key}/acknowledge", {}, "AlarmStateInvalid")
    with inside(data) as server:
        assert state(server, key) == "shelved"
        server.clock.advance(601)
        until(lambda: state(server, key) == "unacknowledged", "the shelf to end")
        steps = server.ask("GET", f"/alarms/{key}/history")["value"]
    assert [(s["who"], s["what"]) for s in steps] == [
        ("rules", "raised"),
        ("admin", "shelved: new probe"),
        ("time", "the shelf has ended"),
    ]


def test_out_of_service_before_anything_was_raised(data: Path) -> None:
    with inside(data) as server:
        server.pumps("pump-1")
        server.ask("PUT", "/rules/hot", HOT)
        point = {"rule": "hot", "twin": "pump-1", "reason": "revision"}
        key = server.ask("POST", "/alarms/out-of-service", point)["id"]
        refused(server, "/alarms/out-of-service", point, "AlarmStateInvalid")
        server.ingest("pump-1", temperature=90)
        until(lambda: server.ask("GET", f"/alarms/{key}")["stands"], "the raise")
        assert state(server, key) == "out-of-service"
        assert server.ask("GET", "/alarms")["value"] == []
        back = server.ask("POST", f"/alarms/{key}/return-to-service", {"comment": "done"})
        assert (back["state"], back["comments"][0]["text"]) == ("unacknowledged", "done")
        gone = server.http.post("/alarms/out-of-service", json={**point, "rule": "x"})
        assert gone.status_code == 404


def test_a_wrong_acknowledgement_is_taken_back(data: Path) -> None:
    with inside(data) as server:
        server.pumps("pump-1")
        key = raised(server)
        server.ask("POST", f"/alarms/{key}/acknowledge", {})
        refused(server, f"/alarms/{key}/acknowledge", {}, "AlreadyAcknowledged")
        refused(server, f"/alarms/{key}/unacknowledge", {"reason": " "}, "InvalidArgument")
        doc = server.ask("POST", f"/alarms/{key}/unacknowledge", {"reason": "not mine"})
        assert (doc["state"], doc["acknowledgedBy"]) == ("unacknowledged", None)


def test_one_act_on_many_says_of_each_what_became_of_it(data: Path) -> None:
    with inside(data) as server:
        server.pumps("pump-1", "pump-2")
        first, second = raised(server), raised(server, "pump-2")
        server.ask("POST", f"/alarms/{first}/acknowledge", {})
        body = {"act": "acknowledge", "ids": [first, second, "a-0"]}
        found = server.ask("POST", "/alarms/acts", body)["value"]
        assert [one.get("code") or one["state"] for one in found] == [
            "AlreadyAcknowledged",
            "acknowledged",
            "NotFound",
        ]
        refused(server, "/alarms/acts", {**body, "ids": "all"}, "InvalidArgument")
        unknown = server.ask("POST", "/alarms/acts", {**body, "act": "forget"})["value"]
        assert {one["code"] for one in unknown} == {"InvalidArgument"}


def test_alarms_below_a_dead_feeder_are_suppressed_and_released(data: Path) -> None:
    with inside(data) as server:
        server.pumps("feeder", "panel", "pump-1")
        for source, target in (("feeder", "panel"), ("panel", "pump-1")):
            server.ask(
                "PUT",
                f"/digitaltwins/{source}/relationships/r",
                {"$targetId": target, "$relationshipName": "feeds"},
            )
        dead = {"model": PUMP, "when": "running == false", "title": "Dead", "priority": 1}
        server.ask("PUT", "/rules/dead", dead)
        server.ingest("feeder", running=False)
        until(lambda: server.ask("GET", "/alarms", twin="feeder")["value"], "the feeder's alarm")
        server.ask(
            "PUT", "/rules/hot", {**HOT, "suppressedBy": [{"rule": "dead", "over": "feeds"}]}
        )
        server.ingest("pump-1", temperature=90)

        def pump(which: str) -> list[Any]:
            found: list[Any] = server.ask("GET", "/alarms", twin="pump-1", state=which)["value"]
            return found

        (doc,) = until(lambda: pump("suppressed"), "suppression")
        assert doc["suppressedBy"]["twin"] == "feeder"
        assert pump("active") == []
        server.ingest("feeder", running=True)
        (doc,) = until(lambda: pump("active"), "release")
        assert (doc["state"], doc["suppressedBy"]) == ("unacknowledged", None)


def test_a_property_holds_alarms_back(data: Path) -> None:
    with inside(data) as server:
        server.pumps("pump-1")
        held = [{"property": "mode", "is": "maintenance"}]
        key = raised(server, suppressedBy=held, response="call the fitter")
        assert server.ask("GET", f"/alarms/{key}")["response"] == "call the fitter"
        server.ingest("pump-1", mode="maintenance")
        until(lambda: state(server, key) == "suppressed", "suppression")
        server.ingest("pump-1", mode="auto")
        until(lambda: state(server, key) == "unacknowledged", "release")
        answer = server.http.put("/rules/hot", json={**HOT, "suppressedBy": [{"rule": "hot"}]})
        assert answer.status_code == 400
        assert "suppressedBy" in answer.json()["error"]["message"]


def test_a_long_list_comes_page_by_page_and_each_alarm_once(data: Path) -> None:
    names = [f"pump-{number}" for number in range(1, 8)]
    with inside(data) as server:
        server.pumps(*names)
        server.ask("PUT", "/rules/hot", HOT)
        server.ask("PUT", "/rules/very", {**HOT, "when": "temperature > 95 °C", "priority": 1})
        for number, name in enumerate(names):
            server.ingest(name, temperature=90 + number)
        whole = until(
            lambda: (found := server.ask("GET", "/alarms"))["total"] == 8 and found, "all alarms"
        )
        assert whole["cursor"] is None
        first = server.ask("GET", "/alarms", limit=3)
        assert [one["priority"] for one in first["value"]] == [1, 2, 2]
        assert first["total"] == 8
        gone = first["value"][-1]["id"]
        server.ask("POST", f"/alarms/{gone}/clear", {"comment": "the row at the cursor leaves"})
        second = server.ask("GET", "/alarms", limit=3, cursor=first["cursor"])
        third = server.ask("GET", "/alarms", limit=3, cursor=second["cursor"])
        pages = [one["id"] for page in (first, second, third) for one in page["value"]]
        assert pages == [one["id"] for one in whole["value"]]
        assert third["cursor"] is None
        history = server.ask("GET", "/alarms", state="all", limit=7)
        last = server.ask("GET", "/alarms", state="all", limit=7, cursor=history["cursor"])
        assert len({one["id"] for one in history["value"] + last["value"]}) == 8
        for wrong in ("x", history["cursor"]):
            answer = server.http.get("/alarms", params={"cursor": wrong})
            assert answer.status_code == 400, answer.text


def test_what_returned_unseen_is_counted_by_priority(data: Path) -> None:
    with inside(data) as server:
        server.pumps("pump-1")
        key = raised(server)
        server.clock.advance(1)
        server.ingest("pump-1", temperature=20)
        until(lambda: state(server, key) == "returned", "the return")
        counts = server.ask("GET", "/status")["alarms"]
        assert (counts["2"], counts["returned"]["2"]) == (0, 1)
        server.ask("POST", f"/alarms/{key}/acknowledge", {})
        assert server.ask("GET", "/status")["alarms"]["returned"]["2"] == 0
