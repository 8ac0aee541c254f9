"""One request to a webhook: to a public address unless allowed, no redirects, 5 s in all."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httptools

from gemel.core.errors import InvalidInput, Refused, Unavailable

SECONDS = 5.0
LONGEST_URL = 2_000
PIECE = 8_192
LONGEST_ANSWER = 65_536
"""Bytes of an answer that are read."""
EMBEDDING = tuple(
    map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"))
)
"""IPv6 networks whose addresses stand for IPv4 ones."""
CLOUD_EVENT = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
FINAL = frozenset({400, 405, 406, 411, 413, 414, 415, 422})
"""Answers that will be the same however often this event is sent."""


@dataclass(frozen=True, slots=True)
class Target:
    """A webhook's address, taken apart."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        shown = f"[{self.host}]" if ":" in self.host else self.host
        is_default = self.port == (443 if self.scheme == "https" else 80)
        return shown if is_default else f"{shown}:{self.port}"


class Answer:
    """An answer as httptools tells of it, bit by bit; those of 1xx on the way to it are not it."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: dict[str, str] = {}
        """By name in small letters."""
        self.body = bytearray()
        self.has_head = False
        self.is_whole = False

    def feed(self, data: bytes) -> None:
        """Takes bytes in; what stands behind the answer is not looked at.

        Raises:
            ValueError: they are no HTTP.
        """
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.has_head:
                raise ValueError(str(error)) from None
            self.is_whole = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.has_head:
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        if self.has_head:
            return
        self.status = self._parser.get_status_code()
        self.has_head = self.status >= 200
        if not self.has_head:
            self.headers.clear()

    def on_body(self, body: bytes) -> None:
        if not self.is_whole:
            self.body += body

    def on_message_complete(self) -> None:
        self.is_whole = self.has_head


def read_url(url: object) -> Target:
    """Takes a URL apart.

    Raises:
        InvalidInput: it is none of http or https.
    """
    if (
        not isinstance(url, str)
        or len(url) > LONGEST_URL
        or not url.isascii()
        or not url.isprintable()
    ):
        raise _invalid("'url' must be an address such as https://example.com/events")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _invalid(f"'url' is not an address: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in url:
        raise _invalid("'url' must begin with https:// or http:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise _invalid("'url' must not hold a password; use 'authorization'")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    default = 443 if parts.scheme == "https" else 80
    return Target(parts.scheme, parts.hostname, port or default, path)


def _invalid(what: str) -> InvalidInput:
    return InvalidInput(what, hint="like https://example.com/events", code="EndpointInvalid")


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet."""
    found = ipaddress.ip_address(address.split("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        elif any(found in network for network in EMBEDDING):
            return False
    return found.is_global and not found.is_multicast


async def resolve(target: Target, allow_private: bool) -> str:
    """The IP address to connect to: the name is looked up once, and all it gives is checked.

    Raises:
        Unavailable: the name has no address now.
        Refused: an address is not public.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"'{target.host}' cannot be looked up: {error}") from None
    addresses = [str(one[4][0]) for one in found]
    private = [address for address in addresses if not is_public(address)]
    if private and not allow_private:
        raise Refused(
            f"'{target.host}' is {private[0]}, which is not a public address",
            hint="set webhook_private = true if events may go to addresses of your own network",
            code="EndpointInvalid",
        )
    return addresses[0]


async def send(
    target: Target,
    body: bytes,
    allow_private: bool,
    authorization: str = "",
    headers: Mapping[str, str] = CLOUD_EVENT,
) -> int:
    """Posts one message, a CloudEvent unless the headers say else; the status of the answer.

    Raises:
        Unavailable: there was no answer in time.
        Refused: the address is not public.
    """
    more = {"Authorization": authorization} if authorization else {}
    return (await ask(target, "POST", allow_private, {**headers, **more}, body)).status


async def ask(
    target: Target,
    method: str,
    allow_private: bool,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    reads: bool = False,
) -> Answer:
    """Sends one request; its answer, with the body only if it `reads` that.

    Raises:
        Unavailable: there was no answer in time.
        Refused: the address is not public.
    """
    try:
        async with asyncio.timeout(SECONDS):
            address = await resolve(target, allow_private)
            return await _exchange(target, address, _head(target, method, headers, body), reads)
    except TimeoutError:
        raise Unavailable(f"'{target.authority}' did not answer within {SECONDS:.0f} s") from None
    except (OSError, ValueError, ssl.SSLError) as error:
        raise Unavailable(f"'{target.authority}' cannot be reached: {error}") from None


def _head(target: Target, method: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [
        f"{method} {target.path} HTTP/1.1",
        f"Host: {target.authority}",
        "User-Agent: Gemel",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body


async def _exchange(target: Target, address: str, request: bytes, reads: bool) -> Answer:
    context = ssl.create_default_context() if target.scheme == "https" else None
    name = target.host if context is not None else None
    reader, writer = await asyncio.open_connection(
        address, target.port, ssl=context, server_hostname=name
    )
    try:
        writer.write(request)
        await writer.drain()
        return await _read(target, reader, reads)
    finally:
        writer.close()


async def _read(target: Target, reader: asyncio.StreamReader, reads: bool) -> Answer:
    answer = Answer()
    seen = 0
    while not (answer.is_whole if reads else answer.has_head):
        data = await reader.read(PIECE)
        seen += len(data)
        if not data and answer.has_head:
            break  # a body that ends with the connection
        if not data:
            raise Unavailable(f"'{target.authority}' closed the connection without an answer")
        if seen > LONGEST_ANSWER:
            raise Unavailable(
                f"'{target.authority}' answers with more than {LONGEST_ANSWER:,} bytes"
            )
        try:
            answer.feed(data)
        except ValueError:
            raise Unavailable(f"'{target.authority}' did not answer in HTTP") from None
    return answer
