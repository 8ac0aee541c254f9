"""Places of files as users write them: a path, `file:///...`, `s3://bucket/...`, `az://container/...`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

from gemel.backends import object_access
from gemel.backends.object_folder import FolderObjects
from gemel.core.errors import InvalidInput
from gemel.core.ports import Objects

KINDS = {"s3": object_access.s3, "az": object_access.azure}
ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
WAYS = "a path, file:///path, s3://bucket/name or az://container/name"


def local(text: str) -> Path | None:
    """The path that is meant; None where a bucket is.

    Raises:
        InvalidInput: it is no address that is known here.
    """
    found = ADDRESS.fullmatch(text)
    if found is None:
        return Path(text)
    scheme, rest = found[1].lower(), found[2]
    if scheme == "file":
        host, _, path = rest.partition("/")
        if host not in ("", "localhost") or not path:
            raise InvalidInput(f"'{text}' is no file here", hint="write it as file:///path")
        return Path("/" + unquote(path))
    if scheme not in KINDS:
        raise InvalidInput(f"'{scheme}://' is not known here", hint=f"name {WAYS}")
    return None


def split(text: str) -> tuple[str, str]:
    """An address of a bucket as the place above, and the last part of its name."""
    head, _, last = text.rstrip("/").rpartition("/")
    return (head, last) if "://" in head and not head.endswith("/") else (text.rstrip("/"), "")


def opened(text: str) -> Objects:
    """The place that an address names; nothing is asked of it yet.

    Raises:
        InvalidInput: it is no address of ours, or what it needs is not installed.
        ConfigInvalid: what the environment says cannot be used.
        NotAuthenticated: the environment does not say whose it is.
    """
    path = local(text)
    if path is not None:
        return FolderObjects(path, text.rstrip("/") or "/")
    scheme, _, rest = text.partition("://")
    bucket, _, prefix = rest.rstrip("/").partition("/")
    if any(mark in rest for mark in "@?#"):
        raise InvalidInput(
            f"an address of {scheme.lower()}:// has no @, ? or #: it holds a name, never a secret",
            hint="credentials come from the environment: AWS_... or AZURE_... variables",
        )
    parts = prefix.split("/") if prefix else []
    if not bucket or any(part in ("", ".", "..") for part in parts):
        raise InvalidInput(f"'{text}' is no name in a bucket", hint=f"name {WAYS}")
    return KINDS[scheme.lower()](bucket, prefix, os.environ)


def file(text: str) -> tuple[Objects, str]:
    """Where one file is to lie, and its name there."""
    path = local(text)
    if path is not None:
        return FolderObjects(path.parent), path.name
    place, name = split(text)
    if not name:
        raise InvalidInput(f"'{text}' names no file", hint=f"such as {place}/readings.parquet")
    return opened(place), name
