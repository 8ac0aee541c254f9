"""What there is to say of an OPC UA server, and what its link is told beside."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from gemel.core.errors import InvalidInput

FOLDER = "opcua"
"""Of the data folder: where our own certificate is."""
SECURITY = ("none", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
MODES = ("sign-and-encrypt", "sign")
TIMESTAMPS = ("source", "server", "received")
MOST_NODES = 100
_FINGERPRINT = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){31}", re.IGNORECASE)
_NODE_ID = re.compile(r"(ns=\d+;|nsu=[^;]+;)?[isgb]=.+", re.DOTALL)


def check_node(text: str) -> None:
    """Raises InvalidInput if a text is neither a node id nor a browse path."""
    if text.startswith("/") or _NODE_ID.fullmatch(text):
        return
    raise InvalidInput(
        f"'{text[:200]}' is neither a node id nor a browse path",
        hint="write it like ns=2;s=Press.Speed, nsu=urn:maker:press;i=5 or /Plant/Press",
    )


@dataclass(frozen=True)
class OpcUaConnection:
    """An OPC UA server, to subscribe to variables of."""

    kind: ClassVar[str] = "opcua"
    opcua: str = ""
    """opc.tcp://HOST:PORT/PATH."""
    nodes: tuple[str, ...] = ("/",)
    security: str = "none"
    mode: str = "sign-and-encrypt"
    trust: str = ""
    """SHA-256 of the server's certificate."""
    username: str = ""
    password: str = ""
    publishing: float = 1.0
    """Seconds."""
    sampling: float = 1.0
    """Seconds; 0 for as often as the server can."""
    queue: int = 100
    """Values of a node that the server keeps between two publications."""
    timestamps: str = "source"

    def check(self) -> None:
        """Raises InvalidInput if something is not of its form."""
        _check_url(self.opcua)
        if not 1 <= len(self.nodes) <= MOST_NODES:
            raise InvalidInput(
                f"'nodes' must be 1 to {MOST_NODES} node ids or browse paths",
                hint='["/Plant", "ns=2;i=5"]',
            )
        for one in self.nodes:
            check_node(one)
        for name, known in (("security", SECURITY), ("mode", MODES), ("timestamps", TIMESTAMPS)):
            value = getattr(self, name)
            if value not in known:
                raise InvalidInput(f"'{name}' is '{value[:80]}'", hint="one of " + ", ".join(known))
        if self.trust and not _FINGERPRINT.fullmatch(self.trust):
            raise InvalidInput(
                "'trust' is no SHA-256 fingerprint", hint="64 hexadecimal digits, in pairs with ':'"
            )
        for name, low, high in (("publishing", 0.01, 3600), ("sampling", 0, 3600)):
            if not low <= getattr(self, name) <= high:
                raise InvalidInput(f"'{name}' must be {low} to {high:,} seconds")
        if not 1 <= self.queue <= 10_000:
            raise InvalidInput("'queue' must be 1 to 10,000 values")


@dataclass(frozen=True, kw_only=True)
class LinkSettings(OpcUaConnection):
    """What was said, and what follows from where."""

    name: str
    """The first level of every topic."""
    folder: Path
    """Where our own certificate is kept, made at first need."""
    skew: float
    """Seconds that the server's clock may be off."""


def _check_url(text: str) -> None:
    hint = "write it like opc.tcp://10.0.0.5:4840"
    try:
        found = urlsplit(text)
        port = found.port
    except ValueError as error:
        raise InvalidInput(f"'opcua' is '{text}': {error}", hint=hint) from error
    if found.scheme != "opc.tcp" or not found.hostname or not port:
        raise InvalidInput(f"'opcua' is '{text}', not opc.tcp://HOST:PORT", hint=hint)
    if found.username or found.password:
        raise InvalidInput("'opcua' bears a user", hint="say it in 'username' and 'password'")
