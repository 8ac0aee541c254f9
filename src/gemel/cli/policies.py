"""`gemel policy`: list, check, put and delete policies; why somebody may do something or not."""

from __future__ import annotations

import argparse
from typing import Any

from gemel.cli import output
from gemel.cli.actions import actions_of, add_action
from gemel.cli.client import Client
from gemel.cli.documents import Documents, Table
from gemel.core.access import ROLES
from gemel.core.policy import ACTIONS, READ


def _who(policy: dict[str, Any]) -> str:
    who = policy.get("who", {})
    return ", ".join([*who.get("roles", []), *who.get("names", [])]) or "everybody"


def _what(policy: dict[str, Any]) -> str:
    parts = [
        ", ".join(policy[name]) for name in ("models", "twins", "properties") if name in policy
    ]
    if "below" in policy:
        parts.append(f"below {policy['below']['twin']}")
    return "; ".join(parts) or "everything"


POLICIES = Documents(
    "policies",
    "policy",
    "policies",
    listed=Table(
        ("EFFECT", "WHO", "ACTIONS", "WHAT"),
        lambda p: (
            *(p["id"], p.get("effect", "permit"), _who(p)),
            *(", ".join(p.get("actions", ["all"])), _what(p)),
        ),
    ),
    checked=Table(("TWINS", "WARNINGS"), lambda p: (p["id"], p["twins"], "; ".join(p["warnings"]))),
    said=lambda p: f"{p['id']} counts",
    deleting="delete a policy",
)


def add(parser: argparse.ArgumentParser) -> None:
    actions = actions_of(parser)
    POLICIES.add(actions)
    asked = add_action(actions, "explain", "whether somebody may do something, and why", _explain)
    asked.add_argument("twin")
    asked.add_argument("--role", required=True, choices=tuple(ROLES))
    asked.add_argument("--name", default="", help="the token's name")
    asked.add_argument("--action", dest="act", default=READ, choices=tuple(ACTIONS))
    asked.add_argument("--property", default="", help="or a relationship or command")


def _explain(arguments: argparse.Namespace) -> int:
    asked = {
        "role": arguments.role,
        "name": arguments.name,
        "action": arguments.act,
        "twin": arguments.twin,
        "property": arguments.property,
    }
    found = Client(arguments.data).call("POST", "/policies/explain", asked)
    if arguments.json:
        output.as_json(found)
    else:
        by = f" (policy {found['policy']})" if found["policy"] else ""
        output.say(f"{found['decision']}: {found['reason']}{by}")
    return 0 if found["decision"] == "allow" else 1
