"""The Babylon.js example: another engine loads the exported scene and follows the live stream."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from e2e.browsing import PATIENCE
from e2e.plants import motors, scene_of_motors, send, set_up
from running import Running

EXAMPLE = Path(__file__).parents[2] / "examples" / "babylon"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        shutil.which("node") is None or not (EXAMPLE / "node_modules" / "babylonjs").exists(),
        reason="needs Babylon.js: npm ci --ignore-scripts in examples/babylon",
    ),
]


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path / "data") as running:
        set_up(running, {**motors(2), "scene": scene_of_motors(2)})
        send(running, "motor-1", vibration=9.5)
        yield running


@pytest.fixture
def address(plant: Running) -> Iterator[str]:
    """Of the example, which knows the plant."""
    token = plant.make_token("--role", "viewer")
    environment = {**os.environ, "GEMEL_URL": plant.url, "GEMEL_TOKEN": token}
    command = ["node", str(EXAMPLE / "serve.mjs"), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found
            yield found[0]
        finally:
            process.terminate()


def test_another_engine_shows_the_plant_and_its_alarms_live(
    plant: Running, address: str, browser: Browser
) -> None:
    page = browser.new_page(viewport={"width": 400, "height": 300})
    try:
        page.goto(address)
        page.wait_for_selector("html[data-ready=true]", state="attached", timeout=PATIENCE)
        assert page.evaluate("document.documentElement.dataset.twins") == "2"
        page.wait_for_function("window.colourOf('motor-1') === 'priority 1'", timeout=PATIENCE)
        assert page.evaluate("window.colourOf('motor-2')") == "body"
        page.wait_for_function("document.documentElement.dataset.values >= 1", timeout=PATIENCE)
        send(plant, "motor-2", temperature=95.0)
        page.wait_for_function("window.colourOf('motor-2') === 'priority 2'", timeout=PATIENCE)
    finally:
        page.close()
