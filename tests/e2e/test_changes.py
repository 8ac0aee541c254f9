"""The part of a twin that tells who changed it, and what is different between two moments."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.conftest import Visit
from e2e.plants import running_plant
from running import Running

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("changes") / "data") as running:
        running_plant(running, 2)
        patch = [{"op": "add", "path": "/name", "value": "Feed motor"}]
        running.call("PATCH", "/digitaltwins/motor-1", patch)
        yield running


def test_a_twin_tells_who_changed_it_and_what_is_different(plant: Running, visit: Visit) -> None:
    visitor = visit(plant).log_in("viewer", "vera", at="/app/twins/motor-1?tab=changes")
    visitor.page.wait_for_selector("[data-testid=edit]")
    newest = visitor.page.locator("[data-testid=edit]").first.inner_text()
    assert "PATCH /digitaltwins/motor-1" in newest
    assert "Feed motor" in newest
    compared = visitor.page.locator("[data-testid=compare]")
    visitor.until("document.querySelector('[data-testid=compare]').innerText.includes('made in')")
    assert "The twin was made in between." in compared.inner_text()


def test_two_twins_are_compared_side_by_side(plant: Running, visit: Visit) -> None:
    visitor = visit(plant).log_in("viewer", "vera", at="/app/twins/motor-1?tab=changes")
    visitor.find("pair-id").fill("motor-2")
    visitor.find("pair-id").press("Enter")
    pair = visitor.find("pair")
    pair.get_by_text("Feed motor").nth(1).wait_for()
    words = pair.inner_text()
    assert "Motor 2" in words  # the other's name
    assert "9\n" in words.replace(" ", "\n")  # its own vibration ...
    assert "1.2" in words  # ... and the other's
    assert "with=motor-2" in visitor.page.url
    visitor.find("pair-id").fill("nobody")
    visitor.allowed = "404"
    visitor.find("pair-id").press("Enter")
    pair.get_by_text("There is no twin called nobody.").wait_for()
