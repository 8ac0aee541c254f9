"""What stands around every page: the list of pages, wide and on a phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.browsing import PHONE
from e2e.conftest import Visit
from e2e.plants import motors, set_up
from running import Running

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("shell") / "data") as running:
        set_up(running, motors(3))
        yield running


def test_a_phone_shows_five_and_the_rest_under_more(plant: Running, visit: Visit) -> None:
    wide = visit(plant, size=(1440, 900)).log_in(at="/app/alarms")
    pages = [one.get_attribute("data-testid") for one in wide.page.locator(".nav a").all()]
    assert pages[:3] == ["nav-overview", "nav-plant", "nav-twins"]
    assert all(one.is_visible() for one in wide.page.locator(".nav a").all())
    assert not wide.find("nav-more").is_visible()
    phone = visit(plant, size=PHONE, has_touch=True, is_mobile=True).log_in(at="/app/alarms")
    bar = phone.page.locator(".nav > a:visible, .nav > button:visible")
    assert bar.count() == 5
    assert all(box["height"] >= 44 for one in bar.all() if (box := one.bounding_box()))
    more = phone.find("nav-more")
    assert more.get_attribute("aria-expanded") == "false"
    more.focus()
    phone.page.keyboard.press("Enter")
    sheet = phone.find("more")
    sheet.wait_for()
    phone.until("document.activeElement.dataset.testid === 'more-plant'")
    behind = [f"nav-{one.removeprefix('more-')}" for one in phone.page.evaluate(INSIDE)]
    shown = [one.get_attribute("data-testid") for one in bar.all()]
    assert sorted([*behind, *(one for one in shown if one != "nav-more")]) == sorted(pages)
    phone.page.keyboard.press("Escape")
    sheet.wait_for(state="detached")
    phone.until("document.activeElement.dataset.testid === 'nav-more'")
    more.click()
    phone.find("more-value").click()
    sheet.wait_for(state="detached")
    phone.page.get_by_role("heading", level=1, name="Value and fidelity").wait_for()
    phone.page.locator(".more-button.here").wait_for()


INSIDE = "() => [...document.querySelectorAll('.more-pages a')].map((a) => a.dataset.testid)"
