"""VR and AR in a real Chromium with an emulated headset (iwer): enter, choose, teleport, leave."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.browsing import Visitor
from e2e.conftest import Visit
from e2e.plants import motors, scene_of_motors, send, set_up
from running import Running

pytestmark = pytest.mark.browser
IWER = Path(__file__).parents[2] / "ui/node_modules/iwer/build/iwer.min.js"
HEADSET = """
window.headset = new IWER.XRDevice(IWER.metaQuest3, { stereoEnabled: true });
window.headset.installRuntime({ forceInstall: true });
window.headset.position.set(0, 1.7, 0);
// A room with one table, 70 cm high, wherever a ray points.
window.headset.installSEM(class {
  trackedPlanes = new Set();
  trackedMeshes = new Set();
  environmentCanvas = document.createElement("canvas");
  render() {}
  computeHitTestResults() {
    return [new Float32Array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0.3, 0.7, -1.5, 1])];
  }
});
"""
STATE = "() => ({...document.querySelector('canvas.plant-canvas').dataset})"
# Points the right hand along a direction and presses its trigger for some frames.
POINT = """
([x, y, z, dx, dy, dz]) => {
  const hand = window.headset.controllers.right;
  hand.position.set(x, y, z);
  const length = Math.hypot(dx, dy, dz);
  const [a, b, c] = [dx / length, dy / length, dz / length];
  // The turn from straight ahead (0, 0, -1) to (a, b, c).
  const w = 1 - c;
  const size = Math.hypot(b, a, w) || 1;
  hand.quaternion.set(b / size, -a / size, 0, w / size);
}
"""


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("xr") / "data") as running:
        set_up(running, {**motors(3), "scene": scene_of_motors(3)})
        send(running, "motor-1", vibration=9.5, temperature=51.0)
        yield running


def with_headset(visit: Visit, plant: Running) -> Visitor:
    visitor = visit(plant, size=(480, 400))
    visitor.context.add_init_script(IWER.read_text("utf-8") + HEADSET)
    visitor.log_in(at="/app/plant")
    visitor.page.wait_for_selector("html[data-scene=ready]", state="attached")
    return visitor


def state(visitor: Visitor) -> dict[str, Any]:
    found: dict[str, Any] = visitor.page.evaluate(STATE)
    return found


def frames(visitor: Visitor, more: int = 2) -> None:
    """Waits until so many frames more were drawn in the headset."""
    seen = int(state(visitor).get("xrFrames", 0))
    until(visitor, "+xrFrames >= argument", seen + more)


def until(visitor: Visitor, condition: str, argument: Any = None) -> None:
    names = "{ xr, xrFrames, xrScale, xrAt, xrTurn, xrChosen, xrPlaced, xrLast }"
    canvas = "document.querySelector('canvas.plant-canvas')"
    visitor.until(
        f"(argument) => {{ const {names} = {canvas}.dataset; return {condition}; }}", argument
    )


def point(visitor: Visitor, start: tuple[float, ...], way: tuple[float, ...]) -> None:
    visitor.page.evaluate(POINT, [*start, *way])
    frames(visitor)


def press(visitor: Visitor, *, is_last: bool = False) -> None:
    """Presses the right hand's trigger; a press that ends the session has no frame after it."""
    for value in (1, 0):
        visitor.page.evaluate(
            "(value) => window.headset.controllers.right.updateButtonValue('trigger', value)", value
        )
        if is_last:
            seen = int(state(visitor).get("xrFrames", 0)) + 2
            until(visitor, "xr === undefined || +xrFrames >= argument", seen)
        else:
            frames(visitor)


def at(visitor: Visitor) -> tuple[float, float]:
    x, z = state(visitor)["xrAt"].split(",")
    return float(x), float(z)


