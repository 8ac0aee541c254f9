"""Value measured: what was seen ahead, false, missed, commanded and stood still, with a range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gemel.core.clock import from_iso
from gemel.core.document import Json
from gemel.services.roi.formula import Amount
from gemel.services.roi.prices import Prices
from gemel.services.roi.record import DAY, SERVICE, Record, hours_a_day

DRAWS = 10_000
LEAST_DAYS = 3
SHOWN = 20
HOUR = 3600 * 10**9
LOOK_BACK = 30 * DAY
AHEAD = "Replaced ahead on a service's word"
LEVELS = (0.05, 0.5, 0.95)


def measured(record: Record, prices: Prices, seed: int = 1) -> Json:
    """Each item with count, formula, evidence and range; the total of those that add up.

    Downtime against the span before stands beside the total: the same hours may be in both.
    """
    random = np.random.default_rng(seed)
    drawn = [
        _ahead(record, prices, random),
        _false(record, prices),
        _commands(record, prices, random),
    ]
    known = [draws for _, draws in drawn if draws is not None]
    total = np.sum(known, axis=0) if known else None
    items = [item | _range(draws) for item, draws in drawn]
    downtime, draws = _downtime(record, prices, random)
    return {
        "currency": prices.currency,
        "days": (record.end - record.begin) / DAY,
        "items": [*items, downtime | _range(draws), _missed(record, prices)],
        "total": _range(total)
        | {
            "of": [item["name"] for item, d in drawn if d is not None],
            "without": [item["name"] for item, d in drawn if d is None],
        },
        "levels": list(LEVELS),
        "draws": DRAWS,
        "seed": seed,
    }


Item = tuple[Json, Amount | None]


def _ahead(record: Record, prices: Prices, random: np.random.Generator) -> Item:
    by_service = {a["id"]: a for a in record.alarms if a["rule"].startswith(SERVICE)}
    orders = [
        order
        for order in record.orders
        if order["state"] == "done" and _is_in(record, order["finished"])
        if any(alarm in by_service for alarm in order["alarms"])
    ]
    leads = [
        (from_iso(order["finished"]) - from_iso(by_service[alarm]["raised"])) / HOUR
        for order in orders
        for alarm in order["alarms"]
        if alarm in by_service
    ]
    item = _item(
        "ahead",
        AHEAD,
        "avoided * (failed - planned) - (count - avoided) * planned",
        [order["id"] for order in orders],
        f"avoided: of {len(orders)} orders each would have failed with a share of "
        f"{prices.avoidedLow:g} to {prices.avoidedHigh:g}, most likely {prices.avoided:g}; nobody "
        "can know it better without letting some fail",
    ) | {"medianLeadHours": float(np.median(leads)) if leads else None}
    if prices.failed is None or prices.planned is None:
        return item | {"needs": ["failed", "planned"]}, None
    low, high = prices.avoidedLow, prices.avoidedHigh
    share = random.triangular(low, prices.avoided, high, DRAWS) if low < high else low
    avoided = random.binomial(len(orders), share, DRAWS).astype(np.float64)
    value = avoided * (prices.failed - prices.planned) - (len(orders) - avoided) * prices.planned
    return item, value


def _false(record: Record, prices: Prices) -> Item:
    """Orders of a service's alarm that were called off."""
    by_service = {a["id"] for a in record.alarms if a["rule"].startswith(SERVICE)}
    orders = [
        order["id"]
        for order in record.orders
        if order["state"] == "cancelled" and _is_in(record, order["finished"])
        if by_service.intersection(order["alarms"])
    ]
    item = _item(
        "false",
        "Orders of a service's alarm that were called off",
        "- count * inspection",
        orders,
        "each was looked at once",
    )
    if prices.inspection is None:
        return item | {"needs": ["inspection"]}, None
    return item, np.full(DRAWS, -len(orders) * prices.inspection)


def _commands(record: Record, prices: Prices, random: np.random.Generator) -> Item:
    done = [c["id"] for c in record.commands if c["service"] and c["state"] == "confirmed"]
    item = _item(
        "commands",
        "Automatic commands that a reading confirmed",
        "count * minutes / 60 * wage",
        done,
        "minutes: half to one and a half times what was entered",
    )
    if prices.minutes is None or prices.wage is None:
        return item | {"needs": ["minutes", "wage"]}, None
    minutes = prices.minutes * random.triangular(0.5, 1.0, 1.5, DRAWS)
    return item, len(done) * minutes / 60 * prices.wage


def _downtime(record: Record, prices: Prices, random: np.random.Generator) -> Item:
    days = int((record.end - record.begin) // DAY)
    before = int((record.begin - record.before) // DAY)
    now = hours_a_day(record.stood, record.end - days * DAY, days, prices.stopPriority)
    then = hours_a_day(record.stood, record.begin - before * DAY, before, prices.stopPriority)
    item = _item(
        "downtime",
        "Hours stood still, against the span before",
        "(hours a day before - hours a day now) * days * downtimeHour",
        [],
        "range: days of each span drawn anew; it stands beside the total, not in it",
    ) | {
        "count": float(now.sum()),
        "hoursADay": float(now.mean()) if days else None,
        "hoursADayBefore": float(then.mean()) if before else None,
        "daysBefore": before,
    }
    if min(days, before) < LEAST_DAYS:
        return item | {"about": f"needs {LEAST_DAYS} whole days here and in the span before"}, None
    if prices.downtimeHour is None:
        return item | {"needs": ["downtimeHour"]}, None
    means = [
        part[random.integers(0, len(part), (DRAWS // 5, len(part)))].mean(axis=1)
        for part in (then, now)
    ]
    return item, (means[0] - means[1]) * days * prices.downtimeHour


def _missed(record: Record, prices: Prices) -> Json:
    """Stops on twins of which no service had said anything in the 30 days before."""
    said: dict[str, list[int]] = {}
    for alarm in record.alarms:
        if alarm["rule"].startswith(SERVICE):
            said.setdefault(alarm["twin"], []).append(from_iso(alarm["raised"]))
    stops = [
        alarm
        for alarm in record.alarms
        if alarm["priority"] <= prices.stopPriority
        and not alarm["rule"].startswith(SERVICE)
        and _is_in(record, alarm["raised"])
    ]
    missed = [alarm["id"] for alarm in stops if not _was_said(alarm, said)]
    return (
        _item(
            "missed",
            "Stops that no service had seen coming",
            "stops without an alarm of a service on the same twin in the 30 days before",
            missed,
            f"of {len(stops)} stops",
        )
        | {"stops": len(stops)}
        | _range(None)
    )


def _was_said(alarm: Json, said: dict[str, list[int]]) -> bool:
    raised = from_iso(alarm["raised"])
    return any(raised - LOOK_BACK <= at < raised for at in said.get(alarm["twin"], ()))


def _is_in(record: Record, time: str | None) -> bool:
    return time is not None and record.begin <= from_iso(time) < record.end


def _item(name: str, title: str, formula: str, keys: Sequence[str], about: str) -> dict[str, Any]:
    return {
        "name": name,
        "title": title,
        "count": len(keys),
        "formula": formula,
        "about": about,
        "evidence": list(keys[:SHOWN]),
        "needs": [],
    }


def _range(draws: Amount | None) -> Json:
    if draws is None:
        return {"low": None, "value": None, "high": None}
    low, value, high = (float(v) for v in np.quantile(draws, LEVELS))
    return {"low": low, "value": value, "high": high}
