"""A provider of single sign-on that signs whatever it is told to, by `cryptography` alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
AUDIENCE = "api://gemel"


def packed(data: bytes | dict[str, Any]) -> str:
    content = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def number(value: int, size: int = 0) -> str:
    return packed(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def make(kind: str = "RSA") -> Private:
    if kind == "RSA":
        return rsa.generate_private_key(65537, 2048)
    if kind == "OKP":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


def public(key: Private, kid: str | None) -> dict[str, Any]:
    """A JWK."""
    found: dict[str, Any] = {"use": "sig"} | ({} if kid is None else {"kid": kid})
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {**found, "kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {**found, "kty": "OKP", "crv": "Ed25519", "x": packed(raw)}
    point = key.public_key().public_numbers()
    x, y = number(point.x, 32), number(point.y, 32)
    return {**found, "kty": "EC", "crv": "P-256", "x": x, "y": y}


def signed(key: Private | bytes, header: dict[str, Any], claims: dict[str, Any] | bytes) -> str:
    """A token; with bytes for a key, one that is signed with a secret; `none` is not signed."""
    text = f"{packed(header)}.{packed(claims)}"
    return f"{text}.{packed(_signature(key, str(header.get('alg')), text.encode()))}"


def _signature(key: Private | bytes, algorithm: str, text: bytes) -> bytes:
    if algorithm.lower() == "none":
        return b""
    if isinstance(key, bytes):
        return hmac.new(key, text, hashlib.sha256).digest()
    if isinstance(key, rsa.RSAPrivateKey):
        if algorithm.startswith("PS"):
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            return key.sign(text, pss, hashes.SHA256())
        return key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(text)
    r, s = utils.decode_dss_signature(key.sign(text, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Forger:
    """An issuer on a free port: what it publishes and signs is the test's affair."""

    def __init__(self) -> None:
        self.keys: dict[str, Private] = {"first": make()}
        self.published = ["first"]
        self.asked: list[str] = []
        """Paths that were asked for."""
        self.answers: dict[str, tuple[int, Any]] = {}
        """By path: what is answered in place of what is true."""
        self.more: dict[str, Any] = {}
        """What it says of itself besides."""
        self.hold: threading.Event | None = None
        """Answers wait for it."""
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.start()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        forger = self

        class Face(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                forger._answer(self)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                forger._answer(self)

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Face)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """It is gone; `start` brings it back to where it was."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def said(self) -> dict[str, Any]:
        at = self.issuer
        return {
            "issuer": at,
            "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token",
            "userinfo_endpoint": f"{at}/userinfo",
            "end_session_endpoint": f"{at}/end",
            "jwks_uri": f"{at}/keys",
            **self.more,
        }

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        self.asked.append(path)
        if self.hold is not None:
            self.hold.wait(30)
        keys = [public(self.keys[kid], kid) for kid in self.published]
        true = {"/.well-known/openid-configuration": self.said(), "/keys": {"keys": keys}}
        status, body = self.answers.get(path, (200 if path in true else 404, true.get(path, {})))
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        request.send_response(status)
        if status in (301, 302, 307):
            request.send_header("Location", f"{self.issuer}/elsewhere")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def claims(self, now: float, **other: Any) -> dict[str, Any]:
        """Those of a good access token; None takes one away."""
        found = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "historian",
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now) + 300,
            "roles": ["writers"],
        } | other
        return {name: value for name, value in found.items() if value is not None}

    def token(
        self, now: float, kid: str = "first", header: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        key = self.keys[kid]
        kind = {rsa.RSAPrivateKey: "RS256", ed25519.Ed25519PrivateKey: "EdDSA"}
        algorithm = next((name for of, name in kind.items() if isinstance(key, of)), "ES256")
        head = {"alg": algorithm, "kid": kid, "typ": "at+jwt"} | (header or {})
        head = {name: value for name, value in head.items() if value is not None}
        return signed(key, head, self.claims(now, **claims))
