"""Runs: slow work in worker processes, with progress, cancel and bounds; the live loop never waits.

A run is a document of kind `run` and a folder `runs/ID` in the data folder, with `result.pack` and
`log.txt`. So many as the setting `workers` says run at a time, the others wait. A run that a stop
of the server cut has failed, and says so.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from gemel.app import sums
from gemel.app.blobs import naming
from gemel.app.plant_view import PlantView
from gemel.app.run_process import LOG, Worker
from gemel.app.service_documents import named
from gemel.app.worker import JOB, PART, RESULT
from gemel.core.batch import Columns
from gemel.core.clock import SECOND, to_iso
from gemel.core.document import Document, Edit, Json
from gemel.core.errors import Conflict, Damaged, GemelError, InvalidInput, NotFound, Unavailable
from gemel.history import History
from gemel.services.contract import Column, Instance, Job, Need, Result, Run
from gemel.services.jobs import job_bytes, result_of
from gemel.services.registry import kind_of
from gemel.services.schema import completed

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.runs")
FOLDER = "runs"
QUEUED, RUNNING = "queued", "running"
SUCCEEDED, FAILED, CANCELLED = "succeeded", "failed", "cancelled"
OVER = frozenset({SUCCEEDED, FAILED, CANCELLED})
KEEP = 200
MOST_WAITING = 100
MOST_READINGS = 20_000_000
LOG_BYTES = 1 << 16
DAY = 86_400.0
CALLED_OFF = "it was cancelled"
SCHEDULE = "schedule"
"""Why a run was asked for that a service's schedule has asked for."""


Taker = Callable[[str, Instance, Result], Awaitable[None]]
"""(run, instance, result)."""


