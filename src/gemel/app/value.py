"""What the twin is worth, how well it predicts: from alarms, orders, commands and history."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gemel.core.batch import Columns
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.core.quality import Quality
from gemel.core.series import MEASURED, PREDICTED, quantile_of, quantile_path, word_of
from gemel.services.roi.fidelity import Column, fidelity
from gemel.services.roi.measured import measured
from gemel.services.roi.prices import Prices, is_currency, read_prices
from gemel.services.roi.record import Record, stood

if TYPE_CHECKING:
    from gemel.app.platform import Platform

KIND, KEY = "prices", "plant"
MOST_ROWS = 200_000
"""Of one series, in one look at its fidelity."""
MOST_SERIES = 500
LOW, HIGH = 0.05, 0.95


class Pair(NamedTuple):
    """A predicted series, and the path whose measured values it should meet."""

    twin: str
    path: str
    met: str
    provenance: str


class Value:
    """Prices, value measured, fidelity by twin."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def prices(self) -> Prices:
        return read_prices(self._platform.catalogue.plain[KIND].get(KEY, {}))

    async def put_prices(self, found: Json, who: str) -> Json:
        """Replaces the prices.

        Raises:
            InvalidInput: names the field and what was expected.
        """
        prices = read_prices(found)
        if not is_currency(prices.currency):
            raise InvalidInput(
                f"currency: '{prices.currency}'", hint="three capital letters of ISO 4217: EUR, USD"
            )
        kept = prices.to_json()
        await self._platform.put(KIND, KEY, kept, who, "prices")
        return self.prices().to_json()

    async def measured(self, begin: int, end: int) -> Json:
        """Value of a span, beside the span of the same length before it."""
        before = begin - (end - begin)
        loop = asyncio.get_running_loop()
        record = await loop.run_in_executor(None, self._record, before, begin, end)
        prices = self.prices()
        return await loop.run_in_executor(None, measured, record, prices)

    def _record(self, before: int, begin: int, end: int) -> Record:
        platform = self._platform
        changes = platform.documents.between("alarm", before, end)
        alarms = {doc["id"]: doc for doc in platform.reactions.alarms.live()}
        alarms |= {key: v.doc for key, v, _ in changes if v.doc is not None}
        orders = platform.work.book.find(limit=1_000_000)
        for order in orders:  # of alarms that were raised before the span
            for key in set(order["alarms"]) - set(alarms):
                kept = platform.documents.get("alarm", key)
                if kept is not None:
                    alarms[key] = kept.doc
        commands = {
            key: version.doc
            for key, version, _ in platform.documents.between("command", begin, end)
            if version.doc is not None
        }
        return Record(
            begin,
            end,
            before,
            alarms=list(alarms.values()),
            orders=orders,
            commands=list(commands.values()),
            stood=stood(changes, before, end),
        )

    # ---- fidelity ----------------------------------------------------------------------------

    async def fidelity(self, twin: str, begin: int, end: int) -> list[Json]:
        """Of every signal that something was predicted of, the worst first.

        Raises:
            NotFound: there is no such twin.
        """
        if twin:
            self._platform.catalogue.require_twin(twin)
        pairs = self._predicted(twin)
        found = await asyncio.get_running_loop().run_in_executor(
            None, lambda: [self._fidelity(pair, begin, end) for pair in pairs]
        )
        return sorted(found, key=lambda f: -1.0 if f["nrmse"] is None else -1 - f["nrmse"])

    def _predicted(self, twin: str) -> list[Pair]:
        """What is both predicted and measured."""
        series, expected = self._platform.series, self._platform.services.expected()
        numbers = series.of_twin(twin) if twin else range(len(series.keys))
        found = []
        for number in numbers:
            key = series.keys[number]
            if word_of(key.provenance) != PREDICTED or quantile_of(key.path):
                continue
            for met in expected.get((key.twin, key.path), (key.path,)):
                if series.find(key.twin, met) is not None:
                    found.append(Pair(key.twin, key.path, met, key.provenance))
        return found[:MOST_SERIES]

    def _fidelity(self, pair: Pair, begin: int, end: int) -> Json:
        twin, path, met, provenance = pair
        truth = self._read(twin, met, MEASURED, begin, end)
        found = fidelity(
            _good(truth),
            _good(self._read(twin, path, provenance, begin, end)),
            _good(self._read(twin, quantile_path(path, LOW), provenance, begin, end)),
            _good(self._read(twin, quantile_path(path, HIGH), provenance, begin, end)),
        )
        good = float((truth.quality < Quality.BAD).mean()) if len(truth) else None
        catalogue = self._platform.catalogue
        return {
            "twin": twin,
            "name": catalogue.name_of(twin),
            "property": met,
            "predictedBy": path,
            "provenance": provenance,
            "unit": catalogue.unit_of(twin, met),
            "quality": good,
            "nominal": HIGH - LOW,
            **found,
        }

    def _read(self, twin: str, path: str, provenance: str, begin: int, end: int) -> Columns:
        number = self._platform.series.find(twin, path, provenance)
        if number is None:
            return NO_READINGS
        return self._platform.history.read(number, begin, end, bad=True, limit=MOST_ROWS)


NO_READINGS = Columns(
    np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8), np.empty(0, np.int64)
)


def _good(found: Columns) -> Column:
    keep = found.quality < Quality.BAD
    return Column(found.time[keep], found.value[keep])
