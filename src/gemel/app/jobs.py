"""Jobs that change many twins: imports from a file, deletion of everything.

A job is a document; its progress is committed together with each batch of edits, so a job that a
restart cut goes on where it was. One job runs at a time, the others wait.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

import orjson

from gemel.app.blobs import Blobs
from gemel.app.import_lines import (
    Batch,
    Line,
    Progress,
    plan_batch,
    plan_models,
    progress_of,
    read_lines,
    read_models,
)
from gemel.core.clock import SECOND, from_iso, to_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import GemelError, InvalidInput, NotFound, Unavailable
from gemel.twins.draft import Draft
from gemel.twins.graph import EditContext, Graph
from gemel.twins.validate import check_id

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.jobs")
KEEP_SECONDS = 7 * 86_400
MOST_JOBS = 500
MOST_DELETED = 1_000
DELETE_SECONDS = 0.008
PAUSE_SECONDS = 0.001
FREEZE_EDITS = 5_000
RETRY_SECONDS = 5.0
WAITING, RUNNING, CANCELLING = "notstarted", "running", "cancelling"
SUCCEEDED, FAILED, CANCELLED = "succeeded", "failed", "cancelled"
OVER = frozenset({SUCCEEDED, FAILED, CANCELLED})
KINDS = {
    "imports": ("import", "ImportJobNotFound"),
    "deletions": ("deletion", "DeleteJobNotFound"),
    "migrations": ("migration", "MigrationNotFound"),
}
INTERNAL = ("progress", "who", "kind")
SUMMARY = ("models", "twins", "relationships", "errors")


class Jobs:
    """All jobs of an installation, and the one that runs."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.blobs = Blobs(platform.folder.path / "imports")
        self.documents: dict[str, Json] = {}
        self._queue: deque[str] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._unfrozen = 0
        self.runners: dict[str, Callable[[str], Awaitable[None]]] = {
            "imports": self._import,
            "deletions": self._delete_everything,
        }
        """By kind, what does the work of a job to its end."""

    # ---- start and stop ------------------------------------------------------------------

    def start(self) -> None:
        """Loads jobs; what was under way goes on."""
        for document in self._platform.documents.load("job"):
            self.documents[document.key] = document.doc
        waiting = [key for key, doc in self.documents.items() if doc["status"] not in OVER]
        self._queue.extend(sorted(waiting, key=lambda key: self.documents[key]["createdDateTime"]))
        self._platform.start_task(asyncio.to_thread(self.blobs.seal_all))
        self._work()

    async def stop(self) -> None:
        """Leaves the running job where it is; the next start goes on with it."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)

    def apply(self, edits: Iterable[Edit]) -> None:
        for edit in edits:
            if edit.kind == "job":
                if edit.doc is None:
                    self.documents.pop(edit.key, None)
                else:
                    self.documents[edit.key] = edit.doc

    # ---- what people ask -----------------------------------------------------------------

    def keys(self, kind: str) -> list[str]:
        return [key for key in self.documents if key.startswith(f"{kind}/")]

    def get(self, kind: str, job: str) -> Json:
        """One job.

        Raises:
            NotFound: there is none of this id.
        """
        found = self.documents.get(f"{kind}/{job}")
        if found is None:
            raise NotFound(
                f"there is no {KINDS[kind][0]} job '{job}'",
                hint=f"GET /jobs/{kind} lists them; finished ones are kept for a week",
                code=KINDS[kind][1],
            )
        return found

    async def add_import(self, job: str, source: object, output: object, who: str) -> Json:
        """Makes an import job of a file in `imports/`.

        Raises:
            InvalidInput: a file name is wrong, or the id is taken.
            NotFound: there is no such file.
        """
        if not isinstance(source, str) or not isinstance(output, str):
            raise _invalid(
                "an import needs 'inputBlobUri' and 'outputBlobUri'",
                "names of files in imports/: the first is read, the second gets the log",
            )
        if source == output:
            raise _invalid("input and output are the same file", "give the log a name of its own")
        self.blobs.path(output)
        self.blobs.existing(source)
        doc = {"inputBlobUri": source, "outputBlobUri": output, "progress": Progress().doc()}
        return await self.add("imports", job, doc, who)

    async def add_deletion(self, job: str, who: str) -> Json:
        """Makes a job that deletes all relationships, twins and models."""
        return await self.add("deletions", job, {}, who)

    async def add(self, kind: str, job: str, more: Json, who: str) -> Json:
        """Makes a job of a kind, to run when those before it are over.

        Raises:
            InvalidInput: the id is taken or cannot be one, or there are too many.
        """
        check_id(job, "job")
        key = f"{kind}/{job}"

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], Json]:
            if key in self.documents:
                raise _invalid(
                    f"there is a {KINDS[kind][0]} job '{job}' already", "choose another id"
                )
            purged = self._purged(context.now)
            if len(self.documents) - len(purged) >= MOST_JOBS:
                raise InvalidInput(
                    f"there are {MOST_JOBS} jobs", hint="delete old ones", code="JobLimitReached"
                )
            now = to_iso(context.now)
            doc = {
                "id": job,
                "kind": KINDS[kind][0],
                **more,
                "status": WAITING,
                "createdDateTime": now,
                "lastActionDateTime": now,
                "finishedDateTime": None,
                "purgeDateTime": to_iso(context.now + KEEP_SECONDS * SECOND),
                "error": None,
                "who": who,
            }
            edits = [context.edit("job", old, None) for old in purged]
            return [*edits, context.edit("job", key, doc)], doc

        found = await self._platform.edit(plan, who, f"new {KINDS[kind][0]} job")
        self._queue.append(key)
        self._work()
        return found

    def _purged(self, now: int) -> list[str]:
        return [
            key
            for key, doc in self.documents.items()
            if doc["status"] in OVER and from_iso(doc["purgeDateTime"]) < now
        ]

    async def cancel(self, job: str, who: str, kind: str = "imports") -> Json:
        """Ends an import or migration after the batch that is under way; what it made stays.

        Raises:
            InvalidInput: it is over already.
        """
        key = f"{kind}/{job}"

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], Json]:
            doc = self.get(kind, job)
            if doc["status"] in OVER:
                raise _invalid(
                    f"job '{job}' has ended ({doc['status']})", "nothing is left to cancel"
                )
            status = CANCELLING if doc["status"] != WAITING else CANCELLED
            ending = changed(doc, context.now, status)
            return [context.edit("job", key, ending)], ending

        return await self._platform.edit(plan, who, "cancelled")

    async def delete(self, job: str, who: str) -> None:
        """Forgets an import job that is over.

        Raises:
            InvalidInput: it is not.
        """

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            doc = self.get("imports", job)
            if doc["status"] not in OVER:
                raise _invalid(f"job '{job}' is {doc['status']}", "cancel it first")
            return [context.edit("job", f"imports/{job}", None)], None

        await self._platform.edit(plan, who, "job deleted")

    # ---- work ----------------------------------------------------------------------------

    def _work(self) -> None:
        if self._queue and (self._worker is None or self._worker.done()):
            self._worker = asyncio.get_running_loop().create_task(self._run_all())

    async def _run_all(self) -> None:
        while self._queue:
            try:
                await self._finish(self._queue[0])
            except Unavailable as error:  # a full disk: it goes on where it was
                log.warning("job '%s' waits: %s", self._queue[0], error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._queue.popleft()

    async def _finish(self, key: str) -> None:
        """Runs a job to its end, whatever that is."""
        try:
            await self._run(key)
        except Unavailable:
            raise
        except GemelError as error:
            await self.end(key, FAILED, {"code": error.code, "message": str(error)})
        except Exception:  # the next job must run
            log.exception("job '%s' failed", key)
            problem = {"code": "Internal", "message": "it failed inside; see the server's log"}
            await self.end(key, FAILED, problem)

    async def _run(self, key: str) -> None:
        doc = self.documents.get(key)
        if doc is None or doc["status"] in OVER:
            return
        if doc["status"] == CANCELLING:
            await self.end(key, CANCELLED, None)
            return
        await self._save(key, {"status": RUNNING})
        await self.runners[key.partition("/")[0]](key)

    async def _save(self, key: str, more: Json) -> None:
        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            doc = self.documents[key]
            if doc["status"] == CANCELLING:
                return [], None
            return [context.edit("job", key, changed(doc, context.now, **more))], None

        await self._platform.edit(plan, self.documents[key]["who"], "job")

    async def end(self, key: str, status: str, error: Json | None) -> None:
        """A job is over."""

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            doc = changed(self.documents[key], context.now, status, error=error)
            return [context.edit("job", key, doc)], None

        await self._platform.edit(plan, self.documents[key]["who"], f"job {status}")
        doc = self.documents[key]
        if key.startswith("imports/"):
            details: Json = {"status": status.capitalize(), **_summary(doc)}
            self._log(
                doc, "Error" if error else "Info", details | ({"error": error} if error else {})
            )
            await self._seal(doc)

    # ---- imports -------------------------------------------------------------------------

    async def _import(self, key: str) -> None:
        doc = self.documents[key]
        path = await self.blobs.read(doc["inputBlobUri"])
        loop = asyncio.get_running_loop()
        progress = progress_of(doc)
        if not progress.line:
            self._log(doc, "Info", {"status": "Started"})
        while True:
            if self.documents[key]["status"] == CANCELLING:
                await self.end(key, CANCELLED, None)
                return
            if progress.section == "Models":
                models, rest = await loop.run_in_executor(None, read_models, path, progress)
                assert rest is not None, "even an empty section ends somewhere"
                progress = await self._import_models(key, models, rest, progress)
            found = await loop.run_in_executor(
                None, read_lines, path, progress.offset, progress.line
            )
            if not found:
                break
            lines = deque(found)
            while lines and progress.section != "Models":
                if self.documents[key]["status"] == CANCELLING:
                    break
                errors = progress.errors
                progress = await self._import_batches(key, lines, progress)
                if progress.errors > errors:
                    await self._seal(doc)
                await asyncio.sleep(PAUSE_SECONDS)
        await self.end(key, *_outcome(progress))

    async def _import_models(
        self, key: str, models: list[tuple[int, bytes]], rest: Line, progress: Progress
    ) -> Progress:
        def plan(graph: Graph, context: EditContext) -> tuple[list[Edit], Batch]:
            batch = plan_models(graph, context, models, progress)
            batch.progress = _moved(batch.progress, rest)
            return self._with_progress(key, context, batch), batch

        return self._committed(key, await self._edit(key, plan))

    async def _import_batches(self, key: str, lines: deque[Line], progress: Progress) -> Progress:
        """Takes in lines until the models begin, there are no more, or others want to edit."""

        def plan(draft: Draft, context: EditContext) -> tuple[list[Edit], Batch]:
            nonlocal progress
            batch = plan_batch(draft, context, lines, progress)
            progress = batch.progress
            return self._with_progress(key, context, batch), batch

        await self._platform.edit_ahead(
            plan,
            is_more=lambda: bool(lines) and progress.section != "Models",
            done=lambda batch: self._committed(key, batch),
            who=self.documents[key]["who"],
            why=f"job {key}"[:300],
        )
        return progress

    async def _edit(self, key: str, plan: Any) -> Batch:
        found: Batch = await self._platform.edit(
            plan, self.documents[key]["who"], f"job {key}"[:300]
        )
        return found

    def _with_progress(self, key: str, context: EditContext, batch: Batch) -> list[Edit]:
        doc = changed(self.documents[key], context.now, progress=batch.progress.doc())
        return [*batch.edits, context.edit("job", key, doc)]

    def _committed(self, key: str, batch: Batch) -> Progress:
        """Tells what was wrong with lines, in the job's log."""
        self._unfrozen += len(batch.edits)
        if self._unfrozen > FREEZE_EDITS:
            self._unfrozen = 0
            gc.collect(1)
            gc.freeze()  # what was imported stays: a full collection would stop all for long
        doc = self.documents[key]
        for number, section, error in batch.problems:
            problem: Json = {"code": error.code, "message": error.message}
            if error.details:
                problem["details"] = error.details
            details = {"section": section, "line": number, "error": problem}
            self._log(doc, "Error", details)
        return batch.progress

    def _log(self, doc: Json, kind: str, details: Json) -> None:
        entry = {
            "timestamp": to_iso(self._platform.clock()),
            "jobId": doc["id"],
            "jobType": "Import",
            "logType": kind,
            "details": details,
        }
        try:
            self.blobs.append(doc["outputBlobUri"], orjson.dumps(entry) + b"\n")
        except OSError as error:
            log.error("the log '%s' cannot be written: %s", doc["outputBlobUri"], error)

    async def _seal(self, doc: Json) -> None:
        await asyncio.to_thread(self.blobs.seal, doc["outputBlobUri"])

    # ---- deletion of everything ----------------------------------------------------------

    async def _delete_everything(self, key: str) -> None:
        twins = deque(self._platform.graph.twins)
        while twins:
            plan = _plan_deletion(twins)
            await self._platform.edit(plan, self.documents[key]["who"], f"job {key}"[:300])
            await asyncio.sleep(PAUSE_SECONDS)

        def plan_models_gone(graph: Graph, context: EditContext) -> tuple[list[Edit], None]:
            return [context.edit("model", model, None) for model in graph.model_ids()], None

        await self._platform.edit(plan_models_gone, self.documents[key]["who"], f"job {key}"[:300])
        await self.end(key, SUCCEEDED, None)


