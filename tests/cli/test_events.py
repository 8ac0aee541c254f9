"""gemel endpoint, gemel route: where events go is said and seen from the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.inside import MODELS, PUMP, Inside, inside, until
from cli.test_keep import ask, gemel


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """A broker that was there before: another server's."""
    with inside(tmp_path_factory.mktemp("broker") / "data") as found:
        yield found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Inside]]:
    folder = tmp_path_factory.mktemp("events") / "data"
    with inside(folder) as found:
        found.ask("POST", "/models", MODELS)
        yield folder, found


def test_an_endpoint_and_a_route_are_made_seen_working_and_ended(
    running: tuple[Path, Inside], other: Inside, tmp_path: Path
) -> None:
    folder, server = running
    data = ("--data", folder)
    code, out, _ = gemel("endpoint", "list", *data)
    assert (code, "nobody is told" in out) == (0, True)
    assert "no event routes" in gemel("route", "list", *data)[1]
    secret = tmp_path / "password"
    secret.write_text(other.token("admin") + "\n")
    heard = other.device(client_id="reader", token=other.token("admin"))
    heard.subscribe("plant/#")
    where = ("--mqtt", other.addresses.mqtt, "--topic", "plant/{twin}/{type}")
    who = ("--username", "x", "--password-file", secret, "--mode", "structured")
    made = ask("endpoint", "put", "site", *where, *who, "--largest", "50000", *data)
    assert (made["kind"], made["broker"]) == ("mqtt", other.addresses.mqtt)
    assert (made["mode"], made["largest"], made["hasPassword"]) == ("structured", 50_000, True)
    asked = "type = 'Microsoft.DigitalTwins.Twin.Create'"
    assert gemel("route", "put", "all", "site", "--filter", asked, *data)[0] == 0
    (shown,) = ask("route", "list", *data)["value"]
    assert shown == {"id": "all", "endpointName": "site", "filter": asked}
    twin = {"$metadata": {"$model": PUMP}, "bearing": {"$metadata": {}}}
    server.ask("PUT", "/digitaltwins/a", twin)
    until(lambda: heard.topics(), "the event")
    assert heard.topics() == ["plant/a/Microsoft.DigitalTwins.Twin.Create"]

    def delivered() -> int:
        (one,) = ask("endpoint", "list", *data)["value"]
        return int(one["delivered"])

    until(lambda: delivered() == 1, "the count")
    assert "plant/{twin}/{type}" in gemel("endpoint", "list", *data)[1]
    code, _, err = gemel("endpoint", "delete", "site", *data)
    assert (code, "delete the route first" in err) == (1, True)
    assert gemel("route", "delete", "all", *data)[1] == "route all is ended\n"
    assert gemel("endpoint", "delete", "site", *data)[1] == "endpoint site is forgotten\n"
    heard.close()


def test_what_is_wrong_is_said(running: tuple[Path, Inside], tmp_path: Path) -> None:
    data = ("--data", running[0])
    code, _, err = gemel("endpoint", "put", "n", "--mqtt", "nowhere", *data)
    assert (code, "HOST:PORT" in err) == (1, True)
    code, _, err = gemel("endpoint", "put", "n", "--url", "http://127.0.0.1/", *data)
    assert (code, "webhook_private" in err) == (1, True)
    missing = tmp_path / "missing"
    asked = ("--url", "https://example.com/", "--authorization-file", missing)
    code, _, err = gemel("endpoint", "put", "n", *asked, *data)
    assert (code, "the authorization cannot be read" in err) == (1, True)
    code, _, err = gemel("route", "put", "r", "none", *data)
    assert (code, "does not exist" in err) == (1, True)
