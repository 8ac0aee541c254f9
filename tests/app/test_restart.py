"""kill -9 in every state of alarms and commands: nothing is forgotten, nothing done twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.inside import MODELS, PUMP, Device, until
from gemel.core.batch import Batch
from gemel.core.series import SeriesTable
from gemel.history import History
from running import Running

RULE = {"model": PUMP, "when": "temperature > 80", "then": {"command": "stop"}}


def device(running: Running, twin: str, secret: str) -> Device:
    return Device(running.mqtt_host, running.mqtt_port, twin, secret)


def commands(running: Running) -> dict[str, dict[str, Any]]:
    return {c["id"]: c for c in running.call("GET", "/commands", limit=1000)["value"]}


def send(running: Running, twin: str, key: str, deadline: float = 3000) -> None:
    body = {"twin": twin, "command": "stop", "id": key, "deadline": deadline}
    running.call("POST", "/commands", body)


def alarms(running: Running) -> dict[str, dict[str, Any]]:
    return {a["id"]: a for a in running.call("GET", "/alarms", state="all")["value"]}


def alarm_in(running: Running, state: str, at: int) -> None:
    """Brings the alarm of a twin of that name into the state."""
    send_value = {"temperature": 90, "time": at}
    running.call("POST", f"/ingest/{state}", send_value)

    def mine() -> dict[str, Any]:
        return next((a for a in alarms(running).values() if a["twin"] == state), {})

    key = until(mine)["id"]
    if state in ("acknowledged", "normal"):
        running.call("POST", f"/alarms/{key}/acknowledge")
    if state in ("returned", "normal"):
        running.call("POST", f"/ingest/{state}", {"temperature": 10, "time": at + 1})
    until(lambda: mine()["state"] == state, state)


def test_a_kill_forgets_and_repeats_nothing(tmp_path: Path) -> None:
    states = ("unacknowledged", "acknowledged", "returned", "normal")
    twins = ("away", "plain", "sure", "good", "bad", *states)
    running = Running(tmp_path / "data").start()
    plant = {"models": MODELS, "twins": {t: {"model": PUMP} for t in twins}}
    running.call("POST", "/plant", plant)
    running.call("PATCH", "/twins/away/desired", {"target": 4})
    secret = running.make_token("--role", "device", "--twin", "*")
    links = {twin: device(running, twin, secret) for twin in ("plain", "sure", "good", "bad")}
    links["good"].answers["stop"] = b'{"result": 1}'
    links["bad"].answers["stop"] = b'{"status": "failed"}'
    for twin, link in links.items():
        if twin == "plain":  # hears without confirming
            link.client.subscribe("devices/plain/commands/#", 0)
        else:
            link.subscribe(f"devices/{twin}/commands/#")
    until(lambda: running.call("GET", "/status")["mqtt"]["subscriptions"] == 4)
    wanted = {"queued": "away", "expired": "away", "sent": "plain", "unknown": "plain"}
    wanted |= {"delivered": "sure", "succeeded": "good", "failed": "bad"}
    for state, twin in wanted.items():
        send(running, twin, state, 2 if state in ("expired", "unknown") else 3000)
    until(lambda: all(commands(running)[state]["state"] == state for state in wanted))
    running.call("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 80"})
    for number, state in enumerate(states):
        alarm_in(running, state, 1_700_000_000 + number)
    before = commands(running), alarms(running), running.call("GET", "/plant")
    for link in links.values():
        link.client.loop_stop()

    running.kill()
    running.start()
    assert (commands(running), alarms(running), running.call("GET", "/plant")) == before
    links = {
        twin: device(running, twin, secret) for twin in ("away", "plain", "sure", "good", "bad")
    }
    for twin, link in links.items():
        link.subscribe(f"devices/{twin}/#")
    until(lambda: links["away"].heard and commands(running)["queued"]["state"] == "delivered")
    until(lambda: ("devices/away/desired", b'{"target":4}', True) in links["away"].heard)
    sent = [topic for link in links.values() for topic in link.topics() if "/commands/" in topic]
    assert sent == ["devices/away/commands/stop/queued"]
    send(running, "good", "succeeded")  # asked again, with the same id
    assert commands(running)["succeeded"]["state"] == "succeeded"
    running.call("POST", "/ingest/acknowledged", {"temperature": 10, "time": 1_700_000_100})
    until(lambda: not [a for a in alarms(running).values() if a["state"] == "acknowledged"])
    for link in links.values():
        link.close()
    assert running.stop() == 0
    assert "Traceback" not in running.errors()


def test_an_alarm_whose_storing_was_cut_is_there_after_the_restart(tmp_path: Path) -> None:
    """The reading was confirmed to the device; killed at once, its alarm and command follow."""
    running = Running(tmp_path / "data").start()
    running.call("POST", "/plant", {"models": MODELS, "twins": {"p": {"model": PUMP}}})
    running.call("PUT", "/rules/hot", RULE)
    secret = running.make_token("--role", "device", "--twin", "p")
    raised: set[str] = set()
    for turn in range(3):
        start = 1_700_000_000 + 10 * turn
        link = device(running, "p", secret)
        link.publish("devices/p/telemetry", f'{{"temperature": 99, "time": {start}}}')
        running.kill()
        link.client.loop_stop()
        running.start()
        found = until(lambda: {k: a for k, a in alarms(running).items() if a["isActive"]})
        assert len(found) == 1
        (key,) = found
        assert key not in raised
        raised.add(key)
        until(lambda: set(commands(running)) == {f"{one}-then" for one in raised}, "its command")
        running.call("POST", f"/alarms/{key}/acknowledge")
        running.call("POST", "/ingest/p", {"temperature": 1, "time": start + 1})
        until(lambda: not [a for a in alarms(running).values() if a["isActive"]])
    assert running.stop() == 0
    assert replayed(tmp_path) == []  # a start after a clean stop has its state from a checkpoint
    running.start()
    last = running.call("GET", "/history/last", twin="p", property="temperature")
    assert [one["value"] for one in last["value"]] == [1]
    assert running.stop() == 0


def replayed(folder: Path) -> list[Batch]:
    history = History(folder / "data" / "history", SeriesTable(), on_seal=dict)
    try:
        assert "state" in history.checkpoints()
        return list(history.replay())
    finally:
        history.close()
