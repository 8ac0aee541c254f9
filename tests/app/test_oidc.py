"""Programs show tokens of a provider over HTTP, sockets and MQTT; and what when it is away."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from api.test_session import cookie_of
from app.forging import AUDIENCE, Forger, make, packed, signed
from app.inside import WAIT_SECONDS, Inside, inside, until
from gemel.app import oidc_provider
from gemel.app.oidc_provider import read_metadata
from gemel.app.oidc_settings import Oidc
from gemel.app.oidc_tokens import SKEW_SECONDS
from gemel.core.clock import SECOND
from gemel.core.errors import InvalidInput

ROLES = {"readers": "viewer", "writers": "engineer", "heads": "admin"}


def settings(forger: Forger, **more: Any) -> Oidc:
    given = {"issuer": forger.issuer, "client_id": "gemel", "audience": (AUDIENCE,), "roles": ROLES}
    return Oidc(**(given | more))


@pytest.fixture(scope="module")
def forger() -> Iterator[Forger]:
    found = Forger()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, forger: Forger) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("oidc") / "data", oidc=settings(forger)) as found:
        found.pumps("pump-1")
        yield found


def now(server: Inside) -> float:
    return server.clock() / SECOND


def status(server: Inside, token: str, path: str = "/me", **more: Any) -> int:
    with server.client(token) as client:
        answer = client.get(path, **more)
    assert token not in answer.text
    return answer.status_code


def test_a_token_of_the_provider_is_as_good_as_one_of_ours(server: Inside, forger: Forger) -> None:
    with server.client(forger.token(now(server))) as client:
        me = client.get("/me").json()
        assert (me["name"], me["role"]) == ("historian", "engineer")
        assert client.post("/ingest/pump-1", json={"flow": 3.5}).status_code < 300
        assert client.get("/tokens").status_code == 403
    heads = forger.token(now(server), roles=["heads"], preferred_username="ann")
    with server.client(heads) as client:
        assert client.post("/tokens", json={"role": "viewer"}).status_code == 201
    rows = server.ask("GET", "/audit", kind="token")["value"]
    assert any(row["who"] == "ann" for row in rows)


def test_clients_of_other_products_may_show_it_as_a_password(
    server: Inside, forger: Forger
) -> None:
    token = forger.token(now(server))
    with server.client() as client:
        line = client.post("/write", content=b"pump-1 flow=4", auth=("anybody", token))
        assert line.status_code == 204
        with_word = {"Authorization": f"Token {token}"}
        again = client.post("/write", content=b"pump-1 flow=5", headers=with_word)
        assert again.status_code == 204


BAD: dict[str, dict[str, Any]] = {
    "of another issuer": {"iss": "https://evil.example"},
    "for another audience": {"aud": "another"},
    "for nobody": {"aud": None},
    "expired": {"exp": 1},
    "without an end": {"exp": None},
    "not valid yet": {"nbf": 4e9},
    "of the future": {"iat": 4e9},
    "of an unknown role": {"roles": ["strangers"]},
    "without a role": {"roles": None},
    "an ID token": {"nonce": "n"},
    "bound to a key": {"cnf": {"jkt": "x"}},
    "of the platform's name": {"preferred_username": "gemel"},
}


@pytest.mark.parametrize("what", BAD)
def test_a_token_is_refused_with_a_line_in_the_log(
    what: str, server: Inside, forger: Forger, caplog: pytest.LogCaptureFixture
) -> None:
    server.clock.advance(11)  # the same reason is told every ten seconds
    token = forger.token(now(server), **BAD[what])
    with caplog.at_level(logging.WARNING, "gemel.oidc"), server.client(token) as client:
        answer = client.get("/me")
    assert answer.status_code == 401
    assert "log says why" in answer.json()["error"]["hint"]
    lines = [record.getMessage() for record in caplog.records if record.name == "gemel.oidc"]
    assert len(lines) == 1
    assert lines[0].startswith("single sign-on: a token is refused: ")
    assert not any(part in lines[0] + answer.text for part in token.split("."))


def test_forged_tokens_are_refused(server: Inside, forger: Forger) -> None:
    moment, claims = now(server), forger.claims(now(server))
    key = forger.keys["first"]
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    good = forger.token(moment)
    head, body, signature = good.split(".")
    mightier = packed(json.dumps(claims | {"roles": ["heads"]}).encode())
    forged = [
        signed(key, {"alg": "none", "kid": "first"}, claims),
        f"{packed({'alg': 'none'})}.{body}.",
        signed(pem, {"alg": "HS256", "kid": "first"}, claims),
        signed(make(), {"alg": "RS256", "kid": "first"}, claims),
        f"{head}.{mightier}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
    ]
    assert status(server, good) == 200
    for token in forged:
        assert status(server, token) == 401
        with server.client() as client:
            assert client.post("/write", content=b"a b=1", auth=("x", token)).status_code == 401


def test_a_refused_token_is_counted_in_the_audit_log(server: Inside, forger: Forger) -> None:
    before = len(server.ask("GET", "/audit", kind="refusal")["value"])
    assert status(server, forger.token(now(server), aud="another")) == 401
    server.clock.advance(61)
    assert status(server, forger.token(now(server), aud="another")) == 401
    until(lambda: len(server.ask("GET", "/audit", kind="refusal")["value"]) > before)


def test_a_token_ends_when_it_says(server: Inside, forger: Forger) -> None:
    token = forger.token(now(server))
    assert status(server, token) == 200
    server.clock.advance(300 + SKEW_SECONDS - 2)
    assert status(server, token) == 200
    server.clock.advance(4)
    assert status(server, token) == 401


def test_a_session_begun_with_a_token_ends_with_it(server: Inside, forger: Forger) -> None:
    with server.client(forger.token(now(server))) as client:
        cookie = {"Cookie": f"gemel_session={cookie_of(client.post('/session'))}"}
    with server.client() as client:
        assert client.get("/me", headers=cookie).json()["name"] == "historian"
        server.clock.advance(300 + SKEW_SECONDS + 1)
        assert client.get("/me", headers=cookie).status_code == 401


def test_the_live_stream_ends_with_the_token(server: Inside, forger: Forger) -> None:
    headers = {"Authorization": f"Bearer {forger.token(now(server), roles=['readers'])}"}
    address = server.url.replace("http", "ws") + "/live"
    with connect(address, additional_headers=headers, proxy=None) as socket:
        assert '"hello"' in socket.recv(WAIT_SECONDS)
        socket.send(json.dumps({"type": "subscribe", "twins": ["pump-1"]}))
        server.clock.advance(300 + SKEW_SECONDS + 1)
        server.ingest("pump-1", flow=7.0)
        with pytest.raises(ConnectionClosed):
            list(socket)
        assert socket.close_reason == "the token is no longer valid"


def test_graphql_takes_it_over_http_and_over_its_socket(server: Inside, forger: Forger) -> None:
    token = forger.token(now(server))
    with server.client(token) as client:
        answer = client.post("/graphql", json={"query": "{ __typename }"})
    assert answer.json() == {"data": {"__typename": "Query"}}
    address = server.url.replace("http", "ws") + "/graphql"
    for payload, first in ((token, "connection_ack"), (token[:-5] + "AAAAA", None)):
        with connect(address, subprotocols=["graphql-transport-ws"], proxy=None) as socket:  # type: ignore[list-item]
            bearer = {"Authorization": f"Bearer {payload}"}
            socket.send(json.dumps({"type": "connection_init", "payload": bearer}))
            if first is None:
                with pytest.raises(ConnectionClosed):
                    socket.recv(WAIT_SECONDS)
            else:
                assert json.loads(socket.recv(WAIT_SECONDS))["type"] == first


def test_mqtt_takes_it_as_the_password_until_it_ends(server: Inside, forger: Forger) -> None:
    with server.device(token=forger.token(now(server)), client_id="historian") as device:
        assert not device.refused
        device.publish("devices/pump-1/telemetry", '{"flow": 9.5}')
        gone = threading.Event()
        device.client.on_disconnect = lambda *_: gone.set()
        server.clock.advance(300 + SKEW_SECONDS + 1)
        assert gone.wait(WAIT_SECONDS)
    bad = forger.token(now(server), aud="another")
    with server.device(token=bad, client_id="stranger") as device:
        assert "user name or password" in device.refused.lower()


def test_policies_go_by_the_name(server: Inside, forger: Forger) -> None:
    policy = {
        "effect": "forbid",
        "who": {"names": ["bob"]},
        "actions": ["read"],
        "twins": ["pump-1"],
    }
    server.ask("PUT", "/policies/no-bob", policy)
    bob = forger.token(now(server), preferred_username="bob")
    ann = forger.token(now(server), preferred_username="ann")
    assert status(server, bob, "/twins/pump-1") == 404
    assert status(server, ann, "/twins/pump-1") == 200
    server.ask("DELETE", "/policies/no-bob")
    assert status(server, bob, "/twins/pump-1") == 200


# ---- keys come and go ------------------------------------------------------------------------


def test_a_new_key_is_asked_for_once_and_one_that_was_taken_back_is_none(
    server: Inside, forger: Forger
) -> None:
    server.clock.advance(31)
    server.run(server.platform.sign_on.provider.fetch())  # so that none is due meanwhile
    old = forger.token(now(server))
    assert status(server, old) == 200
    forger.keys["second"] = make("EC")
    forger.published = ["second"]
    forger.asked.clear()
    server.clock.advance(31)
    assert status(server, forger.token(now(server), "second")) == 200
    assert forger.asked.count("/keys") == 1
    assert status(server, old) == 401  # though it was known before
    forger.published = ["first", "second"]


def test_unknown_keys_do_not_make_us_ask_all_the_time(server: Inside, forger: Forger) -> None:
    forger.keys["hidden"] = make("OKP")
    server.clock.advance(31)
    forger.asked.clear()
    for kid in ("hidden", "hidden", "hidden"):
        assert status(server, forger.token(now(server), kid)) == 401
    random = [forger.token(now(server), header={"kid": f"k{n}"}) for n in range(20)]
    assert {status(server, token) for token in random} == {401}
    assert forger.asked.count("/keys") == 1
    forger.published = ["first", "second", "hidden"]
    server.clock.advance(31)
    assert status(server, forger.token(now(server), "hidden")) == 200
    assert forger.asked.count("/keys") == 2


def test_requests_at_the_same_time_share_one_fetch(server: Inside, forger: Forger) -> None:
    forger.keys["third"] = make("EC")
    forger.published = [*forger.published, "third"]
    forger.hold = threading.Event()
    forger.asked.clear()
    server.clock.advance(31)
    found: list[int] = []
    token = forger.token(now(server), "third")
    waiting = [
        threading.Thread(target=lambda: found.append(status(server, token))) for _ in range(8)
    ]
    for one in waiting:
        one.start()
    until(lambda: forger.asked, "the first question")
    forger.hold.set()
    for one in waiting:
        one.join(WAIT_SECONDS)
    forger.hold = None
    assert found == [200] * 8
    assert forger.asked.count("/keys") == 1


def test_mqtt_has_a_new_key_a_moment_later(server: Inside, forger: Forger) -> None:
    forger.keys["fourth"] = make("EC")
    forger.published = [*forger.published, "fourth"]
    server.clock.advance(31)
    token = forger.token(now(server), "fourth")

    def is_taken() -> bool:
        with server.device(token=token, client_id="patient") as device:
            return not device.refused

    until(is_taken, "the key to be known")


# ---- the provider is away --------------------------------------------------------------------


def test_keys_that_are_known_go_on_while_the_provider_is_away(
    server: Inside, forger: Forger, caplog: pytest.LogCaptureFixture
) -> None:
    assert status(server, forger.token(now(server))) == 200
    forger.stop()
    provider = server.platform.sign_on.provider
    try:
        with caplog.at_level(logging.WARNING, "gemel.oidc"):
            for _ in range(3):
                server.clock.advance(700)
                server.run(provider.fetch())
            assert provider.problem
            assert status(server, forger.token(now(server))) == 200
            unknown = forger.token(now(server), header={"kid": "newer"})
            assert status(server, unknown) == 401
    finally:
        forger.start()
    with caplog.at_level(logging.WARNING, "gemel.oidc"):
        server.clock.advance(700)
        server.run(provider.fetch())
    assert provider.problem == ""
    lines = [record.getMessage() for record in caplog.records if record.name == "gemel.oidc"]
    assert sum("cannot be reached" in line for line in lines) == 1
    assert sum("answers again" in line for line in lines) == 1


def test_the_start_waits_for_no_provider(tmp_path: Path) -> None:
    forger = Forger()
    forger.stop()
    with inside(tmp_path / "data", oidc=settings(forger)) as server:
        with server.client(forger.token(now(server))) as client:
            answer = client.get("/me")
            assert answer.status_code == 503
            assert "does not answer" in answer.json()["error"]["message"]
            login = client.get("/login/oidc")
            assert login.headers["location"] == "/app/login?reason=provider"
        assert server.ask("GET", "/me")["role"] == "admin"  # our own tokens go on
        forger.start()
        server.clock.advance(31)
        assert status(server, forger.token(now(server))) == 200
    forger.stop()


def test_a_provider_that_does_not_end_its_answer_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc_provider, "SECONDS", 0.2)
    forger = Forger()
    forger.hold = threading.Event()
    with inside(tmp_path / "data", oidc=settings(forger)) as server:
        with server.client(forger.token(now(server))) as client:
            answer = client.get("/me")
        assert answer.status_code == 503
        assert "did not answer within" in answer.json()["error"]["message"]
    forger.hold.set()
    forger.stop()


@pytest.mark.parametrize(
    ("path", "answer", "why"),
    [
        ("/keys", (200, {"keys": []}), "no public key"),
        ("/keys", (200, b"[" * 5000), "no JSON object"),
        ("/keys", (500, {}), "status 500"),
        ("/keys", (200, b" " * (oidc_provider.LARGEST + 1)), "larger than"),
        ("/.well-known/openid-configuration", (404, {}), "status 404"),
        ("/.well-known/openid-configuration", (302, {}), "status 302"),
        ("/.well-known/openid-configuration", (200, {"issuer": "https://x"}), "calls itself"),
    ],
)
def test_what_a_provider_says_wrongly_is_told(
    path: str, answer: Any, why: str, tmp_path: Path
) -> None:
    forger = Forger()
    forger.answers[path] = answer
    with inside(tmp_path / "data", oidc=settings(forger)) as server:
        with server.client(forger.token(now(server))) as client:
            found = client.get("/me")
        assert found.status_code == 503
        assert why in found.json()["error"]["message"]
        assert "/elsewhere" not in forger.asked
    forger.stop()


def test_without_an_audience_no_token_is_taken(tmp_path: Path) -> None:
    forger = Forger()
    with inside(tmp_path / "data", oidc=settings(forger, audience=())) as server:
        server.run(server.platform.sign_on.provider.fetch())
        for audience in (AUDIENCE, "gemel", "", None):
            assert status(server, forger.token(now(server), aud=audience)) == 401
    forger.stop()


def test_where_it_is_not_set_up_there_is_none(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server, server.client("a.b.c") as client:
        assert client.get("/me").status_code == 401
        assert client.get("/login/options").json() == {"signOn": None}
        assert client.get("/login/oidc").status_code == 404
        assert client.get("/login/oidc/callback?code=x&state=y").status_code == 404


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://other.example"},
        {"jwks_uri": None},
        {"jwks_uri": "http://login.example/keys"},
        {"token_endpoint": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://login.example/ authorize"},
        {"end_session_endpoint": "http://login.example/end"},
        {"userinfo_endpoint": 5},
    ],
)
def test_addresses_that_are_not_safe_are_not_taken(said: dict[str, Any]) -> None:
    at = "https://login.example"
    names = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
    good = {"issuer": at, "jwks_uri": f"{at}/keys"} | {name: f"{at}/{name}" for name in names}
    assert read_metadata(good, at).end_session == ""
    with pytest.raises(InvalidInput):
        read_metadata(good | said, at)
