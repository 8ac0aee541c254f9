"""What runs have learnt, as versions: kept with their provenance, taken into use, rolled back.

A document of kind `fit` lists the versions of a service; each version's content is a file
`fits/SERVICE/VERSION.pack` in the data folder.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

from gemel import __version__
from gemel.app.blobs import naming
from gemel.core.clock import from_iso, to_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import NotFound
from gemel.services.contract import Fit, Instance
from gemel.services.jobs import fit_bytes, fit_of
from gemel.twins.graph import EditContext, Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

FOLDER = "fits"
KEEP = 20
"""Versions of a service; the one in use always stays."""


class Fits:
    """All versions of all services."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._folder = platform.folder.path / FOLDER
        self._lock = asyncio.Lock()

    def view(self, service: str) -> Json:
        """`{"current": number or None, "versions": [...]}`, the newest first."""
        empty: Json = {"current": None, "versions": []}
        return self._platform.catalogue.plain["fit"].get(service, empty)

    def known_until(self, service: str) -> int | None:
        """The end (ns) of the data that the version in use was made from."""
        view = self.view(service)
        mine = (v["to"] for v in view["versions"] if v["version"] == view["current"])
        until = next(mine, None)
        return from_iso(until) if until else None

    def current(self, service: str) -> Fit | None:
        """The version in use, read from disk."""
        number = self.view(service)["current"]
        return None if number is None else self.read(service, number)

    def read(self, service: str, number: int) -> Fit:
        """One version.

        Raises:
            NotFound: it is not there.
            Damaged: it is not what was written.
        """
        file = self._file(service, number)
        try:
            with naming(file):
                return fit_of(file.read_bytes())
        except FileNotFoundError:
            raise NotFound(
                f"service '{service}' has no version {number}",
                hint=f"GET /services/{service}/status lists them",
            ) from None

    def _file(self, service: str, number: int) -> Path:
        return self._folder / service / f"{number}.pack"

    def write(self, service: str, fit: Fit) -> int:
        """Puts a new version on disk; `take` makes it known too. Blocks."""
        numbers = [int(v["version"]) for v in self.view(service)["versions"]]
        number = max(numbers, default=0) + 1
        file = self._file(service, number)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        with part.open("wb") as out:
            out.write(fit_bytes(fit))
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, file)
        return number

    def sweep(self) -> None:
        """Removes what a kill has left: versions that no list names, and halves. Blocks."""
        for file in self._folder.glob("*/*"):
            named = {f"{v['version']}.pack" for v in self.view(file.parent.name)["versions"]}
            if file.name not in named:
                file.unlink(missing_ok=True)

    def kind_of(self, service: str) -> str | None:
        """The kind of service that its versions are of; None where nothing says so."""
        found: str | None = self.view(service).get("kind")
        return found

    async def take(self, instance: Instance, fit: Fit, run: str, who: str) -> int:
        """Keeps what a run has learnt as the next version; its number."""
        async with self._lock:  # two runs of a service may end at once
            loop = asyncio.get_running_loop()
            number = await loop.run_in_executor(None, self.write, instance.id, fit)
            await self._add(instance, number, fit, run, who)
        return number

    async def _add(self, instance: Instance, number: int, fit: Fit, run: str, who: str) -> None:
        """Makes a version known, and takes it into use if it passed its gate."""
        service = instance.id
        old = self.view(service)
        line: Json = {
            "version": number,
            "run": run,
            "who": who,
            "made": to_iso(self._platform.clock()),
            "gemel": __version__,
            "from": to_iso(fit.begin) if fit.begin else None,
            "to": to_iso(fit.end) if fit.end else None,
            "scores": fit.scores,
            "passed": fit.adopt,
        }
        versions = [line, *old["versions"]]
        current = number if fit.adopt else old["current"]
        kept = [v for i, v in enumerate(versions) if i < KEEP or v["version"] == current]
        document: Json = {"current": current, "versions": kept, "kind": instance.kind}
        await self._put(service, document, who, f"version {number}")
        for gone in versions:
            if gone not in kept:
                self._file(service, gone["version"]).unlink(missing_ok=True)

    async def use(self, service: str, number: int | None, who: str) -> Json:
        """Takes another version into use; None: none.

        Raises:
            NotFound: there is no such version.
        """
        old = self.view(service)
        if number is not None:
            if number not in [v["version"] for v in old["versions"]]:
                raise NotFound(
                    f"service '{service}' has no version {number}",
                    hint=f"GET /services/{service}/status lists them",
                )
            self.read(service, number)
        document = {**old, "current": number}
        await self._put(service, document, who, f"back to version {number}")
        return {name: document[name] for name in ("current", "versions")}

    async def _put(self, service: str, document: Json, who: str, why: str) -> None:
        """Stores the list; where another version comes into use, alarms of the old one end."""

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            edits = [context.edit("fit", service, document)]
            if document["current"] != self.view(service)["current"]:
                edits += self._platform.services.closing(
                    service, f"version {document['current']} is in use now", context
                )
            return edits, None

        await self._platform.edit(plan, who, why)
