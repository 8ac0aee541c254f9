"""Names, values, comments and device ids made to break a page: they stay text, and fit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import paho.mqtt.client as mqtt
import pytest

from e2e.browsing import PHONE, Visitor, eventually
from e2e.conftest import Visit
from running import Running

pytestmark = pytest.mark.browser

TEXTS = [
    "<script>window.__pwned=1</script>",
    "<img src=x onerror=window.__pwned=1>",
    "\"'><svg/onload=window.__pwned=1>",
    "javascript:window.__pwned=1//",
    "<a href=javascript:window.__pwned=1>click</a><iframe srcdoc='<script>parent.__pwned=1'>",
    "</style><style>*{display:none}</style><b>",
    "red;background:url(https://elsewhere.invalid/x);position:fixed;inset:0",
    "{{constructor.constructor('window.__pwned=1')()}}${window.__pwned=1}",
    "\u202eright to left override\u202c \u2067مضخة المياه\u2069",
    "zero\u200b\u200d\ufeff\u2060width",
    "Z\u0321\u0322\u0336" + "\u0300\u0301\u0302\u0303" * 30 + "algo",
    "W" * 600,
    "line one\nline two\ttab\r\n\r\n" + "\u2028",
    "NUL\x00 inside \x1b[31m",
    "👩‍🔧⚙️ 🏭" * 20,
]
IDS = [
    "javascript:window.__pwned=1",
    "__proto__",
    "constructor",
    "'-window.__pwned=1-'",
    "%3Cscript%3E",
    "a?tab=raw#x",
    "%",
    "%00",
    "...",
    "W" * 128,
    "toString",
    "null",
    "#main",
    "hasOwnProperty",
    "a,b",
]
NOT_IDS = [".", ".."]
"""Dots alone vanish from any address, so nobody could open such a twin."""
TABS = ["trends", "relations", "alarms", "commands", "changes", "raw"]

# What can only be there if text became markup.
MADE = """
() => [...document.querySelectorAll("#app script, #app img, #app iframe, #app style, #app b")]
  .concat([...document.querySelectorAll("[onerror], [onload], [srcdoc], a[href^='javascript:']")])
  .map((one) => one.outerHTML.slice(0, 120))
