"""Bodies by HTTP POST, over one connection that is kept."""

from __future__ import annotations

import base64
import http.client
import ssl
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from gemel.core.errors import Unavailable
from gemel.exports.settings import Place

SECONDS = 30.0
MOST_READ = 65_536
FASTEST = 1
"""The level of gzip that costs least."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str

    @property
    def is_taken(self) -> bool:
        return 200 <= self.status < 300


def authorization(username: str, password: str, token: str, scheme: str) -> dict[str, str]:
    """The header that says who writes; none without a user or token."""
    if token:
        return {"Authorization": f"{scheme} {token}"}
    if username or password:
        both = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
        return {"Authorization": f"Basic {both}"}
    return {}


class Poster:
    """Posts to one address; its connection is made anew when it has broken."""

    def __init__(
        self, place: Place, path: str, headers: Mapping[str, str], *, gzip: bool, ca: str
    ) -> None:
        self.place = place
        self._path = path
        self._headers = {"User-Agent": "Gemel", **headers}
        self._gzip = gzip
        if gzip:
            self._headers["Content-Encoding"] = "gzip"
        self._context = self._trusting(ca) if place.scheme == "https" else None
        self._link: http.client.HTTPConnection | None = None

    @staticmethod
    def _trusting(ca: str) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=ca or None)
        except (OSError, ssl.SSLError) as error:
            raise Unavailable(
                f"the authorities in {ca} cannot be read: {error}", hint="'ca' names a PEM file"
            ) from error

    @property
    def shown(self) -> str:
        return f"{self.place.scheme}://{self.place.host}:{self.place.port}"

    def post(self, body: bytes) -> Answer:
        """Raises Unavailable if there was no answer."""
        if self._gzip:
            packing = zlib.compressobj(FASTEST, wbits=31)
            body = packing.compress(body) + packing.flush()
        if self._link is not None:  # it may have been closed there meanwhile
            try:
                return self._post(self._link, body)
            except (http.client.HTTPException, OSError):
                self.close()
        with self._reaching():
            self._link = self._connected()
            return self._post(self._link, body)

    def check(self) -> None:
        """Raises Unavailable if nobody is there."""
        with self._reaching():
            self._link = self._connected()
            self._link.connect()

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except (http.client.HTTPException, OSError) as error:
            self.close()
            what = str(error) or type(error).__name__
            raise Unavailable(
                f"{self.shown} cannot be reached: {what}",
                hint="it is tried again; nothing is left out meanwhile",
            ) from error

    def _connected(self) -> http.client.HTTPConnection:
        host, port = self.place.host, self.place.port
        if self._context is None:
            return http.client.HTTPConnection(host, port, timeout=SECONDS)
        return http.client.HTTPSConnection(host, port, timeout=SECONDS, context=self._context)

    def _post(self, link: http.client.HTTPConnection, body: bytes) -> Answer:
        link.request("POST", self._path, body, self._headers)
        answer = link.getresponse()
        text = answer.read(MOST_READ).decode("utf-8", "replace")
        if not answer.isclosed():  # more than anybody wants to read
            self.close()
        return Answer(answer.status, text.strip()[:500])

    def close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()


def refusal(shown: str, answer: Answer) -> Unavailable:
    """What an answer means that is neither yes nor about what was sent."""
    said = f"{shown} answered {answer.status}: {answer.text or 'nothing'}"
    hints = {
        401: "look at the user, password or token of this export",
        403: "whoever this export logs in as may not write there",
        404: "the database, bucket or path is not there: make it, or name another",
        429: "it wants fewer writes; it is tried again",
    }
    if 300 <= answer.status < 400:
        return Unavailable(said, hint="redirects are not followed: give the address it leads to")
    return Unavailable(said, hint=hints.get(answer.status, "look there; it is tried again"))