class Runs:
    """All runs of an installation, and those under way."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._folder = platform.folder.path / FOLDER
        self.plant = PlantView(platform)
        self._docs: dict[str, Json] = {}
        self._progress: dict[str, tuple[float, str]] = {}
        self._waiting: deque[tuple[str, Run, Instance, Need]] = deque()
        self._workers: dict[str, Worker] = {}
        self._executor = ThreadPoolExecutor(1, "runs")
        self._is_closing = False
        self.takers: dict[str, Taker] = {}
        """By kind: who is given what its runs come to, before they have succeeded."""

    # ---- start and stop of the server ----------------------------------------------------------

    def load(self, documents: Iterable[Document]) -> None:
        self._docs = {d.key: d.doc for d in documents}

    async def start(self) -> None:
        """Closes what the last stop cut."""
        cut = [key for key, doc in self._docs.items() if doc["state"] not in OVER]
        for key in cut:
            await self._end(key, FAILED, "the server stopped while it ran", "start it again")
        await asyncio.get_running_loop().run_in_executor(self._executor, self._sweep)

    def _sweep(self) -> None:
        """Removes what a kill has left of runs and of versions."""
        for folder in self._folder.glob("r-*"):
            if folder.name in self._docs:
                _close(folder)
            else:
                shutil.rmtree(folder, ignore_errors=True)
        self._platform.services.fits.sweep()

    async def stop(self) -> None:
        self._is_closing = True
        for key, *_ in list(self._waiting):
            await self._end(key, FAILED, "the server stopped before it began", "start it again")
        self._waiting.clear()
        for worker in self._workers.values():
            worker.end("the server stopped while it ran")

    def close(self) -> None:
        self._executor.shutdown(wait=True)

    def apply(self, edits: Iterable[Edit]) -> None:
        """Makes committed runs visible."""
        for edit in edits:
            if edit.kind == "run":
                if edit.doc is None:
                    self._docs.pop(edit.key, None)
                    self._progress.pop(edit.key, None)
                else:
                    self._docs[edit.key] = edit.doc
                    self._tell(edit.key)

    def _tell(self, key: str) -> None:
        self._platform.hub.event({"type": "run", "run": self.get(key)})

    # ---- looking -------------------------------------------------------------------------------

    def get(self, key: str) -> Json:
        """One run.

        Raises:
            NotFound: there is no such run.
        """
        doc = self._docs.get(key)
        if doc is None:
            raise NotFound(f"there is no run '{key}'", hint="GET /runs lists them")
        share, message = self._progress.get(key, (1.0 if doc["state"] == SUCCEEDED else 0.0, ""))
        return {**doc, "progress": round(share, 4), "message": doc["error"] or message}

    def find(self, *, service: str = "", kind: str = "", limit: int = 100) -> list[Json]:
        """The newest first."""
        found = sorted(self._docs.values(), key=lambda d: d["id"], reverse=True)
        chosen = [d for d in found if service in ("", d["service"]) and kind in ("", d["kind"])]
        return [self.get(d["id"]) for d in chosen[:limit]]

    def is_under_way(self, service: str, run: str = "") -> bool:
        return any(
            d["service"] == service and run in ("", d["run"]) and d["state"] not in OVER
            for d in self._docs.values()
        )

    async def result(self, key: str) -> Result:
        """What a run came to.

        Raises:
            Conflict: it has not succeeded.
            NotFound: there is no such run, or its result is gone.
        """
        doc = self.get(key)
        if doc["state"] != SUCCEEDED:
            raise Conflict(
                f"run '{key}' is {doc['state']}: {doc['message']}"
                if doc["message"]
                else f"run '{key}' is {doc['state']}",
                hint="only a run that has succeeded has a result",
                code="RunHasNoResult",
            )
        file = self._folder / key / RESULT
        try:
            data = await asyncio.to_thread(file.read_bytes)
        except FileNotFoundError:
            raise NotFound(f"the result of run '{key}' is gone", hint="start it again") from None
        with naming(file):
            return result_of(data)

    async def log_of(self, key: str) -> str:
        """What the worker printed, its last 64 KiB.

        Raises:
            NotFound: there is no such run.
            Damaged: it is not what the worker printed.
        """
        self.get(key)
        return await asyncio.to_thread(_end_of_log, self._folder / key / LOG)

    # ---- asking for a run ----------------------------------------------------------------------

    async def ask(
        self, kind: str, name: str, instance: Instance, given: Any, who: str, why: str = ""
    ) -> Json:
        """Queues a run.

        Raises:
            NotFound: no such kind or run.
            InvalidInput: the parameters break their schema.
            Unavailable: too many wait.
        """
        platform = self._platform
        run = kind_of(kind).run(name)
        if run is None:
            names = [r.name for r in kind_of(kind).runs]
            raise NotFound(
                f"'{kind}' has no run '{name}'", hint="one of: " + (", ".join(names) or "none")
            )
        if len(self._waiting) >= MOST_WAITING:
            raise Unavailable(f"{MOST_WAITING} runs wait already", hint="try again later")
        parameters = completed(run.parameters, given)
        need = (run.need or last_span)(parameters, instance, self.plant, platform.clock())
        now = platform.clock()
        key = f"r-{now // 1_000_000:011x}-{uuid4().hex[:8]}"
        doc: Json = {
            "id": key,
            "kind": kind,
            "run": name,
            "service": instance.id,
            "parameters": parameters,
            "state": QUEUED,
            "who": who,
            "why": why,
            "requested": to_iso(now),
            "started": None,
            "ended": None,
            "error": "",
            "hint": "",
            "readings": 0,
            "peakMb": None,
            "fit": None,
        }
        gone = self._old()
        edits = [Edit("run", key, doc, now, who, "asked for")]
        edits += [Edit("run", old, None, now, "gemel", "old") for old in gone]
        await platform.edit(lambda _, __: (edits, None), who)
        for old in gone:
            shutil.rmtree(self._folder / old, ignore_errors=True)
        self._waiting.append((key, run, replaced(instance, parameters), need))
        self._next()
        return self.get(key)

    def _old(self) -> list[str]:
        over = sorted(k for k, d in self._docs.items() if d["state"] in OVER)
        return over[: max(0, len(self._docs) + 1 - KEEP)]

    async def cancel(self, key: str, who: str) -> Json:
        """Calls a run off; one that is over stays as it is.

        Raises:
            NotFound: there is no such run.
        """
        if self.get(key)["state"] in OVER:
            return self.get(key)
        worker = self._workers.get(key)
        if worker is not None:
            worker.end(CALLED_OFF)
        waiting = [one for one in self._waiting if one[0] == key]
        for one in waiting:
            self._waiting.remove(one)
            await self._end(key, CANCELLED, CALLED_OFF, "", who)
        return self.get(key)

    async def cancel_of(self, service: str, who: str) -> None:
        """Calls off all runs of a service."""
        for key in [k for k, d in self._docs.items() if d["service"] == service]:
            await self.cancel(key, who)

    async def delete(self, key: str, who: str) -> None:
        """Forgets a run that is over, and its result.

        Raises:
            Conflict: it is under way.
        """
        if self.get(key)["state"] not in OVER:
            raise Conflict(f"run '{key}' is under way", hint="cancel it first")
        await self._platform.put("run", key, None, who, "deleted")
        shutil.rmtree(self._folder / key, ignore_errors=True)

    # ---- running -------------------------------------------------------------------------------

    def _next(self) -> None:
        most = max(1, self._platform.config.workers)
        while self._waiting and len(self._workers) < most and not self._is_closing:
            key, run, instance, need = self._waiting.popleft()
            worker = Worker(self._folder / key, run.memory_mb, run.seconds, run.threads)
            self._workers[key] = worker
            self._platform.start_task(self._work(key, run, instance, need, worker))

    async def _work(
        self, key: str, run: Run, instance: Instance, need: Need, worker: Worker
    ) -> None:
        loop = asyncio.get_running_loop()
        problem: Json | None
        try:
            fit = self._platform.services.fits.current(instance.id) if instance.id else None
            twins = {twin: d for twin in need.twins if (d := self.plant.document(twin))}
            work = self.plant.work_done(instance.twins) if need.work else ()
            job = Job(
                instance, instance.parameters, need.signals, (), need.begin, need.end, twins,
                fit, work,
            )  # fmt: skip
            numbers = [self._platform.series.find(s.twin, s.path) for s in need.signals]
            readings = await loop.run_in_executor(
                self._executor, self._prepare, key, run, job, need, numbers
            )
            await self._begin(key, readings)
            problem = await worker.run(lambda share, what: self._told(key, share, what))
            if problem is None:
                await self._take_in(key, instance)
        except GemelError as error:
            problem = {"error": error.message, "hint": error.hint}
        except Exception as error:
            log.exception("run '%s' failed inside", key)
            problem = {"error": f"{type(error).__name__}: {error}", "hint": "it is in the log"}
        finally:
            del self._workers[key]
            await loop.run_in_executor(self._executor, _close, self._folder / key)
            self._next()
        state = SUCCEEDED
        if problem is not None:
            state = CANCELLED if problem["error"] == CALLED_OFF else FAILED
        said = problem or {"error": "", "hint": ""}
        await self._end(key, state, said["error"], said["hint"], peakMb=worker.peak_mb)

    def _told(self, key: str, share: float, what: str) -> None:
        self._progress[key] = (share, what)
        self._tell(key)

    async def _begin(self, key: str, readings: int) -> None:
        now = to_iso(self._platform.clock())
        doc = {**self._docs[key], "state": RUNNING, "started": now, "readings": readings}
        await self._platform.put("run", key, doc, "gemel", "began")

    async def _end(
        self, key: str, state: str, error: str, hint: str, who: str = "gemel", **more: Any
    ) -> None:
        now = to_iso(self._platform.clock())
        fields = {"state": state, "ended": now, "error": error, "hint": hint, **more}
        self._progress.pop(key, None)
        await self._platform.put("run", key, {**self._docs[key], **fields}, who, state)

    async def _take_in(self, key: str, instance: Instance) -> None:
        """A result's readings go into history and its fit becomes a version.

        Raises:
            Conflict: the service is not there any more, or is of another kind.
        """
        found = await self.result_of_folder(key)
        services = self._platform.services
        document = self._platform.catalogue.plain["service"].get(instance.id)
        if instance.id and (document is None or document["kind"] != instance.kind):
            raise Conflict(
                f"service '{instance.id}' is gone, or of another kind than when it began",
                hint="nothing of what the run came to was taken over",
            )
        taker = self.takers.get(instance.kind)
        if taker is not None:
            await taker(key, instance, found)
        if found.series:
            series = [
                replace(one, path=named(document, one.path)) if document else one
                for one in found.series
            ]
            await services.writer.write_series(series)
        if found.fit is not None and instance.id:
            number = await services.fits.take(instance, found.fit, key, self._docs[key]["who"])
            self._docs[key] = {**self._docs[key], "fit": number}
        if found.proposals and instance.id:
            is_by_itself = self._docs[key]["why"] == SCHEDULE
            services.proposals.note(instance, found.proposals, is_by_itself=is_by_itself)
            services.proposals.submit_soon()
        services.reviewed(instance.id, found.notices)

    async def result_of_folder(self, key: str) -> Result:
        file = self._folder / key / RESULT
        loop = asyncio.get_running_loop()
        return result_of(await loop.run_in_executor(self._executor, file.read_bytes))

    # ---- in the thread -------------------------------------------------------------------------

    def _prepare(self, key: str, run: Run, job: Job, need: Need, numbers: list[int | None]) -> int:
        """Reads history and writes the job's file; how many readings it holds."""
        columns: list[Column] = []
        count = 0
        for number in numbers:
            column = self._read(number, need, MOST_READINGS - count)
            columns.append(column)
            count += len(column.time)
        folder = self._folder / key
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / JOB).write_bytes(job_bytes(run.function, replace(job, columns=columns)))
        return count

    def _read(self, number: int | None, need: Need, most: int) -> Column:
        if number is None or need.end <= need.begin:
            return Column(np.empty(0, np.int64), np.empty(0))
        history = self._platform.history
        if need.bucket:
            return _averaged(history, number, need, most)
        found: Columns = history.read(number, need.begin, need.end, limit=most + 1)
        if len(found) > most:
            raise _too_much()
        is_number = np.isfinite(found.value)
        return Column(found.time[is_number], found.value[is_number])