"""


def model(number: int, text: str) -> dict[str, Any]:
    """The text wherever a model has words for people."""
    described = {"displayName": text[:512], "description": text[:512]}
    mode = {
        "@type": "Enum",
        "valueSchema": "string",
        "enumValues": [
            {"name": "on", "enumValue": text[:512] or "on", "displayName": text[:512]},
            {"name": "off", "enumValue": "off", "displayName": text[:512]},
        ],
    }
    request = {"name": "say", "schema": "string", **described}
    return {
        "@context": ["dtmi:dtdl:context;4", "dtmi:dtdl:extension:quantitativeTypes;3"],
        "@id": f"dtmi:hostile:Thing{number};1",
        "@type": "Interface",
        **described,
        "contents": [
            {"@type": "Property", "name": "name", "schema": "string", **described},
            {"@type": "Property", "name": "note", "schema": "string", "writable": True},
            {"@type": "Property", "name": "mode", "schema": mode, "writable": True, **described},
            {"@type": "Telemetry", "name": "text", "schema": "string", **described},
            {"@type": "Telemetry", "name": "flow", "schema": "double", **described},
            {"@type": "Command", "name": "shout", "request": request, **described},
            {"@type": "Relationship", "name": "contains", **described},
        ],
    }


def taken(client: httpx.Client, method: str, path: str, body: Any) -> bool:
    """Whether the server took it; a refusal must be a word about the input."""
    answer = client.request(method, path, json=body)
    if answer.status_code < 300:
        return True
    assert answer.status_code == 400, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
    assert answer.json()["error"]["message"]
    return False


class Things:
    """A server full of hostile words; `names` by twin id as the server has them."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.refused: list[tuple[str, str]] = []
        with running.http() as client:
            self._client = client
            for number, (text, twin) in enumerate(zip(TEXTS, IDS, strict=True)):
                self._make(number, text, twin)
            for text in (TEXTS[0], TEXTS[1], TEXTS[8], TEXTS[11]):
                self._kpi(text)
            self._plant("scene", TEXTS[1], {"scene": self._scene()})
            for text in TEXTS[::-1]:  # the last one that is taken stays
                self._plant("plant's name", text, {"name": text})
        rows = running.call("GET", "/twins", limit=1000)["value"]
        self.names = {row["id"]: row["name"] for row in rows}

    def _plant(self, what: str, text: str, body: Any) -> bool:
        if taken(self._client, "POST", "/plant", body):
            return True
        self.refused.append((what, text))
        return False

    def _make(self, number: int, text: str, twin: str) -> None:
        """Every word hostile where that is taken, else plain."""
        dtmi, plain = f"dtmi:hostile:Thing{number};1", f"Thing {number}"
        if not self._plant("model", text, {"models": [model(number, text)]}):
            assert self._plant("model", plain, {"models": [model(number, plain)]})
        settings = {"geometry": text, "scope": text}
        self._plant("settings", text, {"settings": {dtmi: settings}})
        links = [{"to": IDS[number - 1], "id": f"r{number}"}] if number % 3 else []
        body: dict[str, Any] = {"model": dtmi, "properties": {"note": text}, "contains": links}
        if not self._plant("name", text, {"twins": {twin: {**body, "name": text}}}):
            body["properties"] = {"note": plain}
            assert self._plant("name", plain, {"twins": {twin: {**body, "name": plain}}})
        rule = {"id": f"rule-{number}", "model": dtmi, "when": "flow > 7"}
        rule |= {"priority": 1 + number % 4, "title": text}
        if not self._plant("title", text, {"rules": [rule]}):
            assert self._plant("title", plain, {"rules": [{**rule, "title": plain}]})
        quiet = {**rule, "id": text, "when": "flow > 7000"}
        self._plant("rule's id", text, {"rules": [quiet]})

    def _kpi(self, text: str) -> None:
        kpi = {"id": text, "twin": IDS[1], "property": "flow", "digits": 2}
        kpi |= {"label": text, "unit": text, "targetLabel": text}
        assert self._plant("kpi", text, {"kpis": [kpi]})

    def _scene(self) -> dict[str, Any]:
        return {
            "zones": [{"id": "z", "label": TEXTS[1], "at": [0, 0, 0], "size": [9, 1, 9]}],
            "objects": [
                {"id": text, "kind": "pump", "twin": twin, "label": text, "at": [2 * n, 0, 0]}
                for n, (text, twin) in enumerate(zip(TEXTS, IDS, strict=True))
                if "\x00" not in text
            ],
            "pipes": [],
        }


def speak(things: Things) -> None:
    """Devices send, answer commands, and people comment, all in hostile words."""
    running = things.running
    body = {"role": "device", "name": TEXTS[1], "twins": ["*"]}
    secret = running.call("POST", "/tokens", body)["token"]
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="hostile")
    client.username_pw_set("hostile", secret)
    answers = iter(TEXTS * 2)

    def answer(_: Any, __: Any, message: mqtt.MQTTMessage) -> None:
        _, twin, _, _, number = message.topic.split("/")
        text = next(answers)
        reply = {"status": "failed", "result": {text: text}, "message": text}
        client.publish(f"devices/{twin}/responses/{number}", json.dumps(reply), qos=1)

    client.on_message = answer
    ready: list[int] = []
    client.on_subscribe = lambda *_: ready.append(1)
    client.connect(running.mqtt_host, running.mqtt_port)
    client.loop_start()
    client.subscribe("devices/+/commands/#", 1)
    try:
        for text, twin in zip(TEXTS, IDS, strict=True):
            _send(running, twin, text)
        for text in TEXTS:
            topic = text.replace("/", "|").replace("#", "").replace("+", "").replace("\x00", "")
            payload = json.dumps({text: text, "n": 1.5, "<b>": {"<i>": text}})
            client.publish(f"devices/{topic[:200]}/telemetry", payload, qos=1).wait_for_publish(60)
        if eventually(lambda: ready or client.is_connected(), "a connection"):
            _command(running)
    finally:
        client.disconnect()
        client.loop_stop()


def _send(running: Running, twin: str, text: str) -> None:
    with running.http() as client:
        for values in ({"flow": 3.5}, {"flow": 8.5}, {"text": text}, {"text": "plain"}):
            taken(client, "POST", "/ingest", {"twin": twin, **values})
        taken(client, "POST", "/ingest", {"twin": twin, "text": text})


