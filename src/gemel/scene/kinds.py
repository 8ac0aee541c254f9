"""The kinds that come with Gemel: shape specs by name."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, TypeGuard

Spec = dict[str, Any]
LARGEST = 1000.0


@cache
def builtin() -> dict[str, Any]:
    """`kinds.json`: macros and kinds."""
    text = files("gemel.scene").joinpath("kinds.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def find(kind: str, own: Mapping[str, Spec] | None = None) -> Spec | None:
    """A scene's own kind, or else one of ours."""
    found = (own or {}).get(kind) or builtin()["kinds"].get(kind)
    return found if isinstance(found, dict) else None


def parameters_of(kind: str, own: Mapping[str, Spec] | None = None) -> dict[str, float]:
    """The names of a kind's parameters with their defaults; none for an unknown kind."""
    found = (find(kind, own) or {}).get("parameters")
    return found if isinstance(found, dict) else {}


def filled(spec: Spec, given: Mapping[str, Any]) -> dict[str, float]:
    """All parameters; what makes no sense (no number, zero, less, too much) is the default."""
    found = {}
    for name, default in (spec.get("parameters") or {}).items():
        value = given.get(name)
        found[name] = float(value if is_size(value) else default)
    return found


def is_size(value: Any) -> TypeGuard[float]:
    """Whether a parameter may have this value: a number above 0 and below 1,000."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 < value < LARGEST
