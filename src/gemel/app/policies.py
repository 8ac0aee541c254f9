"""Policies compiled to what each principal may see and do, and kept current with every edit.

One `Sight` serves all principals whom the same policies name. It knows, for each twin, which
policies reach it, and so its masks; an edit of a twin costs one twin, an edit of a relationship
that a policy walks costs the twins that came into or fell out of its subtree.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gemel.core.access import Principal
from gemel.core.document import Edit, Json
from gemel.core.errors import Forbidden, InvalidInput, NotFound
from gemel.core.policy import (
    ACTIONS,
    FORBID,
    MOST_POLICIES,
    READ,
    Decision,
    Mask,
    Masks,
    Policy,
    parse_policy,
)
from gemel.twins.graph import Graph

if TYPE_CHECKING:
    from gemel.app.platform import Platform
    from gemel.app.seen import Seen

KIND = "policy"
FREE_ROLE = "admin"
"""Never narrowed: who may change policies could undo them, and must be able to."""
MOST_KNOWN = 10_000
Subtree = tuple[str, tuple[str, ...]]


class Sight:
    """What the principals that some policies name may do, as of the graph now.

    Args:
        graph: all there is; this only reads it.
        policies: those that name the principals, by id.
    """

    def __init__(self, graph: Graph, policies: dict[str, Policy]) -> None:
        self._graph = graph
        self._policies = policies
        self._masks = Masks(policies)
        self._subtrees: dict[Subtree, set[str]] = {}
        self._reaching: dict[str, frozenset[str]] = {}
        self._same: dict[frozenset[str], frozenset[str]] = {}
        self._walked = {n.lstrip("^") for p in policies.values() for n in p.follow}
        self._touched: set[str] = set()
        self._is_stale = True
        self._is_new = True
        self.version = 0
        """Grows whenever policies reach other twins than before."""
        self.seen: Seen | None = None

    def apply(self, edits: Iterable[Edit]) -> None:
        """Takes note of what was edited; it is worked out when somebody next asks."""
        for edit in edits:
            if edit.kind == "twin":
                self._touched.add(edit.key)
            elif edit.kind == "relationship":
                name = None if edit.doc is None else edit.doc["$relationshipName"]
                if self._walked and (name is None or name in self._walked):
                    self._is_stale = True
                if self.seen is not None:
                    self.seen.graph.version += 1
            elif edit.kind == "model":
                self._is_new = self._is_stale = True

    def refresh(self) -> None:
        """Brings everything up to date."""
        if not (self._touched or self._is_stale or self._is_new):
            return
        touched, self._touched = self._touched, set()
        if self._is_stale:
            self._is_stale = False
            touched |= self._walk()
        if self._is_new:
            self._is_new = False
            self.version += 1
            self._reaching.clear()
            if self.seen is not None:
                self.seen.graph.rebuild()
            return
        before = {twin: self._reaching.pop(twin, None) for twin in touched}
        self.version += any(self.reaching(twin) != then for twin, then in before.items())
        if self.seen is not None:
            self.seen.graph.show(touched)

    def _walk(self) -> set[str]:
        """Walks all subtrees again; the twins that came or went."""
        changed: set[str] = set()
        for policy in self._policies.values():
            if policy.root:
                key = (policy.root, policy.follow)
                found = subtree(self._graph, *key)
                changed |= found ^ self._subtrees.get(key, set())
                self._subtrees[key] = found
        return changed

    def reaching(self, twin: str) -> frozenset[str]:
        """The policies that reach a twin, whatever they say of it."""
        self.refresh()
        found = self._reaching.get(twin)
        if found is None:
            there = self._graph.find_twin(twin)
            made = frozenset(p.id for p in self._policies.values() if self._does_reach(p, twin))
            found = self._same.setdefault(made, made)
            if there is not None:
                self._reaching[twin] = found
        return found

    def _does_reach(self, policy: Policy, twin: str) -> bool:
        there = self._graph.find_twin(twin)
        model = "" if there is None else there.model
        return self.would_reach(policy, twin, model)

    def would_reach(self, policy: Policy, twin: str, model: str) -> bool:
        """Whether a policy reaches a twin if it has this model."""
        if not policy.names_twin(twin):
            return False
        if policy.root and twin not in self._subtrees.get((policy.root, policy.follow), ()):
            return False
        interface = self._graph.find_model(model)
        return policy.is_of_model(model, () if interface is None else interface.bases)

    def mask(self, action: str, twin: str) -> Mask:
        return self._masks.of(action, self.reaching(twin))

    def mask_of_new(self, action: str, twin: str, model: str) -> Mask:
        """The mask of a twin that is to be made or to change its model."""
        self.refresh()
        ids = (p.id for p in self._policies.values() if self.would_reach(p, twin, model))
        return self._masks.of(action, frozenset(ids))

    def touches(self, action: str, twin: str) -> bool:
        """Whether an action is allowed on anything of a twin."""
        return not self.mask(action, twin).is_none

    def covers(self, action: str, twin: str) -> bool:
        """Whether an action is allowed on all of a twin."""
        return self.mask(action, twin).is_whole

    def allows(self, action: str, twin: str, name: str) -> bool:
        return self.mask(action, twin).allows(name)

    def require(self, action: str, twin: str, name: str = "") -> None:
        """Refuses what is not allowed; what cannot even be seen is not there.

        Args:
            name: a property, command or relationship; "" for all of the twin.

        Raises:
            NotFound: the twin is there, but not for this principal.
            Forbidden: it may be seen, but this may not be done.
        """
        self.require_seen(twin)
        mask = self.mask(action, twin)
        if not (mask.allows(name) if name else mask.is_whole):
            raise forbidden(action, twin, name)

    def require_seen(self, twin: str) -> None:
        """Says of a twin that is hidden what it says of one that is not there.

        Raises:
            NotFound: it is hidden or missing.
        """
        if self._graph.find_twin(twin) is None or not self.touches(READ, twin):
            raise NotFound(
                f"there is no twin '{twin}'",
                hint="ids are case-sensitive; policies may hide twins from you",
                code="DigitalTwinNotFound",
            )


def forbidden(action: str, twin: str, name: str = "") -> Forbidden:
    what = f"'{name}' of twin '{twin}'" if name else f"all of twin '{twin}'"
    return Forbidden(
        f"policies do not let you {action} {what}",
        hint="an admin can ask POST /policies/explain why",
        code="PolicyForbids",
    )


def subtree(graph: Graph, root: str, follow: tuple[str, ...]) -> set[str]:
    """A twin and all that relationships lead to from it; `^name` goes against the arrow."""
    names = frozenset(name for name in follow if not name.startswith("^"))
    against = frozenset(name[1:] for name in follow if name.startswith("^"))
    found, waiting = {root}, [root]
    while waiting:
        twin = waiting.pop()
        near = [link.target for link in graph.outgoing(twin) if link.name in names]
        if against:
            near += [link.source for link in graph.incoming(twin) if link.name in against]
        new = [other for other in near if other not in found]
        found.update(new)
        waiting += new
    return found


class Narrowed:
    """A principal's policies as of whenever it is asked, for those that hold on to principals."""

    __slots__ = ("_name", "_policies", "_role")

    def __init__(self, policies: Policies, role: str, name: str) -> None:
        self._policies, self._role, self._name = policies, role, name

    def covers(self, action: str, twin: str) -> bool:
        sight = self._policies.sight_of(self._role, self._name)
        return sight is None or sight.covers(action, twin)

    def allows(self, action: str, twin: str, name: str) -> bool:
        sight = self._policies.sight_of(self._role, self._name)
        return sight is None or sight.allows(action, twin, name)


