"""Services, joined to the platform: instances are documents, their live parts see every batch.

Readings are handed over once a tick, so that many small messages cost no more than one; how they
are cut changes nothing. What a live part returns is written as readings with its provenance, and
raises alarms; what was not on disk at a crash is found again by the replay.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from gemel.app.fits import Fits
from gemel.app.hosted import Hosted, decides
from gemel.app.proposals import Proposals
from gemel.app.runs import SCHEDULE, Runs
from gemel.app.service_documents import (
    checked,
    named,
    outputs_of,
    review_name,
    rule_name,
    rule_of,
    subject_of,
)
from gemel.app.service_series import check_series
from gemel.app.service_writer import HIGH, LOW, ServiceWriter
from gemel.core.batch import Batch
from gemel.core.clock import SECOND, from_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import Damaged, GemelError, NotFound
from gemel.services.contract import Instance, Kind, Notice
from gemel.services.packing import pack, unpack
from gemel.services.registry import kind_of
from gemel.services.rules.rule import Rule
from gemel.services.rules.transition import Transition
from gemel.services.schema import completed
from gemel.twins.graph import EditContext, Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.services")
MOST_PENDING = 200_000
"""Readings that wait for the tick; more are handed over at once."""


class Services:
    """All instances, and what is under way from them."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.fits = Fits(platform)
        self.runs = Runs(platform)
        self.writer = ServiceWriter(platform)
        self.proposals = Proposals(platform)
        self.hosted: dict[str, Hosted] = {}
        self._pending: list[Batch] = []
        self._count = 0
        self._saved: dict[str, bytes] = {}
        self._asked: dict[tuple[str, str], int] = {}
        """When a scheduled run was last asked for."""
        self._asking: set[str] = set()
        """Services of which a scheduled run is being queued."""

    # ---- from readings to outputs and notices ------------------------------------------------

    def react(self, batch: Batch) -> None:
        """Takes readings that are on disk; they are handed over with the tick."""
        if not self.hosted:
            return
        self._pending.append(batch)
        self._count += len(batch)
        if self._count >= MOST_PENDING:
            self._platform.reactions.follow(self.hand_over())

    def hand_over(self) -> list[Transition]:
        """Gives the live parts what waits; outputs are queued, what became of alarms returned."""
        batches, self._pending, self._count = self._pending, [], 0
        transitions: list[Transition] = []
        for hosted in list(self.hosted.values()) if batches else ():
            found = hosted.update(batches)
            out = found.outputs
            for level, column in ((None, out.value), (LOW, out.low), (HIGH, out.high)):
                if len(out) and column is not None:
                    self.writer.queue(hosted.series_of(out, level), out.time, column)
            if hosted.document["autonomy"] != "observe":
                transitions += [
                    _transition(rule_name(hosted.instance.id), hosted, notice)
                    for notice in found.notices
                ]
                self.proposals.note(hosted.instance, found.proposals)
        return transitions

    def tick(self, now: int) -> None:
        """Once a second: hands over, writes, and asks for the runs that are due."""
        self._platform.reactions.follow(self.hand_over())
        self.writer.write_soon()
        self.proposals.submit_soon()
        for key, hosted in self.hosted.items():
            for run, plan in self._scheduled(hosted, now).items():
                if hosted.document["enabled"] and self._is_due(key, run, plan, now):
                    self._asked[key, run] = now
                    self._asking.add(key)
                    self._platform.start_task(self._ask(key, run, plan.get("parameters")))

    def _scheduled(self, hosted: Hosted, now: int) -> Json:
        """Its schedule, and the runs that look after its version where it says nothing of them."""
        given: Json = hosted.document.get("schedule", {})
        usual: Json = {}
        for run in hosted.kind.runs:
            regular = run.regular
            if regular is None or run.name in given or not hosted.is_running:
                continue
            since = self.fits.known_until(hosted.instance.id)
            is_old = since is not None and now - since >= round(regular.after * SECOND)
            if is_old and regular.wanted(hosted.instance.parameters):
                usual[run.name] = {"every": regular.every}
        return {**{name: plan for name, plan in given.items() if plan["every"]}, **usual}

    async def _ask(self, key: str, run: str, given: Any) -> None:
        try:
            await self.start_run(key, run, given, "gemel", SCHEDULE)
        finally:
            self._asking.discard(key)

    def _is_due(self, key: str, run: str, plan: Json, now: int) -> bool:
        if self.runs.is_under_way(key, run):
            return False
        last = self._asked.get((key, run))
        if last is None:
            asked = [d for d in self.runs.find(service=key) if d["run"] == run]
            last = max((from_iso(d["requested"]) for d in asked), default=0)
            if not last and (key in self._asking or self.runs.is_under_way(key)):
                return False  # the first ones come one after the other, as they are written down
            self._asked[key, run] = last
        return now - last >= round(float(plan["every"]) * SECOND)

    # ---- checkpoint and restart --------------------------------------------------------------

    def snapshot(self) -> dict[str, bytes]:
        """The live parts after everything that was stored so far, and what waits for the disk."""
        self._platform.reactions.follow(self.hand_over())
        places: dict[str, list[int]] = {}
        body = bytearray()
        for key, hosted in self.hosted.items():
            data = hosted.snapshot()
            if data is not None:
                places[key] = [len(body), len(data)]
                body += data
        head = pack({"places": places}, {})
        length = len(head).to_bytes(8, "little")
        return {
            "services": length + head + bytes(body),
            "outputs": self.writer.snapshot(),
            "proposals": self.proposals.snapshot(),
        }

    def restore(self, blobs: Mapping[str, bytes]) -> None:
        """Takes a checkpoint over, before `start_live`."""
        data = blobs.get("services")
        if data is None:
            return
        try:
            size = int.from_bytes(data[:8], "little")
            places = unpack(data[8 : 8 + size])[0]["places"]
            body = data[8 + size :]
            self._saved = {key: body[at : at + n] for key, (at, n) in places.items()}
            self.writer.restore(blobs["outputs"])
            self.proposals.restore(blobs.get("proposals", b"[]"))
        except (Damaged, KeyError, orjson.JSONDecodeError) as error:
            log.error("services begin anew: %s", error)

    def replay(self, batch: Batch) -> None:
        """As `react`, at start, for what was in the log."""
        self._pending.append(batch)
        self._count += len(batch)
        if self._count >= MOST_PENDING:
            self._platform.reactions.recover(self.hand_over())

    def after_replay(self) -> None:
        """What replayed readings led to counts; outputs that were on disk already do not again."""
        self._platform.reactions.recover(self.hand_over())
        self.writer.forget_stored()

    # ---- instances ---------------------------------------------------------------------------

    def changed(self) -> None:
        """Brings the live parts in line with documents, models, twins and versions as they are."""
        stored = self._platform.catalogue.plain["service"]
        if self._pending:
            self._platform.reactions.follow(self.hand_over())
        for key in list(self.hosted):
            if key not in stored:
                del self.hosted[key]
        for key, document in stored.items():
            self._bring_in_line(key, document)

    def _bring_in_line(self, key: str, document: Json) -> None:
        old = self.hosted.get(key)
        current = self.fits.view(key)["current"]
        try:
            kind = kind_of(document["kind"])
            instance = self.instance_of(key, document, kind)
        except GemelError as error:
            nobody = Instance(key, document["kind"], (), {})
            broken = Hosted(Kind(document["kind"], "", "", 0), nobody, document)
            broken.problem = str(error)
            self.hosted[key] = broken
            return
        if old is not None and old.is_of(document, instance, current):
            return
        before = self._saved.pop(key, None)
        if old is not None and old.goes_on_as(document, current):
            before = old.snapshot()
        hosted = self.hosted[key] = Hosted(kind, instance, document, current)
        if document["enabled"]:
            hosted.begin(self._platform, before)

    def instance_of(self, key: str, document: Json, kind: Kind) -> Instance:
        """What a document comes to with the twins there are now.

        Raises:
            InvalidInput: its parameters break their schema.
        """
        plant = self.runs.plant
        parameters = completed(kind.parameters, document.get("parameters"), "parameters")
        model = str(document.get("model") or "")
        twins = plant.twins_of(model) if model else sorted(document.get("twins") or [])
        signals = [
            signal
            for twin in twins
            for signal in plant.signals_of(twin)
            if kind.reads(signal, parameters)
        ]
        foreign = self._platform.foreign.of(kind, parameters)
        return Instance(key, kind.name, tuple(twins), parameters, tuple(signals), model, foreign)

    def plan(self, graph: Graph, context: EditContext, services: Mapping[str, Json]) -> list[Edit]:
        """The edits that make or change instances; one that has not changed is left alone.

        Raises:
            InvalidInput: names the service, the field and what would do.
            NotFound: no such kind, model or twin.
        """
        stored = self._platform.catalogue.plain["service"]
        signals = self._platform.catalogue.signals_with(graph)
        edits = []
        planned: dict[str, Json] = {}
        for key, body in services.items():
            document = checked(key, body, graph.find_model, graph.find_twin)
            kind, parameters = kind_of(document["kind"]), document["parameters"]
            kind.check(parameters, self._platform.foreign.of(kind, parameters))
            check_series(key, document, {**stored, **planned}, graph, signals)
            planned[key] = document
            old = stored.get(key)
            if old is not None and {**document, "version": old["version"]} == old:
                continue
            document["version"] = 1 if old is None else old["version"] + 1
            edits.append(context.edit("service", key, document))
            learnt = self.fits.kind_of(key) or (old or document)["kind"]
            if (
                self.fits.view(key)["versions"] and learnt != document["kind"]
            ):  # another kind cannot read its versions
                edits.append(context.edit("fit", key, None))
            if old is not None and decides(old, document):
                edits += self.closing(key, "its service was changed", context)
        return edits

    def closing(self, key: str, why: str, context: EditContext) -> list[Edit]:
        """The ends of its alarms, where its live part begins anew."""
        alarms = self._platform.reactions.alarms
        rules = (rule_name(key), review_name(key))
        return [e for r in rules for e in alarms.close(why, context.who, context.now, rule=r)]

    async def put(self, key: str, body: Json, who: str) -> Json:
        """Makes or changes an instance."""
        await self._platform.edit(
            lambda graph, context: (self.plan(graph, context, {key: body}), None), who, "service"
        )
        return self.view(key)

    async def delete(self, key: str, who: str) -> None:
        """Ends an instance, its alarms and its runs under way; versions and results stay.

        Raises:
            NotFound: there is none.
        """
        self.document(key)

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            closed = self.closing(key, "the service was deleted", context)
            return [*closed, context.edit("service", key, None)], None

        await self._platform.edit(plan, who, "service deleted")
        await self.runs.cancel_of(key, who)

    def document(self, key: str) -> Json:
        """One instance as it is stored.

        Raises:
            NotFound: there is none.
        """
        document = self._platform.catalogue.plain["service"].get(key)
        if document is None:
            raise NotFound(f"there is no service '{key}'", hint="GET /services lists them")
        return document

    def view(self, key: str) -> Json:
        """One instance, and whether it runs."""
        document, hosted = self.document(key), self.hosted[key]
        running = {"isRunning": hosted.is_running, "problem": hosted.problem}
        return {"id": key, "model": None, "twins": None, "schedule": {}, **document, **running}

    def views(self) -> list[Json]:
        return [self.view(key) for key in sorted(self._platform.catalogue.plain["service"])]

    def status(self, key: str) -> Json:
        """How an instance fares, as of every reading that is stored; its versions, its runs."""
        self.document(key)
        if self._pending:
            self._platform.reactions.follow(self.hand_over())
        fits = self.fits.view(key)
        return {
            "id": key,
            **self.hosted[key].status(),
            "proposals": self.proposals.status(key),
            "version": fits["current"],
            "versions": fits["versions"],
            "runs": self.runs.find(service=key, limit=10),
        }

    def expected(self) -> dict[tuple[str, str], list[str]]:
        """By twin and predicted path: the paths it should meet, where these have other names."""
        found: dict[tuple[str, str], list[str]] = {}
        for hosted in self.hosted.values():
            if hosted.problem or not hosted.instance.parameters:
                continue
            for output, measured in hosted.kind.expects(hosted.instance.parameters).items():
                for twin in hosted.instance.twins:
                    key = (twin, named(hosted.document, output))
                    found.setdefault(key, []).append(measured)
        return found

    # ---- runs --------------------------------------------------------------------------------

    async def start_run(self, key: str, run: str, given: Any, who: str, why: str = "") -> Json:
        """Asks for a run of an instance."""
        document = self.document(key)
        kind = kind_of(document["kind"])
        instance = self.instance_of(key, document, kind)
        return await self.runs.ask(kind.name, run, instance, given, who, why)

    async def start_free_run(self, name: str, run: str, body: Json, who: str) -> Json:
        """Asks for a run of a kind without an instance: on a model's twins, on some, or on none."""
        kind, graph = kind_of(name), self._platform.graph
        subject = subject_of(body, kind, f"a run of '{name}'", graph.find_model, graph.find_twin)
        instance = self.instance_of("", subject, kind)
        return await self.runs.ask(kind.name, run, instance, body.get("parameters"), who)

    # ---- alarms ------------------------------------------------------------------------------

    def conditions(self) -> dict[str, Rule]:
        """What stands for a rule in the alarms that live parts and reviews raise."""
        found = {}
        for key, hosted in self.hosted.items():
            review = hosted.kind.review
            if review is not None:
                review = replace(review, output=named(hosted.document, review.output))
            units = {one.name: one.unit for one in outputs_of(hosted.document)}
            given = ((rule_name(key), hosted.condition), (review_name(key), review))
            for rule, condition in given:
                if condition is not None:
                    model = hosted.instance.model
                    unit = units.get(condition.output, "")
                    found[rule] = rule_of(rule, model, hosted.version, condition, unit)
        return found

    def reviewed(self, key: str, notices: Sequence[Notice]) -> None:
        """What a run found out about an instance becomes alarms, unless it only observes."""
        hosted = self.hosted.get(key)
        if hosted is None or hosted.kind.review is None:
            return
        if hosted.document["autonomy"] != "observe":
            self._platform.reactions.follow(
                [_transition(review_name(key), hosted, notice) for notice in notices]
            )


def _transition(rule: str, hosted: Hosted, notice: Notice) -> Transition:
    details: Json | None = None
    if notice.kind == "raise":
        details = {"details": notice.details}
        if notice.title:
            details["title"] = notice.title
    return Transition(
        rule,
        hosted.version,
        notice.twin,
        notice.kind,
        notice.time,
        notice.value,
        -1,
        None,
        details,
    )
