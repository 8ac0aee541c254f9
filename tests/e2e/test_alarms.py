"""The operator's page of alarms: shelving with the keyboard alone, alarms of one cause, figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.browsing import PHONE
from e2e.conftest import Visit
from e2e.plants import TOO_MUCH, motors, send, set_up
from running import Running

pytestmark = pytest.mark.browser
MOTORS = 4


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("alarms") / "data") as running:
        set_up(running, motors(MOTORS))
        running.call("PUT", "/alarms/philosophy", {"relationships": ["contains"]})
        for number in range(1, MOTORS + 1):
            send(running, f"motor-{number}", vibration=TOO_MUCH, temperature=40)
        yield running


def test_shelve_and_acknowledge_with_the_keyboard_alone(
    plant: Running, visit: Visit, tmp_path: Path
) -> None:
    visitor = visit(plant).log_in("operator", "control room", at="/app/alarms")
    press = visitor.page.keyboard.press
    visitor.find("alarm-fold").wait_for()
    assert visitor.find("alarm-row").count() == 1  # four alarms of one cause
    visitor.find("alarm-fold").focus()
    press("Enter")
    visitor.until(f"document.querySelectorAll('[data-testid=alarm-row]').length === {MOTORS}")
    press("j")
    visitor.find("alarm-cause").wait_for()
    press("s")
    visitor.find("shelve-dialog").wait_for()
    press("Tab")
    press("ArrowRight")  # from one hour to four
    press("Shift+Tab")
    press("Control+Enter")
    visitor.page.get_by_text("Say why").wait_for()
    visitor.page.keyboard.type("bearing is being replaced")
    press("Control+Enter")
    visitor.find("shelve-dialog").wait_for(state="detached")
    (shelved,) = plant.call("GET", "/alarms", state="shelved")["value"]
    assert shelved["shelved"]["reason"] == "bearing is being replaced"
    assert shelved["shelved"]["by"] == "control room"
    hours = (int(shelved["shelved"]["until"][11:13]) - int(shelved["shelved"]["since"][11:13])) % 24
    assert hours == 4
    visitor.find("alarms-shelved").focus()
    press("Enter")
    visitor.find("alarm-row", alarm_id=shelved["id"], state="shelved").wait_for()
    visitor.find("alarms-active").focus()
    press("Enter")
    visitor.find("alarm-fold").wait_for()
    press("j")
    press("x")
    press("j")
    press("x")
    visitor.page.get_by_text("2 selected").wait_for()
    visitor.find("select-all").focus()
    press("Enter")
    visitor.page.get_by_text(f"{MOTORS - 1} selected").wait_for()
    press("a")
    visitor.find("comment-dialog").wait_for()
    press("Control+Enter")
    visitor.find("comment-dialog").wait_for(state="detached")
    states = {a["state"] for a in plant.call("GET", "/alarms")["value"]}
    assert states == {"acknowledged"}


def test_floods_and_figures_are_shown_and_nothing_sticks_out(plant: Running, visit: Visit) -> None:
    for size in ((1440, 900), (390, 844)):
        visitor = visit(plant, size=size).log_in("viewer", at="/app/alarms?show=floods")
        group = visitor.find("alarm-group")
        group.wait_for()
        assert "Hall 1" in group.inner_text()
        assert f"{MOTORS} alarms" in group.inner_text()
        assert visitor.sideways() == []
        visitor.open("/app/alarms?show=kpis")
        visitor.page.get_by_text("Per operator in 10 min").wait_for()
        assert visitor.sideways() == []


def test_an_alarm_becomes_a_work_order_that_is_the_twins_maintenance(
    plant: Running, visit: Visit
) -> None:
    alarm = plant.call("GET", "/alarms", state="open")["value"][0]
    visitor = visit(plant).log_in(
        "operator", "control room", at=f"/app/alarms/{alarm['id']}?show=all"
    )
    visitor.find("work-button").click()
    order = visitor.find("work-order", state="open")
    order.wait_for()
    visitor.find("work-finish").click()
    visitor.find("work-dialog").wait_for()
    visitor.page.keyboard.type("bearing changed")
    visitor.page.keyboard.press("Control+Enter")
    visitor.find("work-order", state="done").wait_for()
    assert "bearing changed" in visitor.find("work-order").inner_text()
    (told,) = plant.call("GET", "/work-orders", twin=alarm["twin"])["value"]
    assert (told["state"], told["alarms"]) == ("done", [alarm["id"]])
    assert visitor.sideways() == []


def test_on_a_phone_a_long_title_takes_two_lines_and_the_facts_one(
    plant: Running, visit: Visit
) -> None:
    rule = plant.call("GET", "/rules/rough")
    fields = ("model", "when", "priority")
    title = "Cooling water of the main bearing is far too warm for the load " * 3
    body = {name: rule[name] for name in fields} | {"title": title, "repeats": "each"}
    plant.call("PUT", "/rules/long", body)
    visitor = visit(plant, size=PHONE, has_touch=True, is_mobile=True)
    visitor.log_in(at="/app/alarms?show=all&twin=motor-1")
    row = visitor.page.locator("[data-testid=alarm-row]", has_text="Cooling water").first
    row.wait_for()
    heights = row.evaluate(
        """(row) => {
          const of = (what) => row.querySelector(what).getBoundingClientRect().height;
          return [row.getBoundingClientRect().height, of("strong"), of(".alarm-state")];
        }"""
    )
    assert heights[0] <= 80
    assert heights[1] <= 2 * 18 + 1
    assert heights[2] <= 24
    assert "mm/s · limit 7 ·" in row.locator(".alarm-short").inner_text()
    box = row.bounding_box()
    assert box is not None
    visitor.page.touchscreen.tap(box["x"] + 60, box["y"] + box["height"] - 8)  # on the facts
    visitor.find("alarm-cause").wait_for()
