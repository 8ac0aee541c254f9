"""Runs in real worker processes: results, failures that say why, cancel, bounds, versions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.inside import MODELS, PUMP, Inside, inside, until
from app.run_functions import KIND
from gemel.services import registry

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", str(HERE))
    other = replace(KIND, name="other")
    patch.setattr(registry, "kinds", lambda: {"tried": KIND, "other": other})
    with inside(tmp_path_factory.mktemp("runs") / "data") as found:
        found.ask("POST", "/models", MODELS)
        found.ask(
            "PUT",
            "/digitaltwins/pump-1",
            {"$metadata": {"$model": PUMP}, "bearing": {"$metadata": {}}},
        )
        found.ask("POST", "/ingest", [{"twin": "pump-1", "flow": x} for x in (1.0, 2.0, 4.0)])
        found.ask("PUT", "/services/mine", {"kind": "tried"})
        yield found
    patch.undo()


def started(server: Inside, run: str, **more: Any) -> dict[str, Any]:
    body = {"kind": "tried", "run": run} if "service" not in more else {"run": run}
    found: dict[str, Any] = server.ask("POST", "/runs", {**body, **more})
    return found


def over(server: Inside, key: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = server.ask("GET", f"/runs/{key}")
        return found if found["state"] in ("succeeded", "failed", "cancelled") else None

    return until(look, "the end of the run")


def test_a_run_is_given_history_and_gives_a_result(server: Inside) -> None:
    run = started(server, "double", parameters={"amount": 5})
    assert run["state"] in ("queued", "running")
    done = over(server, run["id"])
    assert done["state"] == "succeeded", done
    assert done["progress"] == 1.0
    assert done["readings"] == 3
    found = server.ask("GET", f"/runs/{run['id']}/result")
    assert max(found["result"]["sums"]) == 7.0
    assert found["result"]["amount"] == 5
    assert found["result"]["twins"] == ["pump-1"]
    assert found["result"]["pid"] != os.getpid()
    values = server.ask("GET", f"/runs/{run['id']}/result", array="twice")["values"]
    assert max(values) == 14.0
    log = server.http.get(f"/runs/{run['id']}/log").text
    assert "noise on standard output" in log


@pytest.mark.parametrize(
    ("run", "error"),
    [
        ("fail", "too little data"),
        ("break_down", "ZeroDivisionError"),
        ("crash", "SIGSEGV"),
        ("leave", "ended with code 3"),
        ("eat", "more than 256 MB"),
        ("short", "longer than 1 s"),
        ("missing", "AttributeError"),
    ],
)
def test_a_run_that_fails_says_why_and_the_server_goes_on(
    server: Inside, run: str, error: str
) -> None:
    done = over(server, started(server, run)["id"])
    assert done["state"] == "failed"
    assert error in done["error"]
    answer = server.http.get(f"/runs/{done['id']}/result")
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "RunHasNoResult"
    assert server.ask("GET", "/status")["twins"] == 1


def test_a_run_that_is_cancelled_ends_at_once(server: Inside) -> None:
    run = started(server, "sleep")
    until(lambda: server.ask("GET", f"/runs/{run['id']}")["progress"] == 0.25, "progress")
    assert server.http.delete(f"/runs/{run['id']}").status_code == 409
    server.ask("POST", f"/runs/{run['id']}/cancel")
    assert over(server, run["id"])["state"] == "cancelled"
    assert server.ask("POST", f"/runs/{run['id']}/cancel")["state"] == "cancelled"
    server.ask("DELETE", f"/runs/{run['id']}")
    assert server.http.get(f"/runs/{run['id']}").status_code == 404


def test_so_many_run_at_a_time_and_the_others_wait(server: Inside) -> None:
    keys = [started(server, "sleep")["id"] for _ in range(3)]
    until(
        lambda: (
            [server.ask("GET", f"/runs/{k}")["state"] for k in keys]
            == ["running", "running", "queued"]
        ),
        "two of three",
    )
    for key in reversed(keys):
        server.ask("POST", f"/runs/{key}/cancel")
    assert {over(server, key)["state"] for key in keys} == {"cancelled"}


def test_what_a_run_predicts_is_in_history_with_its_provenance(server: Inside) -> None:
    assert over(server, started(server, "forecast", service="mine")["id"])["state"] == "succeeded"
    found = server.ask(
        "GET",
        "/history",
        twin="pump-1",
        property="flow,flow@q0.05,flow@q0.95",
        provenance="predicted",
        **{"from": "-1m", "to": str((server.clock() // 1_000_000) + 3_600_000)},
    )
    values = {s["property"]: s["value"] for s in found["series"]}
    assert values["flow"] == [1.0, 2.0, 3.0]
    assert values["flow@q0.05"] == [0.5, 1.5, 2.5]


def test_versions_are_kept_used_and_rolled_back(server: Inside) -> None:
    server.ask("PUT", "/services/own", {"kind": "tried"})
    for _ in range(2):
        assert over(server, started(server, "learn", service="own")["id"])["state"] == "succeeded"
    bad = started(server, "learn", service="own", parameters={"amount": 1000})
    assert over(server, bad["id"])["fit"] == 3
    status = server.ask("GET", "/services/own/status")
    assert status["version"] == 2
    assert [(v["version"], v["passed"]) for v in status["versions"]] == [
        (3, False),
        (2, True),
        (1, True),
    ]
    server.ask("PUT", "/services/own/version", {"version": 1})
    again = started(server, "learn", service="own")
    assert over(server, again["id"])["state"] == "succeeded"
    found = server.ask("GET", f"/runs/{again['id']}/result")
    assert found["result"]["before"] == 1.0
    assert server.http.put("/services/own/version", json={"version": 9}).status_code == 404


def alarms(server: Inside) -> list[tuple[str, str, bool]]:
    found = server.ask("GET", "/alarms", twin="pump-1", state="all")["value"]
    return [(a["rule"], a["title"], a["stands"]) for a in found]


def test_what_a_review_finds_becomes_an_alarm_until_another_version_is_in_use(
    server: Inside,
) -> None:
    for amount, stands in ((3, True), (3, True), (1, False), (3, True)):
        run = started(server, "review", service="mine", parameters={"amount": amount})
        assert over(server, run["id"])["state"] == "succeeded"
        until(
            lambda stands=stands: alarms(server) == [("review:mine", "No longer fits", stands)],
            f"an alarm that stands: {stands}",
        )
    until(lambda: server.ask("GET", "/work-orders", state="proposed")["value"], "a proposal")
    assert over(server, started(server, "learn", service="mine")["id"])["state"] == "succeeded"
    until(lambda: alarms(server)[0][2] is False, "the end of the alarm")


def test_wrong_requests_name_the_way_out(server: Inside) -> None:
    for body, words in (
        ({"run": "double", "kind": "nothing"}, "tried"),
        ({"run": "nothing", "kind": "tried"}, "double"),
        ({"run": "double", "service": "nobody"}, "GET /services"),
        ({"run": "double", "kind": "tried", "parameters": {"amount": "x"}}, "number"),
        ({"run": "double", "kind": "tried", "parameters": {"other": 1}}, "amount"),
    ):
        answer = server.http.post("/runs", json=body)
        assert answer.status_code in (400, 404)
        assert words in answer.text


def test_runs_that_a_stop_cut_have_failed_and_say_so(tmp_path: Path) -> None:
    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", str(HERE))
    patch.setattr(registry, "kinds", lambda: {"tried": KIND})
    with inside(tmp_path / "data") as server:
        keys = [started(server, "sleep")["id"] for _ in range(3)]
        until(lambda: server.ask("GET", f"/runs/{keys[0]}")["progress"] == 0.25, "progress")
    with inside(tmp_path / "data") as server:
        runs = [server.ask("GET", f"/runs/{key}") for key in keys]
        assert {run["state"] for run in runs} == {"failed"}
        assert all("server stopped" in run["error"] for run in runs)
    patch.undo()


def test_runs_of_one_service_that_end_together_give_a_version_each(server: Inside) -> None:
    server.ask("PUT", "/services/busy", {"kind": "tried"})
    keys = [started(server, "learn", service="busy")["id"] for _ in range(4)]
    assert sorted(over(server, key)["fit"] for key in keys) == [1, 2, 3, 4]
    versions = server.ask("GET", "/services/busy/status")["versions"]
    assert {v["run"] for v in versions} == set(keys)


def test_runs_of_a_service_that_is_deleted_are_called_off(server: Inside) -> None:
    server.ask("PUT", "/services/short", {"kind": "tried"})
    keys = [started(server, "sleep", service="short")["id"] for _ in range(3)]
    until(lambda: server.ask("GET", f"/runs/{keys[0]}")["progress"] == 0.25, "progress")
    server.ask("DELETE", "/services/short")
    assert {over(server, key)["state"] for key in keys} == {"cancelled"}


def test_a_service_of_another_kind_begins_without_versions(server: Inside) -> None:
    server.ask("PUT", "/services/turned", {"kind": "tried"})
    assert over(server, started(server, "learn", service="turned")["id"])["fit"] == 1
    server.ask("PUT", "/services/turned", {"kind": "other"})
    assert server.ask("GET", "/services/turned/status")["versions"] == []
    assert over(server, started(server, "learn", service="turned")["id"])["fit"] == 1
    server.ask("DELETE", "/services/turned")
    server.ask("PUT", "/services/turned", {"kind": "tried"})
    assert server.ask("GET", "/services/turned/status")["versions"] == []


def test_what_a_kill_has_left_is_gone_after_the_next_start(tmp_path: Path) -> None:
    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", str(HERE))
    patch.setattr(registry, "kinds", lambda: {"tried": KIND})
    data = tmp_path / "data"
    with inside(data) as server:
        server.ask("PUT", "/services/mine", {"kind": "tried"})
        done = over(server, started(server, "learn", service="mine")["id"])
    mine, stray = data / "runs" / done["id"], data / "runs" / "r-0-stray"
    stray.mkdir()
    left = [mine / "job.pack", mine / "part", stray / "log.txt"]
    left += [data / "fits" / "mine" / name for name in ("2.pack", "3.part")]
    for file in left:
        file.write_bytes(b"half")
    with inside(data) as server:
        assert server.ask("GET", "/services/mine/status")["version"] == 1
        assert server.ask("GET", f"/runs/{done['id']}/result")["result"] == {"before": 0.0}
    assert [file for file in [*left, stray] if file.exists()] == []
    assert (data / "fits" / "mine" / "1.pack").exists()
    patch.undo()
