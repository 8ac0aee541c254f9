"""Browser sessions: cookies, one-time links, and what another site may not do."""

from __future__ import annotations

from collections.abc import Iterator
from http.cookies import SimpleCookie

import pytest
from httpx import Response
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from app.inside import WAIT_SECONDS, Inside, inside
from gemel.api.session import COOKIE


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("session") / "data") as found:
        yield found


def cookie_of(answer: Response) -> str:
    return SimpleCookie(answer.headers["set-cookie"])[COOKIE].value


def begin(server: Inside, role: str = "admin") -> dict[str, str]:
    with server.client(server.token(role)) as client:
        return {"Cookie": f"{COOKIE}={cookie_of(client.post('/session'))}"}


def test_the_cookie_is_out_of_reach_of_scripts_and_sites(server: Inside) -> None:
    answer = server.http.post("/session")
    found = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
    assert found["httponly"]
    assert found["samesite"] == "lax"
    assert found["path"] == "/"
    assert int(found["max-age"]) == 12 * 3600
    assert found.value not in answer.text


def test_a_session_reads_and_writes_from_its_own_page(server: Inside) -> None:
    headers = begin(server)
    with server.client() as client:
        assert client.get("/me", headers=headers).json()["role"] == "admin"
        own = {**headers, "Origin": server.url}
        answer = client.post("/tokens", json={"role": "viewer"}, headers=own)
        assert answer.status_code == 201


@pytest.mark.parametrize(
    "origin",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_another_site_writes_nothing(method: str, origin: dict[str, str], server: Inside) -> None:
    headers = begin(server) | origin
    with server.client() as client:
        for path in ("/tokens", "/rules/x", "/digitaltwins/x", "/commands", "/plant"):
            answer = client.request(method, path, headers=headers, json={"role": "viewer"})
            assert answer.status_code in (403, 405), f"{method} {path}: {answer.text}"
        assert client.get("/me", headers=headers).status_code == 200  # reading it cannot see


def test_another_site_does_not_log_anybody_out(server: Inside) -> None:
    headers = begin(server)
    with server.client() as client:
        foreign = headers | {"Origin": "https://evil.example"}
        assert client.delete("/session", headers=foreign).status_code == 403
        assert client.get("/me", headers=headers).status_code == 200
        assert client.delete("/session", headers=headers).status_code == 204
        assert client.get("/me", headers=headers).status_code == 401


def test_a_session_does_not_renew_itself_and_is_no_bearer(server: Inside) -> None:
    headers = begin(server)
    secret = headers["Cookie"].partition("=")[2]
    with server.client() as client:
        assert client.post("/session", headers=headers).status_code == 401
        bearer = {"Authorization": f"Bearer {secret}"}
        assert client.get("/me", headers=bearer).status_code == 401
        assert client.get("/me", headers={"Cookie": f"{COOKIE}={server.admin}"}).status_code == 401


def test_ending_a_token_ends_its_sessions(server: Inside) -> None:
    made = server.ask("POST", "/tokens", {"role": "viewer", "name": "guest"})
    with server.client(made["token"]) as client:
        headers = {"Cookie": f"{COOKIE}={cookie_of(client.post('/session'))}"}
    with server.client() as client:
        assert client.get("/me", headers=headers).json()["name"] == "guest"
        assert server.http.delete(f"/tokens/{made['id']}").status_code == 204
        assert client.get("/me", headers=headers).status_code == 401
    assert made["id"] not in str(server.ask("GET", "/tokens"))


def test_a_link_logs_in_once(server: Inside) -> None:
    ticket = server.token("operator", use="link", seconds=60)
    with server.client() as client:
        answer = client.get("/login", params={"ticket": ticket})
        assert (answer.status_code, answer.headers["location"]) == (303, "/app/overview")
        assert answer.headers["cache-control"] == "no-store"
        cookie = {"Cookie": f"{COOKIE}={cookie_of(answer)}"}
        assert client.get("/me", headers=cookie).json()["role"] == "operator"
        client.cookies.clear()
        again = client.get("/login", params={"ticket": ticket})
        assert again.headers["location"] == "/app/login?reason=link"
        assert "set-cookie" not in again.headers
        late = server.token("operator", use="link", seconds=60)
        server.clock.advance(61)
        for wrong in ("", "x", late, server.admin):
            found = client.get("/login", params={"ticket": wrong})
            assert found.headers["location"] == "/app/login?reason=link"


def test_another_site_does_not_watch(server: Inside) -> None:
    address = server.url.replace("http", "ws") + "/live"
    headers = begin(server)
    for origin in ("https://evil.example", "null", "http://["):
        with connect(address, origin=origin, additional_headers=headers, proxy=None) as socket:
            with pytest.raises(ConnectionClosed) as caught:
                socket.recv(WAIT_SECONDS)
            assert caught.value.rcvd.code == 1008
    with connect(address, origin=server.url, additional_headers=headers, proxy=None) as socket:
        assert '"hello"' in socket.recv(WAIT_SECONDS)
    for bad in ({}, {"Authorization": "Bearer gml_x"}):
        with connect(address, additional_headers=bad, proxy=None) as socket:
            with pytest.raises(ConnectionClosed) as caught:
                socket.recv(WAIT_SECONDS)
            assert caught.value.rcvd.code == 1008
    device = {"Authorization": f"Bearer {server.token('device', 'a')}"}
    with connect(address, additional_headers=device, proxy=None) as socket:
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(WAIT_SECONDS)
        assert caught.value.rcvd.reason == "role device may not watch"
