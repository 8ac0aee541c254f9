"""Axe on every page in both themes and two sizes, reflow at 320 px, and the order of the focus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.browsing import PHONE, Visitor, eventually
from e2e.conftest import Visit
from e2e.plants import TOO_MUCH, send
from running import Running

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "ui" / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SIZES = {"desktop": (1440, 900), "phone": PHONE}
THEMES = ["dark", "light"]
TWIN = "motor-3-bearing"
# Where each page is, and what shows that it has its content.
PAGES = {
    "overview": ("/app/overview", "[data-testid=overview-chart][data-chart-state=ready] canvas"),
    "twins": ("/app/twins?where=name != 'x'&sort=name", "[data-testid=twin-row]"),
    "state": (f"/app/twins/{TWIN}", "[data-testid=property-row]"),
    "trends": (f"/app/twins/{TWIN}?tab=trends", "[data-chart-state=ready] canvas"),
    "no chart yet": ("/app/trends", "[data-testid=first-chart]"),
    "workspace": (
        f"/app/trends?panels={TWIN}:vibration,{TWIN}:temperature|pump-1:flow;table&vs=60",
        "[data-testid=trend-panel][data-chart-state=ready] [data-testid=value-table]",
    ),
    "why": (f"/app/twins/{TWIN}?tab=why", "[data-testid=why-sample]"),
    "graph": ("/app/twins?view=graph&around=motor-3", "[data-testid=graph-box][data-nodes]"),
    "relations": (f"/app/twins/{TWIN}?tab=relations", ".relation"),
    "alarms of a twin": (f"/app/twins/{TWIN}?tab=alarms", "[data-testid=alarm-row]"),
    "commands": (f"/app/twins/{TWIN}?tab=commands", "[data-testid=command-row]"),
    "changes": (f"/app/twins/{TWIN}?tab=changes", ".changes li"),
    "another twin beside": (
        f"/app/twins/{TWIN}?tab=changes&with=motor-1-bearing",
        "[data-testid=pair] .stack",
    ),
    "raw": (f"/app/twins/{TWIN}?tab=raw", "[data-testid=raw-json]"),
    "alarms": ("/app/alarms", "[data-testid=alarm-row]"),
    "alarm figures": ("/app/alarms?show=kpis", "[data-testid=alarm-figures] .tile"),
    "maintenance": (f"/app/twins/{TWIN}?tab=maintenance", "[data-testid=work-create]"),
    "model": (f"/app/twins/{TWIN}?tab=model", "[data-testid=service-row]"),
    "alarm rules": ("/app/alarms?show=rules&rule=new", "[data-testid=rule-editor]"),
    "handover": ("/app/alarms?show=handover", "[data-testid=handover-step]"),
    "who is told": ("/app/alarms?show=telling", "[data-testid=alarm-telling]"),
    "alarm philosophy": ("/app/alarms?show=philosophy", "[data-testid=alarm-philosophy] form"),
    "alarm": ("/app/alarms/{alarm}", "[data-testid=alarm-chart][data-chart-state=ready] canvas"),
    "plan of the plant": ("/app/plant?plan=1", "[data-testid=plan]"),
    "all commands": ("/app/commands", "[data-testid=command-line]"),
    "value": ("/app/value", "[data-testid=figure-saving]"),
    "found devices": ("/app/twins?view=discovered", "[data-testid=discovered-row]"),
    "wall": ("/app/overview?kiosk=1", "[data-testid=overview-chart][data-chart-state=ready]"),
    "wall of alarms": ("/app/alarms?kiosk=1", "[data-testid=alarm-row]"),
}

# The parts of the settings, and what shows that each has its content.
SETTINGS = {
    "look": "[data-testid=zone]",
    "keys": "[data-testid=keys-reset]",
    "connectors": "[data-testid=part-connectors] .settings-part",
    "exports": "[data-testid=part-exports] .settings-part",
    "people": "[data-testid=token]",
    "installation": "[data-testid=installation]",
}

RUN = """
async (tags) => {
  const found = await axe.run(document, { runOnly: { type: "tag", values: tags } });
  return { checks: found.passes.length, violations: found.violations.map((one) => ({
    rule: one.id, help: one.help,
    nodes: one.nodes.slice(0, 4).map((node) => `${node.target} ${node.failureSummary}`),
  })) };
}
"""

# The page is still when nothing is loading and nothing moves: colours are then what they stay.
STILL = """
() => !document.querySelector(".skeleton")
  && document.getAnimations().every((one) => one.playState !== "running"
    || one.effect.getComputedTiming().iterations === Infinity)
