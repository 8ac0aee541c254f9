"""What a command of `gemel` can do: its actions, as `gemel rule list`, each with a parser."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

Run = Callable[[argparse.Namespace], int]


class AnyOrder(argparse.ArgumentParser):
    """Takes arguments and options in any order: `send pump-1 setSpeed --wait 70` too."""

    _is_mixing = False

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        if self._is_mixing:
            return super().parse_known_args(args, namespace)
        self._is_mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_mixing = False


def actions_of(parser: argparse.ArgumentParser) -> Any:
    """Where the actions of a command go."""
    return parser.add_subparsers(
        dest="action", required=True, metavar="ACTION", parser_class=AnyOrder
    )


def add_action(
    actions: Any,
    name: str,
    about: str,
    run: Run,
    *,
    is_remote: bool = True,
) -> argparse.ArgumentParser:
    """Adds an action with the options that all of them have.

    Args:
        actions: of `actions_of`.
        name: the word that calls it.
        about: what it does, in a line.
        run: does it and gives the exit code.
        is_remote: whether it asks a server, which its data folder names.
    """
    parser: argparse.ArgumentParser = actions.add_parser(name, help=about, description=about)
    common_options(parser, run, is_remote=is_remote)
    return parser


def common_options(parser: argparse.ArgumentParser, run: Run, *, is_remote: bool = True) -> None:
    """Adds the options that all actions have."""
    if is_remote:
        parser.add_argument("--data", default="./gemel-data", help="the server's data folder")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)
