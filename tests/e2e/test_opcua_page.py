"""From the page to an OPC UA server: a method is called, a set point is asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from connect.opcua_peer import Peer
from e2e.conftest import Visit
from running import Running

pytestmark = pytest.mark.browser
FAST = {"publishing": 0.05, "sampling": 0}
WAIT_SECONDS = 60


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    found = Peer(tmp_path_factory.mktemp("peer"))
    found.start()
    yield found
    found.kill()


@pytest.fixture(scope="module")
def press(peer: Peer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with one twin, made of an object of the peer."""
    with Running(tmp_path_factory.mktemp("press") / "data") as running:
        running.call("PUT", "/connections/press", {"opcua": peer.url, **FAST})
        end = time.monotonic() + WAIT_SECONDS
        while running.call("GET", "/connections")["value"][0]["state"] != "connected":
            assert time.monotonic() < end
            time.sleep(0.05)
        made = {"node": "/Plant/Press", "twin": "press-1"}
        running.call("POST", "/connections/press/twins", made)
        yield running


def test_a_method_is_called_from_the_page(press: Running, visit: Visit) -> None:
    ann = visit(press).log_in("operator", "ann", at="/app/twins/press-1")
    ann.page.get_by_role("tab", name="Commands").click()
    ann.find("command-button", command="Zero").first.click()
    ann.find("confirm-input").fill("press-1")
    ann.page.keyboard.press("Enter")
    ann.find("command-state", state="succeeded").wait_for()
    ann.page.keyboard.press("Escape")
    ann.find("command-button", command="Jam").first.click()
    ann.find("confirm-input").fill("press-1")
    ann.page.keyboard.press("Enter")
    life = ann.find("command-state", state="failed")
    life.wait_for()
    assert "BadInvalidState: it cannot be done in this state" in life.inner_text()


def test_a_set_point_is_asked_for_on_the_page_and_what_is_wrong_is_told(
    press: Running, peer: Peer, visit: Visit
) -> None:
    ann = visit(press).log_in("operator", "ann", at="/app/twins/press-1")
    ann.allowed = "status of 400"
    row = ann.find("property-row", path="Setpoint")
    row.locator("[data-testid=desired-button]").click()
    ann.page.locator("#desired").fill("500")
    ann.page.keyboard.press("Enter")
    ann.page.locator("#desired-help").get_by_text("EURange").wait_for()
    ann.page.locator("#desired").fill("62")
    ann.page.keyboard.press("Enter")
    ann.until(
        """() => {
          const number = document.querySelector("[data-path=Setpoint] .number");
          return number && Number(number.textContent) === 62;
        }"""
    )
    peer.tell("refuse", "Setpoint", "BadUserAccessDenied")
    row.locator("[data-testid=desired-button]").click()
    ann.page.locator("#desired").fill("63")
    ann.page.keyboard.press("Enter")
    ann.find("desired-problem", path="Setpoint").get_by_text("BadUserAccessDenied").wait_for()
