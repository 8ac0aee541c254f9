"""Policies: who may read, write and command what, by model, subtree and property.

A policy only narrows: what a role does not allow, no policy gives. Once a policy that permits an
action names somebody, that action is refused to them but for what such policies permit; a policy
that forbids wins over all that permit. Who no policy names may do what the role allows.

Nothing here knows a graph. Which policies reach a twin is told as a set of their ids; `Mask` is
then the answer for every name of that twin: property, telemetry, relationship, component, command.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from gemel.core.access import ROLES
from gemel.core.document import Json
from gemel.core.errors import InvalidInput
from gemel.core.series import quantile_of

PERMIT, FORBID = "permit", "forbid"
READ, WRITE, COMMAND, ALARM = "read", "write", "command", "alarm"
ACTIONS: dict[str, str] = {
    READ: "see it: the twin, its values, history, relationships, alarms and commands",
    WRITE: "change it: properties, relationships, desired values, telemetry in its name",
    COMMAND: "send it commands, approve and take them back",
    ALARM: "act on its alarms and work orders",
}
FIELDS = ("id", "effect", "who", "actions", "models", "twins", "below", "properties", "note")
MOST_POLICIES = 500
MOST_ITEMS = 200
LONGEST = 512

Pattern = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy, read from its document."""

    id: str
    effect: str
    roles: frozenset[str]
    names: tuple[str, ...]
    """Patterns of the names of tokens; with roles and names empty, everybody."""
    actions: frozenset[str]
    models: frozenset[str]
    twins: tuple[str, ...]
    root: str
    """The twin on top of the subtree; "" for the whole graph."""
    follow: tuple[str, ...]
    """Relationships walked from the root; `^name` against the arrow."""
    properties: tuple[Pattern, ...]
    """Patterns by step; empty for the whole twin."""

    def names_principal(self, role: str, name: str) -> bool:
        """Whether it is about this principal."""
        if not self.roles and not self.names:
            return True
        return role in self.roles or any(fnmatchcase(name, p) for p in self.names)

    def is_of_model(self, model: str, bases: Collection[str]) -> bool:
        return not self.models or model in self.models or any(m in self.models for m in bases)

    def names_twin(self, twin: str) -> bool:
        return not self.twins or any(fnmatchcase(twin, p) for p in self.twins)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether something is allowed, and which policy said so; "" if none did."""

    is_allowed: bool
    policy: str
    reason: str


def parse_policy(doc: Any) -> Policy:
    """A policy from its document.

    Raises:
        InvalidInput: names the field, the rule and the way out.
    """
    if not isinstance(doc, dict) or not _is_text(doc.get("id")):
        raise InvalidInput("a policy must be a mapping with an 'id'", hint="see policies.md")
    place = f"policy '{doc['id']}'"
    _known(doc, FIELDS, place)
    effect = doc.get("effect", PERMIT)
    if effect not in (PERMIT, FORBID):
        raise InvalidInput(f"{place}: effect '{effect}' is not known", hint="permit or forbid")
    if not isinstance(doc.get("note", ""), str):
        raise InvalidInput(f"{place}: note must be a text")
    who = _mapping(doc, "who", ("roles", "names"), place)
    below = _mapping(doc, "below", ("twin", "follow"), place)
    root, follow = below.get("twin", ""), _texts(below, "follow", f"{place}: below")
    if below and (not _is_text(root) or not follow):
        raise InvalidInput(
            f"{place}: below needs 'twin' and 'follow'", hint="{twin: line-1, follow: [contains]}"
        )
    return Policy(
        doc["id"],
        effect,
        frozenset(_among(_texts(who, "roles", place), tuple(ROLES), f"{place}: who.roles")),
        _texts(who, "names", place),
        frozenset(_among(_texts(doc, "actions", place), tuple(ACTIONS), f"{place}: actions"))
        or frozenset(ACTIONS),
        frozenset(_texts(doc, "models", place)),
        _texts(doc, "twins", place),
        root,
        follow,
        tuple(tuple(text.split(".")) for text in _texts(doc, "properties", place)),
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST


def _known(found: Json, known: tuple[str, ...], place: str) -> None:
    for name in found:
        if name not in known:
            raise InvalidInput(
                f"{place}: unknown field '{name}'", hint="known: " + ", ".join(known)
            )


def _mapping(doc: Json, name: str, fields: tuple[str, ...], place: str) -> Json:
    found = doc.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict) or not found:
        raise InvalidInput(f"{place}: {name} must be a mapping", hint="with: " + ", ".join(fields))
    _known(found, fields, f"{place}: {name}")
    return found


def _texts(doc: Json, name: str, place: str) -> tuple[str, ...]:
    """A list of texts; one that is there must not be empty, for it would mean everything."""
    if name not in doc:
        return ()
    found = doc[name]
    if not isinstance(found, list) or not 0 < len(found) <= MOST_ITEMS:
        raise InvalidInput(
            f"{place}: {name} must be a list of 1 to {MOST_ITEMS} texts",
            hint=f"leave '{name}' out to mean all",
        )
    for item in found:
        if not _is_text(item):
            raise InvalidInput(f"{place}: {name} holds {item!r:.60}, which is no text")
    return tuple(found)


def _among(found: tuple[str, ...], known: tuple[str, ...], place: str) -> tuple[str, ...]:
    for item in found:
        if item not in known:
            raise InvalidInput(f"{place}: '{item}' is not known", hint="one of " + ", ".join(known))
    return found


class Mask:
    """What one principal may do to every name of the twins that the same policies reach.

    Args:
        reaching: the principal's policies for the action that reach the twin.
        is_narrowed: whether any policy of the principal permits this action anywhere.
    """

    __slots__ = ("_forbids", "_known", "_permits", "is_narrowed", "is_none", "is_whole")

    def __init__(self, reaching: Sequence[Policy], is_narrowed: bool) -> None:
        self._permits = [p for p in reaching if p.effect == PERMIT]
        self._forbids = [p for p in reaching if p.effect == FORBID]
        self.is_narrowed = is_narrowed
        is_ended = any(not p.properties for p in self._forbids)
        self.is_none = is_ended or (is_narrowed and not self._permits)
        """Not even the twin itself."""
        is_given = not is_narrowed or any(not p.properties for p in self._permits)
        self.is_whole = is_given and not self._forbids
        """Every name there is."""
        self._known: dict[str, bool] = {}

    def allows(self, name: str) -> bool:
        """Whether a name may be; one inside another is written with dots."""
        found = self._known.get(name)
        if found is None:
            if len(self._known) > 10_000:
                self._known.clear()
            found = self._known[name] = self.decide(name).is_allowed
        return found

    def decide(self, name: str) -> Decision:
        """As `allows`, with the policy that decided; the name "" asks for the twin itself."""
        beside = quantile_of(name)
        steps = tuple((beside[0] if beside else name).split(".")) if name else ()
        for policy in self._forbids:
            if not policy.properties or (steps and _meets(policy.properties, steps)):
                return Decision(False, policy.id, "a policy forbids it")
        for policy in self._permits:
            if not policy.properties or not steps or _covers(policy.properties, steps):
                return Decision(True, policy.id, "a policy permits it")
        if self.is_narrowed:
            return Decision(False, "", "policies name this principal, and none permits it")
        return Decision(True, "", "the role allows it, and no policy says otherwise")


def _covers(patterns: Sequence[Pattern], steps: Pattern) -> bool:
    """Whether a pattern names it, or what it lies in."""
    return any(len(p) <= len(steps) and all(map(fnmatchcase, steps, p)) for p in patterns)


def _meets(patterns: Sequence[Pattern], steps: Pattern) -> bool:
    """As `_covers`, or a pattern names a part of it: an object is shown whole or not at all."""
    return any(all(map(fnmatchcase, steps, p)) for p in patterns)


class Masks:
    """The masks of one principal, one for each action and set of policies that reach a twin."""

    def __init__(self, policies: Mapping[str, Policy]) -> None:
        self.policies = policies
        self._masks: dict[tuple[str, frozenset[str]], Mask] = {}
        self._narrowed = {
            action
            for policy in policies.values()
            if policy.effect == PERMIT
            for action in policy.actions
        }

    def of(self, action: str, reaching: frozenset[str]) -> Mask:
        found = self._masks.get((action, reaching))
        if found is None:
            among = [p for k, p in self.policies.items() if k in reaching and action in p.actions]
            found = self._masks[action, reaching] = Mask(among, action in self._narrowed)
        return found
