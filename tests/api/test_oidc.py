"""People log in at a provider: the way there and back, and all that may go wrong on it."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import closing
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from api.test_session import cookie_of
from app.forging import Forger, make
from app.inside import WAIT_SECONDS, Inside, inside
from app.oidc_peer import AUDIENCE, OidcPeer
from app.test_oidc import settings
from gemel.api.oidc import COOKIE, INSIDE
from gemel.core.clock import SECOND

ROLES = {"readers": "viewer", "writers": "engineer"}


@pytest.fixture(scope="module")
def forger() -> Iterator[Forger]:
    found = Forger()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, forger: Forger) -> Iterator[Inside]:
    asked = settings(forger, label="Contoso", client_secret="s")
    with inside(tmp_path_factory.mktemp("login") / "data", oidc=asked) as found:
        yield found


class Login:
    """A browser's log-in, as far as the provider's own page."""

    def __init__(self, server: Inside, forger: Forger, to: str = "") -> None:
        self.server, self.forger = server, forger
        with server.client() as client:
            answer = client.get("/login/oidc", params={"to": to} if to else {})
        assert answer.status_code == 303
        self.headers = answer.headers
        self.address = urlsplit(answer.headers["location"])
        self.asked = {name: value[0] for name, value in parse_qs(self.address.query).items()}
        self.cookie = SimpleCookie(answer.headers["set-cookie"])[COOKIE]
        self.said: dict[str, str] = {"state": self.asked["state"], "code": "c"}
        self.cookies = {"Cookie": f"{COOKIE}={self.cookie.value}"}

    def word(self, **claims: Any) -> str:
        """An ID token."""
        mine = {"aud": "gemel", "nonce": self.asked["nonce"], "preferred_username": "ann"}
        moment = self.server.clock() / SECOND
        return self.forger.token(moment, header={"typ": "JWT"}, **(mine | claims))

    def come_back(self, word: str | None, **answer: Any) -> httpx.Response:
        body = {"access_token": "opaque", "token_type": "Bearer", **answer}
        self.forger.answers["/token"] = (200, body | ({} if word is None else {"id_token": word}))
        return self.arrive()

    def arrive(self) -> httpx.Response:
        with self.server.client() as client:
            return client.get("/login/oidc/callback", params=self.said, headers=self.cookies)


def failed(answer: httpx.Response) -> str:
    """Why the page will say that it failed; nobody is logged in."""
    assert answer.status_code == 303
    assert "gemel_session" not in answer.headers.get("set-cookie", "")
    path, _, reason = answer.headers["location"].partition("?reason=")
    assert path == "/app/login"
    return reason


def test_the_page_is_told_that_there_is_a_provider(server: Inside) -> None:
    assert server.ask("GET", "/login/options") == {"signOn": {"label": "Contoso"}}


def test_a_browser_is_sent_there_with_what_only_it_knows(server: Inside, forger: Forger) -> None:
    first, second = Login(server, forger), Login(server, forger)
    assert first.address.path == "/authorize"
    asked = first.asked
    assert asked["response_type"] == "code"
    assert asked["client_id"] == "gemel"
    assert asked["redirect_uri"] == f"{server.url}/login/oidc/callback"
    assert asked["scope"] == "openid profile email"
    assert asked["code_challenge_method"] == "S256"
    kept = json.loads(base64.urlsafe_b64decode(first.cookie.value))
    digest = hashlib.sha256(kept["verifier"].encode()).digest()
    assert asked["code_challenge"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert kept["verifier"] not in first.headers["location"]
    for name in ("state", "nonce", "code_challenge"):
        assert len(asked[name]) >= 43
        assert asked[name] != second.asked[name]
    assert first.headers["cache-control"] == "no-store"
    cookie = first.cookie
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "lax", "/login/oidc")
    assert int(cookie["max-age"]) == 600


def test_a_person_comes_back_into_a_session(server: Inside, forger: Forger) -> None:
    login = Login(server, forger, "/app/alarms?state=active")
    answer = login.come_back(login.word())
    assert answer.headers["location"] == "/app/alarms?state=active"
    assert answer.headers["cache-control"] == "no-store"
    session = {"Cookie": f"gemel_session={cookie_of(answer)}"}
    with server.client() as client:
        me = client.get("/me", headers=session).json()
        assert (me["name"], me["role"]) == ("ann", "engineer")
        again = login.arrive()
    assert "gemel_session" in answer.headers["set-cookie"]
    assert again.status_code == 303  # the provider, and not we, takes a code once
    rows = server.ask("GET", "/audit", kind="token")["value"]
    assert any(row["who"] == "ann" and row["why"] == "session created" for row in rows)


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/", "//evil.example", "/\\evil.example", "/app\\..\\..",
        "/app/x\r\nA: b",
        "javascript:alert(1)", "/twins", "/app", "/app/#x",
        "/app/" + "x" * 2_000, "/APP/x", "/app/é",
    ],
)  # fmt: skip
def test_it_leads_nowhere_but_into_the_page(to: str, server: Inside, forger: Forger) -> None:
    assert not INSIDE.fullmatch(to)
    login = Login(server, forger, to)
    assert login.come_back(login.word()).headers["location"] == "/app/overview"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"nonce": "another"}, "again"),
        ({"nonce": None}, "again"),
        ({"aud": "another"}, "again"),
        ({"aud": ["gemel", "another"]}, "again"),
        ({"azp": "another"}, "again"),
        ({"iss": "https://evil.example"}, "again"),
        ({"exp": 1}, "again"),
        ({"exp": None}, "again"),
        ({"roles": ["strangers"]}, "role"),
        ({"roles": []}, "role"),
        ({"preferred_username": "gemel"}, "role"),
    ],
)
def test_another_word_than_for_this_log_in_is_refused(
    claims: dict[str, Any], reason: str, server: Inside, forger: Forger
) -> None:
    login = Login(server, forger)
    assert failed(login.come_back(login.word(**claims))) == reason


def test_a_word_for_several_is_taken_where_it_was_made_for_us(
    server: Inside, forger: Forger
) -> None:
    login = Login(server, forger)
    answer = login.come_back(login.word(aud=["gemel", "another"], azp="gemel"))
    assert answer.headers["location"] == "/app/overview"


def test_a_word_that_nobody_signed_is_refused(server: Inside, forger: Forger) -> None:
    login = Login(server, forger)
    head, body, signature = login.word().split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","kid":"first"}').rstrip(b"=").decode()
    for word in (f"{none}.{body}.", f"{head}.{body}.", f"{head}.{body}.{signature[:-4]}AAAA", None):
        assert failed(login.come_back(word)) == "again"


def test_a_word_of_a_new_key_is_taken(server: Inside, forger: Forger) -> None:
    server.clock.advance(31)
    forger.keys["newer"] = make("EC")
    login = Login(server, forger)
    moment = server.clock() / SECOND
    forger.published = ["first", "newer"]
    word = forger.token(moment, "newer", {"typ": "JWT"}, aud="gemel", nonce=login.asked["nonce"])
    assert login.come_back(word).headers["location"] == "/app/overview"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"state": "another"}, "again"),
        ({"state": ""}, "again"),
        ({"code": ""}, "again"),
        ({"iss": "https://evil.example"}, "again"),
        ({"error": "access_denied"}, "denied"),
        ({"error": "server_error", "error_description": "<b>"}, "provider"),
        ({"error": "<script>alert(1)</script>"}, "provider"),
    ],
)
def test_what_the_browser_brings_back_must_belong_to_the_log_in(
    said: dict[str, str], reason: str, server: Inside, forger: Forger
) -> None:
    login = Login(server, forger)
    login.said |= said
    forger.asked.clear()
    assert failed(login.come_back(login.word())) == reason
    assert "/token" not in forger.asked


@pytest.mark.parametrize("cookie", ["", "x", "e30=", "bnVsbA==", "W10=", "{}", "é".encode().hex()])
def test_a_browser_that_has_begun_nothing_is_sent_to_the_start(
    cookie: str, server: Inside, forger: Forger
) -> None:
    login = Login(server, forger)
    login.cookies = {"Cookie": f"{COOKIE}={cookie}"}
    assert failed(login.come_back(login.word())) == "again"
    other = Login(server, forger)  # of another browser: its cookie is not ours
    login.cookies = other.cookies
    assert failed(login.come_back(login.word())) == "again"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((400, {"error": "invalid_grant"}), "again"),
        ((401, {"error": "invalid_client"}), "provider"),
        ((500, b"oops"), "provider"),
        ((302, {}), "provider"),
        ((200, b"not json"), "again"),
        ((200, {"id_token": 5}), "again"),
        ((200, {"id_token": "x" * 30_000}), "again"),
    ],
)
def test_a_code_that_is_worth_nothing(
    answer: Any, reason: str, server: Inside, forger: Forger, caplog: pytest.LogCaptureFixture
) -> None:
    login = Login(server, forger)
    server.clock.advance(11)  # the same is told once in ten seconds
    forger.answers["/token"] = answer
    with caplog.at_level(logging.WARNING, "gemel.oidc"):
        assert failed(login.arrive()) == reason
    assert "a log-in failed" in caplog.text
    for secret in (login.asked["nonce"], login.asked["state"]):
        assert secret not in caplog.text


def test_browsers_that_fail_again_and_again_do_not_fill_the_log(
    server: Inside, forger: Forger, caplog: pytest.LogCaptureFixture
) -> None:
    login = Login(server, forger)
    server.clock.advance(11)
    with caplog.at_level(logging.WARNING, "gemel.oidc"):
        for number in range(20):
            login.said["error"] = f"odd-{number}"
            assert failed(login.arrive()) == "provider"
    assert len([one for one in caplog.records if one.name == "gemel.oidc"]) == 1


def test_roles_that_the_token_does_not_tell_are_asked_for(server: Inside, forger: Forger) -> None:
    login = Login(server, forger)
    forger.answers["/userinfo"] = (200, {"sub": "historian", "roles": ["readers"]})
    answer = login.come_back(login.word(roles=None))
    assert answer.headers["location"] == "/app/overview"
    session = {"Cookie": f"gemel_session={cookie_of(answer)}"}
    with server.client() as client:
        assert client.get("/me", headers=session).json()["role"] == "viewer"
    for said in ({"sub": "another", "roles": ["writers"]}, {"roles": ["writers"]}):
        login = Login(server, forger)
        forger.answers["/userinfo"] = (200, said)
        assert failed(login.come_back(login.word(roles=None))) == "provider"
    forger.asked.clear()
    login = Login(server, forger)
    login.come_back(login.word())
    assert "/userinfo" not in forger.asked


def test_the_page_logs_out_at_the_provider_too(server: Inside, forger: Forger) -> None:
    login = Login(server, forger)
    word = login.word()
    session = {"Cookie": f"gemel_session={cookie_of(login.come_back(word))}"}
    with server.client() as client:
        answer = client.delete("/session", headers=session)
        assert answer.status_code == 204
        there = urlsplit(answer.headers["location"])
        asked = {name: value[0] for name, value in parse_qs(there.query).items()}
        assert there.path == "/end"
        assert asked["id_token_hint"] == word
        assert asked["client_id"] == "gemel"
        assert asked["post_logout_redirect_uri"] == f"{server.url}/app/login"
        assert client.get("/me", headers=session).status_code == 401
        assert "location" not in client.delete("/session", headers=session).headers
        ours = server.client(server.admin).post("/session")
        plain = {"Cookie": f"gemel_session={cookie_of(ours)}"}
        assert "location" not in client.delete("/session", headers=plain).headers


def test_an_admin_ends_all_sessions_of_the_provider(server: Inside, forger: Forger) -> None:
    login = Login(server, forger)
    session = {"Cookie": f"gemel_session={cookie_of(login.come_back(login.word()))}"}
    with server.client() as client:
        assert client.get("/me", headers=session).status_code == 200
        server.ask("DELETE", "/tokens/oidc")
        assert client.get("/me", headers=session).status_code == 401
    assert server.http.delete("/tokens/oidc").status_code == 404


def test_sessions_go_on_while_the_provider_is_away(server: Inside, forger: Forger) -> None:
    login = Login(server, forger)
    session = {"Cookie": f"gemel_session={cookie_of(login.come_back(login.word()))}"}
    forger.stop()
    try:
        with server.client() as client:
            assert client.get("/me", headers=session).status_code == 200
        assert failed(login.arrive()) == "provider"
        server.clock.advance(12 * 3600 + 1)
        with server.client() as client:
            assert client.get("/me", headers=session).status_code == 401
    finally:
        forger.start()


def test_the_address_of_the_page_can_be_said(tmp_path: Path, forger: Forger) -> None:
    at = "https://twin.plant.example"
    with inside(tmp_path / "data", oidc=settings(forger, page=at + "/")) as server:
        login = Login(server, forger)
        assert login.asked["redirect_uri"] == at + "/login/oidc/callback"
        assert login.cookie["secure"]
        answer = login.come_back(login.word())
        assert SimpleCookie(answer.headers.get_list("set-cookie")[0])["gemel_session"]["secure"]


def test_a_public_client_shows_no_secret(tmp_path: Path, forger: Forger) -> None:
    forger.more = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    for secret in ("", "s"):
        folder = tmp_path / f"data-{secret}"
        with inside(folder, oidc=settings(forger, client_secret=secret)) as server:
            login = Login(server, forger)
            assert login.come_back(login.word()).headers["location"] == "/app/overview"
    forger.more = {}


# ---- a certified provider --------------------------------------------------------------------


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcPeer]:
    found = OidcPeer(tmp_path_factory.mktemp("peer") / "errors")
    yield found
    found.close()


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory, peer: OidcPeer) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("joined") / "data", oidc=peer.settings()) as found:
        peer.tell(f"serve {found.url}")
        yield found


def walk(server: Inside, name: str) -> tuple[httpx.Client, httpx.Response]:
    """Logs in at the provider's own pages, as a browser does; the client, and where it ended."""
    client = httpx.Client(timeout=WAIT_SECONDS, trust_env=False, follow_redirects=True)
    page = client.get(f"{server.url}/login/oidc")
    form = {"prompt": "login", "login": name, "password": "any"}
    page = client.post(page.url, data=form)
    return client, client.post(page.url, data={"prompt": "consent"})


