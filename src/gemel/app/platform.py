"""The platform: one loop, read this first.

Messages come in (`accept`), become a batch of checked readings (ingest), are written to the log
(history); when they are on disk they change the state (twins), may raise alarms and send commands
(services, commands), and are shown to watchers (live). Nothing is visible or acknowledged before
it is durable. People's and programs' edits take the same road through `edit`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from gemel import __version__
from gemel.app.attachments import Attachments
from gemel.app.audit import Signer
from gemel.app.backtest import Backtests
from gemel.app.behaviours import Behaviours
from gemel.app.blobs import naming
from gemel.app.catalogue import Catalogue
from gemel.app.config import Config
from gemel.app.connections import Connections
from gemel.app.derived import Derived
from gemel.app.desired import Desired
from gemel.app.directory import Directory
from gemel.app.edits import Edits, Plan, PlanAhead
from gemel.app.event_routes import EventRoutes
from gemel.app.exports import Exports
from gemel.app.folder import DataFolder
from gemel.app.foreign import ForeignModels
from gemel.app.gaps import Gaps
from gemel.app.geometries import Geometries
from gemel.app.installation import Listening
from gemel.app.jobs import Jobs
from gemel.app.migrations import Migrations
from gemel.app.outlets import Outlets
from gemel.app.past import Moments
from gemel.app.policies import Policies
from gemel.app.presence import Presence
from gemel.app.promotions import Promotions
from gemel.app.promql import PromQL
from gemel.app.queries import Queries
from gemel.app.reactions import Reactions
from gemel.app.recovery import checkpoint, rebuild
from gemel.app.refusals import Refusals
from gemel.app.results import Results
from gemel.app.retention import Retention
from gemel.app.room import Room
from gemel.app.scenarios import Scenarios
from gemel.app.services import Services
from gemel.app.set_points import SetPoints
from gemel.app.sign_on import sign_on
from gemel.app.sparkplug import Sparkplug
from gemel.app.tokens import Tokens
from gemel.app.upkeep import Upkeep
from gemel.app.value import Value
from gemel.app.values import ONLY_MEASURED, value_reader
from gemel.app.work import Work
from gemel.backends.sqlite import SqliteDocuments
from gemel.core import fast
from gemel.core.access import Principal
from gemel.core.batch import Batch, live_part
from gemel.core.clock import SECOND, Clock, system_clock, to_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import GemelError, Unavailable
from gemel.core.message import Message, Samples
from gemel.core.series import MEASURED, SeriesTable, is_supposed
from gemel.history import History
from gemel.ingest.accept import Accepted, Ingest
from gemel.ingest.discover import Discovery
from gemel.ingest.points import PointTable
from gemel.live.hub import Hub
from gemel.twins.graph import Graph
from gemel.twins.loading import UNUSABLE
from gemel.twins.state import State

log = logging.getLogger("gemel")
T = TypeVar("T")
Publisher = Callable[..., int]
TICK_SECONDS = 1.0
TOKEN_CHECK_SECONDS = 5
REST_SECONDS = 10
CHECKPOINT_SECONDS = 60
LOOK_OVER_SECONDS = 10
"""After the start, when nobody waits for it any more."""


class Platform:
    """Everything of one installation; all methods are called on the event loop's thread."""

    mqtt_address = ""
    """Where the MQTT server listens, `host:port`; "" before it does."""
    coap_statistics: Callable[[], Json] = dict
    """Figures of the CoAP server; none where it is off."""

    def __init__(self, config: Config, clock: Clock = system_clock) -> None:
        self.config = config
        self.clock = clock
        self.folder = DataFolder(Path(config.data))
        self.documents = SqliteDocuments(self.folder.path / "gemel.sqlite")
        self.signer = Signer(self.folder.path, self.documents.path)
        self.tokens = Tokens(self.documents, clock)
        self.series = SeriesTable()
        self.points = PointTable()
        self.state = State()
        self.ingest_stage = Ingest(
            self.series,
            self.points,
            future_ns=round(config.future_tolerance * SECOND),
            newest=lambda: self.state.time,
        )
        self.discovery = Discovery()
        self.graph = Graph()
        self.presence = Presence()
        self.hub = Hub()
        self.results = Results(self)
        self.retention = Retention(self)
        self.catalogue = Catalogue(self)
        self.policies = Policies(self)
        self.tokens.narrowing = self.policies.narrowing
        self.foreign = ForeignModels(self)
        self.services = Services(self)
        self.behaviours = Behaviours(self)
        self.scenarios = Scenarios(self)
        self.promotions = Promotions(self)
        self.reactions = Reactions(self)
        self.derived = Derived(self)
        self.backtests = Backtests(self)
        self.desired = Desired(self)
        self.queries = Queries(self)
        self.directory = Directory(self)
        self.moments = Moments(self)
        self.upkeep = Upkeep(self)
        self.jobs = Jobs(self)
        self.migrations = Migrations(self)
        self.events = EventRoutes(self)
        self.work = Work(self)
        self.value = Value(self)
        self.gaps, self.refusals, self.room = Gaps(self), Refusals(self), Room(self)
        self.sparkplug, self.outlets, self.exports = Sparkplug(self), Outlets(self), Exports(self)
        self.set_points, self.sign_on = SetPoints(self), sign_on(self)
        self.connections, self.promql = Connections(self), PromQL(self)
        self.attachments, self.geometries = Attachments(self), Geometries(self)
        self.listening = Listening(clock())
        self.history: History
        self.publish: Publisher = lambda *_: 0
        """Sends to devices: (topic, payload, retain, seconds to live, QoS) -> to how many."""
        self.listeners: Callable[[str], list[str]] = lambda _: []
        """The devices that are connected and subscribed to a topic."""
        self.mqtt_statistics: Callable[[], Json] = dict
        self.mqtt_waits_since: Callable[[], int] = int
        """When the oldest message that waits at the MQTT server came; 0 if none waits."""
        self.disconnect: Callable[[Callable[[Principal], bool]], int] = lambda _: 0
        """Closes the connections of devices whose token was ended."""
        self.readings, self.duplicates, self._counted, self._rate = 0, 0, 0, 0.0
        self._executor = ThreadPoolExecutor(1, "documents")
        self._edits = Edits(self, self._executor)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._pending: deque[int] = deque()
        self._ticker: asyncio.Task[None] | None = None
        self._closing = False

    # ---- the loop ----------------------------------------------------------------------------

    def accept(
        self, messages: Sequence[Message | Samples], done: Callable[[Exception | None], None]
    ) -> None:
        """Takes messages in; `done` is called once they are durable and visible."""
        self._accept(messages, lambda _, error: done(error))

    def _accept(
        self,
        messages: Sequence[Message | Samples],
        done: Callable[[Accepted, Exception | None], None],
        stage: Ingest | None = None,
    ) -> None:
        now = self.clock()
        stage = stage or self.ingest_stage
        taken = stage.accept(messages, now)
        if self._closing:
            done(taken, Unavailable("the server is shutting down", hint="send it again later"))
            return

        def durable(error: Exception | None) -> None:
            self._pending.popleft()
            if error is not None:
                done(taken, error)
                return
            try:
                self._visible(taken, stage)
            except Exception:  # it is stored: the sender must not send it again
                log.exception("what was stored could not be taken in")
            self.reactions.dispatch.answers(taken.other, lambda problem: done(taken, problem))

        self._pending.append(now)
        self.history.append(taken.batch, taken.rejects, durable)

    def _visible(self, taken: Accepted, stage: Ingest) -> None:
        """What was taken in is on disk: now it counts."""
        batch = taken.batch
        if len(batch):
            stage.remember(batch)
            self._show(batch, stage.provenance)
        self.readings += taken.readings
        self.duplicates += taken.duplicates
        if stage.provenance == MEASURED:
            self.presence.seen(taken.seen)
            self.sparkplug.follow(taken.signs)
        if taken.unknown:
            self.catalogue.discovered(taken.unknown)

    def _show(self, batch: Batch, provenance: str) -> None:
        """Durable readings change the state; what is only supposed goes no further."""
        self.moments.readings(batch)
        batch = live_part(batch)
        changed = self.state.apply(batch)
        self.hub.values_changed(changed)
        if not is_supposed(provenance):
            self.reactions.react(batch)
            self.reactions.dispatch.readings(changed)
            self.desired.readings(changed)
            self.derived.react(batch)
            self.services.react(batch)
            self.events.readings(batch)
        else:
            self.reactions.react_supposed(batch)
            self.derived.react_supposed(batch)

    async def ingest(self, messages: Sequence[Message], stage: Ingest | None = None) -> Accepted:
        """As `accept`, for callers that wait; alarms that it raised at once are listed then.

        Args:
            messages: as a device would have sent them.
            stage: None for what was measured; see `Results.ingest` for the rest.

        Raises:
            Unavailable: it could not be made durable.
        """
        waiter: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()

        def done(taken: Accepted, error: Exception | None) -> None:
            if waiter.done():
                return
            if error is None:
                waiter.set_result(taken)
            else:
                waiter.set_exception(error)

        self._accept(messages, done, stage)
        taken = await waiter
        await self.reactions.settled()
        return taken

    async def append(self, batch: Batch, provenance: str = "") -> None:
        """Stores readings of our own making, then shows them; rules see those of a provenance.

        Raises:
            Unavailable: they could not be made durable.
        """
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def durable(error: Exception | None) -> None:
            if error is None and provenance:
                self._show(batch, provenance)
            elif error is None:
                self.moments.readings(batch)
                self.hub.values_changed(self.state.apply(batch))
            if not waiter.done():
                waiter.set_result(None) if error is None else waiter.set_exception(error)

        self.history.append(batch, (), durable)
        await waiter

    # ---- edits -------------------------------------------------------------------------------

    async def edit(self, plan: Plan[T], who: str = "gemel", why: str = "") -> T:
        """Plans an edit against what is now, makes it durable, then applies it; one at a time."""
        return await self._edits.alone(plan, who, why)

    async def edit_graph(self, plan: Plan[T], who: str = "gemel", why: str = "") -> T:
        """As `edit`, for a plan that reads only the graph: many share one commit."""
        return await self._edits.together(plan, who, why)

    async def edit_ahead(
        self,
        plan: PlanAhead[T],
        *,
        is_more: Callable[[], bool],
        done: Callable[[T], object],
        who: str,
        why: str,
    ) -> None:
        """Many edits of the graph in a row; see `Edits.ahead`."""
        await self._edits.ahead(plan, is_more=is_more, done=done, who=who, why=why)

    async def put(self, kind: str, key: str, doc: Json | None, who: str, why: str = "") -> None:
        """Stores one plain document (None deletes it)."""
        await self.edit(
            lambda _, context: ([Edit(kind, key, doc, context.now, who, why)], None), who, why
        )

    async def on_disk(self, call: Callable[..., T], *arguments: Any) -> T:
        """Calls what waits for the disk, on the thread of the documents: the loop goes on."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, call, *arguments)

    def start_task(self, work: Any) -> None:
        """Runs a coroutine beside the loop; its failure is logged, close waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task failed", exc_info=error)

    # ---- start, tick, close ------------------------------------------------------------------

    async def start(self) -> None:
        """Loads what is stored, replays the log, and starts the tick."""
        if fast.slower:
            log.warning("%s", fast.slower)
        loop = asyncio.get_running_loop()
        self.history = await loop.run_in_executor(
            self._executor,
            lambda: History(
                self.folder.path / "history",
                self.series,
                notify=lambda call: _call(loop, call),
                on_seal=lambda: checkpoint(self),
                segment_rows=self.config.seal_rows,
                seal_seconds=self.config.seal_seconds,
                ballast_bytes=self.config.ballast,
                keep_from=self.retention.keep,
                followers=self.exports,
            ),
        )
        gc.disable()  # what is loaded stays: collections need not look at it, now or later
        try:
            with naming(self.documents.path, *UNUSABLE):
                self.catalogue.load()
                self.sparkplug.load()
                self.work.load()
            self.retention.is_known = True
            rebuild(self)
            gc.freeze()
        finally:
            gc.enable()
        self.reactions.after_edit()
        self.history.checkpoint()
        self.jobs.start()
        await self.services.runs.start()
        await self.events.start()
        self._ticker = loop.create_task(self._tick_forever())

    async def _tick_forever(self) -> None:
        seconds = 0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            seconds += 1
            try:
                self.tick(self.clock())
                edited = await self.on_disk(self.tokens.edited)
                self.tokens.forget(edited)
                if edited or seconds % TOKEN_CHECK_SECONDS == 0:
                    self.disconnect(lambda who: not self.tokens.is_current(who.token))
                if seconds % REST_SECONDS == 0:
                    await self.on_disk(self.upkeep.rest)
                if seconds == LOOK_OVER_SECONDS:
                    self.start_task(self.upkeep.look_over())
                if seconds % CHECKPOINT_SECONDS == 0:
                    await self.on_disk(self.signer.sign, self.clock())
                if seconds % 3600 == 0:
                    self.history.expire()
                    await self.on_disk(self.tokens.sweep)
            except Exception:  # the tick must go on; what failed is in the log
                log.exception("the tick failed")

    def tick(self, now: int) -> None:
        """Once a second: rates, presence, deadlines, pending durations."""
        self._rate = 0.7 * self._rate + 0.3 * (self.readings - self._counted) / TICK_SECONDS
        self._counted = self.readings
        for twin, status in self.presence.tick(now):
            self.hub.event({"type": "twin", "id": twin, "status": status})
        self.reactions.tick(now)
        self.gaps.tick(now)
        self.refusals.tick(now)
        self.sparkplug.tick(now)
        self.set_points.tick()
        self.derived.tick(now)
        self.services.tick(now)
        if self.sign_on is not None:
            self.sign_on.tick()
        self.catalogue.save_discovered()
        if self.hub.watchers:
            self.hub.event({"type": "status", "status": self.status()})

    async def close(self) -> None:
        """Takes nothing new, finishes what is under way, closes the files."""
        self._closing = True
        if self._ticker is not None:
            self._ticker.cancel()
        await self.jobs.stop()
        await self.services.runs.stop()
        await self.events.stop()
        if self.sign_on is not None:
            await self.sign_on.close()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self.backtests.close)
        await loop.run_in_executor(None, self.promql.close)
        if hasattr(self, "history"):
            await self._close_history(loop)
        self.catalogue.store_discovered()
        self.sparkplug.save()
        self.start_task(self.gaps.close())
        self.start_task(self.refusals.close())
        while self._tasks:
            await asyncio.wait(set(self._tasks), timeout=2)
        self.services.runs.close()
        await self._edits.drain()
        self._executor.shutdown(wait=True)
        self.documents.close()
        self.folder.close()

    async def _close_history(self, loop: asyncio.AbstractEventLoop) -> None:
        """With a last checkpoint, so that the next start replays nothing."""
        try:  # the checkpoint is taken on this loop before the wait is over
            await loop.run_in_executor(None, self.history.complete)
        except GemelError as error:
            log.error("no last checkpoint is taken: %s", error)
        await loop.run_in_executor(None, self.history.close)

    # ---- what others ask ---------------------------------------------------------------------

    def shown(self, kind: str, key: str, doc: Json | None) -> Json | None:
        """What may be seen of a document as it is or was; policies hide parts of it."""
        return doc

    def status_shown(self, status: Json) -> Json:
        """What may be seen of `status`; policies narrow its counts."""
        return status

    def value_of(self, twin: str) -> Callable[[str], tuple[object, int] | None]:
        """A function from path to the twin's last value, as it is shown, and its time (ns)."""
        return value_reader(self, twin)

    def measured_value_of(self, twin: str) -> Callable[[str], tuple[object, int] | None]:
        """As `value_of`, of what the device itself sent: a prediction confirms no command."""
        return value_reader(self, twin, ONLY_MEASURED)

    def bound_twin(self, topic: str) -> str | None:
        """The twin that a binding maps a topic to."""
        return self.ingest_stage.bound_twin(topic)

    def connect_mqtt(
        self,
        publish: Publisher,
        statistics: Callable[[], Json],
        listeners: Callable[[str], list[str]],
        disconnect: Callable[[Callable[[Principal], bool]], int],
        waits_since: Callable[[], int],
    ) -> None:
        """Gives the platform its way to devices."""
        self.publish, self.mqtt_statistics, self.listeners = publish, statistics, listeners
        self.disconnect, self.mqtt_waits_since = disconnect, waits_since

    def oldest_pending(self) -> int:
        """When the oldest call of `accept` came that is not durable yet (ns); 0 without any."""
        return self._pending[0] if self._pending else 0

    def status(self) -> Json:
        """The installation at a glance; see docs/reference/http.md."""
        now = self.clock()
        counts = self.presence.counts()
        statistics = self.history.statistics()
        return {
            "version": __version__,
            "time": to_iso(now),
            "fastPath": fast.path,
            "slower": fast.slower,
            "plant": self.catalogue.plant_name,
            "valuesPerSecond": round(self._rate, 1),
            "readings": statistics.readings,
            "twins": len(self.presence.names),
            "live": counts["live"],
            "stale": counts["stale"],
            "offline": counts["offline"],
            "abnormal": self.reactions.abnormal(),
            "killSwitch": self.reactions.dispatch.guarding.switch(),
            "alarms": {
                **self.reactions.alarms.counts(),
                "returned": self.reactions.alarms.returned(),
            },
            "flood": self.reactions.desk.flood_now(now),
            "shift": self.reactions.desk.shift_now(now),
            "behind": round(self.room.behind(), 3),
            "lost": sum(self.gaps.lost.values()),
            "freshness": self.presence.freshness(now),
            "duplicates": self.duplicates,
            "rejects": statistics.rejects,
            "discovered": len(self.catalogue.unadopted()),
            "mqtt": self.mqtt_statistics(),
            "coap": self.coap_statistics(),
        }


def _call(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    loop.call_soon_threadsafe(call)
