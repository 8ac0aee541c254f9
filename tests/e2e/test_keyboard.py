"""Everything an operator does, with the keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from e2e.browsing import Visitor
from e2e.conftest import Visit
from e2e.plants import running_plant
from e2e.test_accessibility import STILL
from running import Running

pytestmark = pytest.mark.browser

MOST_STOPS = 150

# The element with the focus: who it is, and whether a person can see that it has the focus.
FOCUS = """
() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const style = getComputedStyle(one);
  const box = one.getBoundingClientRect();
  const isOutlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const isAcross = box.right > 0 && box.left < innerWidth;
  const isInView = isAcross && box.bottom > 0 && box.top < innerHeight;
  window.__stops ??= new Map();
  if (!window.__stops.has(one)) window.__stops.set(one, window.__stops.size);
  return {
    stop: window.__stops.get(one),
    words: `${one.tagName} ${one.id} ${(one.ariaLabel ?? one.textContent).trim().slice(0, 50)}`,
    isSeen: isOutlined && isInView && box.width > 0 && box.height > 0,
    isInDialog: one.closest("[role=dialog]") !== null,
  };
}
"""


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("keyboard") / "data") as running:
        running_plant(running, 4)
        yield running


@pytest.fixture
def visitor(plant: Running, visit: Visit) -> Visitor:
    return visit(plant).log_in("operator", "control room", at="/app/twins")


def at(visitor: Visitor, path: str) -> None:
    visitor.until("(path) => location.pathname === path", path)


def press(visitor: Visitor, *keys: str) -> None:
    for key in keys:
        visitor.page.keyboard.press(key)


def tab_through(visitor: Visitor) -> list[dict[str, Any]]:
    """Every stop of the Tab key once, until it comes round."""
    stops: list[dict[str, Any]] = []
    for _ in range(MOST_STOPS):
        press(visitor, "Tab")
        found = visitor.page.evaluate(FOCUS)
        if found is None or (stops and found["stop"] == stops[0]["stop"]):
            return stops
        stops.append(found)
    raise AssertionError(f"Tab does not come round: {[stop['words'] for stop in stops[-5:]]}")


def test_two_letters_go_to_each_page(visitor: Visitor) -> None:
    for letter, page, title in (
        ("a", "alarms", "Alarms"),
        ("c", "commands", "Commands"),
        ("t", "twins", "Twins"),
        ("o", "overview", "Overview"),
    ):
        press(visitor, "g", letter)
        at(visitor, f"/app/{page}")
        visitor.page.get_by_role("heading", level=1, name=title).wait_for(state="attached")
        assert title in visitor.page.title()


def test_the_palette_finds_a_twin(visitor: Visitor) -> None:
    visitor.open_palette()
    visitor.page.keyboard.type("motor 3")
    visitor.page.locator("#palette-0", has_text="Motor 3").wait_for()
    press(visitor, "ArrowDown", "ArrowUp", "Enter")
    at(visitor, "/app/twins/motor-3")
    visitor.find("faceplate", twin_id="motor-3").wait_for()


@pytest.mark.parametrize(("key", "layer"), [("Control+k", "palette"), ("?", "shortcuts")])
def test_a_closed_layer_gives_the_focus_back(visitor: Visitor, key: str, layer: str) -> None:
    visitor.find("nav-alarms").focus()
    press(visitor, key)
    visitor.find(layer).wait_for()
    visitor.until("document.activeElement.closest('[role=dialog]') !== null")
    press(visitor, "Escape")
    visitor.find(layer).wait_for(state="detached")
    visitor.until("document.activeElement.dataset.testid === 'nav-alarms'")


def test_alarms_are_walked_through_acknowledged_and_commented(
    visitor: Visitor, plant: Running
) -> None:
    press(visitor, "g", "a")
    rows = visitor.find("alarm-row")
    rows.nth(2).wait_for()
    ids = [row.get_attribute("data-alarm-id") for row in rows.all()]
    assert len(ids) == 3
    for key, index in (("j", 0), ("j", 1), ("j", 2), ("j", 2), ("k", 1)):
        press(visitor, key)
        visitor.find("alarm-detail", alarm_id=str(ids[index])).wait_for()
    chosen = str(ids[1])
    commenting = "document.activeElement.dataset.testid === 'comment-text'"
    press(visitor, "a")
    visitor.find("comment-dialog").wait_for()
    visitor.until(commenting)
    visitor.page.keyboard.type("not meant")
    press(visitor, "Escape")
    visitor.find("comment-dialog").wait_for(state="detached")
    assert plant.call("GET", f"/alarms/{chosen}")["state"] == "unacknowledged"
    press(visitor, "a")
    visitor.find("comment-dialog").wait_for()
    visitor.until(commenting)
    visitor.page.keyboard.type("seen, jack away")  # letters that are shortcuts elsewhere
    press(visitor, "Control+Enter")
    visitor.find("alarm-row", alarm_id=chosen, state="acknowledged").wait_for()
    told = plant.call("GET", f"/alarms/{chosen}")
    assert told["acknowledgedBy"] == "control room"
    assert [one["text"] for one in told["comments"]] == ["seen, jack away"]
    press(visitor, "c")
    visitor.find("comment-dialog").wait_for()
    visitor.until(commenting)
    visitor.page.keyboard.type("second word")
    press(visitor, "Tab", "Tab", "Enter")  # past Cancel to the button that sends
    visitor.find("comment-dialog").wait_for(state="detached")
    visitor.find("alarm-comment").filter(has_text="second word").wait_for()
    press(visitor, "Escape")
    at(visitor, "/app/alarms")


def test_a_command_is_sent_without_a_mouse_and_the_dialog_keeps_the_focus(
    visitor: Visitor, plant: Running
) -> None:
    visitor.open("/app/twins/motor-4?tab=commands")
    visitor.find("command-button", command="setSpeed").last.focus()
    press(visitor, "Enter")
    visitor.find("command-dialog").wait_for()
    visitor.until("document.activeElement.id === 'field-value'")
    visitor.page.keyboard.type("40")
    inside = [visitor.page.evaluate(FOCUS)]
    for _ in range(12):
        press(visitor, "Tab")
        inside.append(visitor.page.evaluate(FOCUS))
    assert all(stop and stop["isInDialog"] and stop["isSeen"] for stop in inside), inside
    visitor.page.locator("#field-value").focus()
    press(visitor, "Enter")
    visitor.until("document.activeElement.dataset.testid === 'confirm-input'")
    visitor.page.keyboard.type("motor-4")
    press(visitor, "Enter")
    visitor.find("command-life").wait_for()
    [told] = plant.call("GET", "/commands", twin="motor-4")["value"]
    assert (told["command"], told["arguments"]) == ("setSpeed", 40)
    press(visitor, "Escape")
    visitor.until("document.activeElement.dataset.command === 'setSpeed'")


def test_single_keys_can_be_turned_off(visitor: Visitor) -> None:
    press(visitor, "?")
    visitor.find("shortcuts").wait_for()
    visitor.page.get_by_role("checkbox", name="Single keys work as shortcuts").focus()
    press(visitor, "Space", "Escape")
    visitor.find("shortcuts").wait_for(state="detached")
    press(visitor, "g", "a", "?")
    press(visitor, "Control+k")  # a key with Control still works, and shows that the others did not
    visitor.find("palette").wait_for()
    assert visitor.page.evaluate("location.pathname") == "/app/twins"
    assert visitor.find("shortcuts").count() == 0


def test_tabs_and_the_tree_are_moved_through_with_arrows(visitor: Visitor) -> None:
    visitor.open("/app/twins/motor-1")
    visitor.find("tab-state").focus()
    press(visitor, "ArrowRight")
    visitor.until("new URLSearchParams(location.search).get('tab') === 'why'")
    press(visitor, "ArrowLeft", "ArrowLeft")
    visitor.until("new URLSearchParams(location.search).get('tab') === 'raw'")
    tree = visitor.page.locator("[role=tree]")
    tree.locator("[tabindex='0']").focus()
    press(visitor, "ArrowDown", "Enter")
    at(visitor, "/app/twins/motor-2")
    press(visitor, "Home", "ArrowLeft")
    tree.locator("[role=treeitem][aria-expanded=false]").wait_for()
    assert tree.locator("[role=treeitem]").count() == 1
    press(visitor, "ArrowRight")
    tree.locator("[role=treeitem]").nth(4).wait_for()


@pytest.mark.parametrize(
    "path", ["/app/twins", "/app/twins/motor-1", "/app/alarms", "/app/overview"]
)
def test_every_stop_of_the_tab_key_is_seen_and_the_round_closes(
    visitor: Visitor, path: str
) -> None:
    visitor.open(path)
    visitor.page.locator("main h1").first.wait_for(state="attached")
    visitor.until(STILL)  # what is still loading would put stops in between
    stops = tab_through(visitor)
    assert len(stops) >= 12, stops
    assert "Skip to the content" in stops[0]["words"]
    unseen = [stop["words"] for stop in stops[1:] if not stop["isSeen"]]
    assert unseen == []
    press(visitor, "Shift+Tab")
    last = visitor.page.evaluate(FOCUS)
    assert last is None or last["stop"] == stops[-1]["stop"]  # backwards the same way
