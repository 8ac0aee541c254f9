"""Single sign-on (OpenID Connect): people log in at a provider, programs show its tokens.

Reading order: `oidc_settings`, `oidc_tokens` (what is accepted), `oidc_provider` (what is fetched),
then this: who a token stands for, and the way of a person there and back.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from gemel.app import tokens
from gemel.app.oidc_provider import Metadata, Provider
from gemel.app.oidc_tokens import (
    SKEW_SECONDS,
    NotTaken,
    UnknownKey,
    check_access,
    check_claims,
    has_role_claims,
    looks_signed,
    misses_key,
    name_of,
    read_token,
    role_of,
)
from gemel.app.sign_on import Attempt, LoginFailed
from gemel.core.access import Principal
from gemel.core.clock import SECOND
from gemel.core.document import Json
from gemel.core.errors import GemelError

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.oidc")
MOST_KNOWN = 10_000
MOST_HINTS = 2_000
TELL_NS = 10 * SECOND
"""Between two lines in the log about the same reason."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Whom a token that was checked stands for."""

    name: str
    role: str
    key: str
    expires: int


class SignOn:
    """The provider's people and programs, as principals of ours."""

    def __init__(self, platform: Platform) -> None:
        self.settings = platform.config.oidc
        self._platform = platform
        self.provider = Provider(self.settings, lambda: platform.clock())
        self._known: dict[str, _Known] = {}
        self._changes = 0
        self._hints: dict[str, str] = {}
        self._told: dict[str, int] = {}
        self._is_key_missing = False

    # ---- programs ------------------------------------------------------------------------

    def principal(self, token: str) -> Principal | None:
        """Whom an access token stands for; None if it is not accepted."""
        if not self.settings.audience or not looks_signed(token):
            return None
        if self._changes != self.provider.changes:  # a key that was taken back is none
            self._changes = self.provider.changes
            self._known.clear()
        digest = tokens.digest(token)
        found = self._known.get(digest)
        if found is None or self._platform.clock() >= found.expires:
            try:
                found = self._read(token, digest)
            except NotTaken as error:
                self._refused(error)
                return None
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[digest] = found
        narrowing = self._platform.tokens.narrowing(found.role, found.name)
        return Principal(found.name, found.role, (), found.key, narrowing)

    def _refused(self, error: NotTaken) -> None:
        is_key_missing = isinstance(error, UnknownKey)
        self._is_key_missing |= is_key_missing
        if not is_key_missing or self.provider.metadata is not None:
            self.tell("a token is refused: " + error.reason)
        elif self.provider.problem:  # else it is being asked for the first time
            self.tell("a token cannot be checked: " + self.provider.problem)

    def _read(self, token: str, digest: str) -> _Known:
        header, claims = read_token(token, self.provider.keys)
        now = self._platform.clock() / SECOND
        check_claims(claims, now, self.settings.issuer, self.settings.audience)
        check_access(header, claims)
        name, role = self._named(claims)
        expires = int((claims["exp"] + SKEW_SECONDS) * SECOND)
        return _Known(name, role, tokens.timed(digest, expires), expires)

    def _named(self, claims: Json) -> tuple[str, str]:
        name, role = name_of(claims, self.settings), role_of(claims, self.settings)
        if not role:
            raise NotTaken(f"its claims give {name!r} no role ([oidc.roles])")
        return name, role

    async def learns(self, token: str) -> bool:
        """Whether keys came that may be those of a token that was refused: asked for now.

        Raises:
            Unavailable: no key is known, since the provider has never answered.
        """
        if not self.settings.audience or not looks_signed(token):
            return False
        before = self.provider.changes
        await self.provider.known()
        if misses_key(token, self.provider.keys):
            await self.provider.look_again()
        return self.provider.changes != before

    def tick(self) -> None:
        """Keeps what is known of the provider fresh; beside the loop."""
        provider = self.provider
        if provider.is_due() or (self._is_key_missing and provider.may_fetch()):
            self._is_key_missing = False
            self._platform.start_task(provider.fetch())

    def tell(self, what: str, kind: str = "") -> None:
        """In the log, and not each time: anybody may send such things.

        Args:
            kind: what is told once in ten seconds; else what is told itself.
        """
        now = self._platform.clock()
        if len(self._told) > MOST_HINTS:
            self._told.clear()
        if now - self._told.get(kind or what, -TELL_NS) >= TELL_NS:
            self._told[kind or what] = now
            log.warning("single sign-on: %s", what)

    # ---- people --------------------------------------------------------------------------

    async def begin(self, back: str, to: str) -> tuple[str, Attempt]:
        """Where a browser is to be sent to log in.

        Args:
            back: our address that the provider sends it back to.
            to: where in the page it is to end.

        Raises:
            Unavailable: the provider does not answer.
        """
        metadata = await self.provider.known()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        attempt = Attempt(state, nonce, verifier, to)
        challenge = hashlib.sha256(attempt.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": back,
            "scope": " ".join(self.settings.scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return _with(metadata.authorization, asked), attempt

    async def finish(
        self, attempt: Attempt, said: dict[str, str], back: str
    ) -> tuple[Principal, str]:
        """Who came back, and the provider's word for it.

        Args:
            said: what the provider sent back through the browser.

        Raises:
            LoginFailed: it did not come to its end.
        """
        try:
            metadata = await self.provider.known()
            code = self._code(metadata, attempt, said)
            answer = await self._redeem(metadata, attempt, code, back)
            word = answer.get("id_token")
            claims = await self._word(word, attempt)
            claims = await self._more(metadata, answer.get("access_token"), claims)
        except NotTaken as error:
            raise LoginFailed("again", "the provider's token: " + error.reason) from None
        except GemelError as error:
            raise LoginFailed("provider", str(error)) from None
        try:
            name, role = self._named(claims)
        except NotTaken as error:
            raise LoginFailed("role", error.reason) from None
        return Principal(name, role), str(word)

    def _code(self, metadata: Metadata, attempt: Attempt, said: dict[str, str]) -> str:
        """The code that it sent back to this very attempt.

        Raises:
            LoginFailed: it is of another attempt or provider, or says that it did not go well.
        """
        if not hmac.compare_digest(said.get("state", "").encode(), attempt.state.encode()):
            raise LoginFailed("again", "what came back is of another log-in (state)")
        issuer = said.get("iss", "" if metadata.names_issuer else self.settings.issuer)
        if issuer != self.settings.issuer:
            raise LoginFailed("again", "what came back is of another provider (iss)")
        error = said.get("error", "")
        if error:
            reason = "denied" if error in ("access_denied", "login_required") else "provider"
            raise LoginFailed(reason, f"the provider says {error[:60]!r}")
        if not said.get("code"):
            raise LoginFailed("again", "what came back has no code")
        return said["code"]

    async def _redeem(self, metadata: Metadata, attempt: Attempt, code: str, back: str) -> Json:
        """What the provider gives for a code."""
        settings = self.settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": attempt.verifier,
        }
        authorization, secret = "", settings.secret()
        if secret and not metadata.is_secret_in_form:
            pair = f"{quote(settings.client_id, safe='')}:{quote(secret, safe='')}"
            authorization = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            form["client_id"] = settings.client_id
            if secret:
                form["client_secret"] = secret
        status, answer = await self.provider.asking.ask(metadata.token, form, authorization)
        if status != 200:
            error = str(answer.get("error", ""))[:60]
            reason = "again" if error == "invalid_grant" else "provider"
            raise LoginFailed(reason, f"{metadata.token} answers with status {status} {error!r}")
        return answer

    async def _word(self, word: object, attempt: Attempt) -> Json:
        """The claims of an ID token for us, of this attempt."""
        if not isinstance(word, str) or not looks_signed(word):
            raise NotTaken("it gave no ID token")
        try:
            _, claims = read_token(word, self.provider.keys)
        except UnknownKey:
            await self.provider.look_again()
            _, claims = read_token(word, self.provider.keys)
        settings, now = self.settings, self._platform.clock() / SECOND
        check_claims(claims, now, settings.issuer, (settings.client_id,))
        party, audience = claims.get("azp"), claims["aud"]
        is_shared = isinstance(audience, list) and len(audience) > 1
        if (party is not None or is_shared) and party != settings.client_id:
            raise NotTaken("it was made for another client (azp)")
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), attempt.nonce.encode()):
            raise NotTaken("it is of another log-in (nonce)")
        return claims

    async def _more(self, metadata: Metadata, access: object, claims: Json) -> Json:
        """With what the provider says beside the token, where that tells nothing of roles."""
        is_all = has_role_claims(claims, self.settings)
        if is_all or not metadata.userinfo or not isinstance(access, str):
            return claims
        bearer = f"Bearer {access}"
        status, answer = await self.provider.asking.ask(metadata.userinfo, authorization=bearer)
        if status != 200 or answer.get("sub") != claims.get("sub"):
            raise LoginFailed("provider", f"{metadata.userinfo} answers with status {status}")
        return {**answer, **claims}

    # ---- log-out -------------------------------------------------------------------------

    def began(self, session: str, word: str) -> None:
        """Keeps the provider's word for a session, to end it there too.

        In memory alone: without it the provider asks the person whether to log out.
        """
        if len(self._hints) >= MOST_HINTS:
            self._hints.pop(next(iter(self._hints)))
        self._hints[tokens.digest(session)] = word

    def farewell(self, session: str, page: str) -> str:
        """Where a browser goes to log out at the provider, too; '' where it has no such place."""
        word = self._hints.pop(tokens.digest(session), "")
        metadata = self.provider.metadata
        if metadata is None or not metadata.end_session:
            return ""
        asked = {"client_id": self.settings.client_id, "post_logout_redirect_uri": page}
        return _with(metadata.end_session, {"id_token_hint": word, **asked} if word else asked)

    async def close(self) -> None:
        await self.provider.close()


def _with(address: str, asked: dict[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(asked)}"
