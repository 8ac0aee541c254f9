"""Who may do what: five roles, their permissions, and the twins a device may touch.

Every face asks `allows` and nothing else; what is not listed is denied.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Protocol

from gemel.core.errors import Forbidden

VIEWER = frozenset(
    {
        "models:read",
        "twins:read",
        "history:read",
        "alarms:read",
        "commands:read",
        "rules:read",
        "services:read",
        "live:read",
        "mqtt:subscribe",
    }
)
OPERATOR = VIEWER | {"alarms:write", "commands:send", "audit:read", "runs:start"}
ENGINEER = OPERATOR | {
    "models:write",
    "twins:write",
    "rules:write",
    "services:write",
    "ingest:write",
    "results:write",
    "mqtt:publish",
    "plant:write",
    "commands:resume",
}
ADMIN = ENGINEER | {
    "tokens:read",
    "tokens:write",
    "system:write",
    "policies:read",
    "policies:write",
}
DEVICE = frozenset({"ingest:write", "mqtt:publish", "mqtt:subscribe"})

ROLES: dict[str, frozenset[str]] = {
    "admin": ADMIN,
    "engineer": ENGINEER,
    "operator": OPERATOR,
    "viewer": VIEWER,
    "device": DEVICE,
}


class Narrowing(Protocol):
    """What policies leave of a role's permissions for one principal, as of now."""

    def covers(self, action: str, twin: str) -> bool:
        """Whether an action is allowed on all of a twin."""


def lacks(role: str, permission: str) -> Forbidden:
    """What to answer a role that does not have a permission: names those that do."""
    people = [name for name in reversed(ROLES) if name != "device"]
    able = [name for name in people if permission in ROLES[name]]
    return Forbidden(
        f"role '{role}' lacks the permission {permission}",
        hint=f"it takes {' or '.join(able)}: ask an admin for a token with that role",
    )


@dataclass(frozen=True, slots=True)
class Principal:
    """A person, a program or a device that has shown a valid token."""

    name: str
    role: str
    twins: tuple[str, ...] = ()
    """For devices: the twins it may write, as names or patterns such as `line1-*`."""
    token: str = field(default="", compare=False)
    """Which token was shown (its hash): ending the token ends what it opened."""
    narrowing: Narrowing | None = field(default=None, compare=False, repr=False)

    def allows(self, permission: str) -> bool:
        return permission in ROLES.get(self.role, frozenset())

    def may_write_twin(self, twin: str) -> bool:
        """Whether telemetry for this twin is accepted from this principal."""
        if not self.allows("ingest:write"):
            return False
        if self.narrowing is not None and not self.narrowing.covers("write", twin):
            return False
        if self.role != "device":
            return True
        return any(fnmatchcase(twin, pattern) for pattern in self.twins)


SYSTEM = Principal("gemel", "admin")
