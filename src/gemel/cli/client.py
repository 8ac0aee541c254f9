"""The HTTP client of the commands: GEMEL_URL and GEMEL_TOKEN, or the server of a folder."""

from __future__ import annotations

import os
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from gemel.app import tokens
from gemel.app.folder import announced
from gemel.backends.sqlite import SqliteDocuments
from gemel.core.clock import system_clock
from gemel.core.errors import GemelError, InvalidInput, NotAuthenticated, NotFound, Unavailable

SHORT_SECONDS = 600
TIMEOUT = 60
KINDS: dict[int, type[GemelError]] = {
    400: InvalidInput,
    401: NotAuthenticated,
    404: NotFound,
    503: Unavailable,
}


class Client:
    """Calls a running server.

    Without GEMEL_URL and GEMEL_TOKEN, it finds the server of the data folder and, since whoever
    may write that folder owns the installation, gives itself a token for ten minutes.
    """

    def __init__(self, data: str, url: str | None = None, token: str | None = None) -> None:
        folder = Path(data)
        self.url = (url or os.environ.get("GEMEL_URL") or "").rstrip("/")
        self._token = token or os.environ.get("GEMEL_TOKEN") or ""
        if not self.url:
            found = announced(folder)
            if found is None:
                raise Unavailable(
                    f"no server runs on {folder}",
                    hint="start one with 'gemel serve', or set GEMEL_URL and GEMEL_TOKEN",
                )
            self.url = str(found["http"])
        if not self._token:
            self._token = _short_token(folder)
        self._context: ssl.SSLContext | None = None
        authority = folder / "tls" / "authority.pem"
        if self.url.startswith("https:"):
            self._context = ssl.create_default_context()
            if authority.exists():
                self._context.load_verify_locations(authority)

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """One request; the JSON of the answer.

        Raises:
            GemelError: as the server says, or Unavailable if it cannot be reached.
        """
        wanted = {k: v for k, v in query.items() if v is not None}
        url = self.url + path + (f"?{urlencode(wanted)}" if wanted else "")
        request = urllib.request.Request(url, method=method)
        request.add_header("Authorization", f"Bearer {self._token}")
        data = None
        if body is not None:
            data = orjson.dumps(body)
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(
                request, data, timeout=TIMEOUT, context=self._context
            ) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            raise _from_answer(error) from None
        except (urllib.error.URLError, OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise Unavailable(f"cannot reach {self.url}: {reason}", hint="is it running?") from None
        return orjson.loads(content) if content else None


def segment(text: str) -> str:
    """A path segment, percent-encoded."""
    return quote(text, safe="")


def _short_token(folder: Path) -> str:
    file = folder / "gemel.sqlite"
    if not file.exists():
        raise NotAuthenticated("no token", hint="set GEMEL_TOKEN, or name the folder with --data")
    documents = SqliteDocuments(file)
    try:
        new = tokens.create(
            documents,
            system_clock(),
            role="admin",
            name="command line",
            who="command line",
            seconds=SHORT_SECONDS,
        )
    finally:
        documents.close()
    return new.secret


def _from_answer(error: urllib.error.HTTPError) -> GemelError:
    try:
        found = orjson.loads(error.read())["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        found = {"code": "Error", "message": f"the server answered {error.code}"}
    kind = KINDS.get(error.code, GemelError)
    return kind(
        found["message"],
        hint=found.get("hint", ""),
        code=found["code"],
        details=found.get("details", ()),
    )
