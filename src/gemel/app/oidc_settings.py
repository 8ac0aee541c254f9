"""Single sign-on as `[oidc]` of the settings says it: which provider, and who gets which role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gemel.core.access import ROLES
from gemel.core.errors import ConfigInvalid, InvalidInput

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
PEOPLE = tuple(name for name in ROLES if name != "device")
"""Roles that a provider may give, the mightiest first."""
LONGEST = 2_000
MOST_ROLES = 200
LONGEST_LABEL = 40


@dataclass(frozen=True)
class Oidc:
    """The provider of single sign-on; without an issuer there is none."""

    issuer: str = ""
    """Its address, exactly as it calls itself."""
    client_id: str = ""
    """What we are called there."""
    client_secret: str = field(default="", repr=False)
    """Better in a file, or as GEMEL_OIDC_CLIENT_SECRET; '' for a public client."""
    client_secret_file: str = ""
    """File with the secret and nothing else; read anew at each log-in."""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    """What is asked for when a person logs in."""
    audience: tuple[str, ...] = ()
    """Whom access tokens of programs must be for; none: none is accepted."""
    role_claims: tuple[str, ...] = ("roles",)
    """Claims whose values `roles` names; dots lead into objects."""
    name_claims: tuple[str, ...] = ("preferred_username", "email")
    """Claims of which the first that is there is the name; `sub` where none is."""
    label: str = ""
    """What the button says after 'Sign in with'."""
    page: str = ""
    """The address under which people open the page ('' for the one that they asked)."""
    ca: str = ""
    """PEM file with the authorities for its certificate ('' for those of the system)."""
    roles: Mapping[str, str] = field(default_factory=dict)
    """By value of a role claim: the role here. What is not named gives none."""

    @property
    def is_on(self) -> bool:
        return bool(self.issuer)

    def check(self) -> None:
        """Raises InvalidInput if something is missing or not of its form."""
        if not self.is_on:
            raise InvalidInput("'issuer' is missing", hint='issuer = "https://..."')
        check_address(self.issuer, "issuer", is_local=True)
        if self.page:
            check_address(self.page, "page", is_local=True)
            if urlsplit(self.page).path not in ("", "/"):
                raise InvalidInput("'page' must have no path", hint='page = "https://HOST"')
        if not self.client_id:
            raise InvalidInput(
                "'client_id' is missing", hint="the provider gives it where Gemel is registered"
            )
        for name in ("scopes", "audience", "role_claims", "name_claims"):
            if not all(getattr(self, name)):
                raise InvalidInput(f"'{name}' holds an empty text", hint="take it out")
        if "openid" not in self.scopes:
            raise InvalidInput("'scopes' must name openid", hint='["openid", "profile"]')
        if not self.roles:
            raise InvalidInput(
                "'roles' is missing: nobody would have a role",
                hint='[oidc.roles], and a line such as "plant-operators" = "operator"',
            )
        if len(self.label) > LONGEST_LABEL or not self.label.isprintable():
            raise InvalidInput(
                f"'label' must be of {LONGEST_LABEL} printable characters at most",
                hint='label = "Contoso"',
            )
        if self.client_secret and self.client_secret_file:
            raise InvalidInput(
                "both 'client_secret' and 'client_secret_file' are there", hint="say it once"
            )
        self.secret()
        if self.ca and not Path(self.ca).is_file():
            raise InvalidInput(f"'ca': there is no file {self.ca}", hint="a PEM file")

    def secret(self) -> str:
        """The client's secret; '' for a public client.

        Raises:
            ConfigInvalid: its file cannot be read, or is empty.
        """
        if not self.client_secret_file:
            return self.client_secret
        try:
            found = Path(self.client_secret_file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigInvalid(
                f"client_secret_file {self.client_secret_file} cannot be read: {error}",
                hint="it must be readable by the user that Gemel runs as",
            ) from error
        if not found:
            raise ConfigInvalid(
                f"client_secret_file {self.client_secret_file} is empty",
                hint="write the client's secret into it, and nothing else",
            )
        return found


def check_address(url: object, name: str, *, is_local: bool) -> str:
    """An address with TLS; without it only on this machine, if `is_local`.

    Raises:
        InvalidInput: it is something else.
    """
    try:
        parts = urlsplit(url) if isinstance(url, str) and len(url) <= LONGEST else urlsplit("")
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_local and host in LOOPBACK)
    if not is_safe or not host or parts.username or parts.fragment or not _is_plain(url):
        raise InvalidInput(
            f"'{name}' must be an address with https://, not {str(url)[:100]!r}",
            hint="http:// is taken on this machine only (127.0.0.1, ::1, localhost)",
        )
    return str(url)


def _is_plain(url: object) -> bool:
    return isinstance(url, str) and url.isascii() and url.isprintable() and " " not in url


def read_roles(found: Any) -> dict[str, str]:
    """The table `[oidc.roles]`.

    Raises:
        InvalidInput: it is no table of texts, or names a role that there is not.
    """
    if not isinstance(found, dict) or len(found) > MOST_ROLES:
        raise InvalidInput(f"roles must be a table of {MOST_ROLES} lines at most")
    for value, role in found.items():
        if role not in PEOPLE:
            raise InvalidInput(
                f"roles: '{value}' gets {role!r}, which is no role that a provider may give",
                hint="one of " + ", ".join(PEOPLE) + "; devices have tokens of their own",
            )
    return dict(found)
