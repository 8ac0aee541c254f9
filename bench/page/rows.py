"""What every row of the page's bench may use, and how a row is written."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from e2e.browsing import Visitor
from e2e.plants import large_scene, motors, set_up
from running import Running

WEB = Path(__file__).parents[2] / "src" / "gemel" / "_web"
KIB = 1024
MACHINES, SENSORS = 1_000, 10_000
Row = dict[str, Any]


class Bench:
    """What every row may use: a browser, and a server with a large plant, started when wanted."""

    def __init__(self, browser: Browser, folder: Path, stack: ExitStack) -> None:
        self.browser = browser
        self._folder = folder
        self._stack = stack

    @cached_property
    def running(self) -> Running:
        running = self._stack.enter_context(Running(self._folder / "data"))
        scene = large_scene(MACHINES, SENSORS)
        set_up(running, {**motors(MACHINES), "scene": scene})
        return running

    def in_3d(self, visitor: Visitor) -> None:
        visitor.log_in(at="/app/plant")
        visitor.page.wait_for_selector("html[data-scene=ready]", state="attached")
        visitor.until("document.querySelector('canvas.plant-canvas').dataset.frames > 0")


def row(name: str, target: str, value: float | str, is_ok: bool) -> Row:
    return {"name": name, "target": target, "value": value, "ok": is_ok}


def at_most(name: str, most: float, value: float, unit: str) -> Row:
    return row(name, f"<= {most:g} {unit}".strip(), round(value, 2), value <= most)
