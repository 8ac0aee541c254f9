"""Tokens of a provider: which are taken, which are not and why, whose they are, what they may."""

from __future__ import annotations

import base64
import json
import string
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from app.forging import make, packed, public, signed
from gemel.app.oidc_settings import Oidc
from gemel.app.oidc_tokens import (
    SKEW_SECONDS,
    NotTaken,
    UnknownKey,
    check_access,
    check_claims,
    looks_signed,
    misses_key,
    name_of,
    read_keys,
    read_token,
    role_of,
)

NOW = 1_800_000_000.0
ISSUER = "https://login.plant.example"
RSA, EC, OKP = make("RSA"), make("EC"), make("OKP")
KEYS = read_keys({"keys": [public(RSA, "r"), public(EC, "e"), public(OKP, "o")]})
CLAIMS: dict[str, Any] = {
    "iss": ISSUER, "aud": "gemel", "sub": "ann", "exp": NOW + 60, "roles": ["writers"],
}  # fmt: skip
HEADER = {"alg": "RS256", "kid": "r"}
GOOD = signed(RSA, HEADER, CLAIMS)


@pytest.mark.parametrize(
    ("key", "header"),
    [
        (RSA, {"alg": "RS256", "kid": "r"}),
        (RSA, {"alg": "PS256", "kid": "r"}),
        (EC, {"alg": "ES256", "kid": "e"}),
        (OKP, {"alg": "EdDSA", "kid": "o"}),
        (OKP, {"alg": "Ed25519", "kid": "o"}),
        (RSA, {"alg": "RS256", "kid": "r", "x5t": "odd", "ver": 7}),
    ],
)
def test_what_a_published_key_has_signed_is_read(key: Any, header: dict[str, Any]) -> None:
    assert read_token(signed(key, header, CLAIMS), KEYS) == (header, CLAIMS)


def test_one_key_alone_needs_no_id() -> None:
    alone = read_keys({"keys": [public(RSA, None)]})
    assert read_token(signed(RSA, {"alg": "RS256"}, CLAIMS), alone)[1] == CLAIMS
    with pytest.raises(UnknownKey):
        read_token(signed(RSA, {"alg": "RS256"}, CLAIMS), KEYS)


def refused(token: str, keys: Any = KEYS) -> str:
    with pytest.raises(NotTaken) as caught:
        read_token(token, keys)
    for part in token.split("."):
        assert len(part) < 8 or part not in caught.value.reason
    return caught.value.reason


def test_what_is_not_signed_is_refused() -> None:
    for algorithm in ("none", "None", "NONE", "nOnE", "", None, 0, ["RS256"]):
        token = signed(RSA, {"alg": algorithm, "kid": "r"}, CLAIMS)
        assert "signed in a way" in refused(token)
        assert "signed in a way" in refused(token.rpartition(".")[0] + ".")


def test_a_public_key_is_no_secret() -> None:
    """The key that everybody knows, taken for the secret of HMAC."""
    assert isinstance(RSA, rsa.RSAPrivateKey)
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    jwk = json.dumps(public(RSA, "r")).encode()
    der = RSA.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    for secret in (pem, pem.strip(), jwk, der, b""):
        for algorithm in ("HS256", "HS384", "HS512"):
            token = signed(secret, {"alg": algorithm, "kid": "r"}, CLAIMS)
            assert "signed in a way" in refused(token)
        assert "does not hold" in refused(signed(secret, HEADER, CLAIMS))


def test_a_published_secret_is_no_key() -> None:
    shared = {"kty": "oct", "kid": "s", "k": packed(b"everybody-knows-this-secret-here")}
    assert read_keys({"keys": [shared]}) == {}


def test_a_key_that_the_token_brings_along_is_not_used() -> None:
    other = make()
    for header in (
        {"jwk": public(other, "r")},
        {"jku": "http://127.0.0.1:1/keys"},
        {"x5u": "http://127.0.0.1:1/chain"},
    ):
        assert refused(signed(other, {**HEADER, **header}, CLAIMS))


def test_another_key_or_algorithm_than_the_named_one_is_refused() -> None:
    assert "does not hold" in refused(signed(make(), HEADER, CLAIMS))
    assert refused(signed(EC, {"alg": "ES256", "kid": "r"}, CLAIMS))
    assert refused(signed(RSA, {"alg": "RS256", "kid": "e"}, CLAIMS))
    assert "does not hold" in refused(
        signed(RSA, {"alg": "PS256", "kid": "r"}, CLAIMS)[:-8] + "AAAAAAAA"
    )
    assert "does not publish" in refused(signed(RSA, {"alg": "RS256", "kid": "x"}, CLAIMS))