def _close(folder: Path) -> None:
    """Leaves the result and the log of a run that is over, and a sum of the log."""
    for name in (JOB, PART):
        (folder / name).unlink(missing_ok=True)
    if (folder / LOG).exists():
        try:
            sums.seal(folder / LOG)
        except (Damaged, OSError) as error:
            log.error("the log of run '%s' gets no checksum: %s", folder.name, error)


def _end_of_log(path: Path) -> str:
    try:
        sums.verify(path)
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_BYTES))
            return file.read(LOG_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _averaged(history: History, number: int, need: Need, most: int) -> Column:
    width = round(need.bucket * SECOND)
    if (need.end - need.begin) // max(width, 1) > most:
        raise _too_much()
    found = history.buckets(number, need.begin, need.end, width, ["avg"])
    is_there = np.isfinite(found["avg"])
    return Column(found["time"][is_there], found["avg"][is_there])


def _too_much() -> InvalidInput:
    return InvalidInput(
        f"the run would read more than {MOST_READINGS:,} readings",
        hint="choose a shorter span, fewer signals or a wider bucket",
    )


def last_span(parameters: Json, instance: Instance, _: Any, now: int) -> Need:
    """All signals of the instance over the last `span` seconds."""
    begin = now - round(float(parameters.get("span", DAY)) * SECOND)
    return Need(instance.signals, begin, now + 1, float(parameters.get("bucket", 0.0)))


def replaced(instance: Instance, parameters: Json) -> Instance:
    """The instance with a run's parameters beside its own; the run's win."""
    return Instance(
        instance.id,
        instance.kind,
        instance.twins,
        {**instance.parameters, **parameters},
        instance.signals,
        instance.model,
        instance.foreign,
    )
