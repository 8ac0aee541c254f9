"""A person logs in at a certified provider (`oidc-provider` of npm) and out, in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.oidc_peer import SECRET, OidcPeer
from e2e.browsing import PHONE, Visitor
from e2e.conftest import Visit
from e2e.test_accessibility import AXE, SIZES, THEMES, problems
from running import Running

pytestmark = [pytest.mark.browser, pytest.mark.peer]

CONFIG = """
[oidc]
issuer = "{issuer}"
client_id = "gemel"
label = "your plant account"
[oidc.roles]
"plant-operators" = "operator"
"""
REFUSED = r"401|404|ERR_"
"""Of the provider: it has no icon, and its font is elsewhere."""


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcPeer]:
    found = OidcPeer(tmp_path_factory.mktemp("peer") / "errors")
    yield found
    found.close()


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory, peer: OidcPeer) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("plant")
    config = folder / "gemel.toml"
    config.write_text(CONFIG.format(issuer=peer.issuer))
    running = Running(folder / "data", "--config", str(config))
    running.environment["GEMEL_OIDC_CLIENT_SECRET"] = SECRET
    with running:
        peer.tell(f"serve {running.url}")
        yield running


def log_in(visitor: Visitor, name: str, at: str) -> None:
    """From a page of ours to the provider's, and to where that sends one."""
    page = visitor.page
    visitor.allowed = REFUSED
    page.goto(visitor.running.url + at)
    visitor.find("sign-on").click()
    page.get_by_placeholder("Enter any login").fill(name)
    page.get_by_placeholder("and password").fill("any")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()


def leave_out(visitor: Visitor, peer: OidcPeer) -> None:
    """The provider's own pages are asked for, and ask for a font, which is no mistake of ours."""
    others = (peer.issuer, "https://fonts.googleapis.com/")
    visitor.watch.foreign = [url for url in visitor.watch.foreign if not url.startswith(others)]


def test_a_person_logs_in_where_they_wanted_to_go_and_out_at_both(
    plant: Running, peer: OidcPeer, visit: Visit
) -> None:
    visitor = visit(plant)
    page = visitor.page
    log_in(visitor, "ann", "/app/alarms?state=active")
    visitor.ready()
    assert page.url == f"{plant.url}/app/alarms?state=active"
    assert "gemel" not in page.evaluate("document.cookie")
    me = visitor.context.request.get(f"{plant.url}/me").json()
    assert (me["name"], me["role"]) == ("ann", "operator")
    visitor.find("user").filter(has_text="ann").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{peer.issuer}/**")
    page.get_by_role("button", name="Yes").click()
    visitor.find("login").wait_for()
    assert page.url == f"{plant.url}/app/login"
    assert visitor.context.request.get(f"{plant.url}/me").status == 401
    visitor.find("sign-on").click()
    page.get_by_placeholder("Enter any login").wait_for()  # there, too, nobody is logged in
    leave_out(visitor, peer)


def test_who_has_no_role_is_told_so(plant: Running, peer: OidcPeer, visit: Visit) -> None:
    visitor = visit(plant, size=PHONE)
    log_in(visitor, "eve", "/app/overview")
    visitor.find("login-reason").filter(has_text="have no role here").wait_for()
    assert visitor.sideways() == []
    visitor.page.locator("#token").fill(plant.token)
    visitor.page.get_by_role("button", name="Sign in with the token").click()
    visitor.ready()
    leave_out(visitor, peer)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", sorted(SIZES))
def test_axe_finds_nothing_on_the_page(plant: Running, visit: Visit, size: str, theme: str) -> None:
    visitor = visit(plant, size=SIZES[size], color_scheme=theme, bypass_csp=True)
    visitor.context.add_init_script(path=AXE)
    visitor.allowed = "401"
    visitor.page.goto(f"{plant.url}/app/login?reason=provider")
    visitor.find("sign-on").wait_for()
    assert problems(visitor, "login") == []
    assert visitor.sideways() == []


def test_who_gives_up_at_the_provider_is_told_so(
    plant: Running, peer: OidcPeer, visit: Visit
) -> None:
    visitor = visit(plant)
    visitor.allowed = REFUSED
    visitor.page.goto(f"{plant.url}/app/overview")
    visitor.find("sign-on").click()
    visitor.page.get_by_role("link", name="Cancel").click()
    visitor.find("login-reason").filter(has_text="given up").wait_for()
    leave_out(visitor, peer)
