"""The first minutes of the demo plant: in Chromium, in the API and on the command line."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator

from e2e.browsing import Visitor, eventually, gemel
from e2e.conftest import Visit
from running import Running

pytestmark = pytest.mark.browser

FAULT_SECONDS = 600
"""The fault needs about two minutes; a busy machine may take longer to look."""
BEARING = "motor-3-bearing"
TALL = (1000, 2400)
"""The table shows only the rows on screen; here all fit."""


class Demo(Running):
    """Knows when it was started."""

    started = 0.0

    def start(self) -> Running:
        self.started = time.monotonic()
        return super().start()

    def left(self, seconds: float) -> float:
        """Of a time that began with the start."""
        return max(1.0, self.started + seconds - time.monotonic())


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo") / "data"
    with Demo(folder, "--no-browser", command="demo") as running:
        assert isinstance(running, Demo)
        yield running
        assert "Traceback" not in running.errors()


def fault_alarm(demo: Running) -> dict[str, Any] | None:
    found = demo.call("GET", "/alarms", twin=BEARING)["value"]
    return next((a for a in found if a["priority"] == 1), None)


@pytest.fixture(scope="module")
def alarm(demo: Demo) -> dict[str, Any]:
    """What the injected fault leads to."""
    return eventually(  # type: ignore[no-any-return]
        lambda: fault_alarm(demo),
        f"a critical alarm of {BEARING}",
        demo.left(FAULT_SECONDS),
        every=0.5,
    )


def colours(visitor: Visitor, what: Locator) -> int:
    """How many different colours a picture of an element has."""
    picture = base64.b64encode(what.screenshot()).decode()
    return visitor.page.evaluate(  # type: ignore[no-any-return]
        """async (picture) => {
          const image = new Image();
          image.src = `data:image/png;base64,${picture}`;
          await image.decode();
          const canvas = new OffscreenCanvas(image.width, image.height);
          const context = canvas.getContext("2d");
          context.drawImage(image, 0, 0);
          const { data } = context.getImageData(0, 0, image.width, image.height);
          return new Set(new Uint32Array(data.buffer)).size;
        }""",
        picture,
    )


def test_every_twin_comes_to_live_by_itself(demo: Demo, visit: Visit) -> None:
    visitor = visit(demo, size=TALL)
    printed = demo.lines[-1].removeprefix("Gemel is running at ")
    visitor.page.goto(printed)
    visitor.ready()
    visitor.page.locator("[data-testid=nav-twins]").click()
    api = {row["id"]: row["name"] for row in demo.call("GET", "/twins", limit=1000)["value"]}
    assert len(api) > 30
    visitor.until(
        """(count) => {
          const rows = [...document.querySelectorAll("[data-testid=twin-row]")];
          const isLive = (row) => row.querySelector("[data-status]").dataset.status === "live";
          return rows.length === count && rows.every(isLive);
        }""",
        len(api),
        timeout=1000 * demo.left(FAULT_SECONDS),
    )
    rows = visitor.find("twin-row").all()
    shown = {row.get_attribute("data-twin-id"): row.locator("a").inner_text() for row in rows}
    assert shown == api

    def counts() -> tuple[int, int, int]:
        status = demo.call("GET", "/status")
        return status["twins"], status["live"], status["stale"]

    eventually(lambda: counts() == (len(api), len(api), 0), "all to be live")
    visitor.page.locator("[data-testid=nav-overview]").click()
    health = visitor.find("data-health").locator(".fact")
    live = health.filter(has_text="Live twins").locator("dd")
    live.filter(has_text=f"{len(api)} of {len(api)}").wait_for()
    visitor.find("abnormal").filter(has_text=f" of {len(api)} twins abnormal").wait_for()
    assert colours(visitor, visitor.page.locator("canvas.plant-canvas")) > 100


def test_values_on_a_faceplate_follow_the_device_without_a_reload(demo: Demo, visit: Visit) -> None:
    visitor = visit(demo).log_in(at="/app/twins/motor-1-bearing")
    seen = visitor.until(
        """() => {
          window.__seen ??= new Set();
          const row = document.querySelector("[data-path=vibration]");
          const number = row?.querySelector("[data-trust=good] .number");
          if (number) window.__seen.add(number.textContent);
          return window.__seen.size >= 4 && [...window.__seen];
        }"""
    )
    told = demo.call(
        "GET", "/history", twin="motor-1-bearing", property="vibration", **{"from": "-2m"}
    )
    stored = told["series"][0]["value"]
    for text in seen:
        assert any(abs(float(text) - value) <= 0.0051 for value in stored), text


def test_the_trend_is_drawn_with_what_history_holds(demo: Demo, visit: Visit) -> None:
    visitor = visit(demo).log_in(at="/app/twins/pump-1?tab=trends&show=flow")
    chart = visitor.find("trend-chart", chart_state="ready")
    visitor.page.get_by_role("button", name="15 min").click()
    chart.locator("canvas").wait_for()
    drawn = visitor.until(
        """() => {
          const canvas = document.querySelector("[data-testid=trend-chart] canvas");
          const probe = document.createElement("span");
          probe.style.color = "var(--s1)";
          document.body.append(probe);
          const [r, g, b] = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
          probe.remove();
          const { width, height } = canvas;
          const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
          let line = 0, [first, last] = [width, 0];
          for (let i = 0; i < data.length; i += 4) {
            const away = [r, g, b].reduce((sum, c, k) => sum + Math.abs(data[i + k] - c), 0);
            if (data[i + 3] < 128 || away > 60) continue;
            line += 1;
            const x = (i / 4) % width;
            [first, last] = [Math.min(first, x), Math.max(last, x)];
          }
          return line > 20 && { line, first: first / width, last: last / width };
        }"""
    )
    assert drawn["last"] > 0.95  # up to now, at the right edge
    assert drawn["first"] < 0.15  # from the hour that a new plant has behind it
    told = chart.locator(".chart-box").get_attribute("aria-label") or ""
    assert "now" in told
    assert "m³/h" in told


def test_a_command_is_followed_to_the_value_that_the_device_reports(
    demo: Demo, visit: Visit
) -> None:
    visitor = visit(demo).log_in("operator", "control room", at="/app/twins/pump-1")
    visitor.find("command-button", command="setSpeed").first.click()
    dialog = visitor.find("command-dialog")
    dialog.locator("#field-value").fill("140")
    dialog.locator("[data-testid=command-next]").click()
    assert "at most 100" in dialog.locator("#field-value-help").inner_text()
    dialog.locator("#field-value").fill("62")
    dialog.locator("[data-testid=command-next]").click()
    visitor.find("confirm-input").fill("pump-2")
    visitor.find("command-send").click(force=True)
    assert "pump-1" in dialog.locator("#command-problem").inner_text()
    assert demo.call("GET", "/commands", twin="pump-1")["value"] == []
    visitor.find("confirm-input").fill("pump-1")
    visitor.page.evaluate(
        """() => {
          window.__states = [];
          const look = () => {
            const state = document.querySelector("[data-testid=command-state]")?.dataset.state;
            if (state && window.__states.at(-1) !== state) window.__states.push(state);
          };
          const options = { subtree: true, childList: true, attributes: true };
          new MutationObserver(look).observe(document.body, options);
        }"""
    )
    visitor.page.keyboard.press("Enter")
    life = visitor.find("command-state", state="succeeded")
    life.wait_for()
    shown = [line.split("\n")[0] for line in life.locator("li").all_inner_texts()]
    assert shown[0] == "Queued"
    assert shown[1].startswith("Sent to the device")
    assert shown[-1].startswith("The device says it is done")
    [told] = demo.call("GET", "/commands", twin="pump-1")["value"]
    steps = [step["state"] for step in told["steps"]]
    assert len(steps) == len(shown)
    assert (steps[0], steps[1], steps[-1]) == ("queued", "sent", "succeeded")
    assert (told["who"], told["arguments"]) == ("control room", 62)
    states = visitor.page.evaluate("window.__states")
    assert states == [state for state in steps if state in states]
    assert states[-1] == "succeeded"
    visitor.page.keyboard.press("Escape")
    visitor.until(
        """() => {
          const row = document.querySelector("[data-path=speedSetpoint]");
          const number = row?.querySelector("[data-trust=good] .number");
          return number && Number(number.textContent) === 62;
        }"""
    )
    row = json.loads(gemel(demo, "twin", "show", "pump-1", "--json"))
    reported = {one["path"]: one["value"] for one in row["properties"]}
    assert reported["speedSetpoint"] == 62


def test_the_fault_is_an_alarm_on_the_page_in_the_api_and_on_the_command_line(
    demo: Demo, visit: Visit
) -> None:
    visitor = visit(demo).log_in("viewer")
    attention = visitor.find("attention")
    row = attention.locator("[data-testid=alarm-row]").filter(has_text="vibration dangerous")
    row.wait_for(timeout=demo.left(FAULT_SECONDS) * 1000)  # it comes to an open page by itself
    found = fault_alarm(demo)
    assert found is not None
    assert found["property"] == "vibration"
    assert found["state"] == "unacknowledged"
    assert row.get_attribute("data-alarm-id") == found["id"]
    assert row.locator(".badge").get_attribute("aria-label") == "Priority 1, critical"
    assert found["twinName"] in row.inner_text()
    visitor.find("counter-p1").click()  # later faults may have raised more of them
    listed = visitor.find("alarm-row", alarm_id=found["id"], priority="1")
    listed.locator("a").click()
    assert found["condition"] in visitor.find("alarm-detail").inner_text()
    visitor.find("alarm-chart", chart_state="ready").wait_for()
    told = json.loads(gemel(demo, "alarm", "list", "--json"))["value"]
    assert found["id"] in [one["id"] for one in told]
    assert told[0]["priority"] == 1


def test_what_services_predict_is_on_the_page(demo: Demo, visit: Visit) -> None:
    def has_ended(run: str, service: str) -> bool:
        runs = demo.call("GET", "/runs", service=service)["value"]
        return any(one["run"] == run and one["state"] == "succeeded" for one in runs)

    for service, run in (("figures-ahead", "learn"), ("bearing-life", "train")):
        eventually(lambda r=run, s=service: has_ended(r, s), run, demo.left(FAULT_SECONDS))
    visitor = visit(demo).log_in("viewer")
    visitor.find("kpi", kpi_id="oee").click()
    trend = visitor.find("overview-trend").filter(has_text="last hour and forecast")
    trend.wait_for(timeout=1000 * demo.left(FAULT_SECONDS))
    visitor.log_in("viewer", at="/app/value?show=fidelity")
    visitor.find("fidelity-row").filter(has_text="level").first.wait_for()
    visitor.log_in("viewer", at="/app/twins/motor-1-bearing")
    visitor.find("other-row", path="rul.remaining").filter(has_text="95 %:").wait_for()
    visitor.log_in("viewer", at="/app/twins/motor-1-bearing?tab=maintenance")
    visitor.page.get_by_text("Renew the bearing").first.wait_for()
    told = demo.call("GET", "/alarms", twin="motor-1-bearing")["value"]
    assert {one["unit"] for one in told if one["property"] == "rul.remaining"} == {"d"}
    visitor.log_in("viewer", at="/app/plant?by=health")
    visitor.find("legend").get_by_text("of 36 twins").wait_for(
        timeout=1000 * demo.left(FAULT_SECONDS)
    )


def test_an_acknowledgement_with_its_comment_is_seen_everywhere(
    demo: Demo, alarm: dict[str, Any], visit: Visit
) -> None:
    other = visit(demo).log_in("viewer", at=f"/app/alarms/{alarm['id']}")
    visitor = visit(demo).log_in("operator", "shift leader", at=f"/app/alarms/{alarm['id']}")
    before = demo.call("GET", "/status")["time"]
    visitor.find("ack-detail").click()
    visitor.find("comment-text").fill("Bearing ordered, load reduced")
    visitor.find("comment-send").click()
    visitor.find("alarm-row", alarm_id=alarm["id"], state="acknowledged").wait_for()
    after = demo.call("GET", "/status")["time"]
    for page in (visitor, other):  # the other one hears of it without a reload
        detail = page.find("alarm-detail", alarm_id=alarm["id"], state="acknowledged")
        detail.wait_for()
        assert "by shift leader" in detail.inner_text()
        assert "Bearing ordered, load reduced" in page.find("alarm-comment").inner_text()
    command_line = json.loads(gemel(demo, "alarm", "list", "--json", "--twin", BEARING))["value"]
    for listed in (demo.call("GET", "/alarms", twin=BEARING)["value"], command_line):
        told = next(one for one in listed if one["id"] == alarm["id"])
        assert told["state"] == "acknowledged"
        assert told["acknowledgedBy"] == "shift leader"
        assert before <= told["acknowledged"] <= after
        [comment] = told["comments"]
        assert comment["text"] == "Bearing ordered, load reduced"
        assert comment["who"] == "shift leader"
