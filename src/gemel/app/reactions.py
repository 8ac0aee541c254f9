"""What follows from readings: rules raise alarms, alarms ask for commands, devices answer.

Everything that follows is a document that is committed before it is acted on. A transition that
was seen and is not yet committed rides along in the checkpoint, so a crash loses no alarm.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import orjson

from gemel.app.alarm_desk import AlarmDesk
from gemel.app.backlog import Backlog
from gemel.app.dispatch import Dispatch
from gemel.app.formulas import kin_shapes, shapes_of
from gemel.app.late_alarms import LateAlarms
from gemel.app.notify import Notify
from gemel.app.results import without_supposed
from gemel.app.rule_means import RuleMeans
from gemel.app.signals import NOTHING_PLANNED, Planned, Signals
from gemel.app.surroundings import GraphSurroundings
from gemel.core.batch import Batch
from gemel.core.clock import to_iso
from gemel.core.document import Document, Edit, Json
from gemel.core.errors import GemelError, NotFound
from gemel.services.alarms import AlarmBook
from gemel.services.rules.engine import RuleEngine
from gemel.services.rules.features import every_path, reads_relatives
from gemel.services.rules.rule import Rule, load_rule
from gemel.services.rules.table import Instances
from gemel.services.rules.told import ToldStories
from gemel.services.rules.transition import Transition
from gemel.twins.graph import EditContext, Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.rules")
DECIDES = ("when", "model", "parameters", "lateness", "timeZone")
"""Fields of a rule with which its condition changes: it starts anew and its alarms are closed."""
MANY = 100
"""So many changed twins are not looked through for each batch."""


class Moved:
    """Twins that the rule engine must still hear of."""

    def __init__(self) -> None:
        self.twins: set[str] = set()
        self.deleted: set[str] = set()
        """Those of them that were deleted; some may have been made again."""
        self.is_kin = False
        """Whether what rules read of relatives may have changed."""
        self._series: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self.twins) or self.is_kin

    def add(self, twins: Iterable[str], means: RuleMeans, *, is_kin: bool) -> None:
        self.is_kin |= is_kin
        for twin in twins:
            self.twins.add(twin)
            self._series.update(means.series_of(twin).values())

    def concerns(self, batch: Batch) -> bool:
        """Whether a reading is of one of them."""
        if not self:
            return False
        if self.is_kin or len(self.twins) > MANY:
            return True
        return bool(np.isin(batch.series, list(self._series)).any())

    def clear(self) -> None:
        self.twins, self.deleted, self._series, self.is_kin = set(), set(), set(), False


class Reactions:
    """Rules and alarms, joined to the platform; commands are in `dispatch`."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.engine = RuleEngine(is_caught_up=True)
        self.around = GraphSurroundings(platform)
        self.alarms = AlarmBook(self._stored_alarm, around=self.around)
        self.desk = AlarmDesk(platform, self.around)
        self.told = ToldStories()
        """What rules told, as corrected ..."""
        self._told_at = 0
        """... up to the last checkpoint, when the server starts."""
        self.late = LateAlarms(platform)
        self.backlog = Backlog(platform)
        self.notify = Notify(platform)
        self.dispatch = Dispatch(platform)
        self.means = RuleMeans(platform)
        self._uncommitted: list[Transition] = []
        self._is_committing = False
        self._committed = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        """How many are to be committed before somebody goes on."""
        self._broken: dict[str, str] = {}
        self._judged: dict[tuple[str, int], set[int]] = {}
        """The series of each rule whose last values it has been given."""
        self._moved = Moved()
        self._is_begun = False
        """Whether the replay is over; until then the engine finds out by itself what stands."""

    def _stored_alarm(self, key: str) -> Json | None:
        found = self._platform.documents.get("alarm", key)
        return found.doc if found else None

    # ---- from readings to alarms ---------------------------------------------------------

    def react(self, batch: Batch) -> None:
        """Judges a batch; what follows is committed beside the loop."""
        if self._moved.concerns(batch):
            self.follow_twins()
        self._take(self.engine.react(batch))

    def react_supposed(self, batch: Batch) -> None:
        """As `react`, for predicted and simulated readings: rules see those that they name."""
        named = without_supposed(batch, self._platform.series, self.means.is_named)
        if len(named):
            self._take(self.engine.react(named))

    def replay(self, batch: Batch) -> None:
        """As `react`, at start, for what was in the log: nothing is sent again."""
        self._note(self.engine.react(batch))

    def recover(self, transitions: list[Transition]) -> None:
        """As `follow`, at start: what was committed before changes nothing."""
        self._note(transitions)

    def tick(self, now: int) -> None:
        self.follow_twins()
        self._take(self.engine.tick(now))
        self.commit_soon()  # what could not be committed before, when the disk was full
        self.desk.tick(now)
        self.backlog.tick(now)
        self.late.tick(now)
        self.notify.tick()
        self.dispatch.tick(now)

    def follow(self, transitions: list[Transition]) -> None:
        """Takes what services found, as if a rule had."""
        self._take(transitions)

    def _note(self, transitions: list[Transition]) -> None:
        self._uncommitted += transitions
        self.told.take(t for t in transitions if t.rule_id in self.engine.rules)

    def _take(self, transitions: list[Transition]) -> None:
        if not transitions:
            return
        self._note(transitions)
        self.commit_soon()

    async def settled(self) -> None:
        """Waits until the alarms of what was taken in so far are listed, or cannot be for now."""
        if self._is_committing:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((self._committed + len(self._uncommitted), waiter))
            await waiter

    def _wake(self, upto: float) -> None:
        due = [waiter for number, waiter in self._waiting if number <= upto]
        self._waiting = [one for one in self._waiting if one[0] > upto]
        for waiter in due:
            if not waiter.done():
                waiter.set_result(None)

    def commit_soon(self) -> None:
        """Starts committing what rules did, unless that is under way."""
        if self._uncommitted and not self._is_committing:
            self._is_committing = True
            self._platform.start_task(self._commit())

    async def _commit(self) -> None:
        try:
            while self._uncommitted:
                count = await self._platform.edit(self._plan_transitions, "rules")
                del self._uncommitted[:count]
                self._committed += count
                self._wake(self._committed)
        finally:
            self._is_committing = False
            self._wake(math.inf)

    def _plan_transitions(self, _: Graph, context: EditContext) -> tuple[list[Edit], int]:
        taken = list(self._uncommitted)
        name_of = self._platform.catalogue.name_of
        titles = {t.twin: name_of(t.twin) for t in taken}
        rules = {**self.engine.rules, **self._platform.services.conditions()}
        edits = self.alarms.apply_transitions(taken, rules, titles, context.now)
        edits = self.desk.groups.assign(edits, self.alarms.get, context.now)
        latest: dict[str, Json] = {}
        for edit in list(edits):
            if edit.kind != "alarm" or edit.doc is None:
                continue
            latest[edit.key] = edit.doc
            if edit.doc["state"] != "unacknowledged":
                continue
            rule = rules.get(edit.doc["rule"])
            if rule is not None and rule.then is not None and edit.doc["occurrences"] == 1:
                edits += self.dispatch.plan_for_alarm(edit.doc, rule.then, context)
        for alarm in latest.values():
            edits += self._platform.work.book.follow(alarm, context.now)
        return edits, len(taken)

    def following(self, edits: list[Edit], context: EditContext) -> list[Edit]:
        """What is committed with edits: alarms that end with their twins, notices of alarms."""
        return [*self._closing(edits, context), *self.notify.plan(edits, context.now)]

    def _closing(self, edits: Iterable[Edit], context: EditContext) -> list[Edit]:
        gone = [edit.key for edit in edits if edit.kind == "twin" and edit.doc is None]
        return [
            edit
            for twin in gone
            for edit in self.alarms.close(
                "the twin was deleted", context.who, context.now, twin=twin
            )
        ]

    # ---- checkpoint and restart ----------------------------------------------------------

    def snapshot(self) -> dict[str, bytes]:
        self.follow_twins()
        waiting = [
            [t.rule_id, t.version, t.twin, t.kind, t.time, t.value, t.series, t.text, t.details]
            for t in self._uncommitted
        ]
        return {"rules": self.engine.snapshot(), "transitions": orjson.dumps(waiting)} | {
            "lateReadings": self.late.snapshot(),
            "told": orjson.dumps({"at": self._platform.clock(), **self.told.snapshot()}),
        }

    def restore(self, blobs: Mapping[str, bytes]) -> None:
        if "rules" in blobs:
            self.engine.restore(blobs["rules"])
        if "lateReadings" in blobs:
            self.late.restore(blobs["lateReadings"])
        if "told" in blobs:
            found = orjson.loads(blobs["told"])
            self._told_at = found["at"]
            self.told.restore(found)
        elif "rules" in blobs:  # of a version that did not keep it
            self.forget_told()
        for row in orjson.loads(blobs.get("transitions", b"[]")):
            rule, version, twin, kind, time, value, *rest = row
            value = float("nan") if value is None else value
            self._uncommitted.append(Transition(rule, version, twin, kind, time, value, *rest))

    def forget_told(self) -> None:
        """What rules told up to now is not known."""
        self._told_at = self._platform.clock()
        self.told.forget_before(self._told_at)

    def load(self, alarms: Iterable[Document], commands: Iterable[Document]) -> None:
        self.alarms.load(alarms)
        self.desk.load()
        self.notify.load()
        self.dispatch.book.load(commands)

    # ---- rules ---------------------------------------------------------------------------

    def rules_changed(self, documents: Mapping[str, Json]) -> None:
        """Brings the engine in line with rules, models and twins as they are."""
        wanted = {}
        self._moved.clear()
        self._broken.clear()
        for key, doc in documents.items():
            try:
                wanted[key] = self.load_rule(key, doc, self._platform.graph)
            except GemelError as error:
                self._broken[key] = str(error)
                log.warning("rule '%s' does not run: %s", key, error)
        for key in list(self.engine.rules):
            if key not in wanted:
                self.engine.drop_rule(key)
                self.told.forget(key)
        for rule in wanted.values():
            self.means.note(every_path(rule.kernel.paths, rule.kernel.features))
        unread: set[int] = set()
        judged: dict[tuple[str, int], set[int]] = {}
        with self.means.remembering():
            for rule in wanted.values():
                old = self.engine.rules.get(rule.id)
                is_new = old is None
                if old is not None and old.kernel.identity != rule.kernel.identity:
                    self.told.forget(rule.id)
                instances = self.means.instances(rule)
                self.engine.set_rule(rule, instances, self.means.kin, self.means.settings)
                if is_new and self._is_begun:
                    raised = self.alarms.raised(rule.id)
                    self.engine.assume_active(rule.id, raised)
                    self.told.assume(rule.id, raised)
                reads = self.engine.series_read(rule.id)
                unread |= reads - self._judged.get((rule.id, rule.version), set())
                judged[rule.id, rule.version] = reads
        self._judged = judged
        self._take(self._known_again(unread))
        self._take(self._set_by_people())

    def twins_changed(
        self, twins: Iterable[str], deleted: Iterable[str], *, is_kin: bool = False
    ) -> None:
        """Notes twins that were made, changed or deleted, or relationships between twins.

        The engine follows when a reading of theirs comes, at the latest with the next tick, so
        that a hundred thousand twins made one by one do not lay its tables out so many times.
        """
        if self.engine.rules:
            self._moved.add(twins, self.means, is_kin=is_kin)
            self._moved.deleted.update(deleted)

    def follow_twins(self) -> None:
        """Brings the engine in line with the twins noted."""
        moved = self._moved
        if not moved:
            return
        self._moved = Moved()
        unread: set[int] = set()
        with self.means.remembering():
            for rule in list(self.engine.rules.values()):
                judged = self._judged.setdefault((rule.id, rule.version), set())
                if moved.deleted:  # they may be there again by now, as others
                    self.told.forget(rule.id, moved.deleted)
                    judged -= self._move(rule, [], moved.deleted, is_kin=False)[1]
                instances = self.means.instances(rule, moved.twins)
                gone = moved.twins - {twin for twin, _ in instances}
                reads, before = self._move(rule, instances, gone, is_kin=moved.is_kin)
                unread |= reads - judged
                judged -= before - reads
                judged |= reads
        self._take(self._known_again(unread))
        self._take(self._set_by_people(moved.twins))

    def _move(
        self, rule: Rule, changed: Instances, gone: set[str], *, is_kin: bool
    ) -> tuple[set[int], set[int]]:
        """Gives a rule other instances; the series that they read, and those they read before."""
        engine, means = self.engine, self.means
        if not rule.is_clocked:
            return engine.change_instances(rule.id, changed, gone)
        is_kin = is_kin and reads_relatives(rule.kernel.features)
        if not (changed or is_kin or engine.has_instance(rule.id, gone)):
            return set(), set()
        before = engine.series_read(rule.id)
        every = [pair for pair in means.instances(rule) if pair[0] not in gone]
        engine.set_rule(rule, every, means.kin, means.settings)
        return engine.series_read(rule.id), before

    def assume_standing(self, told: Collection[tuple[str, str]] = ()) -> None:
        """Tells the engine which alarms stand; not of the rules and twins it has told of."""
        for rule_id in self.engine.rules:
            raised = self.alarms.raised(rule_id)
            mine = {twin: at for twin, at in raised.items() if (rule_id, twin) not in told}
            self.engine.assume_active(rule_id, mine)
            self.told.assume(rule_id, mine)

    def recall(self) -> None:
        """At start, after the replay: alarms and values from before what was replayed."""
        self._is_begun = True
        self.assume_standing({(t.rule_id, t.twin) for t in self._uncommitted})
        reads = (self.engine.series_read(rule_id) for rule_id in self.engine.rules)
        self._note(self._known_again({series for found in reads for series in found}))
        self._note(self._set_by_people())
        self.late.recall(self._told_at)

    def _set_by_people(self, among: Iterable[str] | None = None) -> list[Transition]:
        """What follows from the properties that people have set; known ones change nothing."""
        rules = self.engine.rules.values()
        batches = [b for rule in rules for b in self.means.set_values(rule, among)]
        batches.sort(key=lambda batch: batch.received)
        return [
            transition for batch in batches for transition in self.engine.react(batch, is_old=True)
        ]

    def _known_again(self, series: Iterable[int]) -> list[Transition]:
        """What follows when the engine hears of last values; what it knows already is nothing."""
        state = self._platform.state
        by_receipt: dict[int, list[int]] = {}
        for number in series:
            if number < len(state.time) and state.time[number]:
                by_receipt.setdefault(int(state.received[number]), []).append(number)
        found: list[Transition] = []
        for received, numbers in sorted(by_receipt.items()):
            rows = np.array(numbers, np.int32)
            text = {row: state.text[n] for row, n in enumerate(numbers) if n in state.text}
            batch = Batch(
                rows, state.time[rows], state.value[rows], state.quality[rows], received, text
            )
            found += self.engine.react(batch, is_old=True)
        return found

    def load_rule(
        self,
        key: str,
        doc: Json,
        graph: Graph,
        planned: Planned = NOTHING_PLANNED,
    ) -> Rule:
        """A rule's document, checked against a model as it is or will be."""
        platform = self._platform
        signals = platform.catalogue.signals
        if graph is not platform.graph or planned:
            signals = platform.catalogue.signals_with(graph, planned)
        model = doc.get("model")
        if not isinstance(model, str) or graph.find_model(model) is None:
            raise NotFound(
                f"rule '{key}': there is no model '{model}'",
                hint="GET /models lists them",
                code="ModelNotFound",
            )
        return self.load_rule_with(key, doc, graph, signals)

    def load_rule_with(self, key: str, doc: Json, graph: Graph, signals: Signals) -> Rule:
        """As `load_rule`, where what its names mean is given."""
        platform = self._platform
        model = doc["model"]
        return load_rule(
            key,
            {name: value for name, value in doc.items() if name != "version"},
            shapes_of(graph, signals, model),
            version=int(doc.get("version", 1)),
            stale_after=float(signals.setting(model, "staleAfter", platform.config.stale_after)),
            kin=kin_shapes(graph, signals, model),
        )

    def plan_rules(
        self,
        graph: Graph,
        context: EditContext,
        rules: Mapping[str, Json],
        planned: Planned = NOTHING_PLANNED,
    ) -> list[Edit]:
        """The edits that make or change rules; one that has not changed is left alone.

        Raises:
            InvalidInput: names the rule, the place and what was expected.
        """
        edits = []
        stored = self._platform.catalogue.plain["rule"]
        for key, body in rules.items():
            doc = {name: value for name, value in body.items() if name not in ("id", "version")}
            old = stored.get(key)
            if old is not None and {**doc, "version": old.get("version")} == old:
                continue
            doc["version"] = 1 if old is None else int(old.get("version", 0)) + 1
            rule = self.load_rule(key, doc, graph, planned)
            if rule.then is not None:
                self.dispatch.check_action(graph, rule.model, rule.then, key)
            edits.append(context.edit("rule", key, doc))
            if old is not None and any(old.get(name) != doc.get(name) for name in DECIDES):
                edits += self.alarms.close(
                    "its rule was changed", context.who, context.now, rule=key
                )
        return edits

    async def put_rule(self, key: str, body: Json, who: str) -> Json:
        await self._platform.edit(
            lambda graph, context: (self.plan_rules(graph, context, {key: body}), None), who, "rule"
        )
        return next(view for view in self.rule_views() if view["id"] == key)

    async def delete_rule(self, key: str, who: str) -> None:
        """Deletes a rule and closes its alarms.

        Raises:
            NotFound: there is no such rule.
        """
        if key not in self._platform.catalogue.plain["rule"]:
            raise NotFound(f"there is no rule '{key}'", hint="GET /rules lists them")

        def plan(_: Graph, context: EditContext) -> tuple[list[Edit], None]:
            closed = self.alarms.close("the rule was deleted", who, context.now, rule=key)
            return [*closed, context.edit("rule", key, None)], None

        await self._platform.edit(plan, who, "rule deleted")

    def rule_view(self, key: str) -> Json:
        """A rule, whether it runs, and what came too late for it.

        Raises:
            NotFound: there is none.
        """
        doc = self._platform.catalogue.plain["rule"].get(key)
        if doc is None:
            raise NotFound(f"there is no rule '{key}'", hint="GET /rules lists them")
        late = self.engine.late.get(key)
        view = {"id": key, "title": doc["when"], "priority": 3, **doc}
        view["isRunning"] = key in self.engine.rules
        view["problem"] = self._broken.get(key, "")
        if late is not None:
            view["lateReadings"] = {"count": late.count, "newest": to_iso(late.newest)}
        return view

    def rule_views(self) -> list[Json]:
        return [self.rule_view(key) for key in sorted(self._platform.catalogue.plain["rule"])]

    # ---- alarms --------------------------------------------------------------------------

    def apply(self, edits: Iterable[Edit]) -> None:
        """Makes committed alarms and commands visible."""
        edits = list(edits)
        self.desk.apply(edits)
        self.late.apply(edits)
        self.notify.apply(edits)
        self.alarms.apply(edits)
        self.dispatch.apply(edits)
        hub = self._platform.hub
        for edit in edits:
            if edit.kind == "alarm" and edit.doc is not None:
                hub.event({"type": "alarm", "alarm": edit.doc})

    def after_edit(self) -> None:
        """After every edit: what can be sent is sent, what rules did is committed."""
        self.commit_soon()
        self.dispatch.send_due()

    def abnormal(self) -> int:
        """How many twins have an active alarm."""
        return len(self.alarms.abnormal())

    def alarm_summary(self, twin: str) -> Json:
        """For tables: the most urgent priority, how many are active, how many wait for somebody."""
        found = self.alarms.of_twin(twin)
        active = [doc for doc in found if doc["isActive"]]
        return {
            "priority": self.alarms.highest(twin),
            "active": len(active),
            "unacknowledged": sum(d["state"] in ("unacknowledged", "returned") for d in found),
        }