"""


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The demo's plant without its simulator: values, alarms and a found device from here."""
    folder = tmp_path_factory.mktemp("accessible") / "data"
    with Running(folder, "--no-browser", "--no-plant", command="demo") as running:
        for vibration in (1.2, 2.5, TOO_MUCH):
            send(running, TWIN, vibration=vibration, temperature=61.5, speed=1480.0)
        send(running, "motor-3", temperature=55.0, speed=1480.0)
        send(running, "tank-1", fill=999.0)  # out of range: bad
        send(running, "pump-1", flow=40.0)
        for number, priority in enumerate((1, 2, 3, 4)):
            rule = {"model": "dtmi:gemel:demo:Bearing;1", "when": f"vibration > {3 + number} mm/s"}
            rule |= {"priority": priority, "title": f"Vibration step {priority}"}
            running.call("PUT", f"/rules/step-{priority}", rule)
        send(running, TWIN, vibration=TOO_MUCH)
        alarms = eventually(
            lambda: len(running.call("GET", "/alarms")["value"]) == 4 and alarms_of(running),
            "an alarm of each priority",
        )
        running.call("POST", f"/alarms/{alarms[1]['id']}/acknowledge", {"comment": "seen"})
        running.call("POST", "/ingest", {"twin": "press-7", "force": 5.5, "mode": "auto"})
        odd = {"kind": "anomaly", "model": "dtmi:gemel:demo:Bearing;1", "title": "Odd bearings"}
        running.call("PUT", "/services/odd-bearings", odd)
        command = {"twin": TWIN, "command": "repair", "deadline": 600}
        running.call("POST", "/commands", command)
        yield running


def alarms_of(running: Running) -> list[dict[str, Any]]:
    return running.call("GET", "/alarms")["value"]  # type: ignore[no-any-return]


def go(visitor: Visitor, page: str) -> None:
    """To another page inside the loaded one; returns when its content is there and still."""
    path, content = PAGES[page]
    visitor.move(path.replace("{alarm}", alarms_of(visitor.running)[0]["id"]))
    visitor.page.locator(f"main {content}").first.wait_for(state="attached")
    visitor.until(STILL)


def problems(visitor: Visitor, place: str) -> list[str]:
    """What axe finds, a line each."""
    visitor.until(STILL)  # a colour that is still changing has no contrast of its own
    found = visitor.page.evaluate(RUN, TAGS)
    assert found["checks"] > 5, place  # axe did look
    return [
        f"{place}: {one['rule']}: {one['help']}: {json.dumps(one['nodes'], indent=1)}"
        for one in found["violations"]
    ]


