"""The page What-if: a scenario made from the model's ranges, run, compared, asked of the plant."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.valves import WIDER, put_up
from e2e.browsing import PHONE, SIDEWAYS, eventually
from e2e.conftest import Visit
from e2e.test_accessibility import AXE, RUN, STILL, TAGS
from running import Running

pytestmark = pytest.mark.browser
SWEEP = {
    "count": 12,
    "members": 2,
    "vary": [{"twin": "valve-1", "property": "opening", "from": 10, "to": 80}],
}
GOALS = [
    {"id": "level", "twin": "tank-1", "property": "level", "of": "end", "best": "high"},
    {"id": "flow", "twin": "valve-1", "property": "flow", "best": "low"},
]

SCENE = {
    "zones": [],
    "pipes": [],
    "objects": [
        {"id": "tank", "kind": "tank", "twin": "tank-1", "at": [0, 0, 0]},
        {"id": "valve", "kind": "valve", "twin": "valve-1", "at": [6, 0, 0]},
    ],
}


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("whatif") / "data") as running:
        put_up(running.call)
        running.call("PUT", "/scenarios/wider", {**WIDER, "kpis": GOALS, "sweep": SWEEP})
        running.call("POST", "/scenarios/wider/run")
        running.call("POST", "/plant", {"scene": SCENE})
        eventually(lambda: running.call("GET", "/scenarios/wider")["result"], "its result")
        yield running


def test_a_scenario_is_made_run_compared_and_asked_of_the_plant(
    plant: Running, visit: Visit
) -> None:
    ann = visit(plant, size=(1440, 900)).log_in("engineer", "ann", at="/app/twins")
    ann.page.keyboard.press("g")
    ann.page.keyboard.press("w")
    ann.find("new-scenario").click()
    ann.page.fill("#whatif-title", "Half open")
    ann.page.fill("#whatif-twins", "valve-1")
    ann.find("add-change").click()
    ann.page.select_option("#change-0-what", "property opening")
    ann.page.get_by_text("now 25").wait_for()
    ann.page.fill("#change-0-value", "50")
    ann.find("add-kpi").click()
    ann.page.fill("#kpi-0-twin", "tank-1")
    ann.page.select_option("#kpi-0-what", "property level")
    ann.page.select_option("#kpi-0-of", "end")
    ann.page.fill("#whatif-hours", "1")
    ann.find("save-and-run").click()
    ann.find("kpi").wait_for()
    level = plant.call("GET", "/scenarios/half-open/result")["kpis"][0]["scenario"]["mean"]
    assert level == pytest.approx(2.5, abs=0.05), "6 m³ more on 12 m²"
    assert f"{level:.2f}" in ann.find("kpi").inner_text()
    assert ann.page.url.endswith("/app/what-if/half-open")
    asked = plant.call("GET", "/scenarios/half-open")
    assert asked["changes"] == [{"twin": "valve-1", "property": "opening", "value": 50}]
    ann.page.wait_for_selector("[data-testid=whatif-trend][data-ready]")

    ann.find("scenario-line", id="wider").locator("[data-testid=compare-toggle]").click()
    ann.find("kpis").get_by_text("baseline").wait_for()
    ann.until("location.search.includes('with=wider')")
    ann.find("pin-baseline").click()
    ann.until("location.pathname.endsWith('/wider') && location.search === '?with=half-open'")

    ann.find("scenario-line", id="half-open").locator("a").click()
    ann.find("promote").click()
    ann.find("promoted", state="queued").get_by_text("would be sent").wait_for()
    ann.find("promote-ask").click()
    ann.find("promoted", state="queued").get_by_text("is on its way").wait_for()
    (command,) = plant.call("GET", "/commands")["value"]
    assert (command["command"], command["arguments"]) == ("open", 50)
    ann.page.keyboard.press("Escape")

    ann.find("duplicate").click()
    ann.find("scenario-form").wait_for()
    ann.page.fill("#whatif-hours", "0")
    ann.allowed = "400"
    ann.find("save-scenario").click()
    ann.find("form-problem").get_by_text("hours is 0").wait_for()


def test_a_variant_and_its_front_are_shown_and_a_viewer_only_looks(
    plant: Running, visit: Visit
) -> None:
    bob = visit(plant, size=(1440, 900)).log_in("viewer", "bob", at="/app/what-if/wider")
    bob.find("front").wait_for()
    assert bob.find("variant").count() == 12
    assert bob.find("variant", rank="0").count() == 12, "more level always costs more flow"
    assert bob.find("tornado").is_visible()
    assert "runs:start" in str(bob.find("run-scenario").get_attribute("title")) or bob.find(
        "run-scenario"
    ).get_attribute("aria-disabled")


def test_a_scenario_is_a_hatched_ghost_over_the_plant(plant: Running, visit: Visit) -> None:
    end = plant.call("GET", "/scenarios/wider")["result"]["to"]
    bob = visit(plant).log_in("viewer", "bob", at=f"/app/plant?ghost=wider&t={end}")
    bob.page.wait_for_selector("canvas.plant-canvas[data-ghosts='2']")
    bob.find("ghost-note").get_by_text("tank-1 level: 2").wait_for()
    assert bob.find("ghost").input_value() == "wider"
    bob.find("ghost").select_option("")
    bob.page.wait_for_selector("canvas.plant-canvas[data-ghosts='0']")
    assert "ghost" not in bob.page.url


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", [(1440, 900), PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_and_nothing_sticks_out(
    plant: Running, visit: Visit, theme: str, size: tuple[int, int]
) -> None:
    ann = visit(plant, size=size, color_scheme=theme).log_in(at="/app/what-if")
    first = ("/app/what-if", "[data-testid=scenario-line]")
    if theme == "light":
        first = ("/app/what-if/wider?edit=1", "#change-0-what option:nth-child(2)")
    for path, content in (first, ("/app/what-if/wider", "[data-testid=front]")):
        ann.move(path)
        ann.page.wait_for_selector(content, state="attached")
        ann.until(STILL)
        ann.page.evaluate(AXE.read_text("utf-8"))
        assert ann.page.evaluate(RUN, TAGS)["violations"] == [], path
        assert ann.page.evaluate(SIDEWAYS) == [], path
