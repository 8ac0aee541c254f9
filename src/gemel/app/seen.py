"""The platform as policies let somebody see it: a graph without what is hidden, and all above it.

Faces are given this in place of the platform. What reads goes through the graph, the series and
the books of here, which hold nothing that is hidden; what edits goes through `Seen.edit`, which
looks at the planned edits before they are committed. So a face cannot forget to ask.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from gemel.app.directory import Directory
from gemel.app.policies import Sight, forbidden
from gemel.app.queries import Queries
from gemel.app.seen_alarms import alarm_shown, step_shown
from gemel.app.seen_commands import command_shown
from gemel.app.seen_past import SeenMoments, redacted, shown
from gemel.app.seen_scenarios import SeenPromotions, SeenScenarios
from gemel.app.seen_status import SeenStatus
from gemel.app.values import ONLY_MEASURED, value_reader
from gemel.core.document import Edit, Json
from gemel.core.errors import GemelError, NotFound
from gemel.core.policy import ALARM, COMMAND, READ, WRITE
from gemel.core.series import MEASURED, SeriesTable
from gemel.twins.graph import EditContext, Graph
from gemel.twins.records import Link, Twin

if TYPE_CHECKING:
    from gemel.app.edits import Plan
    from gemel.app.platform import Platform

T = TypeVar("T")


class SeenGraph(Graph):
    """The twins that may be seen, without the properties that may not; links between such twins."""

    def __init__(self, real: Graph, sight: Sight) -> None:
        super().__init__()
        self._real = real
        self._sight = sight
        self.models, self.records = real.models, real.records
        self.rebuild()

    def rebuild(self) -> None:
        """Looks at every twin again."""
        self.twins.clear()
        self._by_model = None
        self.show(self._real.twins)

    def show(self, twins: Iterable[str]) -> None:
        """Looks at some twins again, after an edit of them or of what reaches them."""
        for key in list(twins):
            twin = self._real.find_twin(key)
            mask = self._sight.mask(READ, key)
            if twin is None or mask.is_none:
                self._set_twin(key, None)
            else:
                self._set_twin(key, twin if mask.is_whole else redacted(twin, mask))
        self.version += 1

    def is_seen(self, link: Link) -> bool:
        return (
            link.source in self.twins
            and link.target in self.twins
            and self._sight.allows(READ, link.source, link.name)
        )

    def find_relationship(self, source: str, relationship: str) -> Link | None:
        link = self._real.find_relationship(source, relationship)
        return link if link is not None and self.is_seen(link) else None

    def outgoing(self, twin_id: str) -> list[Link]:
        return list(filter(self.is_seen, self._real.outgoing(twin_id)))

    def incoming(self, twin_id: str) -> list[Link]:
        return list(filter(self.is_seen, self._real.incoming(twin_id)))

    def sources(self) -> list[str]:
        return [twin for twin in self._real.sources() if twin in self.twins]


class SeenSeries:
    """The series table without the series that are hidden."""

    def __init__(self, real: SeriesTable, sight: Sight, graph: SeenGraph) -> None:
        self._real = real
        self._sight = sight
        self._graph = graph

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __len__(self) -> int:
        return len(self._real)

    def is_shown(self, twin: str, path: str) -> bool:
        return twin in self._graph.twins and self._sight.allows(READ, twin, path)

    def find(self, twin: str, path: str, provenance: str = MEASURED) -> int | None:
        return self._real.find(twin, path, provenance) if self.is_shown(twin, path) else None

    def id(self, twin: str, path: str, provenance: str = MEASURED) -> int:
        if not self.is_shown(twin, path):
            raise forbidden(READ, twin, path)
        return self._real.id(twin, path, provenance)

    def block(self, twin: str, paths: tuple[str, ...], provenance: str = MEASURED) -> list[int]:
        return [self.id(twin, path, provenance) for path in paths]

    def of_twin(self, twin: str) -> list[int]:
        keys = self._real.keys
        return [n for n in self._real.of_twin(twin) if self.is_shown(twin, keys[n].path)]


class _SeenDerived:
    """Of derived properties their units alone: a formula may name what is hidden."""

    def __init__(self, real: Platform) -> None:
        self.unit_of = real.derived.unit_of


class _SeenBook:
    """A book of documents without those that may not be read."""

    def __init__(self, real: Any, is_seen: Callable[[Any], bool], what: str) -> None:
        self._real = real
        self._is_seen = is_seen
        self._what = what

    def _shown(self, found: Any) -> Any:
        """What of a document that is seen may be read."""
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def get(self, key: str) -> Any:
        """As the real one, but what is hidden and what is missing are refused in one way."""
        found = None
        with contextlib.suppress(NotFound):
            found = self._real.get(key)
        if found is None or not self._is_seen(found):
            raise NotFound(f"there is no {self._what} '{key}'", hint="policies may hide it")
        return self._shown(found)

    def find(self, *, limit: int = 1_000, **wanted: Any) -> list[Any]:
        found = self._real.find(limit=1 << 31, **wanted)
        return [self._shown(one) for one in found if self._is_seen(one)][:limit]


class _SeenCommands(_SeenBook):
    def __init__(self, real: Any, sight: Sight) -> None:
        super().__init__(real, lambda c: sight.allows(READ, c.twin, c.command), "command")
        self._sight = sight

    def _shown(self, found: Any) -> Any:
        return command_shown(self._sight, found)


class _SeenCorrections(_SeenBook):
    async def page(self, before: str, limit: int, is_wanted: Callable[[Json], bool]) -> Any:
        def is_shown(doc: Json) -> bool:
            return is_wanted(doc) and self._is_seen(doc)

        return await self._real.page(before, limit, is_shown)


class _SeenAlarms(_SeenBook):
    def __init__(self, real: Any, sight: Sight) -> None:
        super().__init__(real, lambda doc: sight.covers(READ, str(doc.get("twin", ""))), "alarm")
        self._sight = sight

    def _shown(self, found: Any) -> Any:
        return alarm_shown(self._sight, found)

    def of_twin(self, twin: str) -> Any:
        if not self._sight.covers(READ, twin):
            return []
        return [self._shown(one) for one in self._real.of_twin(twin)]

    def highest(self, twin: str) -> Any:
        return self._real.highest(twin) if self._sight.covers(READ, twin) else None


class _SeenGroups:
    """Groups of alarms of one cause, made of such alarms as may be read."""

    def __init__(self, real: Any, alarms: _SeenAlarms, sight: Sight, name: Callable[[str], str]):
        self._real, self._alarms, self._sight, self._name = real, alarms, sight, name

    def find(self, limit: int = 100) -> list[Json]:
        shown = (self._shown(group) for group in self._real.find(1 << 31))
        return [group for group in shown if group is not None][:limit]

    def get(self, key: str) -> Json:
        found = None
        with contextlib.suppress(NotFound):
            found = self._shown(self._real.get(key))
        if found is None:
            raise NotFound(f"there is no group '{key}'", hint="policies may hide it")
        return {**found, "alarms": sorted(one["id"] for one in self._alarms_of(found["id"]))}

    def _alarms_of(self, group: str) -> list[Json]:
        seen = []
        for key in self._real.members(group):
            with contextlib.suppress(NotFound):
                seen.append(self._alarms.get(key))
        return sorted(seen, key=lambda doc: (doc["raised"], doc["id"]))

    def _shown(self, group: Json) -> Json | None:
        """A group as told by the alarms of it that are seen; None where none is."""
        seen = self._alarms_of(group["id"])
        if not seen:
            return None
        is_cause_seen = self._sight.touches(READ, group["cause"])
        if is_cause_seen and len(seen) == group["count"]:
            return group
        first = seen[0]
        cause = group["cause"] if is_cause_seen else first["twin"]
        known = {one["id"] for one in seen}
        return {
            **group,
            "cause": cause,
            "causeName": self._name(cause),
            "causeAlarm": group["causeAlarm"] if group["causeAlarm"] in known else None,
            "firstOut": first["id"],
            "firstOutTwin": first["twin"],
            "firstOutName": self._name(first["twin"]),
            "raised": first["raised"],
            "latest": max(one["raised"] for one in seen),
            "count": len(seen),
            "priority": min(one["priority"] for one in seen),
        }


SHARED = frozenset(
    {
        "accept",
        "append",
        "bound_twin",
        "clock",
        "config",
        "documents",
        "gaps",
        "history",
        "hub",
        "ingest",
        "ingest_stage",
        "listeners",
        "mqtt_address",
        "on_disk",
        "outlets",
        "policies",
        "presence",
        "promql",
        "publish",
        "set_points",
        "sparkplug",
        "start_task",
        "state",
        "tokens",
    }
)
"""What of the platform is the same for everybody. It hides nothing by itself: what is found through
it is looked up by series and ids that the parts below have let through."""


class Seen:
    """What stands in for the platform where policies name who asks."""

    def __init__(self, real: Platform, sight: Sight) -> None:
        self.real = real
        self.sight = sight
        self.graph = SeenGraph(real.graph, sight)
        self.series = SeenSeries(real.series, sight, self.graph)
        self.platform = cast("Platform", self)
        self.catalogue = self._of(real.catalogue)
        self.queries = Queries(self.platform)
        self.directory = Directory(self.platform)
        self.moments = SeenMoments(real.moments, self)
        self.derived = _SeenDerived(real)
        self.desired = self._of(real.desired)
        self.reactions = self._of(real.reactions)
        self.reactions.alarms = cast(Any, _SeenAlarms(self.reactions.alarms, sight))
        self.reactions.late = cast(
            Any,
            _SeenCorrections(
                real.reactions.late, lambda doc: sight.covers(READ, str(doc["twin"])), "correction"
            ),
        )
        self.reactions.desk = self._of(real.reactions.desk)
        self.reactions.desk.step_shown = partial(step_shown, sight)
        self.reactions.desk.groups = cast(
            Any,
            _SeenGroups(
                self.reactions.desk.groups,
                cast(Any, self.reactions.alarms),
                sight,
                self.catalogue.name_of,
            ),
        )
        dispatch = self._of(real.reactions.dispatch)
        dispatch.book = cast(Any, _SeenCommands(dispatch.book, sight))
        dispatch.guarding = self._of(real.reactions.dispatch.guarding)
        self.reactions.dispatch = dispatch
        self.scenarios = SeenScenarios(real, sight)
        self.promotions = SeenPromotions(real, self.scenarios)
        self.seen_status = SeenStatus(real, sight)
        self.work = self._of(real.work)
        self.work.book = cast(
            Any,
            _SeenBook(
                real.work.book, lambda doc: sight.covers(READ, str(doc["twin"])), "work order"
            ),
        )

    def _of(self, part: T) -> T:
        """The same part of the platform, but over what is seen; it shares all state."""
        found = copy.copy(part)
        found._platform = self.platform  # type: ignore[attr-defined]
        return found

    def __getattr__(self, name: str) -> Any:
        if name not in SHARED:
            raise AttributeError(f"'{name}' has not been made fit for policies")
        return getattr(self.real, name)

    def shown(self, kind: str, key: str, doc: Json | None) -> Json | None:
        """What may be seen of a document as it is or was; None if nothing."""
        return None if doc is None else shown(self.sight, self.graph, kind, key, doc)

    def status(self) -> Json:
        return self.status_shown(self.real.status())

    def status_shown(self, status: Json) -> Json:
        """The status with counts of what is seen."""
        return self.seen_status.of(status, self.graph)

    def value_of(self, twin: str) -> Any:
        return value_reader(self.platform, twin)

    def measured_value_of(self, twin: str) -> Any:
        return value_reader(self.platform, twin, ONLY_MEASURED)

    async def edit(self, plan: Plan[T], who: str = "gemel", why: str = "") -> T:
        """As the platform's, if every planned edit is allowed.

        Raises:
            Forbidden: one is not; nothing is edited.
        """
        return self._shown(await self.real.edit(self._checked(plan), who, why))

    async def edit_graph(self, plan: Plan[T], who: str = "gemel", why: str = "") -> T:
        """As `edit`, for a plan that reads only the graph."""
        return self._shown(await self.real.edit_graph(self._checked(plan), who, why))

    def _checked(self, plan: Plan[T]) -> Plan[T]:
        """A plan that refuses what is not allowed, and says why with what is seen alone."""

        def checked(graph: Graph, context: EditContext) -> tuple[list[Edit], T]:
            try:
                edits, result = plan(graph, context)
            except GemelError as error:
                raise self._veiled(error, plan, context) from None
            if any(map(self._is_to_hidden, edits)):
                self._plan_seen(plan, context)
            for edit in edits:
                self._check(graph, edit)
            return edits, result

        return checked

    def _plan_seen(self, plan: Plan[T], context: EditContext) -> None:
        """Plans on what is seen, for the errors that this raises."""
        self.sight.refresh()
        edits, _ = plan(self.graph, context)
        for edit in edits:
            self._check(self.graph, edit)

    def _veiled(self, error: GemelError, plan: Plan[T], context: EditContext) -> GemelError:
        """Why an edit cannot be, without a word about what is hidden."""
        try:
            self._plan_seen(plan, context)
        except GemelError as of_seen:
            return of_seen
        return type(error)(
            "what policies hide from you stands in the way",
            hint="ask somebody whom no policy narrows",
            code=error.code,
        )

    def _is_to_hidden(self, edit: Edit) -> bool:
        """Whether it would make a relationship to a twin that is not there for who asks."""
        is_link = edit.kind == "relationship" and edit.doc is not None
        return is_link and not self.sight.touches(READ, cast(Json, edit.doc)["$targetId"])

    def _shown(self, result: T) -> T:
        """What an edit made, without what is hidden."""
        self.sight.refresh()
        if isinstance(result, Twin):
            mask = self.sight.mask(READ, result.id)
            return cast(T, result if mask.is_whole else redacted(result, mask))
        return result

    async def put(self, kind: str, key: str, doc: Json | None, who: str, why: str = "") -> None:
        await self.edit(
            lambda _, context: ([Edit(kind, key, doc, context.now, who, why)], None), who, why
        )

    def _check(self, graph: Graph, edit: Edit) -> None:
        """Refuses an edit that policies do not allow."""
        sight = self.sight
        if edit.kind == "twin":
            self._check_twin(graph.find_twin(edit.key), edit)
        elif edit.kind == "relationship":
            source, key = edit.key.split("\n", 1)
            if graph.find_twin(source) is None:
                return  # it is made by an edit beside this one, which needs a permit for all of it
            old = graph.find_relationship(source, key)
            if old is not None:
                sight.require(WRITE, source, old.name)
            if edit.doc is not None:
                sight.require(WRITE, source, edit.doc["$relationshipName"])
        elif edit.kind == "desired":
            pass  # stands beside an edit of the twin's `$desired`
        elif edit.kind in ("alarm", "workorder") and edit.doc is not None:
            sight.require(ALARM, str(edit.doc.get("twin", "")))
        elif edit.kind == "command" and edit.doc is not None:
            sight.require(COMMAND, edit.doc["twin"], edit.doc["command"])

    def _check_twin(self, old: Twin | None, edit: Edit) -> None:
        sight = self.sight
        if old is not None:
            if not sight.touches(READ, edit.key):
                raise forbidden(WRITE, edit.key)
            if edit.doc is None:
                sight.require(WRITE, edit.key)
                return
        if edit.doc is None:
            return
        model = edit.doc["$metadata"]["$model"]
        masks = [sight.mask_of_new(WRITE, edit.key, model)]
        if old is not None:
            masks.append(sight.mask(WRITE, edit.key))
        is_of_new_kind = old is None or old.model != model
        for mask in masks:
            if mask.is_none or (is_of_new_kind and not mask.is_whole):
                raise forbidden(WRITE, edit.key)
            for name in changed_names({} if old is None else old.doc, edit.doc):
                if not mask.allows(name):
                    raise forbidden(WRITE, edit.key, name)


def changed_names(old: Json, new: Json, prefix: str = "") -> set[str]:
    """The properties in which two documents of a twin differ, those in components with dots."""
    found: set[str] = set()
    for name in old.keys() | new.keys():
        before, after = old.get(name), new.get(name)
        if before == after or name in ("$metadata", "$etag"):
            continue
        parts = [part for part in (before, after) if part is not None]
        if name == "$desired":
            found |= changed_names(before or {}, after or {})
        elif all(isinstance(part, dict) and "$metadata" in part for part in parts):
            found |= changed_names(before or {}, after or {}, f"{prefix}{name}.")
        else:
            found.add(prefix + name)
    return found
