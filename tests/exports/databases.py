"""Debian's InfluxDB and PostgreSQL for tests, each started once, in folders of their own."""

from __future__ import annotations

import os
import shutil
import tempfile
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pytest
from bench.against.servers import Influx, NotHere, Postgres, Server

S = TypeVar("S", bound=Server)


@contextmanager
def started(kind: type[S], **how: Any) -> Iterator[S]:
    """A server in a folder that its own user can reach; without it a test is skipped, not in CI."""
    folder = Path(tempfile.mkdtemp(prefix="gemel-database-"))
    folder.chmod(0o755)
    try:
        try:
            server = kind(folder / "server", **how)
        except NotHere as error:
            if os.environ.get("CI") == "true":
                pytest.fail(str(error))
            pytest.skip(str(error))
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def asked(server: Influx, text: str, database: str = "load", **more: str) -> list[dict[str, Any]]:
    """The rows of a query of InfluxDB 1, tags and fields by name."""
    query = urllib.parse.urlencode({"q": text, "db": database, "epoch": "ns", **more})
    found = orjson.loads(server.ask(f"/query?{query}"))["results"][0]
    return [
        {**one.get("tags", {}), **dict(zip(one["columns"], row, strict=True))}
        for one in found.get("series", [])
        for row in one["values"]
    ]


def url(server: Postgres, user: str = "load") -> str:
    return f"postgresql://{user}@127.0.0.1:{server.port}/postgres"
