"""Scenarios as policies let them be seen: whoever may read all twins of one may see it.

The twins of a scenario are those it names, those that it follows relationships to, and those that
it has simulated. What a run worked out rests on all of them together, so no part can be left out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from gemel.app.policies import Sight, subtree
from gemel.app.scenarios import Arrays, Scenarios
from gemel.core.access import Principal
from gemel.core.document import Json
from gemel.core.errors import Forbidden, NotFound
from gemel.core.policy import READ, WRITE
from gemel.services.whatif.scenario import read_scenario

if TYPE_CHECKING:
    from gemel.app.platform import Platform


class SeenScenarios:
    """The scenarios of a platform, for a principal whom policies narrow."""

    def __init__(self, real: Platform, sight: Sight) -> None:
        self._platform = real
        self._real: Scenarios = real.scenarios
        self._sight = sight

    # ---- what is seen --------------------------------------------------------------------

    def _require(self, action: str, twins: Iterable[str]) -> None:
        """Refuses twins that are not there, not seen, or not allowed as a whole.

        Raises:
            NotFound, Forbidden: see `Sight.require`.
        """
        for twin in twins:
            self._platform.graph.twin(twin)
            self._sight.require(action, twin)

    def _twins(self, asked: Json) -> set[str]:
        """The twins that a scenario names, and those it follows relationships to."""
        found = set(_named(asked))
        for root in asked["twins"]:
            found |= subtree(self._platform.graph, root, tuple(asked["follow"]))
        return found

    def asked(self, key: str) -> Json:
        """What a scenario asks.

        Raises:
            NotFound: there is none, or one of its twins may not be read.
        """
        asked = self._real.asked(key)
        try:
            self._require(READ, self._twins(asked))
        except (Forbidden, NotFound):
            raise NotFound(
                f"there is no scenario '{key}'",
                hint="GET /scenarios lists them; policies may hide some",
            ) from None
        return asked

    def document(self, key: str) -> Json:
        self.asked(key)
        return self._real.document(key)

    def view(self, key: str) -> Json:
        """As `Scenarios.view`, its result without figures of twins that may not be read."""
        self.asked(key)
        found = self._real.view(key)
        short = found.get("result")
        if short is None:
            return found
        rows = [row for row in short["kpis"] if self._sight.covers(READ, row.get("twin", ""))]
        return {**found, "result": {**short, "kpis": rows}}

    def views(self) -> list[Json]:
        found = []
        for one in self._real.views():
            with contextlib.suppress(NotFound):
                found.append(self.view(one["id"]))
        return found

    async def result(self, key: str) -> tuple[Json, Arrays]:
        """As `Scenarios.result`.

        Raises:
            Forbidden: a twin was simulated that may not be read.
        """
        self.asked(key)
        document, arrays = await self._real.result(key)
        twins = {twin for twin, _, _ in document["series"]}
        self._require(READ, twins | {row["twin"] for row in document["kpis"]})
        return document, arrays

    # ---- what is done --------------------------------------------------------------------

    async def put(self, key: str, body: Json, who: str) -> Json:
        """As `Scenarios.put`, of twins all of which may be read.

        Raises:
            Forbidden: one may not, or there is one of this id that may not be seen.
        """
        self._require(READ, self._twins(dict(read_scenario(body).document)))
        with contextlib.suppress(NotFound):
            self._real.document(key)
            try:
                self.asked(key)
            except NotFound:
                raise Forbidden(
                    f"the id '{key}' of a scenario is taken",
                    hint="choose another one",
                    code="PolicyForbids",
                ) from None
        await self._real.put(key, body, who)
        return self.view(key)

    async def drop(self, key: str, who: str) -> None:
        self.asked(key)
        await self._real.drop(key, who)

    async def run(self, key: str, who: str) -> Json:
        """As `Scenarios.run`; what was forked as of its moment may be read too."""
        self.asked(key)
        await self._real.run(key, who, lambda twins: self._require(READ, twins))
        return self.view(key)

    async def keep(self, key: str, who: str) -> Json:
        """As `Scenarios.keep`.

        Raises:
            Forbidden: a property of which values would be kept may not be written.
        """
        document, _ = await self.result(key)
        for twin, path, _ in document["series"]:
            self._sight.require(WRITE, twin, path)
        return await self._real.keep(key, who)


class SeenPromotions:
    """From a scenario that is seen to the plant, past the guards of commands and policies."""

    def __init__(self, real: Platform, scenarios: SeenScenarios) -> None:
        self._real = real.promotions
        self._scenarios = scenarios

    async def promote(self, key: str, who: Principal, *, is_dry: bool) -> Json:
        await self._scenarios.result(key)
        return await self._real.promote(key, who, is_dry=is_dry)


def _named(body: object) -> Iterable[str]:
    """The twins that a scenario names wherever it may: roots, changes, key figures, variants."""
    if isinstance(body, dict):
        twin = body.get("twin")
        if isinstance(twin, str) and twin:
            yield twin
        for value in body.values():
            yield from _named(value)
    elif isinstance(body, list):
        for value in body:
            yield from _named(value)
