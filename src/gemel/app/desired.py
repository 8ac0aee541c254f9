"""Desired values: asked of a device's properties, told to it until it reports them.

The wishes of a twin are one document (`desired`); the device is told the pending ones, retained,
on `devices/{twin}/desired`. What is told follows from the documents alone, so at start it is told
again: a message that a crash swallowed is made good, and that of a deleted twin is taken away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

import orjson

from gemel.app.ways import FLOAT_STEP, is_number
from gemel.commands import desired as wishes
from gemel.commands.guards import in_words, is_within
from gemel.core.batch import I32
from gemel.core.clock import to_iso
from gemel.core.document import Edit, Json
from gemel.core.errors import TwinInvalid
from gemel.core.units import symbol
from gemel.twins.graph import EditContext, Graph
from gemel.twins.twin_edits import ask_desired

if TYPE_CHECKING:
    from gemel.app.platform import Platform

KIND = "desired"


class Desired:
    """The wishes of all twins, held against what devices report."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._whole = self
        """All wishes, where this is a copy over what policies let somebody see."""
        self._watched: dict[int, tuple[str, str]] = {}
        """By series, the wish that a reading of it is held against."""

    def of(self, twin: str) -> dict[str, Json]:
        """The wishes of a twin by path; those from before there were documents are pending."""
        stored = self._platform.catalogue.plain[KIND].get(twin, {})
        found = {}
        for path, value in self._platform.graph.desired_of(twin).items():
            wish = stored.get(path)
            if wish is None or wish["value"] != value:
                wish = {"value": value, "who": "", "time": to_iso(0), "state": wishes.PENDING}
                wish["reported"] = None
            found[path] = wish
        return found

    def views(self, twin: str) -> list[Json]:
        """For people: each wish with its state, what is reported, who wins and what is wrong.

        Raises:
            NotFound: there is no such twin.
        """
        self._platform.catalogue.require_twin(twin)
        found = []
        for path, wish in sorted(self.of(twin).items()):
            value, _ = self._reported(twin, path)
            rule, _ = self._rule(twin, path, None)
            found.append(
                {
                    "property": path,
                    **wish,
                    "reported": value,
                    "conflict": rule,
                    "problem": self._platform.set_points.problem(twin, path),
                }
            )
        return found

    async def ask(self, twin: str, values: Json, who: str) -> Json:
        """Stores what is asked, then tells the device (retained, so that it hears when it is back).

        Returns:
            All that is asked of the twin now.

        Raises:
            NotFound: there is no such twin.
            TwinInvalid: a path is not a writable property, or a value has not its type, is
                beyond the limits that settings say, or its source cannot take it.
        """

        def plan(graph: Graph, context: EditContext) -> tuple[list[Edit], Json]:
            edits, asked = ask_desired(graph, context, twin, values)
            for path, value in values.items():
                if value is not None:
                    self._check(twin, path, value)
            seen = self.of(twin)
            kept = {
                path: wish
                for path, wish in self._whole.of(twin).items()
                if path in asked or path not in seen
            }
            for path, value in values.items():
                if value is not None:
                    reported, _ = self._reported(twin, path)
                    _, tolerance = self._rule(twin, path, value)
                    kept[path] = wishes.asked(value, who, context.now, reported, tolerance)
            return [*edits, context.edit(KIND, twin, kept)], asked

        asked = await self._platform.edit(plan, who, "desired")
        self._whole.tell([twin])
        return asked

    def _check(self, twin: str, path: str, value: Any) -> None:
        """Raises TwinInvalid if a value is beyond its limits, or its source cannot take it."""
        model = self._platform.catalogue.model_of(twin) or ""
        signal = self._platform.catalogue.signals.of(model).get(path)
        if signal is not None and is_number(value):
            low, high = signal.minimum, signal.maximum
            limits = (low if isfinite(low) else None, high if isfinite(high) else None)
            if not is_within(value, limits):
                unit = symbol(signal.unit) if signal.unit else ""
                raise TwinInvalid(
                    f"{path} of '{twin}': {value:g} is out of range", hint=in_words(limits, unit)
                )
        self._platform.set_points.check(twin, path, value)

    # ---- what devices report -------------------------------------------------------------

    def readings(self, changed: I32) -> None:
        """Holds new values against the wishes they are about."""
        if not self._watched:
            return
        hit = {self._watched[n] for n in changed.tolist() if n in self._watched}
        twins = {twin for twin, path in hit if self._after(twin, path) is not None}
        if twins:
            self._platform.start_task(self._settle(sorted(twins)))

    async def _settle(self, twins: list[str]) -> None:
        def plan(graph: Graph, context: EditContext) -> tuple[list[Edit], None]:
            return [e for twin in twins for e in self._settling(graph, context, twin)], None

        await self._platform.edit(plan, why="reported")
        self.tell(twins)

    def _settling(self, graph: Graph, context: EditContext, twin: str) -> list[Edit]:
        if graph.find_twin(twin) is None:
            return []
        kept = self.of(twin)
        over: Json = {}
        changed: list[str] = []
        for path, wish in list(kept.items()):
            state = self._after(twin, path)
            if state is None:
                continue
            value, _ = self._reported(twin, path)
            changed.append(f"{path} {state}")
            kept[path] = {**wish, "state": state, "reported": value}
            if state == wishes.OVERRULED:
                over[path] = None
                del kept[path]
        if not changed:
            return []
        edits = ask_desired(graph, context, twin, over)[0] if over else []
        why = "reported: " + ", ".join(changed)
        return [*edits, Edit(KIND, twin, kept, context.now, twin, why)]

    def _after(self, twin: str, path: str) -> str | None:
        """The new state of a wish, None if it stays as it is."""
        wish = self.of(twin).get(path)
        value, time = self._reported(twin, path)
        if wish is None or not time:
            return None
        rule, tolerance = self._rule(twin, path, wish["value"])
        state = wishes.judged(wish, value, time, rule, tolerance)
        is_first = state == wishes.PENDING and wish["reported"] is None
        return state if state != wish["state"] or is_first else None

    def _reported(self, twin: str, path: str) -> tuple[Any, int]:
        return self._platform.measured_value_of(twin)(path) or (None, 0)

    def _rule(self, twin: str, path: str, wanted: Any) -> tuple[str, float]:
        """Who wins, and within which tolerance: at least what a Float rounds."""
        catalogue = self._platform.catalogue
        model = catalogue.model_of(twin) or ""
        setting = catalogue.signals.property_setting
        rule = setting(model, path, "conflict", wishes.PLATFORM)
        tolerance = float(setting(model, path, "tolerance", 0.0))
        rounded = abs(wanted) * FLOAT_STEP if isinstance(wanted, float) else 0.0
        return str(rule), max(tolerance, rounded)

    # ---- what devices are told -----------------------------------------------------------

    def apply(self, edits: Iterable[Edit]) -> None:
        """Follows committed edits: what is watched, and twins that are gone."""
        gone = []
        for edit in edits:
            if edit.kind == KIND and edit.doc is not None:
                self._watch(edit.key)
            elif edit.kind == "twin" and edit.doc is None:
                gone.append(edit.key)
        known = self._platform.catalogue.plain[KIND]
        if any(twin in known for twin in gone):
            self._platform.start_task(self._forget([twin for twin in gone if twin in known]))

    def _watch(self, twin: str) -> None:
        for path in self._platform.graph.desired_of(twin):
            self._watched[self._platform.series.id(twin, path)] = (twin, path)

    def tell(self, twins: Iterable[str]) -> None:
        """Tells devices what is still to be done; `{}` when all is."""
        twins = list(twins)
        for twin in twins:
            self._platform.publish(f"devices/{twin}/desired", self._payload(twin), True)
        self.tell_nodes(twins)
        for twin in twins:
            self._platform.set_points.tell(twin, self.of(twin))

    def tell_nodes(self, twins: Iterable[str]) -> None:
        """Tells edge nodes that speak Sparkplug what is still to be done by these of theirs."""
        for twin in twins:
            if self._platform.graph.desired_of(twin):
                self._platform.sparkplug.tell(twin, wishes.delta(self.of(twin)))

    def told(self, twin: str) -> Json:
        """What a device is told: names to values that it does not report yet."""
        return wishes.delta(self.of(twin))

    def _payload(self, twin: str) -> bytes:
        return orjson.dumps(self.told(twin))

    async def _forget(self, twins: list[str]) -> None:
        """Takes away what was retained for twins that are gone, and only then their wishes."""
        for twin in twins:
            self._platform.publish(f"devices/{twin}/desired", b"", True)
            self._platform.set_points.tell(twin, {})

        def plan(graph: Graph, context: EditContext) -> tuple[list[Edit], None]:
            stored = self._platform.catalogue.plain[KIND]
            over = [t for t in twins if t in stored and graph.find_twin(t) is None]
            return [context.edit(KIND, twin, None) for twin in over], None

        await self._platform.edit(plan, why="the twin was deleted")

    def start(self, retained: Mapping[str, bytes]) -> None:
        """Once devices can be reached: tells what does not follow from the documents any more.

        Args:
            retained: what is kept for devices now, by topic.
        """
        graph = self._platform.graph
        asked = [twin for twin in graph.twins if graph.desired_of(twin)]
        for twin in asked:
            self._watch(twin)
        kept = {topic.split("/")[1]: payload for topic, payload in retained.items()}
        wrong = [t for t in {*asked, *kept} if t in graph.twins and self._payload(t) != kept.get(t)]
        self.tell(sorted(wrong))
        gone = {*self._platform.catalogue.plain[KIND], *kept} - graph.twins.keys()
        if gone:
            self._platform.start_task(self._forget(sorted(gone)))
        changed = [twin for twin in asked if any(self._after(twin, p) for p in self.of(twin))]
        if changed:
            self._platform.start_task(self._settle(changed))
