"""The limits that rules hold a twin's values against, for charts and explanations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemel.core.document import Json
from gemel.core.series import split_beside
from gemel.core.units import symbol

if TYPE_CHECKING:
    from gemel.app.platform import Platform


def limits_of(platform: Platform, twin: str) -> list[Json]:
    """What each running rule of the twin's model is mainly about, the most urgent first.

    Raises:
        NotFound: there is no such twin.
    """
    platform.catalogue.require_twin(twin)
    record = platform.graph.find_twin(twin)
    found: list[Json] = []
    for rule in platform.reactions.engine.rules.values():
        subject = rule.kernel.subject
        path, provenance = split_beside(subject.path)
        if record is None or not platform.graph.is_of_model(record, rule.model):
            continue
        if not isinstance(subject.limit, bool if not subject.is_number else int | float):
            continue
        if not platform.series.is_shown(twin, path):
            continue
        found.append(
            {
                "rule": rule.id,
                "title": rule.title,
                "when": rule.when,
                "priority": rule.priority,
                "property": path,
                "provenance": provenance,
                "limit": _plain(subject.limit),
                "unit": symbol(subject.unit) if subject.unit else None,
            }
        )
    return sorted(found, key=lambda one: (one["priority"], one["property"], one["rule"]))


def _plain(limit: float) -> float | bool:
    """A yes or no stays one, as in alarms."""
    return limit if isinstance(limit, bool) else float(limit)
