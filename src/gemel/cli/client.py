"""The HTTP client of the commands: GEMEL_URL and GEMEL_TOKEN, or the server of a folder."""

from __future__ import annotations

import http.client
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from gemel.app import tokens
from gemel.app.folder import announced, is_in_use
from gemel.backends.sqlite import SqliteDocuments
from gemel.core.clock import system_clock
from gemel.core.errors import GemelError, InvalidInput, NotAuthenticated, NotFound, Unavailable

SHORT_SECONDS = 600
TIMEOUT = 60
URL_HINT = "GEMEL_URL must be the address that 'gemel serve' prints"
KINDS: dict[int, type[GemelError]] = {
    400: InvalidInput,
    401: NotAuthenticated,
    404: NotFound,
    503: Unavailable,
}


class Client:
    """Calls a running server.

    Without GEMEL_URL, it finds the server of the data folder and, since whoever
    may write that folder owns the installation, gives itself a token for ten minutes.
    """

    def __init__(self, data: str, url: str | None = None, token: str | None = None) -> None:
        folder = Path(data)
        self.timeout: float | None = TIMEOUT
        self.url = (url or os.environ.get("GEMEL_URL") or "").rstrip("/")
        self._token = token or os.environ.get("GEMEL_TOKEN") or ""
        self._proxies = urllib.request.getproxies() if self.url else {}
        if self.url and not self._token:
            raise NotAuthenticated(
                f"no token for {self.url}", hint="set GEMEL_TOKEN; gemel token create makes one"
            )
        if not self.url:
            found = announced(folder)
            if found is None:
                raise Unavailable(f"no server runs on {folder}", hint=_elsewhere(folder))
            self.url = str(found["http"])
        if not self._token:
            self._token = _short_token(folder)
        self._context: ssl.SSLContext | None = None
        authority = folder / "tls" / "authority.pem"
        if self.url.startswith("https:"):
            self._context = ssl.create_default_context()
            if authority.exists():
                self._context.load_verify_locations(authority)

    @classmethod
    def of(cls, data: str) -> Client:
        """The server of a folder, whatever GEMEL_URL says; waits as long as it takes."""
        found = announced(Path(data))
        if found is None:
            raise Unavailable(
                f"the server that uses {data} has not started yet", hint="try again in a moment"
            )
        made = cls(data, str(found["http"]), _short_token(Path(data)))
        made._proxies = {}
        made.timeout = None
        return made

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """One request; the JSON of the answer.

        Raises:
            GemelError: as the server says, or Unavailable if it cannot be reached.
        """
        is_file = isinstance(body, bytes)
        data = body if body is None or is_file else orjson.dumps(body)
        kind = f"application/{'octet-stream' if is_file else 'json'}"
        content = self.fetch(method, path, query, data, kind)
        try:
            return orjson.loads(content) if content else None
        except orjson.JSONDecodeError:
            raise Unavailable(f"what answers at {self.url} is no Gemel", hint=URL_HINT) from None

    def fetch(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        data: bytes | None = None,
        media_type: str = "",
    ) -> bytes:
        """As `call`, with bytes of any kind both ways; a list in the query stands several times."""
        wanted = {k: v for k, v in query.items() if v is not None}
        url = self.url + path + (f"?{urlencode(wanted, doseq=True)}" if wanted else "")
        headers = {"Authorization": f"Bearer {self._token}"}
        if data is not None:
            headers["Content-Type"] = media_type
        try:
            request = urllib.request.Request(url, data, headers, method=method)
            with self._opener().open(request, timeout=self.timeout) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            raise _from_answer(error) from None
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise Unavailable(f"cannot reach {self.url}: {reason}", hint="is it running?") from None

    def _opener(self) -> urllib.request.OpenerDirector:
        """Never follows to another place with our token; goes past proxies on this machine."""
        return urllib.request.build_opener(
            _NoRedirect,
            urllib.request.ProxyHandler(self._proxies),
            urllib.request.HTTPSHandler(context=self._context),
        )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def segment(text: str) -> str:
    """A path segment, percent-encoded."""
    return quote(text, safe="")


def _elsewhere(folder: Path) -> str:
    demo = folder / "demo"
    if announced(demo) is not None:
        return f"the demo's data is in {demo}: say --data {demo}"
    return "start one with 'gemel serve', or set GEMEL_URL and GEMEL_TOKEN"


def documents_of(folder: Path) -> SqliteDocuments:
    """The documents of a folder, beside its server if one runs.

    Raises:
        ConfigInvalid: the server, or the file, is of another version.
    """
    return SqliteDocuments(folder / "gemel.sqlite", in_use=partial(is_in_use, folder))


def _short_token(folder: Path) -> str:
    if not (folder / "gemel.sqlite").exists():
        raise NotAuthenticated("no token", hint="set GEMEL_TOKEN, or name the folder with --data")
    documents = documents_of(folder)
    try:
        new = tokens.create(
            documents,
            system_clock(),
            role="admin",
            name="command line",
            who="command line",
            seconds=SHORT_SECONDS,
            use="short",
        )
    finally:
        documents.close()
    return new.secret


def _from_answer(error: urllib.error.HTTPError) -> GemelError:
    try:
        found = orjson.loads(error.read())["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        found = {"code": "Error", "message": f"it answered {error.code}", "hint": URL_HINT}
    kind = KINDS.get(error.code, GemelError)
    return kind(
        found["message"],
        hint=found.get("hint", ""),
        code=found["code"],
        details=found.get("details", ()),
    )
