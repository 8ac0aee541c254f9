"""`gemel policy`: list, check, put and delete policies; why somebody may do something or not."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gemel.app.yaml_files import read_yaml
from gemel.cli import output
from gemel.cli.client import Client, segment
from gemel.core.access import ROLES
from gemel.core.errors import InvalidInput
from gemel.core.policy import ACTIONS, READ


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _parser(actions, "list", "all policies", _list)
    put = _parser(actions, "put", "make or change the policies of a YAML file", _put)
    put.add_argument("file", type=Path)
    check = _parser(actions, "check", "check the policies of a YAML file, change nothing", _check)
    check.add_argument("file", type=Path)
    asked = _parser(actions, "explain", "whether somebody may do something, and why", _explain)
    asked.add_argument("twin")
    asked.add_argument("--role", required=True, choices=tuple(ROLES))
    asked.add_argument("--name", default="", help="the token's name")
    asked.add_argument("--action", dest="act", default=READ, choices=tuple(ACTIONS))
    asked.add_argument("--property", default="", help="or a relationship or command")
    _parser(actions, "delete", "delete a policy", _delete).add_argument("id")


def _parser(actions: Any, name: str, about: str, run: Callable[..., int]) -> Any:
    parser = actions.add_parser(name, help=about, description=about)
    parser.add_argument("--data", default="./gemel-data", help="the server's data folder")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)
    return parser


def _list(arguments: argparse.Namespace) -> int:
    found = Client(arguments.data).call("GET", "/policies")
    if arguments.json:
        output.as_json(found)
        return 0
    rows = [
        (
            p["id"],
            p.get("effect", "permit"),
            _who(p),
            ", ".join(p.get("actions", ["all"])),
            _what(p),
        )
        for p in found["value"]
    ]
    output.table(("POLICY", "EFFECT", "WHO", "ACTIONS", "WHAT"), rows, "no policies")
    return 0


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


def _policies_of(file: Path) -> list[dict[str, Any]]:
    found = read_yaml(file)
    policies = found.get("policies", found) if isinstance(found, dict) else found
    is_list = isinstance(policies, list)
    if not is_list or not all(isinstance(p, dict) and p.get("id") for p in policies):
        raise InvalidInput(f"{file}: must be a list of policies, each with an id")
    return list(policies)


def _put(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    for policy in _policies_of(arguments.file):
        client.call("PUT", f"/policies/{segment(str(policy['id']))}", policy)
        output.say(f"{policy['id']} counts")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    client = Client(arguments.data)
    found = [client.call("POST", "/policies/check", p) for p in _policies_of(arguments.file)]
    if arguments.json:
        output.as_json({"value": found})
        return 0
    rows = [(p["id"], p["twins"], "; ".join(p["warnings"])) for p in found]
    output.table(("POLICY", "TWINS", "WARNINGS"), rows, "no policies")
    return 0


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


def _delete(arguments: argparse.Namespace) -> int:
    Client(arguments.data).call("DELETE", f"/policies/{segment(arguments.id)}")
    return 0
