"""Scenarios: kept, run in workers, compared, promoted, dropped.

A scenario is a document of kind `scenario`; what its last run came to is a file of its own in
`scenarios/`. Nothing of it is among the live values unless somebody keeps it: then it is written as
readings of the provenance `simulated:ID`.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gemel.app.blobs import naming
from gemel.app.runs import OVER, SUCCEEDED
from gemel.app.scenario_plan import make_ready
from gemel.core.clock import to_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import Conflict, InvalidInput, NotFound
from gemel.services.contract import Instance, Result, Series
from gemel.services.packing import pack, unpack
from gemel.services.whatif.kind import RUN
from gemel.services.whatif.runs import PLAN
from gemel.services.whatif.scenario import read_scenario
from gemel.twins.graph import EditContext, Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

KIND = "scenario"
FOLDER = "scenarios"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
MOST = 1_000
SHORT = ("id", "title", "twin", "unit", "baseline", "scenario", "difference")
"""Of a key figure, where a result is told in short."""
Check = Callable[[Sequence[str]], None]
Arrays = Mapping[str, np.ndarray[Any, Any]]
STATE_FIELDS = ("id", "state", "progress", "message", "requested", "started", "ended", "who",
                "error", "hint")  # fmt: skip


class Scenarios:
    """All scenarios of an installation."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._folder = platform.folder.path / FOLDER
        self._latest: dict[str, str] = {}
        """By scenario, the run that counts: known before its document says so."""
        platform.services.runs.takers["whatif"] = self._take

    @property
    def _stored(self) -> dict[str, Json]:
        return self._platform.catalogue.plain[KIND]

    # ---- looking -----------------------------------------------------------------------------

    def views(self) -> list[Json]:
        """The newest first."""
        found = [self.view(key) for key in self._stored]
        return sorted(found, key=lambda one: (one["made"], one["id"]), reverse=True)

    def view(self, key: str) -> Json:
        """One scenario, with its run and what it last came to in short.

        Raises:
            NotFound: there is none.
        """
        doc = self.document(key)
        return {"id": key, **doc, "run": self._run(doc.get("run"))}

    def document(self, key: str) -> Json:
        found = self._stored.get(key)
        if found is None:
            raise NotFound(f"there is no scenario '{key}'", hint="GET /scenarios lists them")
        return found

    def _run(self, run: str | None) -> Json | None:
        if run is None:
            return None
        try:
            found = self._platform.services.runs.get(run)
        except NotFound:  # runs are forgotten after a while; what it came to is kept
            return None
        return {name: found[name] for name in STATE_FIELDS}

    def asked(self, key: str) -> Json:
        """What a scenario asks, without what came of it.

        Raises:
            NotFound: there is none.
        """
        return _asked(self.document(key))

    def documents(self) -> list[Json]:
        """What they ask, without what came of it; for a plant's files."""
        return [{"id": key, **_asked(doc)} for key, doc in sorted(self._stored.items())]

    # ---- making and dropping -----------------------------------------------------------------

    def plan(self, context: EditContext, given: Mapping[str, Json]) -> list[Edit]:
        """The edits that make scenarios or change what they ask; equal ones are left alone.

        Raises:
            InvalidInput: names the scenario, the place and the rule.
        """
        if len(self._stored.keys() | given.keys()) > MOST:
            raise InvalidInput(f"there are {MOST} scenarios", hint="drop some")
        edits = []
        for key, body in given.items():
            if not NAME.fullmatch(key):
                raise InvalidInput(
                    f"scenario '{key}': is no id",
                    hint="1 to 64 letters, digits, '.', '_' and '-'",
                )
            asked = {n: v for n, v in body.items() if n not in KEPT}
            try:
                doc = dict(read_scenario(asked).document)
            except InvalidInput as error:
                raise InvalidInput(f"scenario '{key}': {error.message}", hint=error.hint) from error
            old = self._stored.get(key)
            if old is not None and {n: v for n, v in old.items() if n not in KEPT} == doc:
                continue
            self._latest.pop(key, None)  # what an older one asked does not count any more
            made = {"made": to_iso(context.now), "by": context.who, "run": None, "result": None}
            edits.append(context.edit(KIND, key, {**doc, **made}))
        return edits

    async def put(self, key: str, body: Json, who: str) -> Json:
        """Makes or changes a scenario; what an older one came to is dropped with it."""

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            return self.plan(context, {key: body}), None

        await self._platform.edit(plan, who, "scenario")
        return self.view(key)

    async def drop(self, key: str, who: str) -> None:
        """Forgets a scenario and what it came to; what was kept in the history stays there.

        Raises:
            NotFound: there is none.
        """
        run = self._run(self.document(key).get("run"))
        if run is not None and run["state"] not in OVER:
            await self._platform.services.runs.cancel(run["id"], who)
        await self._platform.put(KIND, key, None, who, "scenario dropped")
        await asyncio.to_thread(self._file(key).unlink, missing_ok=True)

    # ---- running -----------------------------------------------------------------------------

    async def run(self, key: str, who: str, check: Check = lambda _: None) -> Json:
        """Forks as of the scenario's moment and queues a run.

        Args:
            key: the scenario's.
            who: asks for it.
            check: is given the twins that are to be simulated, and raises if it refuses one.

        Raises:
            NotFound, InvalidInput: as `make_ready`.
            Conflict: it is under way.
            Unavailable: too many runs wait.
        """
        doc = self.document(key)
        under_way = self._run(doc.get("run"))
        if under_way is not None and under_way["state"] not in OVER:
            raise Conflict(
                f"scenario '{key}' is under way as run '{under_way['id']}'",
                hint="wait for it, or cancel it",
                code="ScenarioUnderWay",
            )
        ready = await make_ready(self._platform, key, _asked(doc))
        check(ready.twins)
        instance = Instance("", "whatif", ready.twins, {PLAN: ready.plan})
        runs = self._platform.services.runs
        run = await runs.ask("whatif", RUN, instance, {"scenario": key}, who, "what if")
        self._latest[key] = run["id"]
        await self._platform.put(KIND, key, {**self.document(key), "run": run["id"]}, who, "run")
        return self.view(key)

    async def _take(self, run: str, instance: Instance, found: Result) -> None:
        """What a run came to goes into a file of the scenario's own."""
        key = instance.parameters[PLAN]["id"]
        if self._latest.get(key) != run:
            return  # asked anew meanwhile
        document = {**found.document, "run": run}
        await asyncio.to_thread(self._write, key, pack(document, found.arrays))
        doc = self._stored.get(key)
        if doc is None:  # dropped meanwhile
            await asyncio.to_thread(self._file(key).unlink, missing_ok=True)
            return
        short = {
            "run": run,
            "at": document["at"],
            "to": document["to"],
            "kpis": [{n: row[n] for n in SHORT} for row in document["kpis"]],
        }
        kept = {**doc, "run": run, "result": short}
        await self._platform.put(KIND, key, kept, "gemel", SUCCEEDED)

    def _file(self, key: str) -> Path:
        return self._folder / f"{key}.pack"

    def _write(self, key: str, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self._folder / f"{key}.part"
        with part.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, self._file(key))

    # ---- what it came to ---------------------------------------------------------------------

    async def result(self, key: str) -> tuple[Json, Arrays]:
        """The last run's document and arrays.

        Raises:
            NotFound: there is no such scenario.
            Conflict: it has not been run, or what it came to is gone.
        """
        doc = self.document(key)
        if doc.get("result") is None:
            raise Conflict(
                f"scenario '{key}' has come to nothing yet",
                hint=f"run it first: gemel whatif run {key} --wait, or POST /scenarios/{key}/run",
                code="ScenarioNotRun",
            )
        try:
            data = await asyncio.to_thread(self._file(key).read_bytes)
        except FileNotFoundError:
            raise Conflict(
                f"what scenario '{key}' came to is gone", hint="run it again", code="ScenarioNotRun"
            ) from None
        with naming(self._file(key)):
            return unpack(data)

    async def keep(self, key: str, who: str) -> Json:
        """Writes what was simulated into the history, as readings of `simulated:ID`.

        Raises:
            Conflict: it has not been run.
            Unavailable: it cannot be stored.
        """
        document, arrays = await self.result(key)
        provenance = f"simulated:{key}"
        signals = self._platform.catalogue
        series = [
            Series(
                twin,
                path,
                provenance,
                arrays["time"],
                arrays["scenario/mean"][:, i].astype(float),
                arrays["scenario/low"][:, i].astype(float),
                arrays["scenario/high"][:, i].astype(float),
            )
            for i, (twin, path, _) in enumerate(document["series"])
            if path in signals.signals.of(signals.model_of(twin) or "")
        ]
        await self._platform.services.writer.write_series(series)
        doc = {**self.document(key), "kept": to_iso(self._platform.clock())}
        await self._platform.put(KIND, key, doc, who, "kept")
        return {"provenance": provenance, "series": len(series), "values": len(arrays["time"])}


KEPT = ("id", "made", "by", "run", "result", "kept")
"""What a scenario's document has beside what is asked."""


def _asked(doc: Json) -> Json:
    return {name: value for name, value in doc.items() if name not in KEPT}
