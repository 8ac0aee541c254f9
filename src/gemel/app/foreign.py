"""Models of others that were imported: their files, what they say of themselves, who uses them.

A document of kind `imported` describes one; its file is `models/SHA256` in the data folder.
Each is started once, in its sandbox, before it is taken in.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gemel.app.service_documents import NAME
from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from gemel.services.behaviour.registry import REGRESSION, behaviours
from gemel.services.contract import Kind
from gemel.services.foreign.confine import CALLS, FILES
from gemel.services.foreign.described import tried

if TYPE_CHECKING:
    from gemel.app.platform import Platform

FOLDER = "models"
DOCUMENT = "imported"
MOST_BYTES = 256 << 20
UNCONFINED = "this machine cannot confine native code: neither Landlock nor seccomp is to be had"


class ForeignModels:
    """All that were imported into an installation."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._folder = platform.folder.path / FOLDER
        self._one_at_a_time = asyncio.Lock()

    def views(self) -> list[Json]:
        return [self.view(name) for name in sorted(self._documents())]

    def view(self, name: str) -> Json:
        """One of them.

        Raises:
            NotFound: there is none of this name.
        """
        document = self._documents().get(name)
        if document is None:
            known = ", ".join(sorted(self._documents())) or "none"
            raise NotFound(f"no model '{name}' was imported", hint=f"there are: {known}")
        return {"name": name, **document, "usedBy": self._users(name)}

    def _documents(self) -> Mapping[str, Json]:
        return self._platform.catalogue.plain[DOCUMENT]

    def _users(self, name: str) -> list[str]:
        services = self._platform.services.hosted
        found = [key for key, one in services.items() if name in one.instance.foreign]
        attached = self._platform.behaviours.documents()
        return sorted([*found, *(d["id"] for d in attached if d.get("behaviour") == name)])

    def entries(self) -> dict[str, Json]:
        """All of them, each with the path of its file."""
        return {
            name: {**one, "file": str(self._folder / one["sha256"])}
            for name, one in self._documents().items()
        }

    def of(self, kind: Kind, parameters: Json) -> dict[str, Json]:
        """The models that an instance with these parameters uses, each with the path of its file.

        Raises:
            NotFound: one that is named is not there.
        """
        known = self.entries() if kind.foreign(parameters) else {}
        found: dict[str, Json] = {}
        for name in kind.foreign(parameters):
            if name not in known:
                raise NotFound(
                    f"there is no behaviour '{name}'",
                    hint="one of: "
                    + ", ".join(behaviours())
                    + "; gemel behaviour import FILE brings others",
                )
            found[name] = known[name]
        return found

    async def put(
        self, name: str, data: bytes, who: str, *, mode: str, patience: float, memory_mb: int
    ) -> Json:
        """Takes a model in, or another version of it.

        Raises:
            InvalidInput: the name or the file will not do, or the model cannot be started.
            Conflict: the name is that of a built-in one.
            Unavailable: its library is missing, or this machine cannot confine it.
        """
        if not NAME.fullmatch(name):
            raise InvalidInput(
                f"'{name[:80]}' is no name of a model", hint="A-Z a-z 0-9 . _ -, to 64"
            )
        if name in (*behaviours(), REGRESSION):
            raise Conflict(f"'{name}' is built in", hint="choose another name")
        loop = asyncio.get_running_loop()
        async with self._one_at_a_time:
            description, protections = await loop.run_in_executor(
                None, partial(tried, name, data, mode, memory_mb, patience)
            )
            if not {FILES, CALLS} & set(protections):
                raise Unavailable(UNCONFINED, hint="Linux 5.13 or later, or x86-64")
            digest = await loop.run_in_executor(None, self._write, data)
        document = {
            **description,
            "sha256": digest,
            "bytes": len(data),
            "patience": patience,
            "memoryMb": memory_mb,
            "protections": list(protections),
            "imported": to_iso(self._platform.clock()),
            "who": who,
        }
        before = self._documents().get(name)
        await self._platform.put(DOCUMENT, name, document, who, "imported")
        if before is not None:
            self._sweep(before["sha256"])
        return self.view(name)

    def _write(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        part = self._folder / f"{digest}.part"
        try:
            with part.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(self._folder / digest)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise Unavailable(
                f"the model cannot be stored: {error.strerror}", hint="free some space on the disk"
            ) from error
        return digest

    async def delete(self, name: str, who: str) -> None:
        """Forgets one.

        Raises:
            NotFound: there is none.
            Conflict: a service uses it.
        """
        view = self.view(name)
        if view["usedBy"]:
            raise Conflict(
                f"model '{name}' is used by " + ", ".join(view["usedBy"]),
                hint="change or delete them first",
            )
        await self._platform.put(DOCUMENT, name, None, who, "deleted")
        self._sweep(view["sha256"])

    def _sweep(self, digest: str) -> None:
        """Removes a file that no document names any more."""
        if all(document["sha256"] != digest for document in self._documents().values()):
            Path(self._folder / digest).unlink(missing_ok=True)
