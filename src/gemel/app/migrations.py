"""Twins move from one model to another: a plan, a dry run, the move as a job, and back again.

A move goes by twin in order of id, in batches that are each one edit with the job's progress, so
that both models live meanwhile and a job that a restart cut goes on. A twin that does not fit the
new model stays with the old one, and the job says why.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import orjson

from gemel.app.jobs import CANCELLED, CANCELLING, FAILED, INTERNAL, SUCCEEDED, changed
from gemel.backends import past as store
from gemel.core.clock import from_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import GemelError, InvalidInput
from gemel.twins.dtdl.interface import Interface, Property, Relationship, Telemetry
from gemel.twins.evolution import Mapping, compare, contents_of, moved, read_mapping
from gemel.twins.graph import EditContext, Graph
from gemel.twins.records import Twin
from gemel.twins.twin_edits import move_back, move_twin

if TYPE_CHECKING:
    from gemel.app.platform import Platform

KIND = "migrations"
BATCH = 500
BATCH_SECONDS = 0.008
PAUSE_SECONDS = 0.001
MOST_PROBLEMS = 20
MOST_EXAMPLES = 5
Mover = Callable[[Graph, EditContext, Twin], list[Edit]]


class Tally:
    """How many twins moved, and what was in the way of the others."""

    def __init__(self, doc: Json | None = None) -> None:
        doc = doc or {}
        self.position: str = doc.get("position", "")
        self.moved: int = doc.get("moved", 0)
        self.failed: int = doc.get("failed", 0)
        self.problems: dict[str, Json] = {p["message"]: dict(p) for p in doc.get("problems", ())}

    def fail(self, twin: str, error: GemelError) -> None:
        self.failed += 1
        messages = [str(d.get("message", "")) for d in error.details] or [error.message]
        for message in messages:
            known = self.problems.get(message)
            if known is None:
                if len(self.problems) >= MOST_PROBLEMS:
                    continue
                known = self.problems[message] = {"message": message, "count": 0, "examples": []}
            known["count"] += 1
            if len(known["examples"]) < MOST_EXAMPLES:
                known["examples"] = [*known["examples"], twin]

    def view(self) -> Json:
        problems = sorted(self.problems.values(), key=lambda one: -one["count"])
        return {"moved": self.moved, "failed": self.failed, "problems": problems}

    def doc(self) -> Json:
        return {"position": self.position, **self.view()}


class Migrations:
    """Plans and runs of one platform."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        platform.jobs.runners[KIND] = self._run

    # ---- plans ---------------------------------------------------------------------------

    def plan(self, old_id: str, new_id: str) -> Json:
        """What is different of two models, and what refers to the old one.

        Raises:
            NotFound: there is no such model.
        """
        graph = self._platform.graph
        old, new = graph.model(old_id), graph.model(new_id)
        changes = compare(graph, old, new)
        return {
            "from": old_id,
            "to": new_id,
            "twins": sum(twin.model == old_id for twin in graph.twins.values()),
            "breaks": sum(one.breaks for one in changes),
            "changes": [one.view() for one in changes],
            "referrers": list(self._referrers(graph, old, new)),
        }

    def _referrers(self, graph: Graph, old: Interface, new: Interface) -> Iterable[Json]:
        """What speaks of the old model and does not follow its twins to the new one."""
        lost = old.bases - new.bases
        plain = self._platform.catalogue.plain
        gone = {p for p, c in contents_of(graph, old) if isinstance(c, Property | Telemetry)}
        gone -= {p for p, c in contents_of(graph, new) if isinstance(c, Property | Telemetry)}
        for kind in ("rule", "service"):
            for key, doc in plain[kind].items():
                names = sorted(path for path in gone if _names(doc, path))
                if doc.get("model") in lost:
                    yield _referrer(kind, key, f"is for '{doc['model']}'", names)
                elif names and doc.get("model") in new.bases:
                    yield _referrer(kind, key, "names what is gone", names)
        for key, doc in plain["kpi"].items():
            twin = graph.find_twin(str(doc.get("twin")))
            if twin is not None and twin.model == old.id and doc.get("property") in gone:
                yield _referrer("kpi", key, f"shows it of '{twin.id}'", [doc["property"]])
        for key, doc in plain["binding"].items():
            names = sorted(path for path in gone if _names(doc, path))
            if names:
                yield _referrer("binding", key, "maps to what is gone", names)
        if old.id in plain["settings"] and new.id not in plain["settings"]:
            yield _referrer("settings", old.id, "are of the old model; the new one has none", [])
        for model_id in graph.model_ids():
            other = graph.model(model_id)
            if model_id not in (old.id, new.id) and old.id in other.dependencies():
                yield _referrer("model", model_id, "extends it or has it as a component", [])
            for name, content in other.relationships().items():
                if model_id != old.id and _points_at(content, lost):
                    yield _referrer(
                        "model", model_id, f"'{name}' must point at {content.target}", []
                    )

    async def dry_run(self, old_id: str, new_id: str, body: object) -> Json:
        """The plan, and what would become of every twin."""
        old, new, mapping = self._read(old_id, new_id, body)
        platform = self._platform
        move = mover(new, mapping)
        tally = Tally()
        context = EditContext(platform.clock(), "", lambda: "")
        pause = time.perf_counter() + BATCH_SECONDS
        for twin_id in [key for key, twin in platform.graph.twins.items() if twin.model == old.id]:
            twin = platform.graph.find_twin(twin_id)
            if twin is not None and twin.model == old.id:
                _try(tally, move, platform.graph, context, twin)
            if time.perf_counter() > pause:
                await asyncio.sleep(PAUSE_SECONDS)
                pause = time.perf_counter() + BATCH_SECONDS
        return {**self.plan(old_id, new_id), "dryRun": tally.view()}

    def _read(self, old_id: str, new_id: str, body: object) -> tuple[Interface, Interface, Mapping]:
        graph = self._platform.graph
        old, new = graph.model(old_id), graph.model(new_id)
        if old_id == new_id:
            raise InvalidInput("a model cannot move to itself", hint="name another version in 'to'")
        record = graph.find_record(new_id)
        if record is not None and record.is_decommissioned:
            raise InvalidInput(
                f"the model '{new_id}' is decommissioned", hint="move to a newer version"
            )
        return old, new, read_mapping(graph, old, new, body)

    # ---- jobs ----------------------------------------------------------------------------

    async def start(self, old_id: str, new_id: str, body: object, who: str, job: str = "") -> Json:
        """Makes a job that moves all twins of a model.

        Raises:
            InvalidInput: the mapping does not fit the models, or the id is taken.
            NotFound: there is no such model.
        """
        self._read(old_id, new_id, body)
        doc = {"from": old_id, "to": new_id, "mapping": body, "undoes": None}
        return await self._add(job or str(uuid.uuid4()), doc, who)

    async def undo(self, job: str, who: str) -> Json:
        """Makes a job that gives the twins of a migration back what they were.

        Raises:
            NotFound: there is no such migration.
            InvalidInput: it has not ended, or was an undo itself.
        """
        doc = self._platform.jobs.get(KIND, job)
        if doc["undoes"] is not None or doc["finishedDateTime"] is None:
            raise InvalidInput(
                f"migration '{job}' cannot be undone: it "
                + ("is an undo itself" if doc["undoes"] else f"is {doc['status']}"),
                hint="start a migration the other way, or wait until it has ended",
            )
        self._platform.graph.model(doc["from"])
        made = {"from": doc["to"], "to": doc["from"], "mapping": {}, "undoes": job}
        return await self._add(f"{job}-undo", made, who)

    async def _add(self, job: str, doc: Json, who: str) -> Json:
        return await self._platform.jobs.add(KIND, job, {**doc, "progress": Tally().doc()}, who)

    async def _run(self, key: str) -> None:
        jobs = self._platform.jobs
        doc = jobs.documents[key]
        position = doc["progress"]["position"]
        waiting, move = await (self._undoing(doc) if doc["undoes"] else self._moving(doc))
        left = deque(twin for twin in waiting if twin > position)
        while left:
            if jobs.documents[key]["status"] == CANCELLING:
                await jobs.end(key, CANCELLED, None)
                return
            await self._platform.edit(self._batch(key, left, move), doc["who"], _why(key))
            await asyncio.sleep(PAUSE_SECONDS)
        failed = jobs.documents[key]["progress"]["failed"]
        error = None
        if failed:
            what = f"{failed} twins do not fit and stay as they are; 'counts.problems' says why"
            error = {"code": "MigrationIncomplete", "message": what}
        await jobs.end(key, FAILED if failed else SUCCEEDED, error)

    async def _moving(self, doc: Json) -> tuple[list[str], Mover]:
        old, new, mapping = self._read(doc["from"], doc["to"], doc["mapping"])
        twins = self._platform.graph.twins.items()
        move = mover(new, mapping)

        def only_of_old(graph: Graph, context: EditContext, twin: Twin) -> list[Edit]:
            return move(graph, context, twin) if twin.model == old.id else []

        return sorted(key for key, twin in twins if twin.model == old.id), only_of_old

    async def _undoing(self, doc: Json) -> tuple[list[str], Mover]:
        undone = self._platform.jobs.get(KIND, doc["undoes"])
        old = self._platform.graph.model(doc["to"])
        found = await asyncio.to_thread(
            store.done_for,
            self._platform.documents.path,
            "twin",
            _why(f"{KIND}/{doc['undoes']}"),
            from_iso(undone["createdDateTime"]),
        )
        steps = {step.key: (step, etag) for step, etag in found}

        def back(graph: Graph, context: EditContext, twin: Twin) -> list[Edit]:
            step, etag = steps[twin.id]
            return move_back(graph, context, twin, old, step.before or {}, etag)[0]

        return sorted(steps), back

    def _batch(self, key: str, left: deque[str], move: Mover) -> Any:
        def plan(graph: Graph, context: EditContext) -> tuple[list[Edit], None]:
            until = time.perf_counter() + BATCH_SECONDS
            doc = self._platform.jobs.documents[key]
            tally = Tally(doc["progress"])
            edits: list[Edit] = []
            while left and len(edits) < BATCH and time.perf_counter() < until:
                tally.position = left.popleft()
                twin = graph.find_twin(tally.position)
                if twin is not None:
                    edits += _try(tally, move, graph, context, twin)
            ahead = changed(doc, context.now, progress=tally.doc())
            return [*edits, context.edit("job", key, ahead)], None

        return plan