class Policies:
    """The policies of one platform."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._policies: dict[str, Policy] = {}
        self._sights: dict[frozenset[str], Sight] = {}
        self._known: dict[tuple[str, str], Sight | None] = {}

    # ---- kept current --------------------------------------------------------------------

    def load(self) -> None:
        """Reads the policies there are; what was compiled is worked out anew."""
        documents = self._platform.catalogue.plain[KIND]
        self._policies = {key: parse_policy(doc) for key, doc in sorted(documents.items())}
        self._sights.clear()
        self._known.clear()

    def apply(self, edits: Iterable[Edit]) -> None:
        """Follows edits that were made visible in the graph and the catalogue."""
        edits = list(edits)
        forget = self._platform.ingest_stage.forget_senders
        if any(edit.kind == KIND for edit in edits):
            self.load()
            forget()
            return
        if not self._sights:
            return
        for sight in self._sights.values():
            sight.apply(edits)
        if any(edit.kind in ("relationship", "model") for edit in edits):
            forget()
        else:
            forget([edit.key for edit in edits if edit.kind == "twin"])

    # ---- who may what --------------------------------------------------------------------

    def narrowing(self, role: str, name: str) -> Narrowed | None:
        return None if role == FREE_ROLE else Narrowed(self, role, name)

    def sight(self, who: Principal) -> Sight | None:
        """What policies leave of a principal's role; None where none names it."""
        return self.sight_of(who.role, who.name)

    def sight_of(self, role: str, name: str) -> Sight | None:
        if not self._policies or role == FREE_ROLE:
            return None
        key = (role, name)
        if key not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = self._compiled(role, name)
        return self._known[key]

    def _compiled(self, role: str, name: str) -> Sight | None:
        found = {k: p for k, p in self._policies.items() if p.names_principal(role, name)}
        if not found:
            return None
        ids = frozenset(found)
        if ids not in self._sights:
            self._sights[ids] = Sight(self._platform.graph, found)
        return self._sights[ids]

    def explain(self, who: Principal, action: str, twin: str, name: str) -> Json:
        """Whether a principal may do something, and what decided: role, policy or neither.

        Raises:
            NotFound: there is no such twin.
            InvalidInput: the action is not known.
        """
        if action not in ACTIONS:
            raise InvalidInput(f"action: '{action}'", hint="one of " + ", ".join(ACTIONS))
        self._platform.graph.twin(twin)
        permission = PERMISSIONS[action]
        sight = self.sight(who)
        if not any(who.allows(p) for p in permission):
            decision = Decision(False, "", f"role '{who.role}' lacks {' and '.join(permission)}")
        elif sight is None:
            decision = Decision(True, "", "the role allows it, and no policy names this principal")
        else:
            decision = sight.mask(action, twin).decide(name)
        reaching = [] if sight is None else sorted(sight.reaching(twin))
        return {
            "decision": "allow" if decision.is_allowed else "deny",
            "policy": decision.policy or None,
            "reason": decision.reason,
            "reaching": reaching,
        }

    # ---- documents -----------------------------------------------------------------------

    def documents(self) -> list[Json]:
        return [doc for _, doc in sorted(self._platform.catalogue.plain[KIND].items())]

    def check(self, doc: object) -> Json:
        """What a policy would mean now: how many twins it reaches, and what it names in vain.

        Raises:
            InvalidInput: it breaks a rule.
        """
        policy = parse_policy(doc)
        graph = self._platform.graph
        sight = Sight(graph, {policy.id: policy})
        twins = sum(bool(sight.reaching(twin)) for twin in graph.twins)
        warnings = [f"there is no model '{m}'" for m in policy.models if m not in graph.models]
        if policy.root and policy.root not in graph.twins:
            warnings.append(f"there is no twin '{policy.root}' to begin at")
        if policy.effect == FORBID and not policy.roles and not policy.names:
            warnings.append("it forbids this to everybody but admins")
        return {"id": policy.id, "twins": twins, "warnings": warnings}

    async def put(self, key: str, doc: Json, who: str) -> Json:
        """Makes or changes a policy; it counts as soon as this returns.

        Raises:
            InvalidInput: it breaks a rule, or there are too many.
        """
        doc = {**doc, "id": key}
        parse_policy(doc)
        if key not in self._policies and len(self._policies) >= MOST_POLICIES:
            raise InvalidInput(f"there are {MOST_POLICIES} policies", hint="delete some first")
        await self._platform.put(KIND, key, doc, who, "policy")
        return doc

    async def delete(self, key: str, who: str) -> None:
        """Ends a policy.

        Raises:
            NotFound: there is none of this id.
        """
        self.document(key)
        await self._platform.put(KIND, key, None, who, "policy deleted")

    def document(self, key: str) -> Json:
        found = self._platform.catalogue.plain[KIND].get(key)
        if found is None:
            raise NotFound(f"there is no policy '{key}'", hint="GET /policies lists them")
        return found

    def seen_by(self, who: Principal) -> Platform:
        """The platform as a principal may see it: itself, where no policy names the principal."""
        from gemel.app.seen import Seen  # it needs this module

        sight = self.sight(who)
        if sight is None:
            return self._platform
        if sight.seen is None:
            sight.refresh()
            sight.seen = Seen(self._platform, sight)
        sight.refresh()
        return sight.seen.platform


PERMISSIONS = {
    "read": ("twins:read",),
    "write": ("twins:write", "ingest:write"),
    "command": ("commands:send",),
    "alarm": ("alarms:write",),
}