def _command(running: Running) -> None:
    with running.http() as client:
        for text, twin in zip(TEXTS, IDS, strict=True):
            body = {"twin": twin, "command": "shout", "arguments": text, "deadline": 5}
            answer = client.post("/commands", json=body)
            assert answer.status_code in (202, 400, 409), answer.text
        alarms = client.get("/alarms").json()["value"]
        assert len(alarms) > len(IDS) // 2
        for text in TEXTS:
            taken(client, "POST", f"/alarms/{alarms[0]['id']}/comment", {"comment": text})
        taken(client, "POST", f"/alarms/{alarms[1]['id']}/acknowledge", {"comment": TEXTS[11]})


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Things]:
    with Running(tmp_path_factory.mktemp("hostile") / "data") as running:
        made = Things(running)
        speak(made)
        yield made
        assert "Traceback" not in running.errors()


class Crawl:
    """One visitor going through many views; what does not fit is collected."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.misfits: dict[str, str] = {}

    def look(self) -> None:
        """At the view as it is now: does it fit, and is text still text?"""
        where = self.visitor.page.evaluate("location.pathname + location.search")
        for one in self.visitor.sideways():
            self.misfits.setdefault(re.sub(r"\d+", "N", one), f"{where[:70]}: {one}")
        self.assert_harmless()

    def assert_harmless(self) -> None:
        assert self.visitor.page.evaluate("window.__pwned ?? null") is None
        assert self.visitor.page.evaluate(MADE) == []

    def assert_fits(self) -> None:
        assert not self.misfits, "\n".join(self.misfits.values())


@pytest.fixture
def come(things: Things, visit: Visit) -> Callable[..., Visitor]:
    """A visitor with a hostile name, at a page."""

    def one(at: str, **options: Any) -> Visitor:
        return visit(things.running, **options).log_in(name=TEXTS[1], at=at)

    return one


def quoted(text: str) -> str:
    """As encodeURIComponent does."""
    safe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()"
    return "".join(c if c in safe else "".join(f"%{b:02X}" for b in c.encode()) for c in text)


def test_most_of_it_was_taken_as_it_is(things: Things) -> None:
    assert set(things.names) == set(IDS)
    hostile = [name for name in things.names.values() if name in TEXTS]
    assert len(hostile) >= len(TEXTS) - 1, things.refused


def test_a_reading_sent_to_a_twin_by_its_id_reaches_that_twin(things: Things) -> None:
    silent = []
    for twin in IDS:
        path = f"/digitaltwins/{quoted(twin)}/telemetry"
        with things.running.http() as client:
            answer = client.post(path, json={"flow": 5.5}, headers={"Message-Id": f"m {twin}"})
        assert answer.status_code == 204
        if things.running.call("GET", f"/twins/{quoted(twin)}")["lastSeen"] is None:
            silent.append(twin)
    assert silent == []


@pytest.mark.parametrize("size", [PHONE, (1000, 700)])
def test_every_page_keeps_hostile_words_as_text(
    things: Things, come: Callable[..., Visitor], size: tuple[int, int]
) -> None:
    visitor = come("/app/overview", size=size)
    crawl = Crawl(visitor)
    visitor.find("attention").locator("[data-testid=alarm-row]").first.wait_for()
    visitor.find("kpi").first.wait_for()
    visitor.find("outline-toggle").click()
    visitor.find("outline").wait_for()
    crawl.look()
    visitor.move("/app/twins")
    visitor.find("twin-row").first.wait_for()
    crawl.look()
    shown = visitor.page.evaluate(
        """() => [...document.querySelectorAll("[data-testid=twin-row]")]
          .map((row) => [row.dataset.twinId, row.querySelector("a").textContent])"""
    )
    for twin, words in shown:
        assert words.strip() == things.names[twin].strip()
    visitor.move("/app/twins?view=discovered")
    visitor.find("discovered-row").nth(5).wait_for()
    for row in visitor.find("discovered-row").all():
        row.locator("summary").click()
    crawl.look()
    visitor.open_palette()
    visitor.page.keyboard.type("w")
    visitor.page.locator("#palette-0").wait_for()
    crawl.look()
    visitor.page.keyboard.press("Escape")
    crawl.assert_fits()


def test_every_tab_of_every_twin_keeps_hostile_words_as_text(
    things: Things, come: Callable[..., Visitor]
) -> None:
    visitor = come("/app/twins", size=PHONE)
    crawl = Crawl(visitor)
    for twin in IDS:
        visitor.move(f"/app/twins/{quoted(twin)}")
        face = visitor.page.locator(f'[data-testid=faceplate][data-twin-id="{twin}"]')
        face.wait_for()
        assert face.locator("h1").text_content() == (things.names[twin] or twin)
        visitor.find("property-row", path="text").wait_for()
        crawl.look()
        for tab in TABS:
            visitor.find(f"tab-{tab}").click()
            panel = visitor.page.locator(f"#tab-panel[aria-labelledby=tab-{tab}]")
            visitor.until(
                "(tab) => !document.querySelector('#tab-panel .skeleton')"
                " && location.search.includes(tab)",
                tab,
            )
            panel.filter(has_text=re.compile(r"\S")).wait_for()
            for row in panel.locator(".command-row").all()[:1]:
                row.click()
            crawl.look()
    crawl.assert_fits()


def test_every_alarm_keeps_hostile_words_as_text(
    things: Things, come: Callable[..., Visitor]
) -> None:
    visitor = come("/app/alarms", size=PHONE)
    crawl = Crawl(visitor)
    alarms = things.running.call("GET", "/alarms")["value"]
    for alarm in alarms:
        visitor.move(f"/app/alarms/{quoted(alarm['id'])}")
        detail = visitor.find("alarm-detail")
        detail.filter(has=visitor.page.locator("h2")).wait_for()
        visitor.until(
            "(id) => document.querySelector('[data-testid=alarm-detail]')?.dataset.alarmId === id",
            alarm["id"],
        )
        assert alarm["title"].split("\n")[0].strip() in (detail.text_content() or "")
        crawl.look()
    visitor.move(f"/app/alarms/{quoted(alarms[0]['id'])}")
    visitor.find("alarm-comment").nth(len(TEXTS) - 3).wait_for()
    crawl.look()
    crawl.assert_fits()


def test_dialogs_keep_hostile_words_as_text(things: Things, come: Callable[..., Visitor]) -> None:
    visitor = come("/app/twins", size=PHONE)
    crawl = Crawl(visitor)
    for number in (1, 4, 8, 11):
        visitor.move(f"/app/twins/{quoted(IDS[number])}")
        visitor.find("command-button").first.click()
        visitor.page.locator("#field-value").fill(TEXTS[number].replace("\n", " "))
        visitor.find("command-next").click()
        visitor.find("confirm-input").wait_for()
        crawl.look()
        visitor.find("confirm-input").fill(IDS[number])
        visitor.find("command-send").click()
        visitor.find("command-life").wait_for()
        crawl.look()
        visitor.page.keyboard.press("Escape")
        for button in visitor.find("desired-button").all():
            button.click()
            visitor.page.locator("#desired").wait_for()
            crawl.look()
            visitor.page.keyboard.press("Escape")
    crawl.assert_fits()


def test_a_device_whose_name_cannot_be_an_id_is_refused_in_words(
    things: Things, come: Callable[..., Visitor]
) -> None:
    visitor = come("/app/twins?view=discovered", size=PHONE)
    crawl = Crawl(visitor)
    visitor.allowed = "400"
    row = visitor.find("discovered-row").filter(has_text="مضخة").first
    row.locator("[data-testid=adopt]").click()
    toast = visitor.find("toast")
    toast.filter(has_text="cannot be the id of a twin").wait_for()
    crawl.look()
    assert things.running.call("GET", "/status")["twins"] == len(IDS)
    row = visitor.find("discovered-row").filter(has_text="img src").first
    row.locator("[data-testid=adopt]").click()
    visitor.find("faceplate").wait_for()
    visitor.find("property-row").nth(2).wait_for()
    crawl.look()
    assert things.running.call("GET", "/status")["twins"] == len(IDS) + 1
    crawl.assert_fits()


def test_ids_that_no_address_can_hold_are_refused(things: Things) -> None:
    for twin in NOT_IDS:
        plant = {"twins": {twin: {"model": "dtmi:hostile:Thing0;1", "name": "dots"}}}
        with things.running.http() as client:
            assert not taken(client, "POST", "/plant", plant), twin
