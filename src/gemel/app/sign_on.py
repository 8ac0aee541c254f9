"""Single sign-on where it is set up; its libraries are an extra, and are loaded only there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gemel.core.errors import ConfigInvalid

if TYPE_CHECKING:
    from gemel.app.oidc import SignOn
    from gemel.app.platform import Platform


class LoginFailed(Exception):
    """A log-in that did not come to its end; `reason` is for the page, the text for the log."""

    def __init__(self, reason: str, why: str) -> None:
        super().__init__(why)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Attempt:
    """A log-in that was begun: what only the browser that began it knows."""

    state: str
    nonce: str
    verifier: str
    to: str
    """Where in the page it was to lead."""


def sign_on(platform: Platform) -> SignOn | None:
    """What `[oidc]` of the settings asks for, asked about tokens that are none of ours; or None.

    Raises:
        ConfigInvalid: a library that it needs is not installed, or its `ca` cannot be read.
    """
    if not platform.config.oidc.is_on:
        return None
    try:
        from gemel.app.oidc import SignOn
    except ImportError as error:
        raise ConfigInvalid(
            f"single sign-on needs a library that is not installed: {error.name}",
            hint="pip install 'gemel[oidc]', then start again",
        ) from error
    found = SignOn(platform)
    platform.tokens.foreign = found.principal
    return found
