"""The rules of the plant over simulated series: what would raise, how surely, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gemel.core.batch import F64, I64
from gemel.core.clock import SECOND
from gemel.core.document import Json
from gemel.core.errors import GemelError
from gemel.services.rules.compiler import PropertyShape
from gemel.services.rules.expression import Relation
from gemel.services.rules.rule import Rule, load_rule
from gemel.services.rules.whole import Span
from gemel.services.whatif.fork import Fork, short_name

MOST_JUDGED = 20_000
ShapesByModel = Mapping[str, Mapping[str, PropertyShape]]


def shapes_of_json(doc: Json) -> dict[str, dict[str, PropertyShape]]:
    """By model and path, as the plan carries them: [kind, unit, values]."""
    return {
        model: {path: PropertyShape(kind, unit, values) for path, (kind, unit, values) in p.items()}
        for model, p in doc.items()
    }


@dataclass(frozen=True, slots=True)
class Simulated:
    """Values of one variant. Shapes: time (moments,), values (moments, rows, members)."""

    time: I64
    rows: Mapping[tuple[str, str], int]
    values: np.ndarray[Any, Any]


def loaded(
    documents: Mapping[str, Json], fork: Fork, shapes: ShapesByModel, seconds: float
) -> tuple[list[Rule], list[str]]:
    """The rules that can be judged here, and why others cannot."""
    rules, why = [], []
    for key, doc in documents.items():
        try:
            found = load_rule(
                key,
                {n: v for n, v in doc.items() if n != "version"},
                shapes.get(doc["model"], {}),
                version=int(doc.get("version", 1)),
                kin=lambda relation: _kin(relation, fork, shapes),
            )
        except GemelError as error:
            why.append(f"rule '{key}' is not judged: {error.message.splitlines()[0]}")
            continue
        rules.append(replace(found, stale_after=max(found.stale_after, 4 * seconds)))
    return rules, why


def _kin(
    relation: Relation, fork: Fork, shapes: ShapesByModel
) -> Mapping[str, PropertyShape] | None:
    """What twins of the fork measure that could be relatives; `mixed` where they differ."""
    found: dict[str, PropertyShape] = {}
    names = {t.models[0] for t in fork.twins.values()}
    for model in names:
        if relation.model and short_name(model) != relation.model:
            continue
        for path, shape in shapes.get(model, {}).items():
            known = found.get(path)
            found[path] = shape if known in (None, shape) else PropertyShape("mixed")
    return found or None


def judged(
    rules: Sequence[Rule], fork: Fork, variants: Sequence[Simulated], begin: int, end: int
) -> list[Json]:
    """Each rule on each of its twins that raised in any variant."""
    found: list[Json] = []
    members = variants[0].values.shape[2]
    pairs = [
        (rule, twin)
        for rule in rules
        for twin in fork.of_model(rule.model)
        if any((twin, path) in variants[0].rows for path in rule.kernel.raw_paths)
    ]
    most = max(1, MOST_JUDGED // max(len(pairs) * len(variants), 1))
    for rule, twin in pairs:
        sides = [_side(rule, twin, fork, one, begin, end, min(members, most)) for one in variants]
        if any(side["share"] > 0 for side in sides):
            found.append(
                {"rule": rule.id, "title": rule.title, "priority": rule.priority, "twin": twin,
                 "variants": sides}
            )  # fmt: skip
    return sorted(found, key=lambda row: (row["priority"], row["rule"], row["twin"]))


def _side(
    rule: Rule, twin: str, fork: Fork, simulated: Simulated, begin: int, end: int, members: int
) -> Json:
    """How often a rule raises among the members, when first, and for how long."""
    first: list[float] = []
    active = 0.0
    for member in range(members):
        span = Span(_reader(fork, simulated, member), begin, end, fork.relatives, _settings(fork))
        outcome = span.judge(rule, twin)
        if not len(outcome.raised):
            continue
        first.append((int(outcome.raised[0]) - begin) / SECOND / 3600)
        cleared = np.append(outcome.cleared, end)[: len(outcome.raised)]
        active += float((cleared - outcome.raised).sum()) / SECOND / 3600
    return {
        "share": len(first) / members,
        "firstHours": float(np.median(first)) if first else None,
        "activeHours": active / members,
        "members": members,
    }


def _settings(fork: Fork) -> Any:
    return lambda twin: fork.twins[twin].values if twin in fork.twins else {}


def _reader(fork: Fork, simulated: Simulated, member: int) -> Any:
    def read(twin: str, path: str) -> tuple[I64, F64]:
        row = simulated.rows.get((twin, path))
        if row is not None:
            values = simulated.values[:, row, member].astype(float)
            known = np.isfinite(values)
            return simulated.time[known], values[known]
        known_twin = fork.twins.get(twin)
        if known_twin is None or path not in known_twin.values:
            return np.zeros(0, np.int64), np.zeros(0)
        return np.array([fork.at], np.int64), np.array([known_twin.values[path]])

    return read
