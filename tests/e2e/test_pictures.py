"""Every page, in both themes and two widths, looks as it does in the picture that is kept of it.

`scripts/pictures` runs this alone; `scripts/pictures --renew` takes the pictures anew.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from e2e.browsing import PATIENCE, PHONE, Visitor
from e2e.conftest import Visit
from e2e.outline import changes, keep_outline, kept, outline_of
from e2e.pictures import Box, Difference, Pixels, difference, keep, marked, pixels_of
from e2e.still_plant import MOMENT, SCENARIO, StillPlant, decide, fill
from gemel.core.clock import SECOND
from running import Running

pytestmark = pytest.mark.browser

KEPT = Path(__file__).with_name("pictures")
IS_RENEWED = os.environ.get("GEMEL_RENEW_PICTURES") == "1"
SIZES: dict[str, dict[str, Any]] = {
    "wide": {"size": (1440, 900)},
    "phone": {"size": PHONE, "has_touch": True, "is_mobile": True},
}
THEMES = ("dark", "light")
BEARING = "motor-3-bearing"
PANELS = f"{BEARING}:vibration,{BEARING}:temperature|filter-1:pressureDrop"
CHART = "[data-chart-state=ready] canvas"
SCENE = "canvas.plant-canvas"
# Where each page is, and what shows that it has its content.
PAGES = {
    "overview": ("overview", f"[data-testid=overview-chart]{CHART}"),
    "plant": ("plant?twin=motor-3", SCENE),
    "twins": (f"twins/{BEARING}", "[data-testid=property-row]"),
    "trends": (f"trends?panels={PANELS}", CHART),
    "alarms": ("alarms", "[data-testid=alarm-row]"),
    "what-if": (f"what-if/{SCENARIO}", "canvas"),
    "commands": ("commands", "[data-testid=command-line]"),
    "value": ("value", "[data-testid=figure-saving]"),
}
UNMOVED = 30.0
"""Seconds that a page shows the same before it is said to be otherwise than its picture."""
RENEWED_AFTER = 3.0
"""The same before it becomes the picture."""
# How much the server does in a second is the machine's own. A sheet of a script is no inline style.
WITHOUT_RATE = """
addEventListener("DOMContentLoaded", () => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("[data-testid=rate] { display: none }");
  document.adoptedStyleSheets = [sheet];
});
"""
SETTLED = """
() => !document.querySelector(".skeleton, [aria-busy=true]")
  && document.documentElement.dataset.scene !== "loading"
  && document.fonts.status === "loaded"
"""
SCENES = """
() => [...document.querySelectorAll("canvas.plant-canvas")].map((one) => {
  const box = one.getBoundingClientRect();
  return [box.left, box.top, box.right, box.bottom].map(Math.round);
})
"""


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with StillPlant(tmp_path_factory.mktemp("still") / "data") as running:
        fill(running)
        decide(running)
        yield running


@dataclass(frozen=True, slots=True)
class Found:
    """A look at a page, and what is not as it was."""

    now: Pixels
    pixels: Difference
    others: list[str]

    @property
    def is_none(self) -> bool:
        return self.pixels.is_none and not self.others


class Camera:
    """A visitor whose clock stands still but for a millisecond a look."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.page = visitor.page
        self._looks = 0
        self.tick()
        self.page.add_init_script(WITHOUT_RATE)
        visitor.log_in(at="/app/alarms")

    def tick(self) -> None:
        """So that all that is told once a second is told anew; no text shows a millisecond.

        It goes ahead and seldom back: what was done at the moment is never after now.
        """
        self._looks += 1
        self.page.clock.set_fixed_time(MOMENT / SECOND + self._looks % 400 / 1000)

    def go(self, name: str) -> None:
        path, content = PAGES[name]
        self.visitor.move(f"/app/{path}")
        self.page.locator(f"main {content}").first.wait_for(state="attached")

    def look(self) -> Pixels:
        self.tick()
        self.visitor.until(SETTLED)
        return pixels_of(self.page.screenshot(caret="hide", timeout=PATIENCE))

    def compare(self, name: str) -> Found:
        """With the picture and the outline that are kept under a name."""
        now = self.look()
        others = changes(kept(KEPT / f"{name}.json"), outline_of(self.page))
        was = pixels_of(KEPT / f"{name}.webp")
        return Found(now, difference(was, now, self.scenes()), others)

    def scenes(self) -> tuple[Box, ...]:
        return tuple(tuple(box) for box in self.page.evaluate(SCENES))

    def until_like(self, name: str) -> Found:
        """Looks until it is as it was, or until it stays otherwise."""
        last: Pixels | None = None
        since = time.monotonic()
        while True:
            found = self.compare(name)
            if found.is_none:
                return found
            if last is None or not difference(last, found.now).is_none:
                last, since = found.now, time.monotonic()
            if time.monotonic() - since > UNMOVED:
                return found

    def until_seen(self, name: str, nets: set[str], what: str) -> None:
        """Looks until each of these nets has seen a change."""
        end = time.monotonic() + PATIENCE / 1000
        while True:
            found = self.compare(name)
            seen = ("pixels" * (not found.pixels.is_none), "outline" * bool(found.others))
            if nets <= set(seen):
                return
            assert time.monotonic() < end, f"{what}: seen by {seen}, not by all of {nets}"

    def is_like(self, name: str) -> bool:
        """Whether it settles to what is kept: a picture that still holds is not taken anew."""
        if not all((KEPT / f"{name}.{kind}").exists() for kind in ("webp", "json")):
            return False
        self.until_still()
        return self.compare(name).is_none

    def renew(self, name: str) -> None:
        keep(self.until_still(), KEPT / f"{name}.webp")
        keep_outline(outline_of(self.page), KEPT / f"{name}.json")

    def until_still(self) -> Pixels:
        last, since = self.look(), time.monotonic()
        while time.monotonic() - since < RENEWED_AFTER:
            now = self.look()
            if not difference(last, now).is_none:
                since = time.monotonic()
            last = now
        return last

    def words_at(self, box: Box) -> str:
        """What stands in the middle of a box."""
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        return self.page.evaluate(  # type: ignore[no-any-return]
            """([x, y]) => {
              const one = document.elementFromPoint(x, y);
              const named = one?.closest("[data-testid]")?.dataset.testid ?? "";
              return `${one?.tagName.toLowerCase()}.${one?.classList} in '${named}'`;
            }""",
            [x, y],
        )


