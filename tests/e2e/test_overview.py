"""The first page: other parts first for each kind of reader, and each line leads on."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from e2e.conftest import Visit
from e2e.plants import motors, running_plant, scene_of_motors
from running import Running

pytestmark = pytest.mark.browser

KPIS = [
    {"id": "load", "label": "Load", "twin": "motor-1", "property": "temperature", "unit": "kW"},
    {
        "id": "rough",
        "label": "Roughness",
        "twin": "motor-3",
        "property": "vibration",
        "target": 1.0,
    },
]
ORDER = {
    "twin": "motor-2",
    "title": "Grease the bearing",
    "priority": 2,
    "checklist": ["lock it out", "grease it"],
    "due": "2126-01-01T00:00:00Z",
    "parts": [{"name": "grease", "number": "G-1", "count": 2}],
}


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("overview") / "data") as running:
        running_plant(running)
        running.call("POST", "/plant", {**motors(3), "kpis": KPIS, "scene": scene_of_motors(3)})
        running.call("POST", "/work-orders", ORDER)
        yield running


def test_each_role_sees_its_own_first_and_a_choice_outlives_the_page(
    plant: Running, visit: Visit
) -> None:
    visitor = visit(plant).log_in("engineer", at="/app/overview")
    visitor.find("overview", look="engineer").wait_for()
    visitor.page.locator(".panel > [data-testid=fits]:first-child").wait_for()
    visitor.find("overview-for").select_option("technician")
    visitor.find("overview", look="technician").wait_for()
    visitor.open("/app/overview?settings=look")
    assert visitor.find("settings-overview").input_value() == "technician"
    visitor.find("settings-overview").select_option("")
    visitor.find("overview", look="engineer").wait_for()
    visitor.open("/app/overview?for=manager")
    visitor.find("overview", look="manager").wait_for()


def test_a_manager_sees_targets_first_and_the_trend_of_energy(plant: Running, visit: Visit) -> None:
    visitor = visit(plant).log_in("viewer", at="/app/overview")
    visitor.page.locator(".panel > [data-testid=worth]:first-child").wait_for()
    tiles = visitor.find("kpi")
    tiles.nth(1).wait_for()
    order = [one.get_attribute("data-kpi-id") for one in tiles.all()]
    assert order == ["rough", "load"]
    visitor.find("overview-trend").get_by_role("heading", name="Load").wait_for()
    tiles.first.click()
    visitor.find("overview-trend").get_by_role("heading", name="Roughness").wait_for()
    tiles.first.press("Enter")
    visitor.page.wait_for_url("**/app/trends?panels=motor-3%3Avibration")


def test_a_technician_sees_what_is_due_and_opens_it_with_enter(
    plant: Running, visit: Visit
) -> None:
    visitor = visit(plant).log_in("operator", at="/app/overview?for=technician")
    visitor.find("work-next").filter(has_text="Motor 2").wait_for()
    row = visitor.find("work-row").filter(has_text="Grease the bearing")
    assert "0 of 2 checked" in row.inner_text()
    assert "To check: lock it out" in row.inner_text()
    own = {**ORDER, "twin": "motor-1", "title": "Oil", "due": None, "assignee": "operator"}
    plant.call("POST", "/work-orders", own)
    visitor.find("work-row").first.filter(has_text="mine").wait_for()
    along = visitor.find("work-along").inner_text().split("\n")
    assert along[0].lower() == "to take along"
    assert "2 ×" in along
    row.get_by_role("button").click()
    visitor.find("selected-twin", twin_id="motor-2").wait_for()
    row.get_by_role("button").press("Enter")
    visitor.page.wait_for_url("**/app/twins/motor-2?tab=maintenance")
    visitor.find("work-order").filter(has_text="Grease the bearing").wait_for()


def test_a_click_on_an_alarm_shows_its_twin_and_enter_opens_the_alarm(
    plant: Running, visit: Visit
) -> None:
    visitor = visit(plant).log_in("operator", at="/app/overview")
    visitor.page.locator(".panel > [data-testid=attention]:first-child").wait_for()
    row = visitor.find("alarm-row").filter(has_text="Motor 2")
    row.locator("button.choosing").click()
    visitor.find("selected-twin", twin_id="motor-2").wait_for()
    assert "twin=motor-2" in urlsplit(visitor.page.url).query
    visitor.find("overview-trend").filter(has_text="Motor 2").wait_for()
    alarm = row.get_attribute("data-alarm-id")
    row.locator("button.choosing").press("Enter")
    visitor.find("alarm-detail", alarm_id=str(alarm)).wait_for()


def test_what_is_foretold_stands_among_the_alarms(plant: Running, visit: Visit) -> None:
    ahead = {"time": round(time.time() + 3_600) * 1000, "temperature": 85}
    band = {"temperature@q0.05": 70, "temperature@q0.95": 100}
    plant.call("POST", "/ingest/motor-3?provenance=predicted", {**ahead, **band})
    visitor = visit(plant).log_in("operator", at="/app/overview")
    row = visitor.find("risk-row", twin_id="motor-3")
    row.filter(has_text="Winding hot").wait_for()
    assert re.search(r"P\(above 80 °C in \d+ min\) = 0\.65", row.inner_text())
    row.locator("button.choosing").click()
    visitor.find("selected-twin", twin_id="motor-3").wait_for()


def test_the_plant_on_the_overview_takes_its_colours_by_state(plant: Running, visit: Visit) -> None:
    visitor = visit(plant).log_in("operator", at="/app/overview")
    visitor.page.locator("[data-testid=colour-by] [data-mode=state]").click()
    visitor.find("legend").filter(has_text="Live").wait_for()
    visitor.page.locator("[data-mode=state][aria-pressed=true]").wait_for()
    assert "by=state" in visitor.page.url
