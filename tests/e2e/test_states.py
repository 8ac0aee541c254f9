"""What the page shows when there is nothing, when something is wrong, and when it is over."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import pytest
from playwright.sync_api import Route

from e2e.browsing import Visitor, eventually
from e2e.conftest import Visit
from e2e.plants import TOO_MUCH, motors, running_plant, send, set_up
from running import Running

pytestmark = pytest.mark.browser

NO_SERVER = r"ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|WebSocket connection to"
STALE_AFTER = 8.0


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("empty") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("plant") / "data") as running:
        running_plant(running)
        yield running


def shows(visitor: Visitor, path: str, trust: str, text: str) -> None:
    """Waits until the faceplate shows a value with this text, so trusted."""
    cell = visitor.page.locator(f"[data-path={path}] [data-trust={trust}]")
    cell.filter(has_text=text).wait_for()


class Device:
    """A real MQTT client."""

    def __init__(self, running: Running, name: str) -> None:
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name)
        body = {"role": "device", "name": name, "twins": [name]}
        self.client.username_pw_set(name, running.call("POST", "/tokens", body)["token"])
        self.client.connect(running.mqtt_host, running.mqtt_port, keepalive=30)
        self.client.loop_start()

    def publish(self, topic: str, payload: str) -> None:
        """Returns when the server has stored it."""
        self.client.publish(topic, payload, qos=1).wait_for_publish(60)

    def lose_power(self) -> None:
        """The connection ends without a goodbye."""
        self.client.loop_stop()
        sock = self.client.socket()
        assert sock is not None
        sock.close()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


# ---- nothing yet -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/app/overview", "/app/twins", "/app/twins?view=discovered"])
def test_an_empty_server_says_what_to_do_next(empty: Running, visit: Visit, path: str) -> None:
    visitor = visit(empty).log_in(at=path)
    next_step = visitor.page.get_by_text("devices/<name>/telemetry").first
    next_step.click(trial=True)  # nothing lies over it
    words = visitor.page.locator("main").inner_text()
    for command in re.findall(r"\bgemel ([a-z]+)", words):
        call = [sys.executable, "-m", "gemel", command, "--help"]
        done = subprocess.run(call, capture_output=True, text=True)
        assert done.returncode == 0, f"the page names 'gemel {command}': {done.stderr}"


def test_no_alarms_are_good_news(plant: Running, empty: Running, visit: Visit) -> None:
    visitor = visit(empty).log_in(at="/app/alarms")
    visitor.page.get_by_role("heading", name="No open alarms").wait_for()
    visitor.page.locator("[data-testid=alarms-all]").click()
    visitor.page.get_by_role("heading", name="There has never been an alarm").wait_for()
    other = visit(plant).log_in(at="/app/alarms?priority=4")
    other.page.get_by_role("heading", name="No alarm matches").wait_for()
    other.page.get_by_role("button", name="Clear the filters").click()
    other.find("alarm-row").first.wait_for()


def test_what_is_not_there_is_said(plant: Running, visit: Visit) -> None:
    visitor = visit(plant).log_in(at="/app/twins/motor-99")
    visitor.allowed = "404"
    visitor.page.get_by_role("heading", name="There is no twin called motor-99").wait_for()
    visitor.page.goto(f"{plant.url}/app/nowhere")
    visitor.page.get_by_role("heading", name="There is no page at this address").wait_for()
    visitor.page.get_by_role("link", name="Go to the overview").click()
    visitor.page.get_by_role("heading", name="Overview").wait_for(state="attached")
    visitor.open("/app/twins?search=zzz")
    visitor.page.get_by_role("heading", name="No twin matches").wait_for()


# ---- who is asking ---------------------------------------------------------------------------


def test_a_bad_token_is_refused_in_words_and_a_good_one_opens_the_page(
    plant: Running, visit: Visit
) -> None:
    visitor = visit(plant)
    visitor.allowed = "401"
    visitor.page.goto(f"{plant.url}/app/alarms")
    form = visitor.find("login")
    form.locator("#token").fill("gml_wrong")
    form.locator("button[type=submit]").click()
    problem = form.locator("#token-problem")
    problem.filter(has_text="the token is not valid").wait_for()
    assert form.locator("#token").get_attribute("aria-invalid") == "true"
    form.locator("#token").fill(plant.token)
    form.locator("button[type=submit]").click()
    visitor.find("alarm-row").first.wait_for()  # where it wanted to go
    assert "gml_" not in visitor.page.evaluate("document.cookie")
    visitor.page.get_by_role("button", name="Sign out").click()
    form.wait_for()
    assert visitor.context.request.get(f"{plant.url}/me").status == 401


def test_a_used_link_says_so_and_a_token_still_opens_the_page(plant: Running, visit: Visit) -> None:
    visitor = visit(plant)
    visitor.allowed = "401"
    visitor.page.goto(f"{plant.url}/login?ticket=gml_used")
    form = visitor.find("login")
    form.wait_for()
    assert "link" in form.inner_text().lower()
    form.locator("#token").fill(plant.token)
    form.locator("button[type=submit]").click()
    visitor.page.get_by_role("heading", name="Overview").wait_for(state="attached")


def test_a_viewer_is_told_why_a_button_does_nothing(plant: Running, visit: Visit) -> None:
    visitor = visit(plant).log_in("viewer", at="/app/alarms")
    requests: list[str] = []
    visitor.page.on("request", lambda r: requests.append(r.method))
    visitor.find("alarm-row").first.locator("a").click()
    visitor.find("alarm-detail").wait_for()
    buttons = [visitor.find("ack").first, visitor.find("ack-detail")]
    buttons.append(visitor.find("comment-button"))
    for button in buttons:
        assert button.get_attribute("aria-disabled") == "true"
        assert "Your role (viewer) may not" in (button.get_attribute("title") or "")
        button.click(force=True)
    visitor.page.keyboard.press("a")
    visitor.open("/app/twins/motor-1")
    command = visitor.find("command-button").first
    assert "Your role (viewer) may not send commands" in (command.get_attribute("title") or "")
    assert "Your role (viewer)" in (command.get_attribute("aria-label") or "")
    command.click(force=True)
    desired = visitor.find("desired-button").first
    assert desired.get_attribute("aria-disabled") == "true"
    assert visitor.page.locator("[role=dialog]").count() == 0
    assert set(requests) == {"GET"}


# ---- the server goes and comes ---------------------------------------------------------------


def test_a_killed_server_is_shown_and_a_new_start_is_followed_without_a_reload(
    tmp_path: Path, visit: Visit
) -> None:
    first = Running(tmp_path / "data").start()
    running_plant(first)
    visitor = visit(first).log_in("operator", at="/app/twins/motor-1")
    visitor.allowed = NO_SERVER
    shows(visitor, "temperature", "good", "41.5")
    visitor.find("connection", state="online").wait_for()
    visitor.page.evaluate("() => { window.__same = true; }")
    first.kill()
    strip = visitor.find("offline-strip")
    strip.wait_for()
    assert re.search(r"Offline since \d\d:\d\d:\d\d", strip.inner_text())
    visitor.find("connection", state="offline").wait_for()
    visitor.until("document.title.startsWith('Offline')")
    row = visitor.page.locator("[data-path=temperature]")
    assert "41.5" in row.inner_text()  # kept
    visitor.until(  # and its age is shown and grows
        """() => {
          const age = document.querySelector("[data-path=temperature] .age-cell").textContent;
          window.__first ??= age;
          return /^[\\d.]+ (s|min)$/.test(age) && age !== window.__first;
        }"""
    )
    command = visitor.find("command-button").first
    assert "Offline" in (command.get_attribute("title") or "")
    address = urlsplit(first.url).netloc
    ports = ("--http", address, "--mqtt", f"{first.mqtt_host}:{first.mqtt_port}")
    second = Running(first.data, *ports)
    second.token = first.token
    with second:
        assert second.url == first.url
        strip.wait_for(state="detached")
        visitor.find("connection", state="online").wait_for()
        assert "41.5" in row.inner_text()
        send(second, "motor-1", temperature=43.7, vibration=TOO_MUCH)
        row.filter(has_text="43.7").wait_for()
        shows(visitor, "temperature", "good", "43.7")
        visitor.page.locator("[data-testid=command-button]:not([aria-disabled])").first.wait_for()
        assert visitor.page.evaluate("window.__same") is True
        visitor.page.keyboard.press("g")
        visitor.page.keyboard.press("a")
        visitor.find("alarm-row").nth(1).wait_for()  # both are still open
        visitor.page.goto("about:blank")


# ---- devices go and come ---------------------------------------------------------------------


def test_a_silent_device_is_late_then_stale_and_live_again(tmp_path: Path, visit: Visit) -> None:
    with Running(tmp_path / "data") as running:
        set_up(running, motors(1, stale_after=STALE_AFTER))
        visitor = visit(running).log_in(at="/app/twins/motor-1")
        status = visitor.page.locator(".page-head [data-status]")
        assert status.get_attribute("data-status") == "never"
        shows(visitor, "temperature", "none", "—")
        send(running, "motor-1", temperature=30.5)
        shows(visitor, "temperature", "good", "30.5")
        visitor.page.locator(".page-head [data-status=live]").wait_for()
        shows(visitor, "temperature", "stale", "30.5")  # kept, but no longer as current
        row = visitor.page.locator("[data-path=temperature]")
        assert re.search(r"\d (s|min)", row.locator(".age-cell").inner_text())
        assert row.locator("[data-trust=stale] svg").count() == 1
        visitor.page.locator(".page-head [data-status=stale]").wait_for()
        assert running.call("GET", "/twins/motor-1")["status"] == "stale"
        visitor.find("abnormal").filter(has_text="stale").wait_for()
        send(running, "motor-1", temperature=31.5)
        shows(visitor, "temperature", "good", "31.5")
        visitor.page.locator(".page-head [data-status=live]").wait_for()
        visitor.page.goto("about:blank")


def test_what_contains_others_is_as_live_as_they_are(tmp_path: Path, visit: Visit) -> None:
    with Running(tmp_path / "data") as running:
        set_up(running, motors(1))
        visitor = visit(running).log_in(at="/app/twins")
        visitor.find("connection", state="online").wait_for()
        hall = visitor.find("twin-row", twin_id="hall-1")
        hall.locator("[data-status=never]").wait_for()
        send(running, "motor-1", temperature=30.5)
        visitor.find("twin-row", twin_id="motor-1").locator("[data-status=live]").wait_for()
        assert running_status(running, "hall-1") == "live"
        hall.locator("[data-status=live]").wait_for()
        visitor.page.goto("about:blank")


def test_a_status_that_changes_while_the_twins_are_fetched_is_not_lost(
    tmp_path: Path, visit: Visit
) -> None:
    def slow(route: Route) -> None:
        """The answer is of before the change, and comes after it was told."""
        answer = route.fetch()
        send(running, "motor-1", temperature=30.5)
        eventually(lambda: running.call("GET", "/status")["live"] == 1, "a live twin")
        route.fulfill(response=answer)

    with Running(tmp_path / "data") as running:
        set_up(running, motors(1))
        visitor = visit(running).log_in(at="/app/alarms")
        visitor.page.route("**/twins?limit=500", slow, times=1)
        visitor.page.reload()
        visitor.ready()
        visitor.move("/app/twins/motor-1")
        visitor.page.locator(".page-head [data-status=live]").wait_for()
        visitor.page.goto("about:blank")


def test_a_device_without_power_is_offline(plant: Running, visit: Visit) -> None:
    visitor = visit(plant).log_in(at="/app/twins/motor-3")
    device = Device(plant, "motor-3")
    device.publish("devices/motor-3/telemetry", '{"temperature": 40.5}')
    shows(visitor, "temperature", "good", "40.5")
    device.lose_power()
    visitor.page.locator(".page-head [data-status=offline]").wait_for()
    assert running_status(plant, "motor-3") == "offline"
    send(plant, "motor-3", temperature=41.5)
    visitor.page.locator(".page-head [data-status=live]").wait_for()


def running_status(running: Running, twin: str) -> str:
    return str(running.call("GET", f"/twins/{twin}")["status"])


def test_a_value_out_of_range_is_struck_through_with_its_cause(
    plant: Running, visit: Visit
) -> None:
    visitor = visit(plant).log_in(at="/app/twins/motor-2")
    shows(visitor, "temperature", "good", "41.5")
    send(plant, "motor-2", temperature=999.0)
    shows(visitor, "temperature", "bad", "999")
    shows(visitor, "temperature", "bad", "out of range")
    number = visitor.page.locator("[data-path=temperature] [data-trust=bad] .number")
    style = number.evaluate(
        """(one) => {
          const lines = [];
          for (let at = one; at && lines.length < 3; at = at.parentElement) {
            lines.push(getComputedStyle(at).textDecorationLine);
          }
          return lines;
        }"""
    )
    assert "line-through" in style
    visitor.page.reload()  # and the same from what is fetched
    visitor.ready()
    shows(visitor, "temperature", "bad", "out of range")
    send(plant, "motor-2", temperature=42.5)
    shows(visitor, "temperature", "good", "42.5")


def test_a_found_device_is_adopted_on_the_page_and_keeps_its_history(
    tmp_path: Path, visit: Visit
) -> None:
    with Running(tmp_path / "data") as running:
        visitor = visit(running).log_in("engineer", at="/app/twins")
        assert visitor.find("discovered-banner").count() == 0
        device = Device(running, "press-7")
        start = time.time_ns() // 1_000_000 - 40_000
        for step in range(20):
            device.publish(
                "devices/press-7/telemetry",
                f'{{"time": {start + 2000 * step}, "force": {100 + step}.5, "mode": "auto"}}',
            )
        banner = visitor.find("discovered-banner")
        banner.wait_for()  # by itself
        assert "1 device" in banner.inner_text()
        banner.get_by_role("link").click()
        row = visitor.find("discovered-row", device_id="press-7")
        assert "force double" in row.inner_text()
        row.locator("[data-testid=adopt]").click()
        visitor.find("faceplate", twin_id="press-7").wait_for()
        cell = visitor.page.locator("[data-path=force]")
        cell.filter(has_text="119.5").wait_for()
        device.publish("devices/press-7/telemetry", '{"force": 130.5, "mode": "hand"}')
        shows(visitor, "force", "good", "130.5")
        visitor.page.locator("[data-path=mode]").filter(has_text="hand").wait_for()
        visitor.find("tab-trends").click()
        chart = visitor.find("trend-chart", chart_state="ready")
        chart.wait_for()
        told = chart.locator(".chart-box").get_attribute("aria-label") or ""
        assert "lowest 100.5" in told
        assert "highest 130.5" in told
        kept = running.call("GET", "/history", twin="press-7", property="force")["series"][0]
        assert kept["value"] == [100.5 + step for step in range(20)] + [130.5]
        eventually(lambda: running.call("GET", "/discovered")["value"] == [], "nothing is found")
        visitor.find("nav-twins").click()
        visitor.find("twin-row", twin_id="press-7").wait_for()
        visitor.find("discovered-banner").wait_for(state="detached")
        device.close()
        visitor.page.goto("about:blank")
