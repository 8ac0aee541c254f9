"""Tokens that a provider signed: whether they hold, whose they are, and the role they give.

Nothing here asks the network or the clock. What is wrong is a `NotTaken` with a reason that holds
nothing of the token.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    JoseError,
    MissingClaimError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey
from joserfc.jws import JWSRegistry, deserialize_compact
from joserfc.jwt import JWTClaimsRegistry

from gemel.app.oidc_settings import PEOPLE, Oidc
from gemel.core.document import Json

ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519",
    "EdDSA",
)  # fmt: skip
"""Only with public keys: nothing that is signed with a secret, or not at all."""
TYPES = frozenset({"", "jwt", "at+jwt", "application/at+jwt"})
"""Of access tokens, in small letters."""
OF_ID_TOKENS = ("nonce", "at_hash", "c_hash", "events")
"""Claims that tell that a token says who logged in, or out, and is not to be shown."""
SKEW_SECONDS = 60
"""How far the provider's clock may lie from ours."""
LONGEST = 24_576
"""Characters of a token."""
LONGEST_NAME = 200
LEAST_RSA_BITS = 2048
MOST_KEYS = 100
OURS = frozenset({"gemel", "nobody"})
"""Names that the platform itself bears in the audit log."""
Key = RSAKey | ECKey | OKPKey
Keys = Mapping[str, Key]


class _Registry(JWSRegistry):
    max_header_length = 4_096
    max_payload_length = LONGEST

    def get_alg(self, name: str) -> Any:
        """By the older name of Ed25519, too, as most providers have it."""
        return super().get_alg("Ed25519" if name == "EdDSA" else name)


REGISTRY = _Registry(algorithms=list(ALGORITHMS), strict_check_header=False)


