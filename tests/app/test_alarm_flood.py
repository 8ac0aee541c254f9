"""A flood over the real server: a thousand alarms of one cause are one group, and it answers on."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import orjson

from app.inside import MODELS, PUMP, Inside, inside, until

COUNT = 1_000
PANELS = 20
RULES = [
    {"id": "dead", "model": PUMP, "when": "running == false", "priority": 1, "title": "No power"},
    {"id": "dry", "model": PUMP, "when": "flow < 1", "priority": 3, "title": "No flow"},
]


def plant() -> dict[str, Any]:
    """A feeder feeds panels, each panel feeds its pumps."""
    twins: dict[str, Any] = {"feeder": {"model": PUMP, "feeds": []}}
    for panel in range(PANELS):
        twins["feeder"]["feeds"].append(f"panel-{panel}")
        pumps = [f"pump-{n}" for n in range(panel, COUNT - 1, PANELS)]
        twins[f"panel-{panel}"] = {"model": PUMP, "feeds": pumps}
        twins |= {pump: {"model": PUMP} for pump in pumps}
    return {"models": MODELS, "twins": twins, "rules": RULES}


def group(server: Inside) -> Any:
    found = server.ask("GET", "/alarms/groups")["value"]
    return found[0] if found and found[0]["count"] == COUNT else None


def test_a_thousand_alarms_of_a_failed_feeder_are_one_group(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.ask("POST", "/plant", plant())
        begin = server.clock()
        pumps = [twin for twin in plant()["twins"] if twin.startswith("pump")]
        answers: list[int] = []
        done = threading.Event()

        def operator() -> None:
            with server.client(server.admin) as http:
                while not done.is_set():
                    for path in ("/alarms?limit=200", "/status", "/alarms/groups"):
                        answer = http.get(path)
                        answers.append(answer.status_code)

        watching = threading.Thread(target=operator)
        watching.start()
        token = server.token("device", "feeder", "pump-*", name="gateway")
        with server.device(client_id="gateway", token=token) as device:
            for place, pump in enumerate(pumps):
                reading = {"time": (begin + 10**9 + place * 9 * 10**6) // 10**6, "flow": 0.0}
                device.client.publish(f"devices/{pump}/telemetry", orjson.dumps(reading), 1)
            # the cause comes last, and was first
            dead = {"time": begin // 10**6, "running": False}
            device.publish("devices/feeder/telemetry", orjson.dumps(dead))
            found = until(lambda: group(server), "one group of all")
        done.set()
        watching.join()
        assert (found["cause"], found["firstOutTwin"]) == ("feeder", "feeder")
        assert found["causeAlarm"] == found["firstOut"]
        assert [g["id"] for g in server.ask("GET", "/alarms/groups")["value"]] == [found["id"]]
        assert server.ask("GET", "/status")["flood"]["count"] == COUNT
        assert set(answers) == {200}
        assert len(answers) >= 3  # it answered all the while
        alarms = server.ask("GET", "/alarms", limit=2_000)["value"]
        assert len(alarms) == COUNT
        body = {"act": "acknowledge", "ids": [a["id"] for a in alarms[:500]]}
        answer = server.http.post("/alarms/acts", json=body)
        assert {one["state"] for one in answer.json()["value"]} == {"acknowledged"}
        figures = server.ask("GET", "/alarms/kpis", **{"from": "-1h"})
        assert (figures["annunciated"], len(figures["floods"])) == (COUNT, 1)
    with inside(tmp_path / "data") as server:
        again = group(server)
        assert again == found
        full = server.ask("GET", f"/alarms/groups/{found['id']}")
        assert (len(full["alarms"]), full["alarms"][0]["twin"]) == (COUNT, "feeder")
        assert server.ask("GET", "/status")["flood"]["since"] is not None
