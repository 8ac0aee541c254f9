"""Tokens: who a secret stands for. Only hashes are stored; a secret is shown once.

A token, a browser session and a login link are one thing, a document of kind `token` whose key is
the SHA-256 of the secret, told apart by `use`: "token", "session", "link", or "short" for the ten
minutes of one command on the command line.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gemel.core.access import ROLES, Narrowing, Principal
from gemel.core.clock import SECOND, Clock, to_iso
from gemel.core.document import Document, Edit, Json
from gemel.core.errors import InvalidInput, NotFound
from gemel.core.ports import Documents

PREFIX = "gml_"
LINK_SECONDS = 15 * 60
SESSION_SECONDS = 12 * 3600
LONGEST_SECONDS = 100 * 365 * 86_400
CACHE_SIZE = 50_000
TIMED = "until:"
SIGN_ON = "oidc"
"""In the place of a token's id: what sessions were begun with."""


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class NewToken:
    secret: str
    doc: Json


def timed(key: str, expires: int) -> str:
    """The key of what is no token of ours: it stands until a time (ns), and nobody ends it."""
    return f"{TIMED}{expires}:{key}"


def view(doc: Json) -> Json:
    """A token as people see it."""
    return {**doc, "expires": None if doc["expires"] is None else to_iso(doc["expires"])}


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
    of: str = "",
) -> NewToken:
    """Makes a token, durable on return; the secret is in the answer and nowhere else.

    Args:
        twins: for role device: the twins it may write, as names or patterns (`line1-*`).
        seconds: how long it is valid; None for ever.
        of: the id of the token that this one ends with, for sessions.

    Raises:
        InvalidInput: unknown role, a device without twins, or a time that is none.
    """
    if role not in ROLES:
        raise InvalidInput(
            f"there is no role '{role}'", hint="one of " + ", ".join(ROLES), code="RoleUnknown"
        )
    if role == "device" and not twins:
        raise InvalidInput(
            "a device token must name the twins it may write", hint="--twin pump-1, or 'line1-*'"
        )
    if seconds is not None and not 0 < seconds <= LONGEST_SECONDS:
        raise InvalidInput(
            "a token must be valid for more than no time and at most 100 years",
            hint="say how many days, or nothing for a token that does not end",
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
    if of:
        doc["of"] = of
    documents.commit([Edit("token", key, doc, now, who, f"{use} created")])
    return NewToken(secret, doc)


class Tokens:
    """Looks secrets up and remembers what it found, so that requests cost no disk reads.

    What other processes make or end is seen when `edited` is asked and `forget` told.
    """

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents = documents
        self._clock = clock
        self._cache: dict[str, Document | None] = {}
        self._seen = documents.newest()
        self.narrowing: Callable[[str, str], Narrowing | None] = lambda *_: None
        """What policies leave of (role, name)."""
        self.foreign: Callable[[str], Principal | None] = lambda _: None
        """Whom a token that is none of ours stands for."""

    def principal(
        self, secret: str, uses: tuple[str, ...] = ("token", "short")
    ) -> Principal | None:
        """The principal behind a secret, or None if it is unknown, expired or of another use."""
        if "." in secret and "token" in uses:
            return self.foreign(secret)
        doc = self._valid(secret)
        if doc is None or doc.doc["use"] not in uses:
            return None
        found = doc.doc
        role, name = found["role"], found["name"]
        return Principal(name, role, tuple(found["twins"]), doc.key, self.narrowing(role, name))

    def known(self, name: str, role: str, twins: tuple[str, ...]) -> Principal:
        """Who was let in before, as policies narrow it now."""
        return Principal(name, role, twins, "", self.narrowing(role, name))

    def take_link(self, secret: str) -> Principal | None:
        """The principal behind a login link, which is used up by this."""
        doc = self._valid(secret)
        if doc is None or doc.doc["use"] != "link":
            return None
        found = doc.doc
        self._documents.commit([Edit("token", doc.key, None, self._clock(), found["name"], "used")])
        self._cache.pop(doc.key, None)
        return Principal(found["name"], found["role"], tuple(found["twins"]), doc.key)

    def begin_session(self, who: Principal, secret: str = "", of: str = "") -> NewToken:
        """A browser session of a principal; one begun with a token ends with it, if not before.

        Args:
            of: what it was begun with, where that is no token of ours.
        """
        seconds: float = SESSION_SECONDS
        token = self._valid(secret)
        if token is not None and token.doc["expires"] is not None:
            seconds = min(seconds, (token.doc["expires"] - self._clock()) / SECOND)
        if who.token.startswith(TIMED):
            seconds = min(seconds, (_ends(who.token) - self._clock()) / SECOND)
        return create(
            self._documents,
            self._clock(),
            role=who.role,
            name=who.name,
            who=who.name,
            twins=who.twins,
            seconds=seconds,
            use="session",
            of=token.doc["id"] if token is not None else of,
        )

    def delete(self, token_id: str, who: str) -> None:
        """Ends a token, and the sessions that were begun with it.

        Raises:
            NotFound: no token has this id.
        """
        now = self._clock()
        found = list(self._documents.load("token"))
        over = [d.key for d in found if token_id in (d.doc["id"], d.doc.get("of"))]
        if not over:
            raise NotFound(f"there is no token '{token_id}'", hint="see GET /tokens")
        self._documents.commit([Edit("token", key, None, now, who, "deleted") for key in over])
        for key in over:
            self._cache.pop(key, None)

    def end_session(self, secret: str) -> str:
        """Ends a session; what it was begun with, "" if there was none."""
        key = digest(secret)
        found = self._documents.get("token", key)
        if found is not None:
            self._documents.commit([Edit("token", key, None, self._clock(), "gemel", "logged out")])
        self._cache.pop(key, None)
        return "" if found is None else str(found.doc.get("of", ""))

    def listing(self) -> list[Json]:
        """All tokens in use, without their hashes; expired ones are left out."""
        now = self._clock()
        return [
            view(d.doc)
            for d in self._documents.load("token")
            if d.doc["use"] == "token" and not _is_over(d.doc, now)
        ]

    def sweep(self) -> None:
        """Deletes what has expired."""
        now = self._clock()
        over = [d for d in self._documents.load("token") if _is_over(d.doc, now)]
        if over:
            self._documents.commit([Edit("token", d.key, None, now, "gemel", "over") for d in over])

    def edited(self) -> set[str]:
        """Which tokens were made or ended since the last call, by any process. Reads the disk."""
        newest = self._documents.newest()
        keys = self._documents.edited("token", self._seen) if newest > self._seen else set()
        self._seen = newest
        return keys

    def forget(self, keys: Iterable[str]) -> None:
        """Looks these up anew when they are asked for."""
        for key in keys:
            self._cache.pop(key, None)

    def is_current(self, key: str) -> bool:
        """Whether the token with this hash still stands ("" is nobody's token, and stands)."""
        if key.startswith(TIMED):
            return self._clock() < _ends(key)
        return not key or self._current(key) is not None

    def _valid(self, secret: str) -> Document | None:
        if not secret.startswith(PREFIX) or len(secret) > 200:
            return None
        return self._current(digest(secret))

    def _current(self, key: str) -> Document | None:
        if key not in self._cache:
            if len(self._cache) >= CACHE_SIZE:
                self._cache.clear()
            self._cache[key] = self._documents.get("token", key)
        found = self._cache[key]
        return None if found is None or _is_over(found.doc, self._clock()) else found


def _ends(key: str) -> int:
    """When what was given a key by `timed` ends."""
    return int(key.split(":")[1])


def _is_over(doc: Json, now: int) -> bool:
    return doc["expires"] is not None and bool(now >= doc["expires"])
