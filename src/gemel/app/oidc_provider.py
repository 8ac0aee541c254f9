"""A provider of single sign-on: where it listens and its keys, fetched when needed and kept.

What was fetched once goes on being used while the provider is away. Nobody waits for more than
`SECONDS`, callers at the same time share one fetch, and a provider that does not answer, or tokens
of unknown keys, are no reason to ask it all the time.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from gemel.app.oidc_settings import Oidc, check_address
from gemel.app.oidc_tokens import Keys, read_keys
from gemel.core.clock import SECOND
from gemel.core.document import Json
from gemel.core.errors import ConfigInvalid, InvalidInput, Overloaded, Unavailable

log = logging.getLogger("gemel.oidc")
SECONDS = 5.0
"""For one question, looking up the name and connecting included."""
LARGEST = 1 << 20
MOST_AT_ONCE = 16
REFRESH_NS = 600 * SECOND
"""Keys are fetched anew so often, so that most new ones are known before they are used."""
AGAIN_NS = 30 * SECOND
"""Between two fetches that unknown keys, or what is old, give rise to."""
SOON_NS = 5 * SECOND
"""The same, while the provider has never answered and somebody waits for it."""
REQUIRED = ("authorization_endpoint", "token_endpoint", "jwks_uri")
OPTIONAL = ("userinfo_endpoint", "end_session_endpoint")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a provider says of itself."""

    authorization: str
    token: str
    keys: str
    userinfo: str
    """'' where it has none; so with the next."""
    end_session: str
    is_secret_in_form: bool
    """Whether it takes a client's secret only beside what is asked, not as Basic."""
    names_issuer: bool
    """Whether it always says who it is when it sends a person back."""


