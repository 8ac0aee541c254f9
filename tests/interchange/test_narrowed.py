"""What policies hide is in no export, in no read API, and in no plant or group of alarms."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterator

import httpx
import pytest

from app.inside import Inside, inside, until
from interchange.exchanged import PUMP, fill

SECRETS = ("pump-2", "setSpeed", "12.5", "DN80")
"""A twin, a command, the value of a property and that of a relationship that are hidden."""
POLICIES = {
    "guests": {"who": {"names": ["guest"]}, "twins": ["pump-1", "works"]},
    "no-flow": {
        "effect": "forbid",
        "who": {"names": ["guest"]},
        "actions": ["read"],
        "twins": ["pump-1"],
        "properties": ["flow", "setSpeed"],
    },
}
RULE = {"model": PUMP, "when": "count > 8", "title": "Many", "priority": 2}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("narrowed") / "data") as found:
        fill(found)
        found.ask("PUT", "/rules/many", RULE)
        for twin in ("pump-1", "pump-2"):
            found.ingest(twin, count=9, flow=12.5)
        until(lambda: [g["count"] for g in found.ask("GET", "/alarms/groups")["value"]] == [2])
        for key, policy in POLICIES.items():
            found.ask("PUT", f"/policies/{key}", policy)
        yield found


@pytest.fixture(scope="module")
def guest(server: Inside) -> Iterator[httpx.Client]:
    with server.client(server.token("engineer", name="guest")) as found:
        yield found


def text_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    if answer.content[:2] != b"PK":
        return answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as package:
        return package.read("aasx/environment.json").decode()


@pytest.mark.parametrize("form", ["aas", "aasx", "wot", "ngsi-ld"])
def test_an_export_shows_no_more_than_reads_do(
    server: Inside, guest: httpx.Client, form: str
) -> None:
    shown = text_of(guest.get(f"/export/{form}"))
    values = shown.partition('"conceptDescriptions"')[0]  # models are everybody's
    assert "pump-1" in values
    assert [secret for secret in SECRETS if secret in values] == []
    everything = text_of(server.http.get(f"/export/{form}"))
    assert "pump-2" in everything
    assert guest.get(f"/export/{form}", params={"twin": "pump-2"}).status_code == 404


def test_the_read_api_and_the_things_hide_it_too(guest: httpx.Client) -> None:
    shells = guest.get("/aas/shells").json()["result"]
    assert [one["idShort"] for one in shells] == ["pump_1", "works"]
    hidden = base64.urlsafe_b64encode(b"urn:gemel:submodel:pump-2").decode().rstrip("=")
    assert guest.get(f"/aas/submodels/{hidden}").status_code == 404
    assert guest.get("/wot/pump-2").status_code == 404
    assert guest.get("/wot/pump-1/properties/flow").status_code == 404
    assert guest.get("/wot/pump-1/properties/count").json() == 9
    assert "flow" not in guest.get("/wot/pump-1").json()["properties"]


def test_the_plant_holds_what_is_seen(server: Inside, guest: httpx.Client) -> None:
    shown = guest.get("/plant").json()
    assert sorted(shown["twins"]) == ["pump-1", "works"]
    assert shown["twins"]["works"]["contains"] == ["pump-1"]
    assert "bindings" not in shown
    assert "policies" not in shown
    assert len(server.ask("GET", "/plant")["twins"]) == 3


def test_a_group_of_alarms_is_told_by_those_that_are_seen(
    server: Inside, guest: httpx.Client
) -> None:
    server.ask("DELETE", "/policies/no-flow")
    (whole,) = server.ask("GET", "/alarms/groups")["value"]
    (shown,) = guest.get("/alarms/groups").json()["value"]
    assert (whole["count"], shown["count"], shown["firstOutTwin"]) == (2, 1, "pump-1")
    (alarm,) = guest.get(f"/alarms/groups/{whole['id']}").json()["alarms"]
    assert alarm["twin"] == "pump-1"
    with server.client(server.token("viewer", name="guest of nothing")) as other:
        nothing = {"who": {"names": ["guest of nothing"]}, "twins": ["works"]}
        server.ask("PUT", "/policies/nothing", nothing)
        assert other.get("/alarms/groups").json()["value"] == []
        assert other.get(f"/alarms/groups/{whole['id']}").status_code == 404
