"""What a link to an OPC UA server is told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from gemel.core.errors import InvalidInput

FOLDER = "opcua"
"""Of the data folder: where our own certificate is."""
SECURITY = ("none", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
MODES = ("sign-and-encrypt", "sign")
TIMESTAMPS = ("source", "server", "received")
_NODE_ID = re.compile(r"(ns=\d+;|nsu=[^;]+;)?[isgb]=.+", re.DOTALL)


def check_node(text: str) -> None:
    """Raises InvalidInput if a text is neither a node id nor a browse path."""
    if text.startswith("/") or _NODE_ID.fullmatch(text):
        return
    raise InvalidInput(
        f"'{text[:200]}' is neither a node id nor a browse path",
        hint="write it like ns=2;s=Press.Speed, nsu=urn:maker:press;i=5 or /Plant/Press",
    )


@dataclass(frozen=True, slots=True)
class LinkSettings:
    name: str
    """The first level of every topic."""
    url: str
    folder: Path
    """Where our own certificate is kept, made at first need."""
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
    skew: float = 60.0
    """Seconds that the server's clock may be off."""
