"""Tokens: who a secret stands for. Only hashes are stored; a secret is shown once.

A token, a browser session and a login link are one thing, a document of kind `token` whose key is
the SHA-256 of the secret, told apart by `use`: "token", "session" or "link".
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from gemel.core.access import ROLES, Principal
from gemel.core.clock import SECOND, Clock, to_iso
from gemel.core.document import Document, Edit, Json
from gemel.core.errors import InvalidInput, NotFound
from gemel.core.ports import Documents

PREFIX = "gml_"
LINK_SECONDS = 15 * 60
SESSION_SECONDS = 12 * 3600
CACHE_SECONDS = 5
CACHE_SIZE = 50_000


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class NewToken:
    secret: str
    doc: Json


def create(
    documents: Documents,
    now: int,
    *,
    role: str,
    name: str,
    who: str,
    twins: tuple[str, ...] = (),
    seconds: float | None = None,
    use: str = "token",
) -> NewToken:
    """Makes a token, durable on return; the secret is in the answer and nowhere else.

    Args:
        twins: for role device: the twins it may write, as names or patterns (`line1-*`).
        seconds: how long it is valid; None for ever.

    Raises:
        InvalidInput: unknown role, or a device without twins.
    """
    if role not in ROLES:
        raise InvalidInput(
            f"there is no role '{role}'", hint="one of " + ", ".join(ROLES), code="RoleUnknown"
        )
    if role == "device" and not twins:
        raise InvalidInput(
            "a device token must name the twins it may write", hint="--twin pump-1, or 'line1-*'"
        )
    secret = PREFIX + secrets.token_urlsafe(32)
    key = digest(secret)
    doc: Json = {
        "id": key[:12],
        "name": name,
        "role": role,
        "twins": list(twins),
        "use": use,
        "created": to_iso(now),
        "expires": None if seconds is None else now + round(seconds * SECOND),
    }
    documents.commit([Edit("token", key, doc, now, who, f"{use} created")])
    return NewToken(secret, doc)


class Tokens:
    """Looks secrets up, with a short cache so that a flood of requests costs no disk reads."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock
        self._cache: dict[str, tuple[int, Document | None]] = {}

    def principal(self, secret: str, uses: tuple[str, ...] = ("token",)) -> Principal | None:
        """The principal behind a secret, or None if it is unknown, expired or of another use."""
        doc = self._valid(secret)
        if doc is None or doc.doc["use"] not in uses:
            return None
        found = doc.doc
        return Principal(found["name"], found["role"], tuple(found["twins"]))

    def take_link(self, secret: str) -> Principal | None:
        """The principal behind a login link, which is used up by this."""
        found = self.principal(secret, ("link",))
        if found is not None:
            key = digest(secret)
            self._documents.commit([Edit("token", key, None, self._clock(), found.name, "used")])
            self._cache.pop(key, None)
        return found

    def delete(self, token_id: str, who: str) -> None:
        """Ends a token.

        Raises:
            NotFound: no token has this id.
        """
        for document in self._documents.load("token"):
            if document.doc["id"] == token_id:
                self._documents.commit(
                    [Edit("token", document.key, None, self._clock(), who, "deleted")]
                )
                self._cache.pop(document.key, None)
                return
        raise NotFound(f"there is no token '{token_id}'", hint="see GET /tokens")

    def end_session(self, secret: str) -> None:
        key = digest(secret)
        if self._documents.get("token", key) is not None:
            self._documents.commit([Edit("token", key, None, self._clock(), "gemel", "logged out")])
        self._cache.pop(key, None)

    def listing(self) -> list[Json]:
        """All tokens in use, without their hashes; expired ones are left out."""
        now = self._clock()
        return [
            {**d.doc, "expires": None if d.doc["expires"] is None else to_iso(d.doc["expires"])}
            for d in self._documents.load("token")
            if d.doc["use"] == "token" and not _is_over(d.doc, now)
        ]

    def sweep(self) -> None:
        """Deletes what has expired."""
        now = self._clock()
        over = [d for d in self._documents.load("token") if _is_over(d.doc, now)]
        if over:
            self._documents.commit([Edit("token", d.key, None, now, "gemel", "over") for d in over])

    def _valid(self, secret: str) -> Document | None:
        if not secret.startswith(PREFIX) or len(secret) > 200:
            return None
        key = digest(secret)
        now = self._clock()
        until, found = self._cache.get(key, (0, None))
        if now >= until:
            found = self._documents.get("token", key)
            if len(self._cache) >= CACHE_SIZE:
                self._cache.clear()
            self._cache[key] = (now + CACHE_SECONDS * SECOND, found)
        if found is None or _is_over(found.doc, now):
            return None
        return found


def _is_over(doc: Json, now: int) -> bool:
    return doc["expires"] is not None and bool(now >= doc["expires"])
