"""A device nobody knows: discovered, adopted, and its readings from before are its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.inside import PUMP, Inside, inside, until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("adopt") / "data") as found:
        yield found


def discovered(server: Inside) -> dict[str, dict]:
    return {d["id"]: d for d in server.ask("GET", "/discovered")["value"]}


def values(server: Inside, twin: str, path: str) -> list[float]:
    found = server.ask("GET", "/history", twin=twin, property=path, **{"from": 0})
    return found["series"][0]["value"]


def test_from_the_first_message_to_a_twin_with_its_history(server: Inside) -> None:
    with server.device("new-1") as device:
        device.publish("devices/new-1/telemetry", '{"level": 12, "open": true, "time": 1700000000}')
        device.publish("devices/new-1/telemetry", '{"level": 13, "time": 1700000001}')
        found = discovered(server)["new-1"]
        assert (found["messages"], found["sample"]) == (2, {"level": 13, "open": True})
        assert found["source"] == "devices/new-1/telemetry"
        plate = server.ask("POST", "/discovered/new-1/adopt")
        assert (plate["id"], plate["name"], plate["status"]) == ("new-1", "new-1", "live")
        assert {p["path"]: p["value"] for p in plate["properties"]} == {
            "level": 13,
            "open": True,
            "name": "new-1",
        }
        assert "new-1" not in discovered(server)
        device.publish("devices/new-1/telemetry", '{"level": 12.5, "time": 1700000002}')
        assert values(server, "new-1", "level") == [12, 13, 12.5]
    assert server.http.post("/discovered/new-1/adopt").status_code == 404


def test_a_device_on_a_topic_of_its_own_is_found_too(server: Inside) -> None:
    with server.device("factory.line2.temp7") as device:
        device.publish("factory/line2/temp7", '{"t1": 5}')
    assert discovered(server)["factory.line2.temp7"]["source"] == "factory/line2/temp7"
    assert server.ask("POST", "/discovered/factory.line2.temp7/adopt", {"name": "Temp 7"})
    assert server.ask("GET", "/twins/factory.line2.temp7")["name"] == "Temp 7"


def test_devices_of_like_names_get_models_of_their_own(server: Inside) -> None:
    server.ingest("like-1", flow=1)
    server.ingest("like_1", speed=2)
    one = server.ask("POST", "/discovered/like-1/adopt")["model"]
    other = server.ask("POST", "/discovered/like_1/adopt")["model"]
    assert one != other
    server.ingest("like_1", speed=3)
    assert values(server, "like_1", "speed") == [2, 3]


def test_a_device_that_sends_a_name_can_be_adopted(server: Inside) -> None:
    server.ingest("named", name="I am", level=1)
    assert server.ask("POST", "/discovered/named/adopt")["model"]


def test_an_adopted_device_keeps_names_that_dtdl_does_not_allow(server: Inside) -> None:
    server.ingest("odd", **{"temp-1": 5, "motor": {"power": 7}})
    plate = server.ask("POST", "/discovered/odd/adopt")
    paths = {p["displayName"]: p["path"] for p in plate["properties"]}
    server.ingest("odd", **{"temp-1": 6, "motor": {"power": 8}})
    until(lambda: values(server, "odd", paths["temp-1"]) == [5, 6], "history of temp-1")
    until(lambda: values(server, "odd", paths["motor.power"]) == [7, 8], "history of motor.power")
    assert server.ask("GET", "/rejects", twin="odd")["total"] == 0


def test_adopting_as_a_model_that_is_there(server: Inside) -> None:
    server.pumps("known")
    server.ingest("loose", flow=4)
    answer = server.http.post("/discovered/loose/adopt", json={"model": "dtmi:none;1"})
    assert answer.status_code in (400, 404)
    answer = server.http.post("/discovered/loose/adopt", json={"model": PUMP, "colour": 1})
    assert answer.status_code == 400
    assert "loose" in discovered(server), "what was refused has changed nothing"
    answer = server.http.post(
        "/discovered/loose/adopt", content=iter([b'{"model": "dtmi:test:Line;1"}'])
    )
    assert answer.json()["model"] == "dtmi:test:Line;1"
    assert server.http.post("/discovered/known/adopt").status_code in (404, 409)


def test_what_is_forgotten_is_found_again_when_it_sends(server: Inside) -> None:
    server.ingest("shy", a=1)
    assert server.http.delete("/discovered/shy").status_code == 204
    assert "shy" not in discovered(server)
    assert server.http.delete("/discovered/shy").status_code == 404
    server.ingest("shy", a=2)
    assert discovered(server)["shy"]["messages"] == 1


def test_the_list_survives_a_restart(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as first:
        first.ingest("late", level=1)
    with inside(tmp_path / "data") as second:
        assert discovered(second)["late"]["sample"] == {"level": 1}
