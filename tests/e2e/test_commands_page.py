"""The Commands page with the keyboard alone: one person asks, another approves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.browsing import PHONE, Visitor
from e2e.conftest import Visit
from e2e.plants import MOTOR, STALE_AFTER, running_plant, send
from running import Running

pytestmark = pytest.mark.browser

COMMANDS = {
    "setSpeed": {
        "minimum": 0,
        "maximum": 100,
        "interlocks": [{"when": "temperature < 80 °C", "title": "The motor is cool"}],
        "approval": {"needed": 1, "within": 600},
        "confirm": {"property": "setpoint", "tolerance": 1, "within": 600},
    }
}


MODEL_OF_MOTORS = {
    "model": MOTOR,
    "parameters": {"heat": {"value": 0.4, "spread": 0.05}},
    "outputs": {"temperature": "20 + setpoint * heat"},
    "commands": {"setpoint": "setSpeed"},
}


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("commands") / "data") as running:
        running_plant(running, 3)
        running.call("PUT", f"/settings/{MOTOR}", {"staleAfter": STALE_AFTER, "commands": COMMANDS})
        running.call("PUT", "/behaviours/motors", MODEL_OF_MOTORS)
        send(running, "motor-1", temperature=40.0, vibration=1.0)
        send(running, "motor-2", temperature=95.0, vibration=1.0)
        yield running


def press(visitor: Visitor, *keys: str) -> None:
    for key in keys:
        visitor.page.keyboard.press(key)


def ask(visitor: Visitor, twin: str, speed: str) -> None:
    """From any page to the answers of the guards, without a mouse."""
    press(visitor, "g", "c")
    visitor.page.wait_for_selector("[data-testid=commands-all]")
    press(visitor, "n")
    visitor.until("document.activeElement.id === 'request-twin'")
    visitor.page.keyboard.type(twin)
    visitor.page.wait_for_selector("#request-command")
    press(visitor, "Tab", "Tab")  # past the choice of the command, to its value
    visitor.until("document.activeElement.id === 'field-value'")
    visitor.page.keyboard.type(speed)
    press(visitor, "Enter")
    visitor.page.wait_for_selector("[data-testid=guards]")


def test_one_asks_and_another_approves_with_the_keyboard_alone(
    plant: Running, visit: Visit
) -> None:
    ann = visit(plant).log_in("operator", "ann", at="/app/twins")
    ask(ann, "motor-1", "70")
    assert ann.find("guards").get_by_text("It would wait for another person").count() == 1
    press(ann, "Enter")  # what was checked is asked for, once the twin's id was typed
    ann.find("request").get_by_text("Type motor-1 exactly").wait_for()
    ann.find("confirm-input").focus()
    ann.page.keyboard.type("motor-1")
    press(ann, "Enter")
    ann.page.wait_for_selector("[data-testid=command-detail][data-state=awaiting]")
    own = ann.find("command-detail").locator("[data-testid=approve]")
    assert "another person must approve" in (own.get_attribute("aria-label") or "")

    bob = visit(plant).log_in("operator", "bob", at="/app/overview")
    row = bob.find("pending-row")
    row.get_by_text("asked by ann").wait_for()
    counter = bob.page.locator("[data-testid=nav-commands] .count")
    assert " ".join(counter.inner_text().split()) == "1 waiting for a person"
    row.get_by_role("link", name="Review").click()
    bob.page.wait_for_selector("[data-testid=command-detail][data-state=awaiting]")
    bob.move("/app/commands?show=awaiting")
    bob.page.wait_for_selector("[data-testid=command-line][data-state=awaiting]")
    press(bob, "j")
    bob.page.wait_for_selector("[data-testid=command-detail][data-state=awaiting]")
    press(bob, "a")
    bob.page.wait_for_selector("[data-testid=word-dialog]")
    bob.page.keyboard.type("looks right")
    press(bob, "Enter")
    bob.page.wait_for_selector("[data-testid=command-detail][data-state=queued]")
    bob.find("trail").get_by_text("approved: looks right").wait_for()
    ann.page.wait_for_selector("[data-testid=command-detail][data-state=queued]")  # told at once
    bob.move("/app/overview")
    bob.find("attention").wait_for()
    bob.until("document.querySelector('[data-testid=pending]') === null")


def test_a_guard_that_refuses_says_why_and_nothing_can_be_sent(
    plant: Running, visit: Visit
) -> None:
    ann = visit(plant).log_in("operator", "ann", at="/app/twins")
    ask(ann, "motor-2", "70")
    refused = ann.page.locator("[data-guard=interlock][data-answer=refuse]")
    assert "temperature is 95 °C" in refused.inner_text()
    assert ann.find("ask").get_attribute("aria-disabled") == "true"
    press(ann, "Enter")
    assert plant.call("GET", "/commands", twin="motor-2")["value"] == []


def test_what_a_command_would_do_is_simulated_and_held_against_what_it_did(
    plant: Running, visit: Visit
) -> None:
    send(plant, "motor-1", setpoint=20.0)
    ann = visit(plant).log_in("operator", "ann", at="/app/commands")
    ask(ann, "motor-1", "50")
    ann.find("simulate").click()
    foreseen = ann.find("foreseen")
    foreseen.wait_for()
    assert "Temperature" in foreseen.inner_text()
    assert "in 90 of 100 draws" in foreseen.inner_text()
    assert ann.find("request").get_by_text("exactly as it is written").count() == 0
    ann.find("confirm-input").fill("motor-1")
    ann.find("ask").click()
    ann.find("foretold").get_by_text("foreseen at the end").wait_for()
    link = ann.find("foretold").get_by_role("link")
    assert link.inner_text() == "Effect of setSpeed 50 on Motor 1"
    (scenario,) = plant.call("GET", "/scenarios")["value"]
    assert scenario["id"] == f"effect-{ann.find('command-detail').get_attribute('data-id')}"
    ann.open("/app/what-if")
    ann.find("effects").locator("summary").wait_for()
    assert not ann.find("scenario-line").is_visible()
    ann.find("effects").locator("summary").click()
    ann.find("scenario-line").wait_for()


def test_the_kill_switch_stands_in_the_status_bar(plant: Running, visit: Visit) -> None:
    ann = visit(plant).log_in("operator", "ann", at="/app/commands")
    ann.find("kill-switch").focus()
    press(ann, "Enter")
    ann.page.wait_for_selector("[data-testid=switch-dialog]")
    ann.page.keyboard.type("smoke")
    press(ann, "Enter")
    ann.page.wait_for_selector("[data-testid=stopped]")
    assert ann.find("status-stopped").count() == 1
    again = ann.find("kill-switch")
    assert "An engineer" in (again.get_attribute("aria-label") or "")
    plant.call("POST", "/killswitch/resume", {})
    ann.page.wait_for_selector("[data-testid=stopped]", state="detached")


def test_nothing_sticks_out_on_a_phone(plant: Running, visit: Visit) -> None:
    plant.call("POST", "/commands", {"twin": "motor-1", "command": "setSpeed", "arguments": 50})
    visitor = visit(plant, size=PHONE).log_in("operator", "cid", at="/app/commands")
    visitor.page.wait_for_selector("[data-testid=command-line]")
    assert visitor.sideways() == []
    visitor.page.locator(".command-what").first.click()
    visitor.page.wait_for_selector("[data-testid=command-detail]")
    assert visitor.sideways() == []