def test_axe_sees_what_is_wrong(plant: Running, visit: Visit) -> None:
    visitor = visit(plant, bypass_csp=True)
    visitor.context.add_init_script(path=AXE)
    visitor.log_in(at="/app/twins")
    visitor.page.evaluate(
        """() => {
          const wrong = "<button></button><p style='color: #999; background: #aaa'>pale</p>";
          document.querySelector("main").insertAdjacentHTML("afterbegin", wrong);
        }"""
    )
    found = "\n".join(problems(visitor, "planted"))
    assert "button-name" in found
    assert "color-contrast" in found


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", sorted(SIZES))
def test_axe_finds_nothing(plant: Running, visit: Visit, size: str, theme: str) -> None:
    # The strict policy would refuse axe, so it is lifted in these contexts alone.
    visitor = visit(plant, size=SIZES[size], color_scheme=theme, bypass_csp=True)
    visitor.context.add_init_script(path=AXE)
    found = []
    visitor.allowed = "401"
    visitor.page.goto(f"{plant.url}/app/overview")
    visitor.find("login").wait_for()
    back = visitor.page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g)")
    assert (int(back[0]) < 128) == (theme == "dark")
    found += problems(visitor, "login")
    visitor.page.locator("#token").fill("gml_wrong")
    visitor.page.keyboard.press("Enter")
    visitor.page.locator("#token-problem:not(:empty)").wait_for()
    found += problems(visitor, "login refused")
    visitor.log_in(at="/app/twins")
    for page in PAGES:
        go(visitor, page)
        found += problems(visitor, page)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_in_layers_over_the_page(
    plant: Running, visit: Visit, theme: str
) -> None:
    visitor = visit(plant, color_scheme=theme, bypass_csp=True)
    visitor.context.add_init_script(path=AXE)
    visitor.log_in(at="/app/twins/pump-1")
    found = []
    for key, layer in (("Control+k", "palette"), ("?", "shortcuts")):
        visitor.page.keyboard.press(key)
        visitor.find(layer).wait_for()
        found += problems(visitor, layer)
        visitor.page.keyboard.press("Escape")
        visitor.find(layer).wait_for(state="detached")
    visitor.find("command-button").first.click()
    dialog = visitor.find("command-dialog")
    dialog.wait_for()
    visitor.find("command-next").click()  # with nothing typed: the problem is shown
    visitor.page.locator("#field-value[aria-invalid=true]").wait_for()
    found += problems(visitor, "command")
    visitor.page.locator("#field-value").fill("50")
    visitor.find("command-next").click()
    visitor.find("confirm-input").wait_for()
    found += problems(visitor, "confirmation")
    visitor.find("confirm-input").fill("pump-1")
    visitor.find("command-send").click()
    visitor.find("command-life").wait_for()
    found += problems(visitor, "life of a command")
    visitor.page.keyboard.press("Escape")
    go(visitor, "alarm")
    visitor.find("comment-button").click()
    visitor.find("comment-dialog").wait_for()
    found += problems(visitor, "comment")
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("size", "theme"), [("desktop", "dark"), ("phone", "light")])
def test_axe_finds_nothing_in_the_settings_and_in_what_a_phone_puts_aside(
    plant: Running, visit: Visit, size: str, theme: str
) -> None:
    visitor = visit(plant, size=SIZES[size], color_scheme=theme, bypass_csp=True)
    visitor.context.add_init_script(path=AXE)
    visitor.log_in(at="/app/overview?settings=look")
    found = []
    for part, content in SETTINGS.items():
        visitor.find(f"settings-{part}").click()
        visitor.page.locator(content).first.wait_for()
        found += problems(visitor, part)
        found += visitor.sideways()
    visitor.page.keyboard.press("Escape")
    if size == "phone":
        visitor.find("nav-more").click()
        visitor.find("more-settings").wait_for()
        found += problems(visitor, "more")
        found += visitor.sideways()
    assert not found, "\n".join(found)


def test_everything_reflows_at_320_pixels(plant: Running, visit: Visit) -> None:
    visitor = visit(plant, size=(320, 640))
    visitor.allowed = "401"
    visitor.page.goto(f"{plant.url}/app/overview")
    visitor.find("login").wait_for()
    found = {"login": visitor.sideways()}
    visitor.log_in(at="/app/twins")
    for page in PAGES:
        go(visitor, page)
        found[page] = visitor.sideways()
    assert {page: left for page, left in found.items() if left} == {}


def test_nothing_is_put_before_others_in_the_order_of_the_focus(
    plant: Running, visit: Visit
) -> None:
    visitor = visit(plant).log_in(at="/app/twins")
    for page in PAGES:
        go(visitor, page)
        orders = visitor.page.evaluate(
            "() => [...document.querySelectorAll('[tabindex]')].map((one) => one.tabIndex)"
        )
        assert orders, page
        assert max(orders) <= 0, page


def test_text_can_be_spaced_out_and_motion_can_be_refused(plant: Running, visit: Visit) -> None:
    """WCAG 1.4.12 and the setting of the system for less motion."""
    visitor = visit(plant, size=PHONE, reduced_motion="reduce", bypass_csp=True)
    visitor.log_in(at="/app/twins")
    visitor.page.add_style_tag(
        content="* { line-height: 1.5 !important; letter-spacing: 0.12em !important;"
        " word-spacing: 0.16em !important; } p { margin-bottom: 2em !important; }"
    )
    found = {}
    for page in PAGES:
        go(visitor, page)
        found[page] = visitor.sideways()
        visitor.until("document.getAnimations().every((one) => one.playState !== 'running')")
    assert {page: left for page, left in found.items() if left} == {}