# What a careless change would do to the overview; each is undone by its second half.
# The third word says which nets it must not pass.
BROKEN = {
    "a panel is shifted": (
        "document.querySelector('[data-testid=attention]').style.transform = 'translateX(2px)'",
        "document.querySelector('[data-testid=attention]').style.transform = ''",
        "pixels outline",
    ),
    "the ground of panels is of another colour": (
        "document.documentElement.style.setProperty('--bg1', '#1b2026')",
        "document.documentElement.style.removeProperty('--bg1')",
        "pixels outline",
    ),
    "quiet words are of another colour": (
        "document.documentElement.style.setProperty('--fg3', '#959fab')",
        "document.documentElement.style.removeProperty('--fg3')",
        "outline",
    ),
    "a label is gone": (
        "document.querySelector('[data-testid=attention] h2').style.visibility = 'hidden'",
        "document.querySelector('[data-testid=attention] h2').style.visibility = ''",
        "pixels outline",
    ),
    "an icon is gone": (
        "document.querySelector('.nav a .icon').style.visibility = 'hidden'",
        "document.querySelector('.nav a .icon').style.visibility = ''",
        "pixels outline",
    ),
    "a margin is of another size": (
        "document.querySelector('[data-testid=attention] .panel-head').style.paddingTop = '20px'",
        "document.querySelector('[data-testid=attention] .panel-head').style.paddingTop = ''",
        "pixels outline",
    ),
    "a line of a chart is gone": (
        "document.querySelector('[data-testid=overview-chart] canvas').style.opacity = '0'",
        "document.querySelector('[data-testid=overview-chart] canvas').style.opacity = ''",
        "pixels",
    ),
}


@pytest.fixture
def camera(plant: Running, visit: Visit, size: str) -> Camera:
    still = {"reduced_motion": "reduce", "locale": "en-GB", "timezone_id": "UTC"}
    return Camera(visit(plant, color_scheme="dark", **still, **SIZES[size]))


def told(camera: Camera, name: str, found: Found, folder: Path) -> str:
    """The difference in words, with the picture of it."""
    keep(found.now, folder / f"{name}-now.webp")
    keep(marked(found.now, found.pixels), folder / f"{name}-differs.webp")
    places = [f"{box} {camera.words_at(box)}" for box, _ in found.pixels.boxes()[:4]]
    first = f"{name}: {found.pixels.pixels} pixels differ, see {folder}"
    return "\n  ".join([first, *places, *found.others[:12]])


@pytest.mark.parametrize("size", SIZES)
def test_every_page_looks_as_in_its_picture(camera: Camera, size: str, tmp_path: Path) -> None:
    wrong = []
    for name in PAGES:
        camera.go(name)
        for theme in THEMES:
            camera.page.emulate_media(color_scheme=theme)
            picture = f"{name}-{size}-{theme}"
            if IS_RENEWED and not camera.is_like(picture):
                camera.renew(picture)
            found = camera.until_like(picture)
            if not found.is_none:
                wrong.append(told(camera, picture, found, tmp_path))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("size", ["wide"])
def test_what_is_shifted_recoloured_or_removed_is_seen(camera: Camera) -> None:
    name = "overview-wide-dark"
    camera.go("overview")
    assert camera.until_like(name).is_none
    for what, (broken, mended, nets) in BROKEN.items():
        camera.page.evaluate(f"() => {{ {broken} }}")
        camera.until_seen(name, set(nets.split()), what)
        camera.page.evaluate(f"() => {{ {mended} }}")
        assert camera.until_like(name).is_none, what
