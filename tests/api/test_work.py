"""Work orders over HTTP and over a restart."""

from __future__ import annotations

from pathlib import Path

from api.test_alarms import raised
from app.inside import inside


def test_an_alarm_becomes_a_work_order_that_outlives_a_restart(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.pumps("pump-1")
        alarm = raised(server)
        made = server.ask("POST", "/work-orders", {"alarm": alarm, "assignee": "cem"})
        assert (made["twin"], made["alarms"], made["state"]) == ("pump-1", [alarm], "open")
        again = server.http.post("/work-orders", json={"alarm": alarm})
        assert (again.status_code, again.json()["error"]["code"]) == (409, "WorkOrderExists")
        path = f"/work-orders/{made['id']}"
        server.ask("PATCH", path, {"parts": [{"name": "bearing", "number": "6205"}]})
        server.ask("POST", f"{path}/acts", {"act": "start"})
        wrong = server.http.post(f"{path}/acts", json={"act": "plan"})
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (409, "WorkOrderStateInvalid")
        for body in ({"twin": "x", "title": "y"}, {"title": "y"}, {"twin": "pump-1", "due": 1}):
            assert server.http.post("/work-orders", json=body).status_code in (400, 404)
    with inside(tmp_path / "data") as server:
        done = server.ask("POST", f"{path}/acts", {"act": "finish", "note": "bearing changed"})
        assert [s["what"] for s in done["steps"]] == ["created", "parts changed", "start", "finish"]
        assert server.ask("GET", "/work-orders", twin="pump-1")["value"] == [done]
        assert server.ask("GET", "/work-orders", state="open")["value"] == []
        assert server.ask("GET", path) == done
