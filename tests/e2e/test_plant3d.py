"""Plant 3D and the one clock, in a real browser against the real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from e2e.browsing import PHONE, Visitor
from e2e.conftest import Visit
from e2e.plants import large_scene, motors, scene_of_motors, send, set_up
from running import Running

pytestmark = pytest.mark.browser

COLOUR_OF = """(name) => {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}"""
FIGURES = "() => ({...document.querySelector('canvas.plant-canvas').dataset})"


@pytest.fixture(scope="module")
def begin() -> float:
    return time.time()


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory, begin: float) -> Iterator[Running]:
    """Three pumps: one critical, one hot, one well; ten minutes ago all were well."""
    with Running(tmp_path_factory.mktemp("plant3d") / "data") as running:
        set_up(running, {**motors(3), "scene": scene_of_motors(3)})
        before = round((begin - 600) * 1_000)
        for number in (1, 2, 3):
            body = {"time": before, "vibration": 2.5, "temperature": 40.0 + number}
            running.call("POST", f"/ingest/motor-{number}", body)
        send(running, "motor-1", vibration=9.5, temperature=51.0)
        send(running, "motor-2", vibration=1.5, temperature=91.0)
        send(running, "motor-3", vibration=1.5, temperature=45.0)
        yield running


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("large3d") / "data") as running:
        set_up(running, {**motors(1000), "scene": large_scene(1000, 10_000)})
        yield running


def in_3d(visit: Visit, running: Running, path: str = "/app/plant", **options: object) -> Visitor:
    visitor = visit(running, **options).log_in(at=path)
    visitor.page.wait_for_selector("html[data-scene=ready]", state="attached")
    visitor.until("document.querySelector('canvas.plant-canvas').dataset.frames > 0")
    return visitor


def twin_shown(visitor: Visitor, twin: str) -> None:
    visitor.find("selected-twin", twin_id=twin).wait_for()
    visitor.until("(twin) => new URLSearchParams(location.search).get('twin') === twin", twin)


def eye_beyond(visitor: Visitor, before: str | None) -> str:
    """Where the camera stands once it has come to rest somewhere else."""
    eye = "new URLSearchParams(location.search).get('eye')"
    visitor.until(f"(before) => {eye} !== before", before)
    found: str = visitor.page.evaluate(eye)
    return found


def test_what_is_chosen_is_the_same_in_3d_outline_address_and_panel(
    plant: Running, visit: Visit
) -> None:
    visitor = in_3d(visit, plant, size=(1280, 800))
    row = visitor.page.get_by_role("treeitem", name="Motor 3")
    row.click()
    twin_shown(visitor, "motor-3")
    assert row.get_attribute("aria-selected") == "true"
    visitor.page.locator(".scene-label.chosen", has_text="Motor 3").wait_for()
    visitor.page.keyboard.press("n")  # the most urgent first
    twin_shown(visitor, "motor-1")
    eye = eye_beyond(visitor, None)
    visitor.page.keyboard.press("n")
    twin_shown(visitor, "motor-2")
    eye = eye_beyond(visitor, eye)
    visitor.page.keyboard.press("p")
    twin_shown(visitor, "motor-1")
    eye_beyond(visitor, eye)
    box = visitor.page.locator("canvas.plant-canvas").bounding_box()
    assert box
    visitor.page.get_by_role("treeitem", name="Motor 2").click()
    twin_shown(visitor, "motor-2")
    visitor.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    twin_shown(visitor, "motor-1")  # the camera stands before it


def test_the_clock_shows_the_plant_of_a_moment_and_goes_back_to_live(
    plant: Running, visit: Visit, begin: float
) -> None:
    then = datetime.fromtimestamp(begin - 300, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    visitor = in_3d(visit, plant, f"/app/plant?twin=motor-1&t={then}", size=(1280, 800))
    panel = visitor.find("selected-twin", twin_id="motor-1")
    panel.get_by_text("2.50").wait_for()
    assert visitor.find("timebar").get_attribute("data-mode") == "replay"
    visitor.until("document.querySelector('[data-testid=counter-p1]').dataset.count === '0'")
    panel.get_by_role("button", name="Set speed").wait_for()
    visitor.page.locator("h1").first.evaluate("(one) => one.ownerDocument.activeElement?.blur()")
    visitor.page.keyboard.press("l")
    panel.get_by_text("9.50").wait_for()
    visitor.until("document.querySelector('[data-testid=counter-p1]').dataset.count === '1'")
    assert visitor.find("timebar").get_attribute("data-mode") == "live"
    visitor.until("new URLSearchParams(location.search).get('t') === null")
    visitor.page.keyboard.press("Space")  # plays the past from an hour ago
    visitor.until("document.querySelector('[data-testid=timebar]').dataset.mode === 'replay'")


def test_the_plan_shows_the_same_colours_and_choice_without_webgl(
    plant: Running, visit: Visit
) -> None:
    visitor = visit(plant, size=(1280, 800))
    visitor.context.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    visitor.allowed = "WebGL"
    visitor.log_in(at="/app/plant")
    thing = visitor.page.locator(".plan [data-twin=motor-1]")
    thing.wait_for()
    critical = visitor.page.evaluate(COLOUR_OF, "p1")
    visitor.until(
        "([c]) => document.querySelector('.plan [data-twin=motor-1]').getAttribute('fill') === c",
        [critical],
    )
    visitor.page.locator(".plan [data-twin=motor-2]").focus()
    visitor.page.keyboard.press("Enter")
    twin_shown(visitor, "motor-2")
    thing.click()
    twin_shown(visitor, "motor-1")
    visitor.page.get_by_role("button", name="Property").click()
    visitor.find("colour-property").select_option("temperature")
    visitor.find("legend").get_by_text("3 of 3 twins").wait_for()
    visitor.until(
        """() => {
          const find = (n) => document.querySelector(`.plan [data-twin=motor-${n}]`);
          return find(1).getAttribute("fill") !== find(2).getAttribute("fill");
        }"""
    )


def test_forced_colours_show_what_is_on_and_leave_the_plant_as_it_is(
    plant: Running, visit: Visit
) -> None:
    plan = "/app/plant?plan=1"
    fills = []
    for options in ({}, {"forced_colors": "active"}):
        visitor = visit(plant, **options).log_in(at=plan)
        thing = visitor.page.locator("[data-testid=plan] [data-twin=motor-3]").first
        thing.wait_for()
        fills.append(thing.get_attribute("fill"))
    assert fills[0] == fills[1]
    ground = "(one) => getComputedStyle(one).backgroundColor"
    here = visitor.find("nav-plant").evaluate(ground)
    assert here != visitor.find("nav-twins").evaluate(ground)
    pressed = visitor.find("colour-by").locator("button")
    assert pressed.nth(0).evaluate(ground) != pressed.nth(1).evaluate(ground)


def test_a_view_is_saved_and_shown_to_others(plant: Running, visit: Visit) -> None:
    engineer = in_3d(visit, plant, "/app/plant?by=state&hide=pipes&section=0,1,0,0.5,0,1")
    engineer.find("menu-views").click()
    engineer.page.get_by_label("Name of the view").fill("Half height")
    engineer.page.get_by_role("button", name="Save", exact=True).click()
    engineer.page.get_by_role("button", name="Half height", exact=True).wait_for()
    engineer.page.keyboard.press("Escape")
    engineer.page.locator(".tool-card").wait_for(state="detached")
    assert plant.call("GET", "/views")["value"] == [
        {
            "id": "half-height",
            "name": "Half height",
            "search": {"by": "state", "hide": "pipes", "section": "0,1,0,0.5,0,1"},
        }
    ]
    viewer = visit(plant).log_in(role="viewer", at="/app/plant?plan=1")
    viewer.find("menu-views").click()
    viewer.page.get_by_text("may not change the plant").wait_for()
    viewer.page.get_by_role("button", name="Half height", exact=True).click()
    viewer.until("new URLSearchParams(location.search).get('by') === 'state'")
    viewer.until("new URLSearchParams(location.search).get('plan') === null")


@pytest.mark.parametrize(("device", "most"), [("desk", 150_000), ("phone", 60_000)])
def test_a_large_plant_keeps_to_its_budgets_and_rests_when_idle(
    large: Running, visit: Visit, device: str, most: int
) -> None:
    options = {"size": PHONE, "has_touch": True, "is_mobile": True} if device == "phone" else {}
    visitor = in_3d(visit, large, **options)
    canvas = visitor.page.locator("canvas.plant-canvas")
    for _ in range(3):  # into the midst of it
        before = visitor.page.evaluate(FIGURES)
        canvas.press("+")
        visitor.until(
            f"document.querySelector('canvas.plant-canvas').dataset.frames > {before['frames']}"
        )
        figures = visitor.page.evaluate(FIGURES)
        assert int(figures["calls"]) <= 40, figures
        assert 12_000 <= int(figures["triangles"]) <= most, figures
    idle = """() => new Promise((resolve) => {
      const canvas = document.querySelector('canvas.plant-canvas');
      let [still, seen] = [0, canvas.dataset.frames];
      const look = () => {
        still = canvas.dataset.frames === seen ? still + 1 : 0;
        seen = canvas.dataset.frames;
        if (still > 40) resolve(true);
        else requestAnimationFrame(look);
      };
      look();
    })"""
    assert visitor.page.evaluate(idle)
    assert visitor.page.locator(".scene-label").count() <= 30


def test_the_outline_of_a_large_plant_draws_what_is_seen_and_keys_reach_its_end(
    large: Running, visit: Visit
) -> None:
    visitor = in_3d(visit, large, size=(1280, 800))
    rows = visitor.page.get_by_role("treeitem")
    rows.first.focus()
    visitor.page.keyboard.press("End")
    visitor.until(
        "document.activeElement.getAttribute('aria-posinset') === '1001'"
    )  # the hall and its motors
    assert rows.count() < 100
    last = visitor.page.locator(":focus").get_attribute("data-outline")
    assert last
    visitor.page.keyboard.press("Enter")
    twin_shown(visitor, last)
    visitor.page.keyboard.press("Home")
    visitor.until("document.activeElement.getAttribute('aria-posinset') === '1'")


def test_a_turn_of_the_camera_moves_the_wedge_of_the_map_and_nothing_else(
    large: Running, visit: Visit
) -> None:
    visitor = in_3d(visit, large, size=(1280, 800))
    visitor.page.locator(".minimap .plan-thing").first.wait_for()
    assert visitor.page.locator(".minimap .plan-thing").count() == 1_000  # and no sensors
    visitor.page.evaluate(
        """() => {
          window.touched = new Set();
          const add = ({ target }) => window.touched.add(target.getAttribute("class"));
          const note = (list) => list.forEach(add);
          const parts = { attributes: true, childList: true, subtree: true };
          new MutationObserver(note).observe(document.querySelector(".minimap"), parts);
        }"""
    )
    visitor.page.locator("canvas.plant-canvas").press("ArrowRight")
    eye_beyond(visitor, None)
    visitor.until("window.touched.size > 0")
    assert set(visitor.page.evaluate("[...window.touched]")) <= {"plan-eye", "minimap"}


def test_a_lost_graphics_context_comes_back(plant: Running, visit: Visit) -> None:
    visitor = in_3d(visit, plant)
    visitor.allowed = "WebGL|Context"
    frames = visitor.page.evaluate(
        """() => {
          const canvas = document.querySelector('canvas.plant-canvas');
          window.lost = canvas.getContext('webgl2').getExtension('WEBGL_lose_context');
          canvas.addEventListener('webglcontextlost', () => (window.gone = true));
          window.lost.loseContext();
          return Number(canvas.dataset.frames);
        }"""
    )
    visitor.until("window.gone === true")
    visitor.page.evaluate("() => window.lost.restoreContext()")
    visitor.until(f"document.querySelector('canvas.plant-canvas').dataset.frames > {frames}")


def test_a_changed_scene_is_followed_in_the_same_picture(plant: Running, visit: Visit) -> None:
    visitor = in_3d(visit, plant, "/app/plant?twin=motor-1")
    visitor.page.evaluate(
        """() => {
          window.canvas = document.querySelector('canvas.plant-canvas');
          window.canvas.addEventListener('webglcontextlost', () => (window.gone = true));
        }"""
    )
    (motor,) = (o for o in plant.call("GET", "/scene")["objects"] if o.get("twin") == "motor-3")
    moved = {"kind": motor["kind"], "at": [motor["at"][0], 0, motor["at"][-1] + 6], "turn": 45}
    plant.call("PUT", "/scene/objects/motor-3", moved)
    visitor.until("window.canvas.dataset.followed > 0")
    assert visitor.page.evaluate("window.canvas.dataset.replaced === undefined")
    plant.call("PUT", "/scene/objects/motor-3", {**moved, "kind": "tank"})
    visitor.until("window.canvas.dataset.replaced > 0")
    assert visitor.page.evaluate(
        "document.querySelector('canvas.plant-canvas') === window.canvas && !window.gone"
    )
    back = {name: motor[name] for name in ("kind", "at")} | {"turn": motor.get("turn", 0)}
    plant.call("PUT", "/scene/objects/motor-3", back)
    visitor.page.locator(".scene-label", has_text="mm/s").first.wait_for()
