"""A part of the graph as of a moment: twins, their values, how they are joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gemel.core.document import Json
from gemel.services.rules.expression import Relation

MOST_HOPS = 32


@dataclass(frozen=True, slots=True)
class ForkedTwin:
    id: str
    name: str
    models: tuple[str, ...]
    """Its model, then those that this one extends."""
    values: Mapping[str, float]
    """By path, as of the moment."""
    is_simulated: bool = True
    """False: it is only looked at, as it stands beside those that are forked."""


@dataclass(frozen=True, slots=True)
class Fork:
    """All that a run knows of the plant."""

    at: int
    """ns."""
    twins: Mapping[str, ForkedTwin]
    links: Sequence[tuple[str, str, str]]
    """(source, name, target)."""

    def relatives(self, twin: str, relation: Relation) -> list[str]:
        """As rules see them: each once, in order of their ids."""
        met: set[str] = set()
        level = {twin}
        for _ in range(MOST_HOPS if relation.is_deep else 1):
            level = self._step(level, relation) - met
            met |= level
        found = sorted(met - {twin}) if relation.is_deep else sorted(met)
        if relation.model:
            found = [t for t in found if self._has_name(t, relation.model)]
        return found

    def _step(self, level: set[str], relation: Relation) -> set[str]:
        if relation.is_incoming:
            return {s for s, name, t in self.links if t in level and name == relation.name}
        return {t for s, name, t in self.links if s in level and name == relation.name}

    def _has_name(self, twin: str, name: str) -> bool:
        known = self.twins.get(twin)
        return known is not None and any(short_name(m) == name for m in known.models)

    def of_model(self, model: str) -> list[str]:
        """The simulated twins of a model, in order of their ids."""
        return sorted(t.id for t in self.twins.values() if t.is_simulated and model in t.models)


def short_name(model: str) -> str:
    """`Pump` of `dtmi:plant:Pump;1`."""
    return model.rsplit(":", 1)[-1].split(";", 1)[0]


def fork_to_json(fork: Fork) -> Json:
    return {
        "at": fork.at,
        "twins": [
            [t.id, t.name, list(t.models), dict(t.values), t.is_simulated]
            for t in fork.twins.values()
        ],
        "links": [list(link) for link in fork.links],
    }


def fork_of_json(doc: Json) -> Fork:
    twins = {
        row[0]: ForkedTwin(row[0], row[1], tuple(row[2]), row[3], row[4]) for row in doc["twins"]
    }
    return Fork(doc["at"], twins, [(s, n, t) for s, n, t in doc["links"]])