def _plan_deletion(twins: deque[str]) -> Any:
    """Plans to delete the next twins of a list with their relationships, and takes them off it."""

    def plan(graph: Graph, context: EditContext) -> tuple[list[Edit], None]:
        until = time.perf_counter() + DELETE_SECONDS
        edits: dict[tuple[str, str], Edit] = {}
        while twins and len(edits) < MOST_DELETED and time.perf_counter() < until:
            twin = twins.popleft()
            if graph.find_twin(twin) is None:
                continue
            for link in graph.outgoing(twin) + graph.incoming(twin):
                edits["relationship", link.key] = context.edit("relationship", link.key, None)
            edits["twin", twin] = context.edit("twin", twin, None)
        return list(edits.values()), None

    return plan


def job_view(doc: Json) -> Json:
    """A job as it is shown, in the Azure Digital Twins form with counts beside it."""
    shown = {name: value for name, value in doc.items() if name not in INTERNAL}
    if "progress" in doc:
        shown["counts"] = _summary(doc)
    return shown


def _summary(doc: Json) -> Json:
    return {name: doc["progress"][name] for name in SUMMARY}


def changed(doc: Json, now: int, status: str = "", **more: Any) -> Json:
    """A job with another status or progress."""
    found = {**doc, "lastActionDateTime": to_iso(now), **more}
    if status:
        found["status"] = status
    if status in OVER:
        found["finishedDateTime"] = to_iso(now)
        found["purgeDateTime"] = to_iso(now + KEEP_SECONDS * SECOND)
    return found


def _moved(progress: Progress, rest: Line) -> Progress:
    known = progress.doc()
    return Progress(**{**known, "offset": rest.end, "line": rest.number, "section": "Models."})


def _outcome(progress: Progress) -> tuple[str, Json | None]:
    if not progress.section:
        return FAILED, {"code": "ImportFileInvalid", "message": "the file is empty"}
    if progress.errors:
        total = progress.models + progress.twins + progress.relationships + progress.errors
        what = f"{progress.errors} of {total} lines could not be imported; the log names each"
        return FAILED, {"code": "ImportJobFailed", "message": what}
    return SUCCEEDED, None


def _invalid(what: str, hint: str) -> InvalidInput:
    return InvalidInput(what, hint=hint, code="ValidationFailed")
