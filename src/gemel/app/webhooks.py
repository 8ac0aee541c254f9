"""Sends one event to a webhook: to a public address unless allowed, no redirects, 5 s in all."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from gemel.core.errors import InvalidInput, Refused, Unavailable

SECONDS = 5.0
LONGEST_URL = 2_000
LONGEST_LINE = 8_192
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
    try:
        async with asyncio.timeout(SECONDS):
            address = await resolve(target, allow_private)
            more = {"Authorization": authorization} if authorization else {}
            return await _post(target, address, body, {**headers, **more})
    except TimeoutError:
        raise Unavailable(f"'{target.authority}' did not answer within {SECONDS:.0f} s") from None
    except (OSError, ValueError, ssl.SSLError, asyncio.IncompleteReadError) as error:
        raise Unavailable(f"'{target.authority}' cannot be reached: {error}") from None


async def _post(target: Target, address: str, body: bytes, headers: Mapping[str, str]) -> int:
    context = ssl.create_default_context() if target.scheme == "https" else None
    name = target.host if context is not None else None
    reader, writer = await asyncio.open_connection(
        address, target.port, ssl=context, server_hostname=name, limit=LONGEST_LINE
    )
    try:
        head = [
            f"POST {target.path} HTTP/1.1",
            f"Host: {target.authority}",
            "User-Agent: Gemel",
            f"Content-Length: {len(body)}",
            "Connection: close",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        writer.write("\r\n".join(head).encode("ascii") + b"\r\n\r\n" + body)
        await writer.drain()
        line = await reader.readuntil(b"\n")
        words = line.split(None, 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
            raise Unavailable(f"'{target.authority}' did not answer in HTTP")
        return int(words[1][:4])
    finally:
        writer.close()