def test_extensions_that_must_be_understood_are_refused() -> None:
    assert refused(signed(RSA, {**HEADER, "crit": ["b64"], "b64": False}, CLAIMS))
    assert refused(signed(RSA, {**HEADER, "crit": ["exp"], "exp": 1}, CLAIMS))


@given(
    st.integers(0, len(GOOD) - 1), st.sampled_from(string.ascii_letters + string.digits + "-_.=")
)
def test_one_letter_that_is_another_is_refused(place: int, letter: str) -> None:
    changed = GOOD[:place] + letter + GOOD[place + 1 :]
    try:
        _, claims = read_token(changed, KEYS)
    except NotTaken:
        return
    # the last letters of base64 have bits that mean nothing: then nothing is another
    assert claims == CLAIMS


@given(st.text(max_size=60) | st.binary(max_size=60).map(packed), st.binary(max_size=60))
def test_what_is_no_token_is_refused_and_nothing_else(head: str, body: bytes) -> None:
    for text in (f"{head}.{packed(body)}.{packed(body)}", f"{packed(HEADER)}.{head}.{head}", head):
        with pytest.raises(NotTaken):
            read_token(text, KEYS)
        assert misses_key(text, KEYS) in (True, False)


def test_claims_must_be_an_object() -> None:
    for body in (b"[]", b"1", b"null", b"", b"{", b"\xff", b'{"a":' * 2_000):
        assert refused(signed(RSA, HEADER, body))


def test_what_is_too_long_is_not_looked_at() -> None:
    assert looks_signed(GOOD)
    assert not looks_signed(signed(RSA, HEADER, {**CLAIMS, "groups": ["x" * 40] * 700}))
    assert not looks_signed("gml_abc")
    assert not looks_signed("a.b.c.d.e")
    many = {**CLAIMS, "groups": ["x" * 36] * 300}
    assert read_token(signed(RSA, HEADER, many), KEYS)[1] == many


# ---- keys ------------------------------------------------------------------------------------


def test_only_keys_that_check_signatures_are_kept() -> None:
    short = rsa.generate_private_key(65537, 1024)
    found = [
        public(RSA, "good"),
        {**public(RSA, "enc"), "use": "enc"},
        public(short, "short"),
        {"kty": "RSA", "kid": "half", "n": "AQAB"},
        {"kty": "RSA", "kid": "no-numbers", "n": 5, "e": None},
        {
            "kty": "EC",
            "kid": "no-point",
            "crv": "P-256",
            "x": packed(b"x" * 32),
            "y": packed(b"y" * 32),
        },
        {"kty": "new", "kid": "new"},
        {"kid": "bare"},
        "text",
        None,
    ]
    assert list(read_keys({"keys": found})) == ["good"]
    for odd in ({}, {"keys": 5}, [], None, {"keys": [[]]}):
        assert read_keys(odd) == {}


# ---- claims ----------------------------------------------------------------------------------


def checked(**other: Any) -> str:
    """Why claims are not taken; "" if they are."""
    claims = {name: value for name, value in (CLAIMS | other).items() if value is not None}
    try:
        check_claims(claims, NOW, ISSUER, ["gemel", "api://gemel"])
    except NotTaken as error:
        return error.reason
    return ""


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({}, ""),
        ({"aud": ["other", "api://gemel"]}, ""),
        ({"aud": "other"}, "another audience"),
        ({"aud": ["other"]}, "another audience"),
        ({"aud": []}, "another audience"),
        ({"aud": None}, "another audience"),
        ({"aud": {"gemel": 1}}, "audience"),
        ({"iss": "https://login.plant.example/"}, "another issuer"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"iss": [ISSUER]}, "issuer"),
        ({"iss": None}, "another issuer"),
        ({"exp": NOW - SKEW_SECONDS - 1}, "expired"),
        ({"exp": NOW - SKEW_SECONDS + 1}, ""),
        ({"exp": None}, "does not say when it ends"),
        ({"exp": "later"}, "no time"),
        ({"exp": True}, "no time"),
        ({"nbf": NOW + SKEW_SECONDS + 1}, "not valid yet"),
        ({"nbf": NOW + SKEW_SECONDS - 1}, ""),
        ({"iat": NOW + SKEW_SECONDS + 1}, "of the future"),
        ({"iat": "now"}, "no time"),
    ],
)
def test_claims_say_for_whom_and_when(claims: dict[str, Any], why: str) -> None:
    found = checked(**claims)
    assert (why in found) if why else found == ""