def _try(tally: Tally, move: Mover, graph: Graph, context: EditContext, twin: Twin) -> list[Edit]:
    try:
        edits = move(graph, context, twin)
    except GemelError as error:
        tally.fail(twin.id, error)
        return []
    tally.moved += bool(edits)
    return edits


def mover(new: Interface, mapping: Mapping) -> Mover:
    """What plans the move of one twin."""

    def move(graph: Graph, context: EditContext, twin: Twin) -> list[Edit]:
        doc = moved(graph, twin.doc, new, mapping)
        return move_twin(graph, context, twin, new, doc)[0]

    return move


def migration_view(doc: Json) -> Json:
    """A job as it is shown."""
    shown = {name: value for name, value in doc.items() if name not in INTERNAL}
    counts = {name: value for name, value in doc["progress"].items() if name != "position"}
    return {**shown, "counts": counts}


def _why(key: str) -> str:
    return f"job {key}"[:300]


def _names(doc: Json, path: str) -> bool:
    """Whether a document speaks of a path, as a word of its own."""
    return re.search(rf"(?<![\w.]){re.escape(path)}(?!\w)", orjson.dumps(doc).decode()) is not None


def _points_at(content: Relationship, models: frozenset[str]) -> bool:
    return content.target is not None and content.target in models


def _referrer(kind: str, key: str, what: str, paths: list[str]) -> Json:
    return {"kind": kind, "key": key, "message": what, "paths": paths}
