"""Rules, who is told and the alarm philosophy on the page; a list of many alarms."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from e2e.browsing import Visitor, eventually
from e2e.conftest import Visit
from e2e.plants import MOTOR, motors, running_plant, send, set_up
from running import Running

pytestmark = pytest.mark.browser
MANY = 150


@pytest.fixture(scope="module")
def hour_ago() -> int:
    """An hour before the tests began (s)."""
    return int(time.time()) - 3_600


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory, hour_ago: int) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("sheets") / "data") as running:
        running_plant(running, 2)
        rows = [
            {"twin": "motor-1", "time": (hour_ago + 10 * i) * 1_000, "temperature": value}
            for i, value in enumerate([40.0] * 30 + [66.0] * 20 + [40.0] * 60 + [75.0] * 20 + [40])
        ]
        running.call("POST", "/ingest", rows)
        yield running


def tab_to(visitor: Visitor, test_id: str, key: str = "Tab") -> None:
    for _ in range(80):
        visitor.page.keyboard.press(key)
        if visitor.page.evaluate("document.activeElement.dataset.testid") == test_id:
            return
    raise AssertionError(f"the key does not lead to {test_id}")


def test_a_rule_is_tried_on_the_history_and_put_live_with_the_keyboard_alone(
    plant: Running, visit: Visit
) -> None:
    visitor = visit(plant).log_in("engineer", "ann", at="/app/alarms?show=rules")
    visitor.allowed = "400"  # the rule that is refused
    keys = visitor.page.keyboard
    tab_to(visitor, "rule-new")
    keys.press("Enter")
    visitor.until("document.activeElement.dataset.testid === 'rule-id'")
    keys.type("warm")
    tab_to(visitor, "rule-model")
    keys.type(MOTOR)
    tab_to(visitor, "rule-when")
    keys.type("temperature > 60 bar for 1 min")
    tab_to(visitor, "rule-cause")
    keys.type("blocked fan")
    tab_to(visitor, "rule-check")
    keys.press("Enter")
    visitor.find("rule-problem").filter(has_text="'bar' does not fit here").wait_for()
    tab_to(visitor, "rule-when", "Shift+Tab")
    keys.press("Control+a")
    keys.type("temperature > 60 °C for 1 min")
    tab_to(visitor, "rule-backtest")
    keys.press("Enter")
    visitor.find("backtest", alarms="2").wait_for()
    assert plant.call("GET", "/rules")["value"][-1]["id"] != "warm"
    tab_to(visitor, "rule-live")
    keys.press("Enter")
    visitor.find("rule", rule="warm").wait_for()
    live = plant.call("GET", "/rules/warm")
    assert (live["version"], live["cause"], live["isRunning"]) == (1, "blocked fan", True)
    visitor.until("document.activeElement.dataset.testid === 'rule-when'")
    keys.press("Control+a")
    keys.type("temperature > 70 °C for 1 min")
    tab_to(visitor, "rule-backtest")
    keys.press("Enter")
    outcome = visitor.find("backtest", alarms="1")
    outcome.filter(has_text="Live, version 1").wait_for()
    tab_to(visitor, "rule-delete")
    keys.press("Enter")
    visitor.find("rule", rule="warm").wait_for(state="detached")


def test_a_rule_is_held_against_known_events(plant: Running, visit: Visit, hour_ago: int) -> None:
    visitor = visit(plant).log_in("engineer", "ann", at="/app/alarms?show=rules&rule=new")
    page = visitor.page
    visitor.find("rule-id").fill("labelled")
    visitor.find("rule-model").fill(MOTOR)
    visitor.find("rule-when").fill("temperature > 60 °C for 1 min")
    page.get_by_text("Known events, to hold the alarms against").click()

    def span(begin: int, end: int) -> str:
        """Of seconds into the hour: a line of the box."""
        times = [datetime.fromtimestamp(hour_ago + s, UTC).isoformat() for s in (begin, end)]
        return ", ".join([*times, "motor-1"])

    # The fan was blocked when it was first warm; nothing came of the second, nothing was between.
    page.locator("#rule-labels").fill(f"{span(270, 520)}\n{span(700, 900)}\n")
    visitor.find("rule-backtest").click()
    visitor.find("backtest", alarms="2").wait_for()
    rows = visitor.find("backtest").locator("tr").all_inner_texts()
    told = dict(row.split("\t")[:2] for row in rows[1:])
    assert told["Events caught"] == "1 of 2"
    assert told["Alarms that were right"] == "50 %"
    assert told["False alarms"] == "1"
    assert told["Median delay"] not in ("—", "0 s")
    page.locator("#rule-labels").fill("yesterday, today")
    visitor.allowed = "400"
    visitor.find("rule-backtest").click()
    visitor.find("rule-problem").filter(has_text="labels[0]").wait_for()


def test_receivers_notifications_and_what_was_told_are_on_the_page(
    plant: Running, visit: Visit
) -> None:
    visitor = visit(plant).log_in("engineer", "ann", at="/app/alarms?show=telling")
    page = visitor.page
    visitor.find("receiver-new").click()
    page.get_by_label("Name").fill("screen")
    visitor.find("receiver-kind").select_option("mqtt")
    page.get_by_label("Topic").fill("devices/no")
    page.get_by_label("From").fill("22:00")
    page.get_by_label("To", exact=True).fill("22:01")
    page.get_by_label("Priorities that wait").fill("4")
    visitor.allowed = "400"
    visitor.find("receiver-save").click()
    visitor.find("receiver-problem").filter(has_text="topic").wait_for()
    page.get_by_label("Topic").fill("notices/room")
    visitor.find("receiver-save").click()
    visitor.find("receiver", receiver="screen").filter(has_text="22:00").wait_for()
    visitor.find("receiver-test").click()
    visitor.find("notification-new").click()
    page.get_by_label("Name").fill("urgent")
    visitor.find("step").get_by_label("screen").check()
    visitor.find("step-add").click()
    visitor.find("step").last.get_by_label("screen").check()
    visitor.find("notification-save").click()
    visitor.find("notification", notification="urgent").filter(has_text="After 600 s").wait_for()
    assert plant.call("GET", "/notifications")["value"][0]["steps"] == [
        {"after": 0, "to": ["screen"]},
        {"after": 600, "to": ["screen"]},
    ]
    send(plant, "motor-2", temperature=99.0)
    eventually(lambda: plant.call("GET", "/notices", state="sent")["value"], "the notice")
    page.get_by_role("button", name="Look again").click()
    visitor.find("notice", state="sent").wait_for()
    visitor.find("notice", state="waiting").wait_for()
    assert visitor.sideways() == []


def test_the_alarm_philosophy_is_a_sheet(plant: Running, visit: Visit) -> None:
    visitor = visit(plant, size=(390, 844)).log_in("engineer", at="/app/alarms?show=philosophy")
    visitor.page.get_by_label("Operators at a time").fill("3")
    visitor.find("philosophy-save").click()
    eventually(lambda: plant.call("GET", "/alarms/philosophy")["operators"] == 3, "the number")
    assert visitor.sideways() == []
    visitor.open("/app/alarms?show=rules")
    visitor.find("rule", rule="hot").wait_for()
    assert visitor.sideways() == []


def test_of_many_alarms_only_those_on_screen_are_there(
    visit: Visit, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Running(tmp_path_factory.mktemp("many") / "data") as running:
        set_up(running, motors(MANY))
        now = time.time_ns() // 1_000_000
        rows = [{"twin": f"motor-{n}", "time": now, "vibration": 9.0} for n in range(1, MANY + 1)]
        running.call("POST", "/ingest", rows)
        visitor = visit(running, size=(1300, 800)).log_in("operator", at="/app/alarms")
        visitor.until(f"document.querySelector('[aria-setsize=\"{MANY}\"]') !== null")
        rows_there = "document.querySelectorAll('[data-testid=alarm-row]').length"
        assert visitor.page.evaluate(rows_there) < 50
        visitor.until(
            """(last) => {
              document.querySelector(".alarm-main").scrollTo(0, 1e9);
              const row = document.querySelector(`[aria-posinset="${last}"]`);
              return row !== null && row.getBoundingClientRect().bottom <= innerHeight;
            }""",
            MANY,
        )
        assert visitor.page.evaluate(rows_there) < 50
        visitor.page.keyboard.press("j")  # the first is chosen, and the list goes back to it
        visitor.until("document.querySelector('[aria-posinset=\"1\"].chosen') !== null")
