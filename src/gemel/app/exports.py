"""Exports: readings that are copied out for good, to databases of others.

What goes out is read from the history's own files, in the order in which it was stored, by a
process for each export. How far each is stands in a file; what went out since that was written
goes once more after a crash, and is there once. The history is told where each is
(`history.Followers`), and tells what it removes that was not copied yet.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from gemel.app import export_cursors
from gemel.app.connections import NAME
from gemel.app.export_cursors import Cursor
from gemel.app.export_link import ExportLink
from gemel.app.export_settings import from_body, to_document
from gemel.app.gaps import Loss
from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.errors import Conflict, Damaged, InvalidInput, NotFound
from gemel.exports.settings import SECRETS, Export, beginning
from gemel.history import Position

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.exports")
KIND = "export"
MOST = 20
LOOK_SECONDS = 0.25
"""How often the processes are told what is durable."""
SAVE_SECONDS = 1.0
EARLIEST = -(1 << 63)
BEGIN = Position(1)
CAUSE = "retention"


class Exports:
    """Every export of an installation, while the server runs."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._path = platform.folder.path / export_cursors.FILE
        self._links: dict[str, ExportLink] = {}
        self._turn = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None
        self._is_unsaved = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_damaged = False
        self._cursors: dict[str, Cursor] = {}
        """As they were at the start, of those that do not run yet."""
        try:
            self._cursors = export_cursors.read(self._path)
        except Damaged as error:
            self._is_damaged = True
            log.error("%s %s", self._path, error.message)

    @property
    def _of_file(self) -> dict[str, Export]:
        return dict(self._platform.config.exports)

    @property
    def _made(self) -> dict[str, Json]:
        return self._platform.catalogue.plain[KIND]

    # ---- as the history sees it (its threads) --------------------------------------------

    def positions(self) -> Sequence[Position]:
        """Where each is."""
        cursors = [link.cursor for link in list(self._links.values())]
        return [one.position for one in (*cursors, *list(self._cursors.values()))]

    def expired(self, logs: tuple[int, int], rows: int, times: tuple[int, int]) -> None:
        """Readings became too old and were removed."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it ends
                self._loop.call_soon_threadsafe(self._expired, logs, rows, times)

    def _expired(self, logs: tuple[int, int], rows: int, times: tuple[int, int]) -> None:
        for link in self._links.values():
            if link.expired(logs, rows):
                log.warning(
                    "export %s: up to %d readings were removed for their age before they went out",
                    link.name,
                    rows,
                )
                loss = Loss(f"export:{link.name}", times[0], max(times), rows)
                self._platform.gaps.add([loss], CAUSE)

    # ---- start and end -------------------------------------------------------------------

    async def start(self) -> None:
        """Begins to copy; those that nobody wants any more are forgotten."""
        self._loop = asyncio.get_running_loop()
        wanted = {
            key: from_body(doc, {}) for key, doc in self._made.items() if key not in self._of_file
        }
        for key, of in {**wanted, **self._of_file}.items():
            self._begin(key, of, self._cursors.get(key))
        self._cursors = {}
        await self._save()
        self._looking = self._loop.create_task(self._look())

    async def close(self) -> None:
        """Ends the processes and stores how far each is."""
        looking, self._looking = self._looking, None
        if looking is None:
            return
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await asyncio.gather(*(link.close() for link in self._links.values()))
        await self._save()

    async def _look(self) -> None:
        """Tells what is durable and stores how far they are, for good."""
        told: tuple[int, int] | None = None
        turns = 0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            turns += 1
            at = self._platform.history.durable()
            if at != told:
                told = at
                for link in self._links.values():
                    link.durable(at)
            if turns % round(SAVE_SECONDS / LOOK_SECONDS) == 0:
                for link in self._links.values():
                    link.tick()
                await self._save()

    async def _save(self) -> None:
        if not self._is_unsaved:
            return
        self._is_unsaved = False
        cursors = {name: link.cursor for name, link in self._links.items()}
        try:
            await self._platform.on_disk(export_cursors.write, self._path, cursors)
        except OSError as error:
            self._is_unsaved = True
            log.error("how far exports are cannot be stored: %s", error)

    def _changed(self) -> None:
        self._is_unsaved = True

    # ---- links ---------------------------------------------------------------------------

    def _begin(self, key: str, of: Export, cursor: Cursor | None) -> None:
        link = ExportLink(self._platform, key, of, self._continued(of, cursor), self._changed)
        self._links[key] = link
        self._is_unsaved = True
        link.start()

    def _continued(self, of: Export, cursor: Cursor | None) -> Cursor:
        """Where it goes on: behind what went out, unless it is told to begin elsewhere."""
        if cursor is None or (of.since and cursor.said != of.since):
            return self._cursor(of.since, is_new=cursor is None)
        log_file, written = self._platform.history.durable()
        at = cursor.position
        if at.log > log_file or (at.log == log_file and at.offset > written):
            log.error("an export is beyond the history: it begins anew, with all that is stored")
            return self._cursor(of.since, is_new=False)
        return cursor

    def _cursor(self, since: str, *, is_new: bool = True) -> Cursor:
        """A beginning; one whose place was lost goes back rather than leave anything out."""
        first = beginning(since)
        if first is None and is_new and not self._is_damaged:
            now = self._platform.clock()
            return Cursor(Position(*self._platform.history.durable()), EARLIEST, since, now)
        return Cursor(BEGIN, EARLIEST if first is None else first, since)

    def twins_changed(self) -> None:
        """Twins, relationships or models were edited: others may be selected."""
        for link in self._links.values():
            link.twins_changed()

    # ---- what people ask -----------------------------------------------------------------

    def listing(self) -> list[Json]:
        """All exports by name, without secrets, each with its state."""
        return [self._shown(key) for key in sorted(self._links)]

    async def put(self, key: str, body: Json, who: str) -> Json:
        """Makes or changes one; a password or token that is left out stays as it was.

        Raises:
            InvalidInput: its name or a field is not of its form, or no twin can be asked for so.
            Conflict: it stands in the configuration file, or there are too many.
        """
        if not NAME.fullmatch(key):
            raise InvalidInput(f"'{key[:80]}' cannot be the name of an export", hint="a-z 0-9 -")
        self._require_own(key)
        of = from_body(body, self._made.get(key, {}))
        if of.where:
            await self._platform.queries.twins_where(of.where)
        async with self._turn:
            if key not in self._made and len(self._made) >= MOST:
                raise Conflict(f"there are {MOST} exports already", hint="delete some first")
            await self._platform.put(KIND, key, to_document(of), who)
            before = await self._end(key)
            self._begin(key, of, before)
            await self._save()
        return self._shown(key)

    async def restart(self, key: str, since: str) -> Json:
        """Begins one anew, with what is stored of a time on; what is there already stays once.

        Raises:
            NotFound: there is none of this name.
            InvalidInput: `since` is no time.
        """
        beginning(since)
        async with self._turn:
            of = self._link(key).of
            before = await self._end(key)
            made = self._cursor(since)
            said = of.since  # so that the next start goes on from here
            counts = (before.exported, before.refused, before.expired) if before else (0, 0, 0)
            cursor = Cursor(made.position, made.since, said, made.received, *counts)
            self._begin(key, of, cursor)
            await self._save()
        return self._shown(key)

    async def delete(self, key: str, who: str) -> None:
        """Ends one; what is there stays there.

        Raises:
            NotFound: there is none of this name.
            Conflict: it stands in the configuration file.
        """
        self._require_own(key)
        async with self._turn:
            self._link(key)
            await self._platform.put(KIND, key, None, who, "deleted")
            await self._end(key)
            self._is_unsaved = True
            await self._save()

    def _link(self, key: str) -> ExportLink:
        found = self._links.get(key)
        if found is None:
            raise NotFound(f"there is no export '{key}'", hint="GET /exports lists them")
        return found

    def _require_own(self, key: str) -> None:
        if key in self._of_file:
            raise Conflict(
                f"export '{key}' stands in the configuration file",
                hint=f"change [exports.{key}] in gemel.toml and start again",
                code="ExportOfFile",
            )

    async def _end(self, key: str) -> Cursor | None:
        """Ends one; how far it was."""
        link = self._links.pop(key, None)
        if link is None:
            return None
        await link.close()
        return link.cursor

    def _shown(self, key: str) -> Json:
        link = self._links[key]
        said = to_document(link.of)
        secrets = {name: bool(said.pop(name, "")) for name in SECRETS}
        cursor, now = link.cursor, self._platform.clock()
        behind = link.behind(now)
        return {
            "name": key,
            "kind": link.of.kind,
            "source": "file" if key in self._of_file else "people",
            **said,
            "hasPassword": secrets["password"],
            "hasToken": secrets["token"],
            "state": link.state,
            "problem": link.problem,
            "stateSince": to_iso(link.since),
            "exported": cursor.exported,
            "rate": round(link.rate, 1),
            "behind": round(behind, 1) if cursor.received or not behind else None,
            "refused": cursor.refused,
            "lastRefusal": link.refusal,
            "expired": cursor.expired,
        }
