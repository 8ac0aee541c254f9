"""Finds every kind of service by its entry point; Gemel's own are found the same way."""

from __future__ import annotations

import logging
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from gemel.core.errors import NotFound
from gemel.services.contract import Kind, RunFunction

GROUP = "gemel.services"
log = logging.getLogger("gemel.services")


@cache
def kinds() -> dict[str, Kind]:
    """All kinds by name; one that cannot be loaded is logged and left out."""
    found: dict[str, Kind] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        try:
            kind = point.load()
        except Exception:  # a broken extension must not keep the platform down
            log.exception("the service '%s' (%s) cannot be loaded", point.name, point.value)
            continue
        if not isinstance(kind, Kind) or kind.name != point.name:
            log.error(
                "the entry point '%s' (%s) is no service of that name", point.name, point.value
            )
            continue
        found[kind.name] = kind
    return found


def kind_of(name: str) -> Kind:
    """One kind.

    Raises:
        NotFound: there is none of this name; says which there are.
    """
    found = kinds().get(name)
    if found is None:
        raise NotFound(
            f"there is no kind of service '{name}'", hint="one of: " + ", ".join(kinds())
        )
    return found


def load_function(name: str) -> RunFunction:
    """`package.module:function` as a function; for the worker."""
    module, _, function = name.partition(":")
    found: RunFunction = getattr(import_module(module), function)
    return found
