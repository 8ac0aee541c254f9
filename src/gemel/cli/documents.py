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
    field: str
    """What an entry always has: a file with it at the top is a single entry."""
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
        found = read_yaml(file)
        entries = found.get(self.key, found) if isinstance(found, dict) else found
        if isinstance(entries, dict) and self.field in entries:
            entries = [entries]
        is_list = isinstance(entries, list)
        if not is_list or not all(isinstance(e, dict) and e.get("id") for e in entries):
            raise InvalidInput(f"{file}: must be a list of {self.many}, each with an id")
        return list(entries)

    def _list(self, arguments: argparse.Namespace) -> int:
        found = Client(arguments.data).call("GET", f"/{self.key}")
        return self._show(arguments, found, self.listed)

    def _put(self, arguments: argparse.Namespace) -> int:
        client = Client(arguments.data)
        found = [
            client.call("PUT", f"/{self.key}/{segment(str(entry['id']))}", entry)
            for entry in self.of_file(arguments.file)
        ]
        if arguments.json:
            output.as_json({"value": found})
        else:
            for one in found:
                output.say(self.said(one))
        return 0

    def _check(self, arguments: argparse.Namespace) -> int:
        client = Client(arguments.data)
        entries = self.of_file(arguments.file)
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
