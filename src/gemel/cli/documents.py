"""Rules, derived properties and policies: list, put, check and delete, in one way for all.

Each is a YAML file of entries with an id, and a collection of the API: `GET /rules`,
`PUT /rules/{id}`, `POST /rules/check`, `DELETE /rules/{id}`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gemel.app.yaml_files import read_yaml
from gemel.cli import output
from gemel.cli.actions import add_action
from gemel.cli.client import Client, segment
from gemel.core.document import Json
from gemel.core.errors import InvalidInput


def entries_of(file: Path, key: str, many: str) -> list[Json]:
    """The entries of a YAML file: a list, one alone, or a mapping from ids; maybe below `key`.

    Raises:
        InvalidInput: it holds something else.
    """
    found = read_yaml(file)
    if isinstance(found, dict) and key in found:
        found = found[key]
    if isinstance(found, dict) and "id" in found:
        found = [found]
    elif isinstance(found, dict) and found and all(isinstance(e, dict) for e in found.values()):
        found = [{"id": name, **entry} for name, entry in found.items()]
    if not isinstance(found, list):
        raise InvalidInput(f"{file} holds no {many}", hint=f"a list of {many}, each with an 'id'")
    for number, entry in enumerate(found, 1):
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str) or not entry["id"]:
            raise InvalidInput(
                f"{file}: entry {number} has no 'id'", hint="such as 'id: motor-hot', a text"
            )
    return found


@dataclass(frozen=True)
class Table:
    head: tuple[str, ...]
    row: Callable[[Json], tuple[Any, ...]]


@dataclass(frozen=True)
class Documents:
    """One kind of them."""

    key: str
    """In the address, and in a file that holds other things too."""
    one: str
    many: str
    listed: Table
    checked: Table
    said: Callable[[Json], str]
    """What is told of each after `put`."""
    deleting: str
    """What `delete` does."""

    def add(self, actions: Any) -> None:
        about = f"of a YAML file ({self.many})"
        add_action(actions, "list", f"all {self.many}", self._list)
        for name, does, run in (
            ("put", f"make or change the entries {about}", self._put),
            ("check", f"check the entries {about}; changes nothing", self._check),
        ):
            add_action(actions, name, does, run).add_argument("file", type=Path)
        add_action(actions, "delete", self.deleting, self._delete).add_argument("id")

    def of_file(self, file: Path) -> list[Json]:
        """The entries of a YAML file.

        Raises:
            InvalidInput: it holds something else.
        """
        return entries_of(file, self.key, self.many)

    def _list(self, arguments: argparse.Namespace) -> int:
        found = Client(arguments.data).call("GET", f"/{self.key}")
        return self._show(arguments, found, self.listed)

    def _put(self, arguments: argparse.Namespace) -> int:
        entries = self.of_file(arguments.file)  # a mistake in it is told without a server, too
        client = Client(arguments.data)
        found = [
            client.call("PUT", f"/{self.key}/{segment(str(entry['id']))}", entry)
            for entry in entries
        ]
        if arguments.json:
            output.as_json({"value": found})
        else:
            for one in found:
                output.say(self.said(one))
        return 0

    def _check(self, arguments: argparse.Namespace) -> int:
        entries = self.of_file(arguments.file)
        client = Client(arguments.data)
        found = [client.call("POST", f"/{self.key}/check", entry) for entry in entries]
        return self._show(arguments, {"value": found}, self.checked)

    def _delete(self, arguments: argparse.Namespace) -> int:
        Client(arguments.data).call("DELETE", f"/{self.key}/{segment(arguments.id)}")
        if arguments.json:
            output.as_json({"id": arguments.id})
        return 0

    def _show(self, arguments: argparse.Namespace, found: Json, table: Table) -> int:
        if arguments.json:
            output.as_json(found)
        else:
            rows = [table.row(one) for one in found["value"]]
            output.table((self.one.upper(), *table.head), rows, f"no {self.many}")
        return 0
