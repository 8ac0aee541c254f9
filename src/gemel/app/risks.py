"""Limits that predictions are about to break: how likely, times how grave, the worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gemel.core.clock import to_iso
from gemel.core.document import Json
from gemel.core.series import PREDICTED, quantile_of, word_of
from gemel.core.units import symbol
from gemel.services.rules.rule import Rule

if TYPE_CHECKING:
    from gemel.app.platform import Platform

CONSEQUENCE = {1: 8.0, 2: 4.0, 3: 2.0, 4: 1.0}
"""By priority: each step is twice as grave, as each is told for less of all alarms."""
LEAST = 0.05
"""What is less likely is not told."""
MOST_SERIES = 50_000
"""Derived, predicted and simulated series that are looked at."""
NEAR = 1e-6
"""Beside a limit, as a share of it."""

Quantiles = list[tuple[float, float]]
"""(level, value), from the lowest."""


def risks_of(platform: Platform) -> list[Json]:
    """Of each property of a twin at most one a side, the gravest first.

    Only rules of one number and a fixed limit count, and only predictions with quantiles of a
    moment that is still to come; where the rule's alarm is active already, nothing is foretold.

    Cost: one look at each derived, predicted and simulated series, at most `MOST_SERIES`.
    """
    rules = _rules_by_path(platform)
    now = platform.clock()
    found: dict[tuple[str, str, bool], Json] = {}
    for (twin, path, _), quantiles in _predicted(platform, set(rules), now).items():
        record = platform.graph.find_twin(twin)
        if record is None or not platform.series.is_shown(twin, path):
            continue
        time, levels = quantiles
        for rule, is_above in rules[path]:
            if not platform.graph.is_of_model(record, rule.model):
                continue
            chance = chance_beyond(sorted(levels), _limit(rule), is_above)
            if chance is None or chance < LEAST or _is_raised(platform, rule.id, twin):
                continue
            score = chance * CONSEQUENCE[rule.priority]
            if score > found.get((twin, path, is_above), {"score": 0.0})["score"]:
                found[twin, path, is_above] = {
                    "twin": twin,
                    "twinName": platform.catalogue.name_of(twin),
                    "rule": rule.id,
                    "title": rule.title,
                    "priority": rule.priority,
                    "property": path,
                    "unit": symbol(rule.kernel.subject.unit) if rule.kernel.subject.unit else None,
                    "limit": _limit(rule),
                    "isAbove": is_above,
                    "time": to_iso(time),
                    "chance": round(chance, 4),
                    "score": round(score, 4),
                }
    return sorted(found.values(), key=lambda one: (-one["score"], one["twin"], one["rule"]))


def chance_beyond(quantiles: Quantiles, limit: float, is_above: bool) -> float | None:
    """How likely a value lies beyond a limit, at least.

    None where fewer than two quantiles tell, or where the limit lies beyond all of them: then only
    is known that it is less likely than the outermost.
    """
    if len(quantiles) < 2:
        return None
    levels, values = zip(*quantiles, strict=True)
    if limit > values[-1] if is_above else limit < values[0]:
        return None
    below = float(np.interp(limit, np.maximum.accumulate(values), levels))
    return 1.0 - below if is_above else below


def _limit(rule: Rule) -> float:
    limit = rule.kernel.subject.limit
    assert isinstance(limit, int | float)
    return float(limit)


def _rules_by_path(platform: Platform) -> dict[str, list[tuple[Rule, bool]]]:
    """Rules of one number beyond a fixed limit, and whether they mean above it."""
    found: dict[str, list[tuple[Rule, bool]]] = {}
    for rule in platform.reactions.engine.rules.values():
        kernel, limit = rule.kernel, rule.kernel.subject.limit
        if len(kernel.paths) != 1 or kernel.named or not kernel.subject.is_number:
            continue
        if isinstance(limit, bool) or not isinstance(limit, int | float):
            continue
        beside = NEAR * max(abs(limit), 1.0)
        sides = np.array([[limit + beside, limit - beside]])
        holds, _ = kernel.evaluate(sides, np.array(kernel.parameters, np.float64)[:, None])
        above, below = np.broadcast_to(holds, 2)
        if above != below:
            found.setdefault(kernel.subject.path, []).append((rule, bool(above)))
    return found


def _predicted(
    platform: Platform, paths: set[str], now: int
) -> dict[tuple[str, str, str], tuple[int, Quantiles]]:
    """By (twin, path, provenance): the newest moment ahead that is predicted, and its quantiles."""
    series, state = platform.series, platform.state
    found: dict[tuple[str, str, str], tuple[int, Quantiles]] = {}
    for number in sorted(series.revised)[:MOST_SERIES]:
        key = series.keys[number]
        beside = quantile_of(key.path)
        if beside is None or beside[0] not in paths or word_of(key.provenance) != PREDICTED:
            continue
        latest = state.get(number)
        if latest is None or latest.time <= now:
            continue
        of = (key.twin, beside[0], key.provenance)
        known = found.get(of)
        if known is None or latest.time > known[0]:
            known = found[of] = (latest.time, [])
        if latest.time == known[0]:
            known[1].append((beside[1], latest.value))
    return found


def _is_raised(platform: Platform, rule: str, twin: str) -> bool:
    alarms = platform.reactions.alarms.of_twin(twin)
    return any(one["rule"] == rule and one["isActive"] for one in alarms)