def test_nobody_is_not_everybody() -> None:
    for audience in ([], [""]):
        for meant in ("gemel", "", [], None):
            with pytest.raises(NotTaken):
                check_claims(CLAIMS | {"aud": meant}, NOW, ISSUER, audience)


@pytest.mark.parametrize(
    ("header", "claims", "is_taken"),
    [
        ({}, {}, True),
        ({"typ": "JWT"}, {}, True),
        ({"typ": "at+jwt"}, {}, True),
        ({"typ": "AT+JWT"}, {"typ": "Bearer"}, True),
        ({"typ": "application/at+jwt"}, {}, True),
        ({"typ": "logout+jwt"}, {}, False),
        ({"typ": "dpop+jwt"}, {}, False),
        ({"typ": 5}, {}, False),
        ({}, {"nonce": "n"}, False),
        ({}, {"at_hash": "x"}, False),
        ({}, {"events": {}}, False),
        ({"typ": "JWT"}, {"typ": "ID"}, False),
        ({"typ": "JWT"}, {"typ": "Refresh"}, False),
    ],
)
def test_a_token_that_tells_who_logged_in_is_no_access_token(
    header: dict[str, Any], claims: dict[str, Any], is_taken: bool
) -> None:
    if is_taken:
        check_access(header, claims)
        return
    with pytest.raises(NotTaken, match="no access token"):
        check_access(header, claims)


# ---- names and roles -------------------------------------------------------------------------

SETTINGS = Oidc(
    role_claims=("roles", "realm_access.roles", "https://plant.example/roles", "scope"),
    name_claims=("preferred_username", "azp"),
    roles={
        "admins": "admin",
        "writers": "engineer",
        "Plant Operators": "operator",
        "see": "viewer",
    },
)


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({}, ""),
        ({"roles": []}, ""),
        ({"roles": ["nobody-knows"]}, ""),
        ({"roles": ["see", "admins", "writers"]}, "admin"),
        ({"roles": "see"}, "viewer"),
        ({"roles": "Plant Operators"}, "operator"),
        ({"roles": ["Admins"]}, ""),
        ({"roles": {"admins": True}}, ""),
        ({"roles": [["admins"], 5, None]}, ""),
        ({"realm_access": {"roles": ["writers"]}}, "engineer"),
        ({"realm_access": ["writers"]}, ""),
        ({"https://plant.example/roles": ["see"]}, "viewer"),
        ({"scope": "openid see writers"}, "engineer"),
        ({"groups": ["admins"]}, ""),
        ({"roles": ["admin"]}, ""),
    ],
)
def test_roles_are_given_by_the_map_alone_and_the_mightiest_wins(
    claims: dict[str, Any], role: str
) -> None:
    assert role_of(claims, SETTINGS) == role


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"preferred_username": "ann", "azp": "x", "sub": "1"}, "ann"),
        ({"azp": "historian", "sub": "1"}, "historian"),
        ({"sub": "1"}, "1"),
        ({"preferred_username": "", "sub": "1"}, "1"),
        ({"preferred_username": ["ann"], "sub": "1"}, "1"),
        ({"preferred_username": "Jürgen Groß", "sub": "1"}, "Jürgen Groß"),
        ({}, None),
        ({"preferred_username": "gemel", "sub": "1"}, None),
        ({"preferred_username": "Nobody", "sub": "1"}, None),
        ({"preferred_username": "x" * 201, "sub": "1"}, None),
        ({"preferred_username": "a\nb", "sub": "1"}, None),
    ],
)
def test_the_first_claim_that_is_there_is_the_name(
    claims: dict[str, Any], name: str | None
) -> None:
    if name is not None:
        assert name_of(claims, SETTINGS) == name
        return
    with pytest.raises(NotTaken):
        name_of(claims, SETTINGS)


def test_padding_and_blanks_do_not_make_another_token() -> None:
    head, body, signature = GOOD.split(".")
    assert base64.urlsafe_b64decode(signature + "==")
    for odd in (
        f" {GOOD}",
        f"{GOOD} ",
        f"{head}.{body}\n.{signature}",
        f"{head}=.{body}.{signature}",
    ):
        try:
            _, claims = read_token(odd, KEYS)
        except NotTaken:
            continue
        assert claims == CLAIMS