@pytest.mark.peer
def test_a_certified_provider_logs_people_in(joined: Inside) -> None:
    client, page = walk(joined, "ann")
    with closing(client):
        assert page.url.path == "/app/overview"
        assert page.history[-1].status_code == 303
        me = client.get(f"{joined.url}/me").json()
        assert (me["name"], me["role"]) == ("ann", "operator")
    client, page = walk(joined, "eve")
    with closing(client):
        assert str(page.url.path) == "/app/login"
        assert page.url.params["reason"] == "role"
        assert client.get(f"{joined.url}/me").status_code == 401


@pytest.mark.peer
def test_its_client_credentials_open_the_api(joined: Inside, peer: OidcPeer) -> None:
    def token() -> str:
        form = {"grant_type": "client_credentials", "scope": "write", "resource": AUDIENCE}
        with httpx.Client(timeout=WAIT_SECONDS, trust_env=False) as client:
            url = f"{peer.issuer}/token"
            answer = client.post(url, data=form, auth=("historian", "other")).json()
        return str(answer["access_token"])

    first = token()
    for turn in range(2):
        with joined.client(token()) as client:
            me = client.get("/me").json()
            assert (me["name"], me["role"]) == ("historian", "engineer"), turn
        joined.clock.advance(31)
        peer.tell("rotate")
    with joined.client(token()) as client:
        assert client.get("/me").status_code == 200
    with joined.client(first) as client:
        assert client.get("/me").status_code == 401