def test_vr_is_entered_a_person_teleports_turns_chooses_and_leaves(
    plant: Running, visit: Visit
) -> None:
    visitor = with_headset(visit, plant)
    assert "xr" not in state(visitor)
    visitor.find("enter-vr").click()
    until(visitor, "xr === 'vr' && +xrFrames > 4")
    assert int(state(visitor)["triangles"]) <= 60_000

    before = at(visitor)
    point(visitor, (0.2, 1.4, 0), (0, -1.4, -1.4))  # the floor, 1.4 m ahead
    press(visitor)
    until(visitor, "xrAt !== argument", f"{before[0]:.2f},{before[1]:.2f}")
    x, z = at(visitor)
    assert math.hypot(x - before[0], z - before[1]) == pytest.approx(1.41, abs=0.2)

    turn = float(state(visitor)["xrTurn"])
    axes = "(x) => window.headset.controllers.right.updateAxes('thumbstick', x, 0)"
    visitor.page.evaluate(axes, 1)
    until(visitor, f"Math.abs(+xrTurn - {turn}) > 0.5")
    frames(visitor, 6)
    assert abs(float(state(visitor)["xrTurn"]) - turn) == pytest.approx(math.pi / 6, abs=0.01)
    visitor.page.evaluate(axes, 0)
    x2, z2 = at(visitor)
    assert (x2, z2) == pytest.approx((x, z), abs=0.05)  # a turn moves nobody

    press_panel(visitor, 1, 0)
    until(visitor, "xrLast === 'Next abnormal' && xrChosen === 'motor-1'")
    visitor.find("selected-twin", twin_id="motor-1").wait_for()
    press_panel(visitor, 0, 0)
    until(visitor, "+xrScale === 50")
    assert int(state(visitor)["triangles"]) <= 60_000
    press_panel(visitor, 0, 0)
    until(visitor, "+xrScale === 1")

    x, y, z = map(float, state(visitor)["xrThing"].split(","))
    point(visitor, (x, y + 0.1, z + 2), (0, -0.1, -2))
    press(visitor)
    until(visitor, "xrChosen === 'motor-1' && xrLast === 'a thing'")

    press_panel(visitor, 0, 1, is_last=True)
    visitor.until("document.querySelector('canvas.plant-canvas').dataset.xr === undefined")
    seen = int(state(visitor)["frames"])
    visitor.page.get_by_role("button", name="Closer (+)").click()
    visitor.until(
        "(seen) => +document.querySelector('canvas.plant-canvas').dataset.frames > seen", seen
    )


def press_panel(visitor: Visitor, column: int, row: int, *, is_last: bool = False) -> None:
    """A button of the panel on the left wrist: the right hand points at its middle."""
    # The left hand lies flat before the person; the panel stands 14 cm above its grip.
    visitor.page.evaluate(
        """() => {
          const hand = window.headset.controllers.left;
          hand.position.set(-0.2, 1.2, -0.4);
          hand.quaternion.set(0, 0, 0, 1);
        }"""
    )
    frames(visitor, 5)
    panel = state(visitor)
    x, y, z, nx, ny, nz = map(float, panel["xrPanel"].split(",")[6 * (row * 2 + column) :][:6])
    start = (x + nx * 0.3, y + ny * 0.3, z + nz * 0.3)
    point(visitor, start, (-nx, -ny, -nz))
    press(visitor, is_last=is_last)


def test_ar_lays_the_plant_on_a_table_where_it_is_pointed(plant: Running, visit: Visit) -> None:
    visitor = with_headset(visit, plant)
    visitor.find("enter-ar").click()
    until(visitor, "xr === 'ar' && +xrFrames > 4 && xrPlaced === 'false'")
    aiming = int(state(visitor)["triangles"])
    press(visitor)
    until(visitor, "xrPlaced === 'true' && +xrScale === 50")
    assert aiming < int(state(visitor)["triangles"]) / 4  # the room, a ring and the hands
    # The plant's middle lies where the table was hit, seen from a person who is 50 times larger.
    thing = [float(part) for part in state(visitor)["xrThing"].split(",")]
    assert thing[1] == pytest.approx(0.7, abs=0.05)
    visitor.page.evaluate("() => window.headset.activeSession?.end()")
    visitor.until("document.querySelector('canvas.plant-canvas').dataset.xr === undefined")


def test_without_a_headset_settings_say_why_and_a_file_serves_apple_phones(
    plant: Running, visit: Visit
) -> None:
    visitor = visit(plant, size=(600, 500)).log_in(at="/app/plant")
    visitor.page.wait_for_selector("html[data-scene=ready]", state="attached")
    assert visitor.find("enter-vr").count() == 0
    visitor.find("menu-views").click()
    with visitor.page.expect_download() as waiting:
        visitor.find("save-usdz").click()
    content = Path(waiting.value.path()).read_bytes()
    assert waiting.value.suggested_filename == "plant.usdz"
    assert content[:4] == b"PK\3\4"
    assert b"def Mesh" in content
    visitor.move("/app/plant?settings=look")
    visitor.find("xr-support").get_by_text("No headset").wait_for()
