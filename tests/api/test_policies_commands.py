"""Commands under policies: guards judge the whole plant and tell no value that may not be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from app.inside import MODELS, PUMP, WAIT_SECONDS, Inside, inside, until

HIDDEN = "hush-pump"
SECRETS = (HIDDEN, "919.25", "717.25", "300.98", "temperature is", "flow is")
COMMANDS = {
    "setSpeed": {
        "interlocks": [
            {"when": "temperature < 80 °C", "title": "The pump is cool"},
            {
                "when": "max of temperature of Pump in feeds < 80 °C",
                "title": "What it feeds is cool",
            },
        ],
        "confirm": {"property": "flow", "tolerance": 1, "within": 20},
    }
}
POLICIES: list[dict[str, Any]] = [
    {"id": "own", "who": {"names": ["anna"]}, "twins": ["pump-*"]},
    {
        "id": "no-values",
        "effect": "forbid",
        "who": {"names": ["anna"]},
        "actions": ["read"],
        "properties": ["temperature", "flow"],
    },
]


class Site:
    def __init__(self, server: Inside, anna: httpx.Client) -> None:
        self.server, self.anna = server, anna

    def asked(self, who: httpx.Client, twin: str, **more: Any) -> Any:
        body = {"twin": twin, "command": "setSpeed", "arguments": 300, **more}
        return who.post("/commands", json=body)

    def warm(self, twin: str, own: float, fed: float = 20.0) -> None:
        self.server.ingest(twin, temperature=own)
        self.server.ingest(HIDDEN, temperature=fed)

    def is_state(self, key: str, state: str) -> dict[str, Any]:
        def found() -> Any:
            command = self.server.ask("GET", f"/commands/{key}")
            return command["state"] == state and command

        return until(found, f"{key} {state}")

    def texts(self, key: str) -> list[str]:
        """A command as each face tells it to anna."""
        query = "{ commands(first: 100) }"
        answers = [
            self.anna.get(f"/commands/{key}"),
            self.anna.get("/commands?limit=1000"),
            self.anna.post("/graphql", json={"query": query}),
        ]
        for answer in answers:
            assert answer.status_code == 200, answer.text
            assert key in answer.text
        return [answer.text for answer in answers]


def tells_nothing(text: str) -> bool:
    found = [secret for secret in SECRETS if secret in text]
    assert not found, (found, text)
    return True


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with inside(tmp_path_factory.mktemp("policies-commands")) as server:
        twins = {one: {"model": PUMP} for one in ("pump-1", "pump-2", "pump-3", HIDDEN)}
        settings = {PUMP: {"staleAfter": 1_000_000, "commands": COMMANDS}}
        server.ask("POST", "/plant", {"models": MODELS, "twins": twins, "settings": settings})
        for one in ("pump-1", "pump-2", "pump-3"):
            link = {"$relationshipName": "feeds", "$targetId": HIDDEN}
            server.ask("PUT", f"/digitaltwins/{one}/relationships/over", link)
        for policy in POLICIES:
            server.ask("PUT", f"/policies/{policy['id']}", policy)
        with server.client(server.token("engineer", name="anna")) as anna:
            yield Site(server, anna)


@pytest.mark.parametrize(
    ("own", "fed", "title"),
    [(919.25, 20.0, "The pump is cool"), (20.0, 717.25, "What it feeds is cool")],
)
def test_a_refusal_names_the_guard_and_no_value_that_may_not_be_read(
    site: Site, own: float, fed: float, title: str
) -> None:
    site.warm("pump-1", own, fed)
    refused = site.asked(site.anna, "pump-1")
    assert refused.status_code == 422
    error = refused.json()["error"]
    assert title in error["message"]
    assert error["message"].endswith("does not hold")
    assert error["details"][0]["code"] == "interlock"
    assert tells_nothing(refused.text)
    whole = site.asked(site.server.http, "pump-1").json()["error"]["message"]
    assert ("temperature is 919.25 °C" in whole) == (own > 80)  # of relatives none is ever told


def test_a_dry_run_tells_no_value_that_may_not_be_read(site: Site) -> None:
    site.warm("pump-1", 919.25)
    dry = site.asked(site.anna, "pump-1", dryRun=True)
    answers = [g["answer"] for g in dry.json()["guards"] if g["guard"] == "interlock"]
    assert answers == ["refuse", "pass"]
    assert tells_nothing(dry.text)
    whole = site.asked(site.server.http, "pump-1", dryRun=True)
    assert "temperature is 919.25 °C" in whole.text


def test_a_guard_lets_through_by_what_is_hidden(site: Site) -> None:
    site.warm("pump-1", 20.0)
    sent = site.asked(site.anna, "pump-1")
    assert sent.status_code == 202
    assert tells_nothing(sent.text)


def next_refusal(socket: ClientConnection, key: str) -> str:
    """The frame of the live stream that tells of a command's refusal."""
    while True:
        found = socket.recv(WAIT_SECONDS)
        command = json.loads(found).get("command", {}) if isinstance(found, str) else {}
        if (command.get("id"), command.get("state")) == (key, "refused"):
            return str(found)