class Asking:
    """Questions to the provider: certificates are checked, nothing is followed elsewhere."""

    def __init__(self, ca: str) -> None:
        try:
            context = ssl.create_default_context(cafile=ca or None)
        except (OSError, ssl.SSLError) as error:
            raise ConfigInvalid(
                f"ca {ca} cannot be read: {error}", hint="a PEM file with certificates"
            ) from error
        self._client = httpx.AsyncClient(verify=context, timeout=SECONDS)
        self._under_way = 0

    async def ask(
        self, url: str, form: Mapping[str, str] | None = None, authorization: str = ""
    ) -> tuple[int, Json]:
        """Status and JSON object of an answer; {} for what is none.

        Raises:
            Unavailable: there was no answer in time, or one that is too large.
            Overloaded: too many questions wait for an answer.
        """
        if self._under_way >= MOST_AT_ONCE:
            raise Overloaded("too many people log in at once", hint="try again in a moment")
        self._under_way += 1
        host = httpx.URL(url).netloc.decode()
        try:
            async with asyncio.timeout(SECONDS):
                return await self._ask(url, form, authorization)
        except TimeoutError:
            raise Unavailable(f"'{host}' did not answer within {SECONDS:.0f} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            is_unknown = "CERTIFICATE_VERIFY_FAILED" in str(error)
            raise Unavailable(
                f"'{host}' cannot be reached: {error}",
                hint="name the PEM file of its authority as 'ca' in [oidc]" if is_unknown else "",
            ) from None
        finally:
            self._under_way -= 1

    async def _ask(
        self, url: str, form: Mapping[str, str] | None, authorization: str
    ) -> tuple[int, Json]:
        method = "GET" if form is None else "POST"
        wanted = {"Accept": "application/json"}
        if authorization:
            wanted["Authorization"] = authorization
        async with self._client.stream(method, url, data=form, headers=wanted) as answer:
            content = b""
            async for piece in answer.aiter_bytes():
                content += piece
                if len(content) > LARGEST:
                    raise ValueError(f"its answer is larger than {LARGEST} bytes")
        try:
            found = orjson.loads(content)
        except orjson.JSONDecodeError:
            found = None
        return answer.status_code, found if isinstance(found, dict) else {}

    async def close(self) -> None:
        await self._client.aclose()


class Provider:
    """What is known of the provider."""

    def __init__(self, settings: Oidc, clock: Callable[[], int]) -> None:
        self.asking = Asking(settings.ca)
        self.metadata: Metadata | None = None
        self.keys: Keys = {}
        self.problem = ""
        """Why the last fetch failed; '' if it did not."""
        self.changes = 0
        """How often other keys came."""
        self._settings = settings
        self._clock = clock
        self._tried = self._fetched = -REFRESH_NS
        self._fetching: asyncio.Task[None] | None = None
        self._is_loss_told = False

    def may_fetch(self) -> bool:
        return self._is_past(AGAIN_NS)

    def _is_past(self, span: int) -> bool:
        return self._clock() - self._tried >= span

    def is_due(self) -> bool:
        """Whether what is known is old, or nothing is."""
        return self.may_fetch() and self._clock() - self._fetched >= REFRESH_NS

    async def known(self) -> Metadata:
        """What the provider says of itself, asked for now if need be.

        Raises:
            Unavailable: it has never answered, and does not now.
        """
        if self.metadata is None and (self._is_fetching() or self._is_past(SOON_NS)):
            await self.fetch()
        if self.metadata is None:
            raise Unavailable(
                f"the provider of single sign-on does not answer: {self.problem}",
                hint="try again in a few seconds, or log in with a link or a token",
            )
        return self.metadata

    async def look_again(self) -> None:
        """Fetches once more, unless that was done just now."""
        if self._is_fetching() or self.may_fetch():
            await self.fetch()

    async def fetch(self) -> None:
        """Asks the provider; who calls meanwhile waits for the same answer."""
        if not self._is_fetching():
            self._tried = self._clock()
            self._fetching = asyncio.create_task(self._fetch())
        assert self._fetching is not None
        await asyncio.shield(self._fetching)

    def _is_fetching(self) -> bool:
        return self._fetching is not None and not self._fetching.done()

    async def _fetch(self) -> None:
        try:
            metadata, keys = await self._asked()
        except (Unavailable, InvalidInput) as error:
            self.problem = error.message
            if not self._is_loss_told:
                log.error("single sign-on: %s", error)
            self._is_loss_told = True
            return
        if self._is_loss_told:
            log.warning("single sign-on: the provider answers again")
        self.problem, self._is_loss_told = "", False
        self.changes += _public(keys) != _public(self.keys)
        self.metadata, self.keys, self._fetched = metadata, keys, self._clock()

    async def _asked(self) -> tuple[Metadata, Keys]:
        issuer = self._settings.issuer
        url = issuer.rstrip("/") + "/.well-known/openid-configuration"
        metadata = read_metadata(_found(url, *await self.asking.ask(url)), issuer)
        keys = read_keys(_found(metadata.keys, *await self.asking.ask(metadata.keys)))
        if not keys:
            raise Unavailable(f"{metadata.keys} has no public key to check tokens with")
        return metadata, keys

    async def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)
        await self.asking.close()


def _public(keys: Keys) -> dict[str, object]:
    return {kid: key.as_dict(private=False) for kid, key in keys.items()}


def _found(url: str, status: int, body: Json) -> Json:
    if status != 200 or not body:
        raise Unavailable(
            f"{url} answers with status {status}" + ("" if body else " and no JSON object"),
            hint="is 'issuer' right?",
        )
    return body


def read_metadata(said: Mapping[str, Any], issuer: str) -> Metadata:
    """What a provider says of itself.

    Raises:
        InvalidInput: it is another one, or something is missing or not safe.
    """
    if said.get("issuer") != issuer:
        raise InvalidInput(
            f"the provider calls itself {str(said.get('issuer'))[:200]!r}, the settings {issuer!r}",
            hint="'issuer' in [oidc] must be what it calls itself, to the last '/'",
        )
    is_local = issuer.startswith("http://")
    found = {}
    for name in (*REQUIRED, *OPTIONAL):
        if name in REQUIRED or said.get(name):
            found[name] = check_address(said.get(name), name, is_local=is_local)
    ways = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Metadata(
        found["authorization_endpoint"],
        found["token_endpoint"],
        found["jwks_uri"],
        found.get("userinfo_endpoint", ""),
        found.get("end_session_endpoint", ""),
        "client_secret_basic" not in ways and "client_secret_post" in ways,
        said.get("authorization_response_iss_parameter_supported") is True,
    )
