"""Alarms reach people: by a real SMTP server with TLS and login, a webhook and MQTT."""

from __future__ import annotations

import asyncio
import base64
import email
import hashlib
import hmac
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult

from app.inside import PUMP, Inside, inside, until
from gemel.app import certificates
from gemel.core.clock import system_clock

SECRET = "a secret of the webhook"
HOT = {"model": PUMP, "when": "temperature > 80 °C", "priority": 2, "title": "Hot"}


class Mailbox:
    """What the mail server took; `busy` makes it say "later" so many times."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.busy = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.busy > 0:
            self.busy -= 1
            return "451 try again later"
        assert session.ssl is not None
        assert session.authenticated
        self.mails.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content)))
        return "250 taken"


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[tuple[Mailbox, dict[str, Any]]]:
    chain, key, authority = certificates.server_files(tmp_path / "tls", ["127.0.0.1"], system_clock)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    box = Mailbox()

    def login(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        is_right = (data.login, data.password) == (b"gemel", b"pass")
        return AuthResult(success=is_right, handled=False)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def session() -> SMTP:
        return SMTP(
            box,
            hostname="127.0.0.1",
            tls_context=context,
            require_starttls=True,
            authenticator=login,
            auth_required=True,
            loop=loop,
        )

    opening = loop.create_server(session, "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(opening, loop).result(60)
    port = server.sockets[0].getsockname()[1]
    settings = {
        "smtp": f"127.0.0.1:{port}",
        "smtp_from": "gemel@example.com",
        "smtp_user": "gemel",
        "smtp_password": "pass",
        "smtp_ca": str(authority),
    }
    yield box, settings
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)
    loop.close()


class Hook:
    """A webhook that notes what it hears; `answers` are its next status codes."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        hook = self

        class Answering(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.heard.append((dict(self.headers.items()), body))
                self.send_response(hook.answers.pop(0) if hook.answers else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook()
    yield found
    found.close()


def notices(server: Inside, **query: Any) -> list[Any]:
    found: list[Any] = server.ask("GET", "/notices", **query)["value"]
    return found


def raise_one(server: Inside) -> str:
    server.ask("PUT", "/rules/hot", HOT)
    server.ingest("pump-1", temperature=90)
    found = until(lambda: server.ask("GET", "/alarms")["value"], "the alarm")
    return str(found[0]["id"])


def test_mail_goes_out_over_tls_with_a_login_and_again_when_the_server_was_busy(
    mail: tuple[Mailbox, dict[str, Any]], tmp_path: Path
) -> None:
    box, settings = mail
    box.busy = 1
    with inside(tmp_path / "data", **settings) as server:
        server.pumps("pump-1")
        server.ask("PUT", "/receivers/ops", {"kind": "email", "to": ["ann@example.com"]})
        server.ask(
            "PUT", "/notifications/urgent", {"priorities": [1, 2], "steps": [{"to": ["ops"]}]}
        )
        raise_one(server)
        (waiting,) = until(
            lambda: [n for n in notices(server) if n["attempts"] == 1], "the first attempt"
        )
        assert (waiting["state"], "451" in waiting["error"]) == ("waiting", True)
        server.clock.advance(10)
        (sent,) = until(lambda: notices(server, state="sent"), "the second attempt")
        ((to, message),) = box.mails
        assert to == ["ann@example.com"]
        assert message["Subject"] == "[P2] pump-1: Hot"
        assert message["Message-ID"] == f"<{sent['id']}@gemel>"
        assert "temperature > 80" in message.get_payload(decode=True).decode()
        assert server.ask("POST", "/receivers/ops/test", {})["receiver"] == "ops"
        assert len(box.mails) == 2


def test_a_wrong_password_or_certificate_is_told(
    mail: tuple[Mailbox, dict[str, Any]], tmp_path: Path
) -> None:
    _, settings = mail
    for number, (wrong, words) in enumerate(
        (
            ({"smtp_password": "no"}, "535"),
            ({"smtp_ca": ""}, "certificate"),
            ({"smtp_security": "none"}, "in the clear"),
            ({"smtp": ""}, "no mail server"),
        )
    ):
        with inside(tmp_path / f"data-{number}", **{**settings, **wrong}) as server:
            server.ask("PUT", "/receivers/ops", {"kind": "email", "to": ["ann@example.com"]})
            answer = server.http.post("/receivers/ops/test", json={})
            assert answer.status_code == 503
            assert words in answer.json()["error"]["message"], answer.text


def test_a_webhook_is_signed_repeated_with_its_id_and_outlives_a_restart(
    hook: Hook, tmp_path: Path
) -> None:
    hook.answers = [500]
    with inside(tmp_path / "data", webhook_private=True) as server:
        server.pumps("pump-1")
        body = {"kind": "webhook", "url": hook.url, "secret": SECRET}
        shown = server.ask("PUT", "/receivers/desk", body)
        assert shown == {"id": "desk", "kind": "webhook", "url": hook.url, "hasSecret": True}
        server.ask("PUT", "/notifications/all", {"steps": [{"to": ["desk"]}]})
        raise_one(server)
        until(lambda: [n for n in notices(server) if n["attempts"] == 1], "the first attempt")
    with inside(tmp_path / "data", webhook_private=True) as server:
        server.clock.advance(10)
        (sent,) = until(lambda: notices(server, state="sent"), "the second attempt")
        plant = server.ask("GET", "/plant")["alarms"]
        assert "secret" not in plant["receivers"]["desk"]
        server.ask("POST", "/plant", {"alarms": plant})
        assert server.ask("GET", "/receivers")["value"][0]["hasSecret"], "import keeps it"
    first, second = hook.heard
    assert first[0]["Webhook-Id"] == second[0]["Webhook-Id"] == sent["id"]
    assert second[0]["Idempotency-Key"] == sent["id"]
    headers, content = second
    signed = f"{sent['id']}.{headers['Webhook-Timestamp']}.".encode() + content
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["Webhook-Signature"] == f"v1,{expected}"
    assert json.loads(content)["alarm"]["rule"] == "hot"


def test_a_webhook_inside_the_network_is_refused(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        for url in ("http://127.0.0.1:9/x", "http://169.254.169.254/latest", "http://[::1]/"):
            body = {"kind": "webhook", "url": url}
            answer = server.http.put("/receivers/desk", json=body)
            assert answer.status_code in (400, 422), answer.text
            assert "not a public address" in answer.json()["error"]["message"]


def test_who_does_not_acknowledge_is_followed_by_the_next_over_mqtt(tmp_path: Path) -> None:
    with inside(tmp_path / "data") as server:
        server.pumps("pump-1")
        for name in ("ops", "boss"):
            server.ask("PUT", f"/receivers/{name}", {"kind": "mqtt", "topic": f"notices/{name}"})
        steps = [{"to": ["ops"]}, {"after": 600, "to": ["boss"]}]
        server.ask("PUT", "/notifications/all", {"steps": steps})
        token = server.token("viewer")
        with server.device(client_id="screen", token=token) as screen:
            screen.subscribe("notices/#")
            first = raise_one(server)
            until(lambda: screen.topics() == ["notices/ops"], "the first step")
            until(lambda: [n["receiver"] for n in notices(server, state="sent")] == ["ops"])
            server.clock.advance(300)
            assert {n["receiver"] for n in notices(server, state="waiting")} == {"boss"}
            server.clock.advance(301)
            until(lambda: screen.topics() == ["notices/ops", "notices/boss"], "the second step")
            server.ask("POST", f"/alarms/{first}/acknowledge", {})
            server.ingest("pump-1", temperature=20)
            until(lambda: not server.ask("GET", "/alarms")["value"], "the end")
            second = raise_one(server)
            assert second != first
            until(lambda: len(screen.topics()) == 3, "the first step again")
            server.ask("POST", f"/alarms/{second}/acknowledge", {})
            server.clock.advance(700)
            (skipped,) = until(lambda: notices(server, state="skipped"), "the skipped step")
            assert skipped["error"] == "the alarm is acknowledged"
            assert len(screen.topics()) == 3