def test_what_held_a_command_back_is_told_without_values(site: Site) -> None:
    server = site.server
    site.warm("pump-2", 20.0)
    key = site.asked(site.anna, "pump-2").json()["id"]
    site.warm("pump-2", 919.25)
    headers = {"Authorization": f"Bearer {server.token('engineer', name='anna')}"}
    url = server.url.replace("http", "ws") + "/live"
    with connect(url, additional_headers=headers, proxy=None) as socket:
        socket.recv(WAIT_SECONDS)  # joined: what follows is sent
        with server.device("pump-2") as device:
            device.subscribe("devices/pump-2/commands/#")
            whole = site.is_state(key, "refused")
        assert tells_nothing(next_refusal(socket, key))
    assert "temperature is 919.25 °C" in whole["steps"][-1]["note"]
    for text in site.texts(key):
        assert tells_nothing(text)
        assert "'The pump is cool (temperature < 80 °C)' does not hold" in text


def test_the_reading_that_confirms_is_told_to_who_may_read_it(site: Site) -> None:
    server = site.server
    site.warm("pump-3", 20.0)
    with server.device("pump-3") as device:
        device.answers["setSpeed"] = b'{"status": "succeeded"}'
        device.subscribe("devices/pump-3/commands/#")
        key = site.asked(site.anna, "pump-3").json()["id"]
        site.is_state(key, "succeeded")
        device.publish("devices/pump-3/telemetry", '{"flow": 300.98765}')
        whole = site.is_state(key, "confirmed")
    assert whole["confirm"]["seen"] == 300.98765
    assert "flow is 300.988" in whole["steps"][-1]["note"]
    for text in site.texts(key):
        assert tells_nothing(text)
    shown = site.anna.get(f"/commands/{key}").json()
    assert shown["state"] == "confirmed"
    assert (shown["confirm"]["property"], shown["confirm"]["seen"]) == ("flow", None)
    assert shown["hash"] == whole["hash"]


def test_why_a_service_asked_is_told_to_who_may_read_all_of_the_twin(site: Site) -> None:
    rule = {
        "model": PUMP,
        "when": "temperature > 900 °C",
        "then": {"command": "setSpeed", "arguments": 10},
    }
    site.warm("pump-1", 20.0)
    site.server.ask("PUT", "/rules/slow-down", rule)
    site.warm("pump-1", 919.25)

    def refused() -> Any:
        every = site.server.ask("GET", "/commands", twin="pump-1")["value"]
        return next((c for c in every if c["service"] == "rule slow-down"), None)

    whole = until(refused, "the rule's command")
    site.server.ask("DELETE", "/rules/slow-down")
    assert whole["state"] == "refused"
    assert "temperature is 919.25 °C" in whole["steps"][0]["note"]
    for text in site.texts(whole["id"]):
        assert tells_nothing(text)
        assert "does not hold" in text


@pytest.mark.parametrize("path", ["/commands/{}", "/alarms/{}", "/work-orders/{}"])
def test_what_is_hidden_is_refused_in_the_words_of_what_is_missing(site: Site, path: str) -> None:
    server = site.server
    if "commands" in path:
        body = {"id": "taken", "twin": HIDDEN, "command": "stop"}
        hidden = server.ask("POST", "/commands", body)["id"]
    elif "work-orders" in path:
        order = {"twin": HIDDEN, "title": "Look at it"}
        hidden = server.ask("POST", "/work-orders", order)["id"]
    else:
        server.ask("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 700 °C"})
        server.ingest(HIDDEN, temperature=717.25)
        every = until(lambda: server.ask("GET", "/alarms", twin=HIDDEN)["value"], "its alarm")
        hidden = every[0]["id"]

    def told(key: str) -> tuple[int, str]:
        answer = site.anna.get(path.format(key))
        return answer.status_code, answer.text.replace(key, "IT")

    assert told(hidden) == told("no-such")
    assert told(hidden)[0] == 404