class NotTaken(Exception):
    """A token that is not accepted; `reason` may be logged."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownKey(NotTaken):
    """It names a key that is not known: it may be newer than our copy of the keys."""


def looks_signed(text: str) -> bool:
    """Whether it has the form of a JWT."""
    return text.count(".") == 2 and len(text) <= LONGEST


def read_keys(found: Any) -> dict[str, Key]:
    """Public keys by their id, out of a JWK set; keys of other kinds and uses are passed over."""
    said = found.get("keys") if isinstance(found, dict) else None
    keys: dict[str, Key] = {}
    for one in said[:MOST_KEYS] if isinstance(said, list) else ():
        if not isinstance(one, dict) or one.get("use", "sig") != "sig" or _is_short(one):
            continue
        try:
            key = JWKRegistry.import_key(one)
        except (JoseError, ValueError, TypeError, KeyError):
            continue
        if isinstance(key, RSAKey | ECKey | OKPKey):
            keys[str(one.get("kid", ""))] = key
    return keys


def _is_short(jwk: Json) -> bool:
    """Whether it is a key of RSA that could be broken; base64 has 6 bits a letter."""
    return jwk.get("kty") == "RSA" and len(str(jwk.get("n", ""))) * 6 < LEAST_RSA_BITS


def read_token(text: str, keys: Keys) -> tuple[Json, Json]:
    """Header and claims of a token whose signature holds.

    Raises:
        UnknownKey: no known key has the id that it names.
        NotTaken: anything else.
    """
    header = _header(text)
    if header.get("alg") not in ALGORITHMS:
        raise NotTaken("it is signed in a way that is not accepted")
    key = _key(header.get("kid"), keys)
    try:
        claims = orjson.loads(deserialize_compact(text, key, registry=REGISTRY).payload)
    except BadSignatureError:
        raise NotTaken("its signature does not hold") from None
    except UnsupportedAlgorithmError:
        raise NotTaken("it is signed in a way that is not accepted") from None
    except (JoseError, ValueError, TypeError, KeyError):
        raise NotTaken("it is not well-formed, or not of its key's kind") from None
    if not isinstance(claims, dict):
        raise NotTaken("it holds no claims")
    return header, claims


def _header(text: str) -> Json:
    """What stands before the claims; nothing of it is to be trusted yet."""
    head = text.partition(".")[0]
    try:
        found = orjson.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, binascii.Error):
        raise NotTaken("it is not well-formed") from None
    if not isinstance(found, dict):
        raise NotTaken("it is not well-formed")
    return found


def _key(kid: object, keys: Keys) -> Key:
    if kid is None and len(keys) == 1:
        return next(iter(keys.values()))
    if not isinstance(kid, str) or kid not in keys:
        raise UnknownKey("it is signed with a key that the provider does not publish")
    return keys[kid]


def misses_key(text: str, keys: Keys) -> bool:
    """Whether a token names a key that is not among these."""
    try:
        _key(_header(text).get("kid"), keys)
    except UnknownKey:
        return True
    except NotTaken:
        pass
    return False


def check_claims(claims: Json, now: float, issuer: str, audience: Sequence[str]) -> None:
    """Whether a token is of this provider, for us, and valid now.

    Args:
        now: seconds since 1970 UTC.

    Raises:
        NotTaken: it is not.
    """
    if not any(audience):  # the registry would take nobody for everybody
        raise NotTaken("no audience is set whose tokens are taken")
    for name in ("exp", "nbf", "iat"):
        found = claims.get(name, 0)
        if isinstance(found, bool) or not isinstance(found, int | float) or math.isinf(found):
            raise NotTaken(f"its claim {name} is no time")
    registry = JWTClaimsRegistry(
        now=int(now),
        leeway=SKEW_SECONDS,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "values": list(audience)},
        exp={"essential": True},
    )
    try:
        registry.validate(claims)
    except ExpiredTokenError:
        raise NotTaken("it has expired") from None
    except (InvalidClaimError, MissingClaimError) as error:
        raise NotTaken(_told(error.claim)) from None
    except (JoseError, ValueError, TypeError):
        raise NotTaken("its claims are not well-formed") from None


def _told(claims: str) -> str:
    """Which claim is wrong, in words: most often the settings of one side are."""
    for name, words in (
        ("iss", "it is of another issuer"),
        ("aud", "it is for another audience"),
        ("nbf", "it is not valid yet"),
        ("iat", "it is of the future"),
        ("exp", "it does not say when it ends"),
    ):
        if name in claims:
            return words
    return "a claim is missing or not as it must be"


def check_access(header: Json, claims: Json) -> None:
    """Whether a token is one to be shown to us, and not one that tells who logged in.

    Raises:
        NotTaken: it is not.
    """
    kind = header.get("typ", "")
    if not isinstance(kind, str) or kind.lower() not in TYPES:
        raise NotTaken("it is no access token")
    if "cnf" in claims:
        raise NotTaken("it is bound to a key whose possession is not shown here (cnf)")
    is_other = str(claims.get("typ", "bearer")).lower() in ("id", "refresh", "logout", "offline")
    if is_other or any(name in claims for name in OF_ID_TOKENS):
        raise NotTaken("it is no access token")


def name_of(claims: Json, settings: Oidc) -> str:
    """What its bearer is called here.

    Raises:
        NotTaken: there is no name, or none that may be borne.
    """
    for path in (*settings.name_claims, "sub"):
        found = _at(claims, path)
        if isinstance(found, str) and found:
            if len(found) > LONGEST_NAME or not found.isprintable() or found.lower() in OURS:
                raise NotTaken(f"the name in its claim {path} cannot be borne here")
            return found
    raise NotTaken("it names nobody")


def role_of(claims: Json, settings: Oidc) -> str:
    """The mightiest role that its claims give; '' if they give none."""
    given = {settings.roles.get(value) for value in _values(claims, settings.role_claims)}
    return next((role for role in PEOPLE if role in given), "")


def has_role_claims(claims: Json, settings: Oidc) -> bool:
    return any(_at(claims, path) is not None for path in settings.role_claims)


def _values(claims: Json, paths: Sequence[str]) -> Iterator[str]:
    """Texts, those of lists, and the words of a text: scopes are parted by blanks."""
    for path in paths:
        found = _at(claims, path)
        if isinstance(found, str):
            yield found
            yield from found.split()
        elif isinstance(found, list):
            yield from (one for one in found if isinstance(one, str))


def _at(claims: Json, path: str) -> Any:
    """A claim of this name, or what lies inside of one along the dots."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for step in path.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found
