"""A user's own GLB file in Plant 3D, from the file to the coloured machine, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.browsing import Visitor
from e2e.conftest import Visit
from e2e.plants import motors, scene_of_motors, send, set_up
from running import Running
from scene.shapes import ball, cube

pytestmark = pytest.mark.browser
FIGURES = "() => ({...document.querySelector('canvas.plant-canvas').dataset})"


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("shapes") / "data") as running:
        set_up(running, {**motors(3), "scene": scene_of_motors(3)})
        send(running, "motor-1", vibration=9.5, temperature=51.0)
        yield running


def opened(visit: Visit, plant: Running) -> Visitor:
    visitor = visit(plant, size=(1280, 800)).log_in(at="/app/plant?twin=motor-1")
    visitor.page.wait_for_selector("html[data-scene=ready]", state="attached")
    visitor.until("document.querySelector('canvas.plant-canvas').dataset.frames > 0")
    visitor.find("menu-shapes").click()
    return visitor


def choose(visitor: Visitor, name: str, content: bytes) -> None:
    given = {"name": name, "mimeType": "model/gltf-binary", "buffer": content}
    visitor.page.locator("[data-testid=shape-file]").set_input_files(given)  # type: ignore[arg-type]


def test_a_wrong_file_says_why_and_a_right_one_is_drawn_without_another_draw_call(
    plant: Running, visit: Visit
) -> None:
    visitor = opened(visit, plant)
    visitor.allowed = "status of 400"
    choose(visitor, "bad.glb", cube(buffers=[{"byteLength": 1, "uri": "model.bin"}]))
    assert "buffers[0].uri" in (words := visitor.find("shape-problem").inner_text())
    assert "embedded" in words

    before = visitor.page.evaluate(FIGURES)
    choose(visitor, "Big Ball.glb", ball(60, 80))
    visitor.find("shape-twin").click()
    visitor.page.get_by_text("drawn as big-ball").wait_for()
    visitor.until(
        "(before) => +document.querySelector('canvas.plant-canvas')?.dataset.triangles > before",
        int(before["triangles"]) + 7000,
    )
    visitor.page.locator("canvas.plant-canvas").press("h")  # a frame that casts no shadows anew
    visitor.until(
        "(calls) => document.querySelector('canvas.plant-canvas')?.dataset.calls === calls",
        before["calls"],
    )
    placed = {one.get("twin"): one for one in plant.call("GET", "/scene")["objects"]}
    assert placed["motor-1"]["geometry"] == "big-ball"
    assert placed["motor-1"]["kind"] == "pump"
    visitor.find("shape-model").click()
    visitor.until(
        "(before) => +document.querySelector('canvas.plant-canvas')?.dataset.triangles > before",
        int(before["triangles"]) + 20_000,
    )
