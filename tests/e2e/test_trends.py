"""The page Trends: choosing, looking closer, the shared cursor, figures, files."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Route

from e2e.browsing import PHONE, Visitor, eventually
from e2e.conftest import Visit
from e2e.plants import motors, send, set_up
from running import Running

pytestmark = pytest.mark.browser

SECONDS = 3_000
TWO = "/app/trends?panels=motor-1:vibration,motor-2:vibration|motor-1:temperature&span=3600"
READY = "[data-testid=trend-panel][data-chart-state=ready]"


def value(second: int) -> float:
    return round(4 + 2 * math.sin(second / 100), 3)


@pytest.fixture(scope="module")
def begin() -> int:
    return int(time.time()) - SECONDS


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory, begin: int) -> Iterator[Running]:
    """Two motors with a reading a second for fifty minutes, and an alarm at the end."""
    with Running(tmp_path_factory.mktemp("trends") / "data") as running:
        set_up(running, motors(2))
        for twin in ("motor-1", "motor-2"):
            running.call(
                "POST",
                f"/ingest/{twin}",
                {
                    "time": [(begin + n) * 1000 for n in range(SECONDS)],
                    "vibration": [value(n) for n in range(SECONDS)],
                    "temperature": [40 + n / 100 for n in range(SECONDS)],
                },
            )
        send(running, "motor-1", vibration=9.0)
        yield running


def window(visitor: Visitor) -> list[float]:
    """The edges in the address (ms)."""
    visitor.until("new URLSearchParams(location.search).has('window')")
    found = parse_qs(urlsplit(visitor.page.url).query)["window"][0]
    return [float(one) for one in found.split("~")]


def over(visitor: Visitor, chart: int = 0) -> tuple[Locator, dict[str, float]]:
    found = visitor.page.locator(".trend-panel .u-over").nth(chart)
    found.scroll_into_view_if_needed()
    return found, dict(found.bounding_box() or {})


def drag(visitor: Visitor, start: float, end: float, keys: str = "") -> None:
    """From one share of the width of the first chart to another."""
    _, box = over(visitor)
    mouse, y = visitor.page.mouse, box["y"] + box["height"] / 2
    if keys:
        visitor.page.keyboard.down(keys)
    mouse.move(box["x"] + box["width"] * start, y)
    mouse.down()
    mouse.move(box["x"] + box["width"] * (start + end) / 2, y)
    mouse.move(box["x"] + box["width"] * end, y)
    mouse.up()
    if keys:
        visitor.page.keyboard.up(keys)


def drawn(visitor: Visitor, edges: list[float]) -> None:
    """Until the first chart has drawn the values of the edges."""
    wanted = "~".join(str(round(one)) for one in edges)
    visitor.until("(to) => document.querySelector('.trend-box').dataset.drawn === to", wanted)


def test_signals_are_chosen_by_keyboard_and_the_address_keeps_them(
    plant: Running, visit: Visit
) -> None:
    ann = visit(plant, size=(1440, 900)).log_in("viewer", at="/app/overview")
    keys = ann.page.keyboard
    keys.press("g")
    keys.press("r")
    ann.find("first-chart").wait_for()
    keys.press("n")
    ann.find("picker-search").wait_for()
    keys.type("motor 2")
    twin = ann.find("picker-twin", twin_id="motor-2")
    ann.until("document.querySelectorAll('[data-testid=picker-twin]').length === 1")
    twin.press("Enter")
    ann.find("picker-tag", property="vibration").press("Space")
    ann.find("picker-tag", property="temperature").press("Space")
    ann.find("picker-take").press("Enter")
    ann.page.locator(READY).wait_for()
    ann.until("new URLSearchParams(location.search).get('panels') !== null")
    shared = urlsplit(ann.page.url)
    bob = visit(plant).log_in("viewer", at=f"{shared.path}?{shared.query}")
    bob.page.locator(READY).wait_for()
    assert bob.find("trend-legend").count() == 2
    limits = {"Runs rough": "mm/s", "Winding hot": "°C"}
    found = plant.call("GET", "/twins/motor-2/limits")["value"]
    assert {one["title"]: one["unit"] for one in found} == limits


def test_dragging_zooms_all_charts_and_undo_goes_back(
    plant: Running, visit: Visit, begin: int
) -> None:
    ann = visit(plant, size=(1440, 900)).log_in(at=TWO)
    ann.page.locator(READY).nth(1).wait_for()
    drag(ann, 0.25, 0.5)
    edges = window(ann)
    assert edges[1] - edges[0] == pytest.approx(900_000, rel=0.02)
    drawn(ann, edges)
    ann.until(
        "new Set([...document.querySelectorAll('.trend-box')].map((one) => one.dataset.drawn))"
        ".size === 1"
    )
    drag(ann, 0.5, 0.25, keys="Shift")
    moved_by = (edges[1] - edges[0]) / 4
    ann.until(
        "(from) => Math.abs(parseFloat(new URLSearchParams(location.search).get('window')) - from)"
        " < 9000",
        edges[0] + moved_by,
    )
    moved = window(ann)
    assert moved[1] - moved[0] == pytest.approx(edges[1] - edges[0], abs=2)
    _, box = over(ann)
    ann.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    ann.page.mouse.wheel(0, -300)
    ann.until(
        "(width) => { const [a, b] = new URLSearchParams(location.search).get('window')"
        ".split('~').map(Number); return b - a < width * 0.7; }",
        moved[1] - moved[0],
    )
    wheeled = window(ann)
    assert sum(wheeled) / 2 == pytest.approx(sum(moved) / 2, abs=9_000)
    ann.page.keyboard.press("u")
    ann.until(
        "(to) => new URLSearchParams(location.search).get('window') === to",
        f"{moved[0]:.0f}~{moved[1]:.0f}",
    )
    ann.page.keyboard.press("Control+z")
    ann.find("trends-undo").click()
    ann.until("new URLSearchParams(location.search).has('window') === false")
    ann.page.keyboard.press("U")
    assert window(ann) == edges
    ann.page.keyboard.press("]")
    ann.until(
        "(from) => parseFloat(new URLSearchParams(location.search).get('window')) > from",
        edges[0],
    )
    assert window(ann)[0] == pytest.approx(edges[1], abs=2)


def test_two_fingers_look_closer_about_the_moments_under_them(plant: Running, visit: Visit) -> None:
    ann = visit(plant, size=PHONE, has_touch=True).log_in("viewer", "ann", at=TWO)
    ann.page.locator(READY).first.wait_for()
    box = ann.page.locator(f"{READY} .u-over").first.bounding_box()
    assert box
    fingers = ann.context.new_cdp_session(ann.page)

    def touch(kind: str, *places: float) -> None:
        y = box["y"] + box["height"] / 2
        points = [
            {"x": box["x"] + place * box["width"], "y": y, "id": finger}
            for finger, place in enumerate(places)
        ]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 0.4)
    touch("touchStart", 0.4, 0.6)
    touch("touchMove", 0.3, 0.7)
    touch("touchMove", 0.2, 0.8)
    touch("touchEnd")
    begin, end = window(ann)
    assert end - begin == pytest.approx(3_600_000 / 3, rel=0.05)
    middle = time.time() * 1000 - 1_800_000  # of the hour that was shown
    assert (begin + end) / 2 == pytest.approx(middle, abs=60_000)


def test_one_cursor_reads_all_charts_and_shift_selects(
    plant: Running, visit: Visit, begin: int
) -> None:
    edges = [(begin + 1_000) * 1000, (begin + 1_060) * 1000]
    shown = TWO.replace("span=3600", f"window={edges[0]}~{edges[1]}")
    ann = visit(plant, size=(1440, 900)).log_in(at=shown)
    ann.page.locator(READY).nth(1).wait_for()
    drawn(ann, edges)
    surface = ann.find("trend-surface").first
    surface.focus()
    for _ in range(10):
        ann.page.keyboard.press("ArrowRight")
    expected = value(1_010)
    legend = ann.find("trend-legend")
    legend.nth(0).locator("strong").get_by_text(f"{expected:.2f}", exact=True).wait_for()
    legend.nth(2).locator("strong").get_by_text(f"{40 + 1_010 / 100:.1f}", exact=True).wait_for()
    assert f"{expected:.2f} mm/s" in (surface.get_attribute("aria-valuetext") or "")
    shares = ann.page.evaluate(
        "() => [...document.querySelectorAll('.trend-box .u-over')].map((one) => parseFloat("
        "one.querySelector('.u-cursor-x').style.transform.slice(10)) / one.clientWidth)"
    )
    assert shares == pytest.approx([10 / 60, 10 / 60], abs=0.004)
    for _ in range(20):
        ann.page.keyboard.press("Shift+ArrowRight")
    row = ann.find("figures-row", property="vibration").first
    inside = [value(n) for n in range(1_010, 1_030)]
    ann.until("document.querySelector('[data-figure=count]').textContent === '20'")
    cells = {
        name: row.locator(f"[data-figure={name}]").inner_text()
        for name in ("avg", "min", "max", "first", "last")
    }
    plain = [sum(inside) / 20, min(inside), max(inside), inside[0], inside[-1]]
    assert list(cells.values()) == [f"{one:.2f}" for one in plain]
    ann.until("new URLSearchParams(location.search).has('select')")
    ann.page.keyboard.press("Escape")
    ann.until("new URLSearchParams(location.search).has('select') === false")


def test_a_chart_is_saved_as_csv_and_png_and_read_as_a_table(
    plant: Running, visit: Visit, begin: int
) -> None:
    edges = [begin * 1000, (begin + 100) * 1000]
    panels = "motor-1:vibration|motor-1:temperature;table"
    ann = visit(plant, size=(1440, 900), accept_downloads=True)
    ann.log_in(at=f"/app/trends?panels={panels}&window={edges[0]}~{edges[1]}&vs=60")
    ann.page.locator(READY).nth(1).wait_for()
    with ann.page.expect_download() as download:
        ann.find("panel-csv").first.click()
    lines = Path(download.value.path()).read_text("utf-8").splitlines()
    assert lines[0] == "time,twin,property,provenance,value,unit,quality"
    assert len(lines) == 101
    assert lines[11].split(",")[1:5] == ["motor-1", "vibration", "measured", f"{value(10):g}"]
    with ann.page.expect_download() as download:
        ann.find("panel-png").first.click()
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")
    table = ann.find("value-table")
    assert int(table.get_attribute("aria-rowcount") or 0) >= 100
    newest = table.locator("[role=row]").nth(1).locator("[role=cell]")
    newest.nth(0).filter(has_text=f"{40 + 0.99:.1f}").wait_for()
    newest.nth(1).filter(has_text=f"{40 + 0.39:.1f}").wait_for()  # a minute earlier
    ann.find("panel-later").first.click()
    ann.until(
        "decodeURIComponent(new URLSearchParams(location.search).get('panels'))"
        ".startsWith('motor-1:temperature')"
    )


def test_what_happened_is_drawn_listed_and_leads_to_its_alarm(plant: Running, visit: Visit) -> None:
    ann = visit(plant, size=(1440, 900)).log_in(at=TWO)
    ann.page.locator(READY).nth(1).wait_for()
    event = ann.find("trend-event")
    event.get_by_text("Motor 1: Runs rough").wait_for()
    ann.find("show-events").click()
    event.first.wait_for(state="detached")
    ann.find("show-events").click()
    event.locator("a").first.click()
    ann.until("location.pathname.startsWith('/app/alarms/a-')")


def test_a_colour_leads_to_rule_model_readings_and_device(plant: Running, visit: Visit) -> None:
    ann = visit(plant, size=(1440, 900)).log_in("viewer", at="/app/twins/motor-1")
    ann.find("why-link").click()
    chain = ann.find("why-chain")
    chain.get_by_text("vibration > 7 mm/s").wait_for()
    assert chain.get_by_text("dtmi:test:Motor;1").count() >= 1
    turn = chain.locator("[data-testid=why-sample][data-turn=true]")
    assert "9 mm/s" in turn.inner_text()
    assert "limit 7" in turn.inner_text()
    ann.find("why").get_by_text("devices/motor-1/telemetry").wait_for()
    chain.get_by_text("as a trend").click()
    ann.page.locator(READY).wait_for()


def test_a_late_answer_is_never_drawn(plant: Running, visit: Visit, begin: int) -> None:
    ann = visit(plant, size=(1440, 900)).log_in(at=TWO)
    ann.page.locator(READY).nth(1).wait_for()
    held: list[Route] = []

    def hold(route: Route) -> None:
        if len(held) < 2:
            held.append(route)
        else:
            route.continue_()

    ann.page.route(re.compile(r"/history\?"), hold)
    first = [begin * 1000, (begin + 300) * 1000]
    second = [(begin + 600) * 1000, (begin + 700) * 1000]
    ann.move(TWO.replace("span=3600", f"window={first[0]}~{first[1]}"))
    # what is asked of the page in between lets the held requests come in
    eventually(lambda: ann.page.evaluate("true") and len(held) == 2, "two requests")
    ann.move(TWO.replace("span=3600", f"window={second[0]}~{second[1]}"))
    drawn(ann, [float(one) for one in second])
    for route in held:
        route.continue_()
    ann.page.wait_for_load_state("networkidle")
    drawn(ann, [float(one) for one in second])


def test_the_trend_of_the_overview_goes_on_into_its_forecast(plant: Running, visit: Visit) -> None:
    now = round(time.time())
    times = [(now + 60 * n) * 1000 for n in range(1, 31)]
    plant.call(
        "POST",
        "/ingest/motor-1?provenance=predicted",
        {
            "time": times,
            "vibration": [8 + n / 10 for n in range(30)],
            "vibration@q0.05": [7 + n / 20 for n in range(30)],
            "vibration@q0.95": [9 + n / 5 for n in range(30)],
        },
    )
    ann = visit(plant, size=(1440, 900)).log_in(at="/app/overview?twin=motor-1")
    trend = ann.find("overview-trend")
    trend.get_by_text("last hour and forecast").wait_for()
    ann.until(
        "document.querySelector('[data-testid=overview-chart] [role=img]').ariaLabel"
        ".includes('forecast 10.9 (8.45 to 14.8)')"
    )
    box = trend.locator(".u-over").bounding_box()
    assert box is not None
    ann.page.mouse.move(box["x"] + box["width"] * 0.95, box["y"] + 20)
    ann.until(
        "document.querySelector('[data-testid=overview-chart] .chart-read').textContent"
        ".includes('forecast')"
    )
