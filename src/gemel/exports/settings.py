"""What may be said of an export, by kind: `[exports.NAME]` and `PUT /exports/{name}`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, TypeAlias
from urllib.parse import urlsplit

from gemel.core.clock import from_iso
from gemel.core.errors import InvalidInput
from gemel.core.series import DERIVED, MEASURED, check_provenance

SECRETS = ("password", "token")
BEGINNING = "beginning"
EARLIEST = -(1 << 63)
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z", re.ASCII)
MOST_NAMED = 100
LONGEST_EVERY = 86_400.0


@dataclass(frozen=True)
class Selection:
    """Which readings go out; of all kinds."""

    where: str = ""
    """A condition of the query language that a twin must fulfil ('' for all)."""
    properties: tuple[str, ...] = ("*",)
    """Paths; `*` stands for anything."""
    provenances: tuple[str, ...] = (MEASURED, DERIVED)
    since: str = ""
    """From when on: '' is the moment it is made, `beginning`, or an ISO time."""
    every: float = 0.0
    """Of a property at most one reading, the first, in so many seconds; 0 for all."""

    def check(self) -> None:
        """Raises InvalidInput if something is not of its form."""
        for name in ("properties", "provenances"):
            if not 1 <= len(getattr(self, name)) <= MOST_NAMED:
                raise InvalidInput(f"'{name}' must be 1 to {MOST_NAMED} texts")
        for one in self.provenances:
            check_provenance(one)
        beginning(self.since)
        if not 0 <= self.every <= LONGEST_EVERY:
            raise InvalidInput(f"'every' must be 0 to {LONGEST_EVERY:,.0f} seconds")


def beginning(since: str) -> int | None:
    """The earliest time that goes out (ns); None where it begins with what is stored from now on.

    Raises:
        InvalidInput: it is neither a time nor a word for one.
    """
    if not since:
        return None
    if since == BEGINNING:
        return EARLIEST
    try:
        return from_iso(since)
    except (InvalidInput, ValueError) as error:
        raise InvalidInput(
            f"'since' is '{since[:80]}'", hint="an ISO time such as 2026-11-22, or 'beginning'"
        ) from error


@dataclass(frozen=True)
class InfluxExport(Selection):
    """InfluxDB 1 or 2, or what takes its line protocol as they do."""

    kind: ClassVar[str] = "influx"
    influx: str = ""
    """http://HOST:PORT, and the path that it may have."""
    database: str = ""
    retention_policy: str = ""
    bucket: str = ""
    org: str = ""
    measurement: str = "readings"
    username: str = ""
    password: str = ""
    token: str = ""
    gzip: bool = True
    ca: str = ""

    def check(self) -> None:
        super().check()
        check_url(self.influx, "influx")
        if bool(self.database) == bool(self.bucket):
            raise InvalidInput(
                "either 'database' (InfluxDB 1) or 'bucket' (InfluxDB 2) must be given"
            )
        if not self.measurement or self.measurement.startswith(("#", "_")):
            raise InvalidInput("'measurement' must be a name, without '#' or '_' before it")


@dataclass(frozen=True)
class PostgresExport(Selection):
    """PostgreSQL, with or without TimescaleDB."""

    kind: ClassVar[str] = "postgres"
    postgres: str = ""
    """postgresql://USER@HOST:PORT/DATABASE, and what else libpq knows behind a `?`."""
    table: str = "readings"
    """Perhaps with a schema: SCHEMA.TABLE. It is made if it is not there."""
    password: str = ""

    def check(self) -> None:
        super().check()
        found = check_url(self.postgres, "postgres", ("postgresql", "postgres"))
        if not found.path.strip("/"):
            raise InvalidInput(
                "'postgres' names no database", hint="postgresql://gemel@10.0.0.5:5432/plant"
            )
        parts = self.table.split(".")
        if len(parts) > 2 or not all(IDENTIFIER.match(part) for part in parts):
            raise InvalidInput(
                f"'table' is '{self.table[:80]}'", hint="letters, digits and _: TABLE, SCHEMA.TABLE"
            )


@dataclass(frozen=True)
class HttpExport(Selection):
    """Whatever takes lines of JSON by POST."""

    kind: ClassVar[str] = "http"
    http: str = ""
    """http://HOST:PORT/PATH."""
    username: str = ""
    password: str = ""
    token: str = ""
    gzip: bool = False
    ca: str = ""

    def check(self) -> None:
        super().check()
        check_url(self.http, "http")


Export: TypeAlias = InfluxExport | PostgresExport | HttpExport
KINDS: dict[str, type[Export]] = {
    "influx": InfluxExport,
    "postgres": PostgresExport,
    "http": HttpExport,
}
"""By the setting that says where it goes: which of them is there tells the kind."""


@dataclass(frozen=True, slots=True)
class Place:
    """A URL, taken apart."""

    scheme: str
    host: str
    port: int
    path: str


def check_url(text: str, name: str, schemes: tuple[str, ...] = ("http", "https")) -> Place:
    """Takes a URL apart.

    Raises:
        InvalidInput: it is none of these schemes, or bears a password.
    """
    hint = f"write it like {schemes[0]}://10.0.0.5:8086"
    try:
        found = urlsplit(text)
        port = found.port
    except ValueError as error:
        raise InvalidInput(f"'{name}' is '{text[:200]}': {error}", hint=hint) from error
    if found.scheme not in schemes or not found.hostname or not text.isascii():
        raise InvalidInput(f"'{name}' is '{text[:200]}', no address", hint=hint)
    if found.password or (found.username and schemes[0] == "http"):
        raise InvalidInput(f"'{name}' bears a password", hint="say it in 'password'")
    path = found.path + (f"?{found.query}" if found.query else "")
    default = {"https": 443, "http": 80}.get(found.scheme, 5432)
    return Place(found.scheme, found.hostname, port or default, path)
